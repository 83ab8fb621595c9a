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
    scaled = postprocessing.scale_peak(maps).numpy()
    assert scaled[0].max() == pytest.approx(255)
    assert not scaled[1].any()


def test_a_map_in_a_batch_is_finished_as_it_is_alone():
    maps = RNG.random((4, 128, 192)).astype(np.float32)
    together = postprocessing.finish(maps, 5.0).numpy()
    for values, expected in zip(maps, together, strict=True):
        np.testing.assert_array_equal(postprocessing.finish(values[np.newaxis], 5.0)[0], expected)


def test_pixels():
    pixels = postprocessing.to_pixels(np.float32([[0.4, 254.6], [300.0, -3.0]]), (2, 2))
    np.testing.assert_array_equal(pixels, np.uint8([[0, 255], [255, 0]]))
    assert postprocessing.to_pixels(RNG.random((8, 12)), (30, 40)).shape == (30, 40)
