import io
import struct
import zlib

import cv2
import numpy as np
import pytest
from PIL import Image

from hd2s_tf.data import images, orientation
from hd2s_tf.errors import BadInputError

RNG = np.random.default_rng(5)
COLOURS = cv2.resize(RNG.integers(0, 256, (3, 4, 3), np.uint8), (40, 30))


def _save(path, image, **settings):
    Image.fromarray(image).save(path, **settings)
    return str(path)


def _tiff(path, image):
    if image.ndim == 3:
        image = np.ascontiguousarray(image[..., ::-1])
    # Uncompressed: the default changes floating point colours.
    cv2.imwrite(str(path), image, (cv2.IMWRITE_TIFF_COMPRESSION, 1))
    return str(path)


def _read(path):
    return images.read_image(str(path)).astype(int)


@pytest.mark.parametrize(
    "suffix, tolerance", [("png", 0), ("bmp", 0), ("tiff", 0), ("webp", 20), ("jpg", 12), ("gif", 40)]
)
def test_formats(tmp_path, suffix, tolerance):
    settings = {"quality": 95} if suffix in ("jpg", "webp") else {}
    path = _save(tmp_path / f"a.{suffix}", COLOURS, **settings)
    np.testing.assert_allclose(_read(path), COLOURS, atol=tolerance)
    # What a file is counts, not what it is called.
    (tmp_path / "other.png").write_bytes((tmp_path / f"a.{suffix}").read_bytes())
    np.testing.assert_array_equal(_read(tmp_path / "other.png"), _read(path))


@pytest.mark.parametrize("suffix", ["jpg", "png", "webp", "tiff"])
@pytest.mark.parametrize("value", range(1, 9))
def test_orientations(tmp_path, suffix, value):
    exif = Image.Exif()
    exif[0x0112] = value
    settings = {"quality": 95, "subsampling": 0} if suffix == "jpg" else {"lossless": True} if suffix == "webp" else {}
    path = _save(tmp_path / f"a.{suffix}", COLOURS, exif=exif, **settings)
    np.testing.assert_allclose(_read(path), orientation.from_exif(value).apply(COLOURS), atol=8)


@pytest.mark.parametrize("suffix", ["png", "webp", "tiff"])
def test_transparency_is_over_black(tmp_path, suffix):
    alpha = np.zeros((30, 40, 1), np.uint8)
    alpha[:, 10:20], alpha[:, 20:] = 128, 255
    path = _save(
        tmp_path / f"a.{suffix}",
        np.concatenate([COLOURS, alpha], -1),
        **({"lossless": True} if suffix == "webp" else {}),
    )
    np.testing.assert_allclose(_read(path), COLOURS * (alpha / 255.0), atol=1)


def test_palettes_and_transparent_colours(tmp_path):
    indices = np.uint8([[0, 1], [2, 1]])
    image = Image.fromarray(indices)
    image.putpalette([10, 20, 30, 200, 100, 50, 0, 250, 0])
    image.save(tmp_path / "a.png")
    expected = np.array([[(10, 20, 30), (200, 100, 50)], [(0, 250, 0), (200, 100, 50)]])
    np.testing.assert_array_equal(_read(tmp_path / "a.png"), expected)
    image.save(tmp_path / "b.png", transparency=1)
    np.testing.assert_array_equal(_read(tmp_path / "b.png"), np.where(indices[..., np.newaxis] == 1, 0, expected))
    gray = _save(tmp_path / "c.png", indices * 100, transparency=200)
    np.testing.assert_array_equal(_read(gray)[..., 0], [[0, 100], [0, 100]])
    bits = Image.fromarray(indices > 0)
    bits.save(tmp_path / "d.png")
    np.testing.assert_array_equal(images.read_map(str(tmp_path / "d.png")), (indices > 0) * 255)


@pytest.mark.parametrize("channels", [1, 3, 4])
@pytest.mark.parametrize("suffix", ["png", "tiff"])
def test_sixteen_bits(tmp_path, channels, suffix):
    values = RNG.integers(0, 1 << 16, (20, 30, channels), np.uint16)
    if channels == 4:
        values[..., 3] = 65535
    path = str(tmp_path / f"a.{suffix}")
    cv2.imwrite(path, values.squeeze())
    colours = values[..., 2::-1] if channels > 1 else np.repeat(values, 3, -1)
    np.testing.assert_allclose(_read(path), colours / 257, atol=1)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("colours", [False, True])
