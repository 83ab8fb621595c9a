import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.data import preprocessing

RNG = np.random.default_rng(5)


@pytest.mark.parametrize("count", [1, 2, 5])
def test_indices_beyond_the_end_are_those_of_an_endlessly_mirrored_video(count):
    endless = [*range(count), *reversed(range(count))] * 20
    np.testing.assert_array_equal(preprocessing.reflected(np.arange(20), count), endless[:20])


@pytest.mark.parametrize("count", [1, 2, 15, 31])
def test_a_tensor_is_mirrored_as_an_array(count):
    indices = np.arange(100, dtype=np.int32)
    mirrored = tf.function(preprocessing.reflected)(tf.constant(indices), tf.constant(count))
    np.testing.assert_array_equal(mirrored, preprocessing.reflected(indices, count))


def test_pixels_are_scaled_to_plus_and_minus_one():
    np.testing.assert_array_equal(preprocessing.scale(np.uint8([0, 255])), [-1, 1])


def test_an_image_of_the_right_size_is_left_alone():
    image = RNG.integers(0, 256, (6, 9, 3), np.uint8)
    assert preprocessing.resize(image, (6, 9)) is image
    np.testing.assert_array_equal(preprocessing.resize_in_graph(tf.constant(image), (6, 9)), image)


def test_where_an_image_shrinks_areas_are_averaged():
    image = np.uint8([[[0], [10], [40], [50]], [[20], [10], [40], [70]]]).repeat(3, -1)
    for resized in (preprocessing.resize(image, (1, 2)), preprocessing.resize_in_graph(tf.constant(image), (1, 2))):
        np.testing.assert_array_equal(resized, np.uint8([[[10], [50]]]).repeat(3, -1))


@pytest.mark.parametrize("size", [(33, 57), (90, 130), (301, 407), (400, 20), (20, 400)])
def test_a_graph_resizes_as_opencv_does(size):
    image = RNG.integers(0, 256, (*size, 3), np.uint8)
    found = tf.function(preprocessing.resize_in_graph)(tf.constant(image), (64, 96)).numpy().astype(int)
    # OpenCV computes with fixed-point numbers.
    assert np.abs(found - preprocessing.resize(image, (64, 96))).max() <= 1
