import numpy as np
import pytest
from scipy import ndimage

from hd2s_tf.inference import postprocessing

RNG = np.random.default_rng(3)


@pytest.mark.parametrize("sigma", [0.5, 1.0, 5.0])
def test_smoothing_is_scipys_filter(sigma):
    maps = RNG.random((2, 32, 48)).astype(np.float32)
    expected = np.stack([ndimage.gaussian_filter(values, sigma) for values in maps])
    np.testing.assert_allclose(postprocessing.smooth(maps, sigma), expected, atol=2e-6)


def test_no_smoothing_is_no_change():
    maps = RNG.random((4, 5)).astype(np.float32)
    assert postprocessing.smooth(maps, 0) is maps


def test_the_peak_becomes_255_and_a_black_map_stays_black():
    maps = np.stack([RNG.random((4, 5)), np.zeros((4, 5))]).astype(np.float32)
    scaled = postprocessing.scale_peak(maps)
    assert scaled[0].max() == pytest.approx(255)
    assert not scaled[1].any()


def test_a_finished_map():
    finished = postprocessing.finish(RNG.random((8, 12)).astype(np.float32), (30, 40), 1.0)
    assert finished.shape == (30, 40)
    assert finished.dtype == np.uint8