def test_floating_point(tmp_path, dtype, colours):
    values = (COLOURS if colours else COLOURS[..., 0]).astype(dtype)
    expected = COLOURS if colours else np.repeat(COLOURS[..., :1], 3, -1)
    np.testing.assert_allclose(_read(_tiff(tmp_path / "a.tiff", values)), expected, atol=1)
    np.testing.assert_allclose(_read(_tiff(tmp_path / "b.tiff", values / 255)), expected, atol=1)
    for name, bad in (("c", values * 100), ("d", values - 300), ("e", values * np.nan)):
        with pytest.raises(BadInputError, match=f"{name}.tiff: float.. values from"):
            _read(_tiff(tmp_path / f"{name}.tiff", bad))


def test_integers_of_unknown_range_are_refused(tmp_path):
    path = _tiff(tmp_path / "a.tiff", RNG.integers(0, 1 << 20, (20, 30), np.int32))
    with pytest.raises(BadInputError, match="a.tiff: int32 values"):
        _read(path)


def test_cmyk(tmp_path):
    cmyk = Image.fromarray(COLOURS).convert("CMYK")
    cmyk.save(tmp_path / "a.jpg", quality=98)
    cmyk.save(tmp_path / "a.tiff")
    for name in ("a.jpg", "a.tiff"):
        np.testing.assert_allclose(_read(tmp_path / name), COLOURS, atol=12)


@pytest.mark.parametrize("settings", [{}, {"progressive": True}, {"optimize": True}, {"mode": "L"}])
def test_damaged_jpegs(tmp_path, capfd, settings):
    image = Image.fromarray(RNG.integers(0, 256, (60, 80, 3), np.uint8)).convert(settings.pop("mode", "RGB"))
    buffer = io.BytesIO()
    image.save(buffer, "JPEG", **settings)
    good = buffer.getvalue()
    path = tmp_path / "a.jpg"
    path.write_bytes(good)
    expected = _read(path)
    for harmless in (good[:-2], good + b"more"):
        path.write_bytes(harmless)
        np.testing.assert_array_equal(_read(path), expected)
    middle = len(good) // 2
    zeroed = good[:middle] + bytes(len(good) - middle)
    for bad in (good[:middle], good[:middle] + good[-2:], zeroed, zeroed[:-2] + good[-2:], good[:100]):
        path.write_bytes(bad)
        with pytest.raises(BadInputError, match="a.jpg: not an image that can be decoded"):
            _read(path)
    assert not capfd.readouterr().err


