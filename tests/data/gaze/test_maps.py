import time

import numpy as np
import pytest
import scipy.ndimage
import scipy.optimize

from hd2s_tf.data import fixations, images
from hd2s_tf.data.gaze import maps
from hd2s_tf.errors import BadInputError


def test_one_fixation_is_a_gaussian_around_it():
    saliency_map = maps.saliency_map(np.array([[0.5, 0.25]]), (61, 81), (6.0, 6.0))
    assert np.unravel_index(saliency_map.argmax(), saliency_map.shape) == (30, 20)
    assert saliency_map.max() == 255
    # Its centre is at 20.25, the middle of the pixel at 27.5.
    assert abs(int(saliency_map[30, 27]) - 255 * np.exp(-0.5 * (7.25 / 6) ** 2)) < 1


def test_maps_are_those_of_a_gaussian_filter():
    generator = np.random.default_rng(0)
    fixation_map = np.zeros((90, 120))
    np.add.at(fixation_map, tuple(generator.integers(0, (90, 120), (40, 2)).T), 1)
    points = np.repeat(
        (np.argwhere(fixation_map) + 0.5) / (90, 120), fixation_map[fixation_map > 0].astype(int), axis=0
    )
    filtered = scipy.ndimage.gaussian_filter(fixation_map, (5, 8), truncate=8)
    ours = maps.density(points, (90, 120), (5.0, 8.0))
    np.testing.assert_allclose(ours / ours.sum(), filtered / filtered.sum(), atol=1e-7)


def test_no_fixation_is_a_black_map():
    assert not maps.saliency_map(np.zeros((0, 2)), (9, 12), (2.0, 2.0)).any()


@pytest.mark.parametrize(
    "name, sigma, pattern", [("find", 12.74, "annotation/*/maps/*.png"), ("osie", 12.0, "*/*/maps/*")]
)
def test_maps_are_those_of_real_data_sets(shared, name, sigma, pattern):
    """Their fixation maps do not tell how many fixations share a pixel, so the numbers are fitted."""
    paths = sorted((shared / "data" / name).glob(pattern))
    for path in paths[:: len(paths) // 2][:2]:
        truth = images.read_map(str(path)).astype(np.float32)
        stem = path.parent.parent / "fixation" / path.name
        points = fixations.points(fixations.read_fixation_map(str(stem)))
        columns = np.stack([maps.density(point[None], truth.shape, (sigma, sigma)) for point in points], -1)
        coarse = columns[::8, ::8].reshape(-1, len(points)).astype(float)
        weights, _ = scipy.optimize.nnls(coarse, truth[::8, ::8].ravel().astype(float))
        assert np.abs(columns @ weights.astype(np.float32) - truth).max() < 1.5


def test_a_long_video_takes_seconds():
    points = np.random.default_rng(0).uniform(size=(40, 2))
    start = time.process_time()
    for _ in range(50):
        maps.saliency_map(points, (360, 640), (12.74, 12.74))
    assert time.process_time() - start < 5


@pytest.mark.parametrize(
    "text, sigma", [("12.5", (12.5, 12.5)), ("12.5px", (12.5, 12.5)), ("1deg", (30.0, 30.0)), ("0.02w", (12.8, 12.8))]
)
def test_units_of_sigma(text, sigma):
    assert maps.Sigma.parse(text).in_map((360, 640), (360, 640), 30.0) == pytest.approx(sigma)


def test_sigma_follows_the_map():
    assert maps.Sigma().in_map((360, 640), (360, 640), 30.0) == pytest.approx((12.74, 12.74), abs=0.005)
    assert maps.Sigma(10, "px").in_map((360, 640), (180, 640), 30.0) == (5.0, 10.0)


@pytest.mark.parametrize("text", ["", "x", "0", "-1", "1 mile", "nan", "1e400px"])
def test_sigma_that_makes_no_sense(text):
    with pytest.raises(BadInputError, match="sigma is"):
        maps.Sigma.parse(text)
