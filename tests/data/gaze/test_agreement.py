import numpy as np
import pytest

from hd2s_tf.data.gaze.agreement import agreement

_SIGMA = (0.05, 0.05)


def test_people_who_look_at_one_place_agree():
    points = np.full((6, 2), 0.3)
    together = agreement(points, np.arange(6), _SIGMA)
    points[3:] = 0.8
    halved = agreement(points, np.arange(6), _SIGMA)
    assert together > halved > 3


def test_people_who_look_anywhere_do_not_agree():
    generator = np.random.default_rng(0)
    by_chance = [agreement(generator.uniform(size=(10, 2)), np.arange(10), _SIGMA) for _ in range(200)]
    assert abs(np.mean(by_chance)) < 0.1


def test_ones_own_fixations_do_not_count():
    points = np.array([[0.2, 0.2]] * 5 + [[0.8, 0.8]])
    assert agreement(points, np.array([0, 0, 0, 0, 0, 1]), _SIGMA) < 0


def test_nobody_agrees_alone():
    assert np.isnan(agreement(np.full((3, 2), 0.5), np.zeros(3, int), _SIGMA))


@pytest.mark.parametrize("sigma", [(0.001, 0.001), (0.5, 0.5)])
def test_any_width(sigma):
    assert np.isfinite(agreement(np.full((4, 2), 0.999), np.arange(4), sigma))
