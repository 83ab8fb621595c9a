"""Pictures inside a graph are those that are read from files, or are refused by name."""

import io
import struct
import zlib

import numpy as np
import pytest
import tensorflow as tf
from PIL import Image

from hd2s_tf.data import images
from hd2s_tf.export import pictures

RNG = np.random.default_rng(8)
PIXELS = RNG.integers(0, 256, (20, 30, 4), np.uint8)
LIMITS = pictures.Limits(pixels=100_000)


@pytest.fixture(scope="module")
def decode():
    specification = [tf.TensorSpec((), tf.string)]
    return tf.function(lambda encoded: pictures.decode(encoded, LIMITS), input_signature=specification)


def _encoded(image, kind, **options):
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def _exif(orientation, order):
    exif = Image.Exif()
    exif.endian = order
    exif[0x0100], exif[0x0112], exif[0x0131] = 30, orientation, "somebody's camera"
    return exif


def _png(mode, **options):
    return _encoded(Image.fromarray(PIXELS).convert(mode), "PNG", **options)


def _jpeg(mode="RGB", **options):
    smooth = Image.fromarray(PIXELS[:4, :6]).resize((30, 20))
    return _encoded(smooth.convert(mode), "JPEG", **options)


def _claiming(kind, height, width):
    """A few bytes that claim to be a picture of any size."""
    if kind == "jpeg":
        frame = struct.pack(">BHHB", 8, height, width, 3) + bytes((1, 17, 0, 2, 17, 0, 3, 17, 0))
        return b"\xff\xd8\xff\xc0" + struct.pack(">H", len(frame) + 2) + frame + b"\xff\xd9"
    chunks = ((b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)), (b"IDAT", zlib.compress(bytes(1000))))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
        for name, data in (*chunks, (b"IEND", b""))
    )


SHOWN = {
    **{f"PNG {mode}": _png(mode) for mode in ("L", "RGB", "P", "1", "LA", "RGBA")},
    "PNG of a palette with opacity": _png("P", transparency=bytes(range(0, 250, 10))),
    "PNG of a transparent colour": _png("RGB", transparency=tuple(int(value) for value in PIXELS[3, 4, :3])),
    "PNG of many chunks": _encoded(Image.fromarray(RNG.integers(0, 256, (200, 400, 3), np.uint8)), "PNG"),
    "JPEG": _jpeg(),
    "JPEG, gray": _jpeg("L"),
    "JPEG, progressive": _jpeg(progressive=True),
    **{f"JPEG turned by {value}": _jpeg(exif=_exif(value, "<")) for value in range(1, 9)},
    "JPEG turned, other order": _jpeg(exif=_exif(6, ">")),
    "JPEG turned by nonsense": _jpeg(exif=_exif(17, "<")),
    "PNG turned": _png("RGB", exif=_exif(8, "<")),
}


@pytest.mark.parametrize("name", SHOWN)
def test_a_picture_is_shown_as_from_a_file(decode, tmp_path, name):
    path = tmp_path / f"x.{name[:3].lower().replace('jpe', 'jpg')}"
    path.write_bytes(SHOWN[name])
    found, expected = decode(SHOWN[name]).numpy(), images.read_image(str(path))
    assert found.shape == expected.shape
    assert np.abs(found.astype(int) - expected).max() <= 1


def test_pictures_that_have_come_out_wrong_elsewhere(decode, shared):
    for name in ("exif6.jpg", "alpha.png", "width2.png"):
        path = shared / "trials" / name
        np.testing.assert_array_equal(decode(path.read_bytes()), images.read_image(str(path)))


REFUSED = {
    "GIF": (_encoded(Image.new("RGB", (4, 4)), "GIF"), "neither PNG nor JPEG"),
    "BMP": (_encoded(Image.new("RGB", (4, 4)), "BMP"), "neither PNG nor JPEG"),
    "WebP": (_encoded(Image.new("RGB", (4, 4)), "WEBP"), "neither PNG nor JPEG"),
    "nothing": (b"", "neither PNG nor JPEG"),
    "text": (b"broken", "neither PNG nor JPEG"),
    "the beginning of a PNG": (b"\x89PNG\r\n\x1a\n", "neither PNG nor JPEG"),
    "the beginning of a JPEG": (b"\xff\xd8", "no frame header"),
    "JPEG of nothing": (b"\xff\xd8\xff\xd9", "no frame header"),
    "JPEG of endless fill bytes": (b"\xff\xd8" + b"\xff" * 5000, "no frame header"),
    "CMYK": (_jpeg("CMYK"), "CMYK"),
    "a PNG that claims 2.7 GB": (_claiming("png", 30_000, 30_000), "more than 100000: height and width are.*30000"),
    "a PNG that claims more than a number holds": (_claiming("png", 2**31, 2**31), "more than 100000"),
    "a PNG without pixels": (_claiming("png", 0, 4), "no pixels"),
    "a JPEG that claims 12 GB": (_claiming("jpeg", 65_535, 65_535), "more than 100000"),
    "a truncated PNG": (_png("RGB")[:-40], ""),
    "a truncated JPEG": (_jpeg(quality=95)[:-200], ""),
    # TensorFlow's decoder does not tell it from one that lacks more.
    "a JPEG without its end mark": (_jpeg()[:-2], ""),
}


@pytest.mark.parametrize("name", REFUSED)
def test_what_is_not_shown_is_refused_by_name(decode, name):
    encoded, message = REFUSED[name]
    with pytest.raises(tf.errors.InvalidArgumentError, match=f"(?s){message}"):
        decode(encoded)


def test_a_picture_of_the_limit_is_read(decode):
    assert decode(_encoded(Image.new("L", (1000, 100)), "PNG")).shape == (100, 1000, 3)
    with pytest.raises(tf.errors.InvalidArgumentError, match="more than 100000"):
        decode(_encoded(Image.new("L", (1001, 100)), "PNG"))
