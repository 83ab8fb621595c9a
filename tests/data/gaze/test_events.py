"""Fixations in traces made by hand, where it is known what there is to find."""

import numpy as np
import pytest

from hd2s_tf.data.gaze import events
from hd2s_tf.data.gaze.events import Detection
from hd2s_tf.errors import BadInputError


def _trace(rate, *parts):
    """Times in ms and positions in degrees; a part is (ms, start, end): gaze that rests or moves evenly."""
    positions = []
    for milliseconds, start, end in parts:
        share = np.linspace(0, 1, round(milliseconds * rate / 1000), endpoint=False)[:, np.newaxis]
        positions.append(np.array(start) + share * (np.array(end) - start))
    positions = np.concatenate(positions)
    return np.arange(len(positions)) * 1000 / rate, positions


A, B = (5.0, 5.0), (5.0, 15.0)


@pytest.mark.parametrize("method", [events.IVT, events.IDT])
@pytest.mark.parametrize("rate", [60, 250, 1000])
def test_two_fixations_with_a_saccade_between(method, rate):
    times, positions = _trace(rate, (300, A, A), (40, A, B), (400, B, B))
    noise = np.random.default_rng(0).normal(0, 0.02, positions.shape)
    spans, short = events.fixations(times, positions + noise, Detection(method))
    assert (len(spans), short) == (2, 0)
    tolerance = 1000 / rate + 12
    np.testing.assert_allclose(times[spans[:, 0]], [0, 340], atol=tolerance)
    np.testing.assert_allclose(times[spans[:, 1] - 1], [300, 740], atol=tolerance)
    for (first, last), centre in zip(spans, (A, B), strict=True):
        np.testing.assert_allclose(positions[first:last].mean(0), centre, atol=0.4)


def test_point_to_point_velocity_at_a_low_rate():
    """At 50 Hz each sample's velocity is the distance from the one before: 1 degree in 20 ms is 50 a second."""
    times, positions = np.arange(8) * 20.0, np.zeros((8, 2))
    positions[4:, 1] = 1.0
    spans, _ = events.fixations(times, positions, Detection(velocity=49.0, shortest=20.0))
    assert spans.tolist() == [[0, 4], [5, 8]]
    spans, _ = events.fixations(times, positions, Detection(velocity=51.0, shortest=20.0))
    assert spans.tolist() == [[0, 8]]


def test_dispersion_is_the_extent_along_both_axes():
    times = np.arange(10) * 20.0
    positions = np.zeros((10, 2))
    positions[5:] = (0.5, 0.6)
    for dispersion, expected in ((1.0, [[0, 5], [5, 10]]), (1.2, [[0, 10]])):
        spans, _ = events.fixations(times, positions, Detection(events.IDT, dispersion=dispersion, shortest=60.0))
        assert spans.tolist() == expected


@pytest.mark.parametrize("method", [events.IVT, events.IDT])
def test_a_blink_ends_a_fixation(method):
    times, positions = _trace(250, (800, A, A))
    there = (times < 300) | (times >= 450)
    spans, _ = events.fixations(times[there], positions[there], Detection(method))
    assert times[there][spans[:, 0]].tolist() == [0.0, 452.0]
    spans, _ = events.fixations(times, positions, Detection(method))
    assert len(spans) == 1


def test_short_fixations_are_dropped_and_counted():
    times, positions = _trace(250, (200, A, A), (40, A, B), (40, B, B), (40, B, A), (200, A, A))
    spans, short = events.fixations(times, positions, Detection())
    assert (len(spans), short) == (2, 1)


def test_smooth_pursuit_below_the_threshold_is_one_fixation():
    times, positions = _trace(250, (1000, A, B))
    assert len(events.fixations(times, positions, Detection(velocity=30.0))[0]) == 1
    assert len(events.fixations(times, positions, Detection(velocity=8.0))[0]) == 0


@pytest.mark.parametrize("method", [events.IVT, events.IDT])
@pytest.mark.parametrize("samples", [0, 1, 2])
def test_hardly_any_samples(method, samples):
    spans, _ = events.fixations(np.arange(samples) * 4.0, np.zeros((samples, 2)), Detection(method))
    assert spans.shape == (0, 2)


@pytest.mark.parametrize("settings", [{"method": "x"}, {"velocity": 0}, {"dispersion": -1}, {"shortest": np.inf}])
def test_settings_that_make_no_sense(settings):
    with pytest.raises(BadInputError):
        Detection(**settings).check()
