import struct

import numpy as np
import pytest

from hd2s_tf.data import orientation
from hd2s_tf.data.orientation import Orientation

IMAGE = np.arange(6).reshape(2, 3)
# What EXIF 2.32 says of each value: where row 0 and column 0 of the stored image are seen.
SHOWN = {
    1: IMAGE,
    2: IMAGE[:, ::-1],
    3: IMAGE[::-1, ::-1],
    4: IMAGE[::-1],
    5: IMAGE.T,
    6: np.rot90(IMAGE, -1),
    7: IMAGE[::-1, ::-1].T,
    8: np.rot90(IMAGE),
}


@pytest.mark.parametrize("value", SHOWN)
def test_the_eight_orientations_of_exif(value):
    turned = orientation.from_exif(value)
    np.testing.assert_array_equal(turned.apply(IMAGE), SHOWN[value])
    assert turned.apply(IMAGE).flags.c_contiguous
    assert turned.size((2, 3)) == SHOWN[value].shape


@pytest.mark.parametrize("value", [None, 0, 9, "6"])
def test_other_values_leave_an_image_as_it_is(value):
    assert orientation.from_exif(value) == Orientation()


@pytest.mark.parametrize(
    "entries, degrees, shown",
    [
        ((1, 0, 0, 1), 0, IMAGE),
        ((0, 1, -1, 0), 90, SHOWN[6]),
        ((-1, 0, 0, -1), 180, SHOWN[3]),
        ((0, -1, 1, 0), 270, SHOWN[8]),
        ((-1, 0, 0, 1), 0, SHOWN[2]),
        ((1, 0, 0, -1), 180, SHOWN[4]),
        ((0, 1, 1, 0), 90, SHOWN[5]),
        ((0, -1, -1, 0), 270, SHOWN[7]),
        ((0, 0, 0, 0), 0, IMAGE),
        ((0.99, 0.1, -0.1, 0.99), 0, IMAGE),
    ],
)
def test_display_matrices(entries, degrees, shown):
    a, b, c, d = (int(65536 * entry) for entry in entries)
    turned = orientation.from_display_matrix(struct.pack("<9i", a, b, 0, c, d, 0, 0, 0, 1 << 30))
    np.testing.assert_array_equal(turned.apply(IMAGE), shown)
    assert turned.rotation == degrees


def test_colour_channels_stay_where_they_are():
    image = np.arange(24).reshape(2, 4, 3)
    turned = orientation.from_exif(6).apply(image)
    assert turned.shape == (4, 2, 3)
    np.testing.assert_array_equal(turned[0, 0], image[1, 0])