def test_damaged_and_huge_images_are_named(tmp_path, capfd):
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    good = images.png(RNG.integers(0, 256, (40, 60), np.uint8))
    flipped = bytearray(good)
    flipped[len(good) // 2] ^= 1
    header = struct.pack(">IIBBBBB", 60000, 60000, 8, 0, 0, 0, 0)
    huge = good[:8] + chunk(b"IHDR", header) + chunk(b"IDAT", zlib.compress(bytes(99))) + chunk(b"IEND", b"")
    for data in (bytes(flipped), good[:-20], good[:20], good[:8], huge, b"no image"):
        (tmp_path / "bad.png").write_bytes(data)
        for read in (images.read_map, images.read_image, images.read_mask):
            with pytest.raises(BadInputError, match="bad.png: not an image that can be decoded"):
                read(str(tmp_path / "bad.png"))
    for suffix in ("tiff", "webp", "bmp", "gif"):
        path = _save(tmp_path / f"cut.{suffix}", RNG.integers(0, 256, (60, 80, 3), np.uint8))
        (tmp_path / f"cut.{suffix}").write_bytes((tmp_path / f"cut.{suffix}").read_bytes()[:900])
        with pytest.raises(BadInputError, match=f"cut.{suffix}: not an image"):
            _read(path)
    assert not capfd.readouterr().err


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tiff"])
def test_pages(tmp_path, suffix):
    pictures = [Image.fromarray(np.full((20, 30, 3), 40 * number, np.uint8)) for number in range(1, 6)]
    durations = {} if suffix == "tiff" else {"duration": [100, 200, 100, 50, 100]}
    path = tmp_path / f"a.{suffix}"
    settings = {"lossless": True} if suffix == "webp" else {}
    pictures[0].save(path, save_all=True, append_images=pictures[1:], **durations, **settings)
    assert images.page_count(str(path)) == 5
    pages = list(images.read_pages(str(path)))
    assert [round(image.mean() / 40) for image, _ in pages] == [1, 2, 3, 4, 5]
    assert [seconds for _, seconds in pages] == ([None] * 5 if suffix == "tiff" else [0.1, 0.2, 0.1, 0.05, 0.1])
    with pytest.raises(BadInputError, match="several pictures where one is expected"):
        _read(path)
    pictures[0].save(path)
    assert images.page_count(str(path)) == 1


def test_a_preview_is_no_page(tmp_path):
    pictures = [Image.fromarray(np.full(size, 90, np.uint8)) for size in ((20, 30), (4, 6))]
    path = tmp_path / "a.tiff"
    pictures[0].save(path, save_all=True, append_images=pictures[1:], tiffinfo={254: 1})
    kind, picture, preview = (struct.pack("<HHI", 254, 4, 1), struct.pack("<I", 0), struct.pack("<I", 1))
    path.write_bytes(path.read_bytes().replace(kind + preview, kind + picture, 1))
    assert images.page_count(str(path)) == 1
    assert images.read_image(str(path)).shape == (20, 30, 3)


@pytest.mark.parametrize("kind", ["8 bits", "16 bits", "1 bit", "palette", "colours", "tiff", "bmp", "float"])
def test_masks_are_what_is_not_black(tmp_path, kind):
    mask = RNG.random((20, 30)) < 0.1
    path = str(tmp_path / {"tiff": "a.tiff", "bmp": "a.bmp", "float": "a.tif"}.get(kind, "a.png"))
    if kind == "16 bits":
        cv2.imwrite(path, mask.astype(np.uint16))
    elif kind == "float":
        cv2.imwrite(path, mask.astype(np.float32) / 1000)
    elif kind == "1 bit":
        Image.fromarray(mask).save(path)
    elif kind == "palette":
        image = Image.fromarray(mask.astype(np.uint8))
        image.putpalette([0, 0, 0, 255, 255, 255])
        image.save(path)
    elif kind == "colours":
        Image.fromarray(mask[..., np.newaxis] * np.uint8([0, 0, 1])).save(path)
    else:
        Image.fromarray(mask.astype(np.uint8)).save(path)
    np.testing.assert_array_equal(images.read_mask(path), mask)


@pytest.mark.parametrize("suffix", ["jpg", "webp"])
def test_masks_in_lossy_formats_are_refused(tmp_path, suffix):
    path = _save(tmp_path / f"a.{suffix}", np.zeros((20, 30), np.uint8))
    with pytest.raises(BadInputError, match=f"a.{suffix}: fixations in a lossy format"):
        images.read_mask(path)


def test_maps_are_gray(tmp_path):
    values = RNG.integers(0, 256, (7, 9), np.uint8)
    (tmp_path / "map.png").write_bytes(images.png(values))
    np.testing.assert_array_equal(images.read_map(str(tmp_path / "map.png")), values)
    (tmp_path / "map.png").write_bytes(images.png(np.repeat(values[..., np.newaxis], 3, -1)))
    np.testing.assert_array_equal(images.read_map(str(tmp_path / "map.png")), values)


def test_arrays_are_rgb_and_files_too(tmp_path):
    image = np.zeros((4, 5, 3), np.uint8)
    image[..., 0] = 255
    (tmp_path / "red.png").write_bytes(images.png(image))
    np.testing.assert_array_equal(images.read_image(str(tmp_path / "red.png")), image)
    assert cv2.imread(str(tmp_path / "red.png"))[0, 0].tolist() == [0, 0, 255]
    np.testing.assert_allclose(images.from_jpeg(images.jpeg(image, 95)), image, atol=2)


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (2, 360)])
def test_small_images(tmp_path, size):
    for suffix in ("png", "jpg"):
        assert images.read_image(_save(tmp_path / f"a.{suffix}", np.zeros(size, np.uint8))).shape == (*size, 3)
        assert images.read_map(str(tmp_path / f"a.{suffix}")).shape == size


def test_what_cannot_be_encoded_is_told():
    with pytest.raises((ValueError, cv2.error)):
        images.png(np.zeros((0, 3), np.uint8))
