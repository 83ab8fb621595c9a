import numpy as np
import pytest

from hd2s_tf.data.gaze import exports, units


@pytest.mark.parametrize("unit, scale", [("s", 1e-3), ("ms", 1.0), ("us", 1e3), ("ns", 1e6)])
@pytest.mark.parametrize(
    "milliseconds, about",
    [((80, 250, 900), exports.FIXATIONS), ((400, 3000, 9000), exports.FIXATIONS), ((1, 1, 1), exports.SAMPLES),
     ((33, 33, 34), exports.SAMPLES), ((0.5, 0.5, 100), exports.SAMPLES)],
)  # fmt: skip
def test_units_of_time_by_usual_values(unit, scale, milliseconds, about):
    assert units.time_unit(np.array([*milliseconds, np.nan]) * scale, about) == unit


def test_units_of_coordinates():
    pixels, fractions = np.array([[10.0, 300.0], [200.0, 5.0]]), np.array([[0.1, 0.9], [np.nan, 0.2], [1.2, -0.1]])
    assert units.coordinates(pixels, None) == exports.STIMULUS
    assert units.coordinates(pixels, (1080, 1920)) == exports.SCREEN
    assert units.coordinates(fractions, None) == exports.RELATIVE
    assert units.coordinates(fractions, (1080, 1920)) == exports.RELATIVE_SCREEN


def test_mixed_units_are_found():
    points = np.array([[10.0, 300.0]] * 18 + [[0.3, 0.4], [0.5, 0.6]])
    assert units.mixed(points, relative=False) == 18
    assert units.mixed(points[:18], relative=False) is None
    assert units.mixed(points[::-1], relative=True) == 2
    # A few in the corner are no other unit.
    assert units.mixed(np.repeat(points[:19], [10] * 18 + [1], axis=0), relative=False) is None


def test_durations_that_no_fixation_has_are_found():
    durations = np.array([200.0] * 18 + [0.3, 0.2])
    assert units.mixed_durations(durations) == 18
    assert units.mixed_durations(durations[:18]) is None
    assert units.mixed_durations(durations * 1000) == 0
    assert units.mixed_durations(np.repeat(durations[:19], [10] * 18 + [1])) is None
