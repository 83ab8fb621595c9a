import dataclasses

import numpy as np
import pytest

from hd2s_tf.data import augmentation, preprocessing
from hd2s_tf.data.augmentation import Augmentation, Crop

EVERYTHING = Augmentation(zoom=0.5, stretch=0.15, pan=0.2, brightness=0.1, contrast=0.3, saturation=0.4, tempo=0.6)
WHOLE = Crop((0, 0), (0, 0), (48, 72))


@pytest.fixture
def frame() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (48, 72, 3), np.uint8)


def test_a_crop_averages_the_areas_of_pixels():
    """Two rows of 0, two of 200 and so on: areas of 4x4 pixels hold both halves, so that no stripe is left."""
    stripes = np.repeat(np.tile(np.uint8([0, 0, 200, 200]), 8)[:, np.newaxis], 48, 1)
    crop = Crop((4, 8), (4, 8), (16, 32))
    np.testing.assert_array_equal(augmentation.crop_frame(stripes, crop, 1.0, (4, 8)), np.full((4, 8), 100))


def test_a_crop_by_hand():
    pixels = np.uint8([[0, 0, 0, 0], [0, 10, 20, 0], [0, 30, 40, 0]])
    corner = Crop((1, 1), (1, 1), (2, 2))
    np.testing.assert_array_equal(augmentation.crop_frame(pixels, corner, 1.0, (2, 2)), [[10, 20], [30, 40]])
    np.testing.assert_array_equal(augmentation.crop_frame(pixels, corner, 1.0, (1, 1)), [[25]])
    # Half a pixel to the right of column 1: the mean of columns 1 and 2.
    moving = Crop((1, 1), (1, 2), (2, 1))
    np.testing.assert_array_equal(augmentation.crop_frame(pixels, moving, 0.5, (2, 1)), [[15], [35]])


@pytest.mark.parametrize("size", [(24, 36), (32, 32), (48, 72), (64, 96)])
def test_the_whole_frame_is_resized_like_everything_else(frame, size):
    np.testing.assert_array_equal(augmentation.crop_frame(frame, WHOLE, 0.3, size), preprocessing.resize(frame, size))


def test_whole_pixels_are_cut_as_they_are(frame):
    crop = Crop((3, 5), (7, 5), (20, 30))
    for progress, top in ((0.0, 3), (0.5, 5), (1.0, 7)):
        expected = frame[top : top + 20, 5:35]
        np.testing.assert_array_equal(augmentation.crop_frame(frame, crop, progress, (20, 30)), expected)


@pytest.mark.parametrize("still", [True, False])
def test_crops_stay_inside_the_frame_and_keep_the_truth(still):
    generator = np.random.default_rng(1)
    truth = np.zeros((48, 72), np.uint8)
    truth[10:14, 50:60] = 255
    kept, moved, cropped = 0, 0, 0
    for _ in range(400):
        crop = augmentation.draw_crop(EVERYTHING, generator, truth, still)
        for position in (crop.first, crop.last):
            assert min(position) >= 0
            assert (np.add(position, crop.size) <= truth.shape).all()
        # Half of the side by the zoom, and e^-0.15 of that by the stretch.
        assert crop.size[0] >= 48 * 0.5 * 0.86 - 1
        (top, left), (height, width) = crop.last, crop.size
        kept += truth[top : top + height, left : left + width].sum() >= 0.35 * truth.sum()
        moved += crop.first != crop.last
        cropped += crop.size != truth.shape
    assert kept > 390
    assert cropped == pytest.approx(0.8 * 400, abs=40)
    assert moved == (pytest.approx(0.8 * 0.35 * 400, abs=40) if still else 0)


def test_without_zoom_the_crop_is_the_frame():
    crop = augmentation.draw_crop(Augmentation(pan=0.5), np.random.default_rng(0), np.ones((48, 72)), True)
    assert crop == WHOLE


def test_colours_by_hand():
    frame = np.uint8([[[100, 50, 0]]])
    # Half of the contrast about a mean of 100, 10 brighter, no colour: (50 - 100) / 2 + 100 + 10 = 85.
    grey = np.hstack([np.full((3, 3), 0.5 / 3), np.full((3, 1), 60.0)])
    np.testing.assert_array_equal(augmentation.change_colours(frame, grey), [[[85, 85, 85]]])
    assert augmentation.change_colours(frame, None) is frame


def test_colours_that_may_not_change_do_not():
    assert augmentation.draw_colours(Augmentation(), np.random.default_rng(0), 100.0) is None


def test_a_change_of_contrast_leaves_the_mean_where_it_is():
    generator = np.random.default_rng(0)
    for _ in range(20):
        colours = augmentation.draw_colours(Augmentation(contrast=0.5), generator, 90.0)
        np.testing.assert_allclose(colours @ [90.0, 90.0, 90.0, 1.0], [90.0] * 3)


def test_brightness_shifts_every_pixel_alike():
    generator = np.random.default_rng(0)
    shifts = []
    for _ in range(50):
        colours = augmentation.draw_colours(Augmentation(brightness=0.2), generator, 90.0)
        np.testing.assert_allclose(colours[:, :3], np.eye(3), atol=1e-12)
        shifts.append(colours[:, 3])
    assert np.ptp(shifts, 1).max() == 0
    assert 35 < np.abs(shifts).max() <= 51


def test_frames_by_hand():
    """In a video of 40 frames a window of 4 that ends at frame 10: as it is, each second frame, reversed, still."""
    kinds = {(7, 8, 9, 10), (4, 6, 8, 10), (13, 12, 11, 10), (10, 10, 10, 10)}
    generator = np.random.default_rng(0)
    drawn = [tuple(augmentation.draw_frames(EVERYTHING, generator, 10, 40, 4)) for _ in range(1000)]
    assert set(drawn) == kinds
    # Of 0.6: a quarter still, from there to six tenths in double time, the rest reversed.
    shares = {kind: drawn.count(kind) / 1000 for kind in kinds}
    assert shares[(10, 10, 10, 10)] == pytest.approx(0.15, abs=0.04)
    assert shares[(4, 6, 8, 10)] == pytest.approx(0.21, abs=0.04)
    assert shares[(13, 12, 11, 10)] == pytest.approx(0.24, abs=0.04)
    calm = dataclasses.replace(EVERYTHING, tempo=0.0)
    assert tuple(augmentation.draw_frames(calm, generator, 10, 40, 4)) == (7, 8, 9, 10)


@pytest.mark.parametrize("last", [3, 39])
def test_frames_never_leave_the_video(last):
    generator = np.random.default_rng(0)
    always = dataclasses.replace(EVERYTHING, tempo=1.0)
    for _ in range(200):
        frames = augmentation.draw_frames(always, generator, last, 40, 4)
        assert frames.min() >= 0
        assert frames.max() < 40
        assert frames[-1] == last
