import struct
import zlib

import cv2
import numpy as np
import pytest

from hd2s_tf.data import images
from hd2s_tf.errors import BadInputError

RNG = np.random.default_rng(5)


def test_grayscale_and_alpha_images_are_read_as_rgb(tmp_path):
    cv2.imwrite(str(tmp_path / "gray.png"), np.full((4, 5), 7, np.uint8))
    cv2.imwrite(str(tmp_path / "alpha.png"), np.full((4, 5, 4), 7, np.uint8))
    for name in ("gray.png", "alpha.png"):
        assert images.read_image(str(tmp_path / name)).shape == (4, 5, 3)


def test_damaged_and_huge_images_are_named(tmp_path, capfd):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    good = images.png(RNG.integers(0, 256, (40, 60), np.uint8))
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    huge = good[:8] + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    for data in (bytes(flipped), good[:-20], good[:20], good[:8], huge):
        (tmp_path / "bad.png").write_bytes(data)
        with pytest.raises(BadInputError, match="bad.png: not an image that can be decoded"):
            images.read_map(str(tmp_path / "bad.png"))
    assert not capfd.readouterr().err


def test_png_round_trip(tmp_path):
    values = RNG.integers(0, 256, (7, 9), np.uint8)
    (tmp_path / "map.png").write_bytes(images.png(values))
    np.testing.assert_array_equal(images.read_map(str(tmp_path / "map.png")), values)


def test_arrays_are_rgb_and_files_too(tmp_path):
    image = np.zeros((4, 5, 3), np.uint8)
    image[..., 0] = 255
    (tmp_path / "red.png").write_bytes(images.png(image))
    np.testing.assert_array_equal(images.read_image(str(tmp_path / "red.png")), image)
    assert cv2.imread(str(tmp_path / "red.png"))[0, 0].tolist() == [0, 0, 255]
    np.testing.assert_allclose(images.from_jpeg(images.jpeg(image, 95)), image, atol=2)


def test_what_cannot_be_encoded_is_told():
    with pytest.raises((ValueError, cv2.error)):
        images.png(np.zeros((0, 3), np.uint8))
