"""PNG and JPEG pictures of any origin, decoded inside a graph: checked before that, and shown as elsewhere.

What a picture claims is read from its header, since a few kilobytes can claim gigabytes, and what cannot be read right
is refused by name (INVALID_ARGUMENT). Formats: PNG (third edition, W3C 2025), JPEG (ITU-T T.81, annex B), Exif 2.32.
"""

import dataclasses
from collections.abc import Callable

import tensorflow as tf

from hd2s_tf.data import orientation

_PNG_START, _JPEG_START = b"\x89PNG\r\n\x1a\n", b"\xff\xd8"
_PNG_HEADER = _PNG_START + b"\0\0\0\x0dIHDR"
# PNG: colour types with an opacity, the chunk by which others have one, that of EXIF data, and the last one.
_PNG_OPACITY_TYPES = (4, 6)
_PNG_OPACITY, _PNG_EXIF, _PNG_END = (int.from_bytes(name) for name in (b"tRNS", b"eXIf", b"IEND"))
# JPEG: what the markers 0xFF00 to 0xFFFF begin.
_SEGMENT, _FRAME, _EXIF, _BARE, _FILL, _SCAN = range(6)
_JPEG_KINDS = [_SEGMENT] * 256
_JPEG_KINDS[0xC0:0xD0] = [_SEGMENT if marker in (0xC4, 0xC8, 0xCC) else _FRAME for marker in range(0xC0, 0xD0)]
_JPEG_KINDS[0x01] = _BARE
_JPEG_KINDS[0xD0:0xD9] = [_BARE] * 9
_JPEG_KINDS[0xE1], _JPEG_KINDS[0xDA], _JPEG_KINDS[0xFF] = _EXIF, _SCAN, _FILL
_JPEG_EXIF, _TIFF_LITTLE = b"Exif\0\0", b"II*\0"
_MOST_PARTS, _MOST_TAGS = 100_000, 200
_ORIENTATION_TAG = 0x0112


@dataclasses.dataclass(frozen=True)
class Limits:
    """What a request may ask of a server.

    Attributes:
      pixels: of a picture.
      frames: of a request.
    """

    pixels: int = 64_000_000
    frames: int = 1024


def require(condition: tf.Tensor, message: str, *values: tf.Tensor) -> tf.Operation:
    """Refuses a request, with INVALID_ARGUMENT and the values behind the message, where a condition does not hold."""
    return tf.debugging.Assert(condition, [message, *values])


def decode(encoded: tf.Tensor, limits: Limits) -> tf.Tensor:
    """A picture as it is shown, uint8 RGB [H,W,3]: upright, and composed over black.

    Args:
      encoded: string scalar, PNG or JPEG with gray or RGB colours.
      limits: of its pixels.
    """
    content = tf.io.decode_raw(encoded, tf.uint8)
    is_png = _is(content, 0, _PNG_HEADER)
    is_jpeg = _is(content, 0, _JPEG_START)
    with tf.control_dependencies([require(tf.logical_or(is_png, is_jpeg), "a frame is neither PNG nor JPEG")]):
        image, turned = tf.cond(
            is_png, lambda: _decode_png(encoded, content, limits), lambda: _decode_jpeg(encoded, content, limits)
        )
    return tf.switch_case(turned - 1, [_turning(image, value) for value in range(1, 9)])


def _turning(image: tf.Tensor, value: int) -> Callable[[], tf.Tensor]:
    found = orientation.from_exif(value)

    def turn() -> tf.Tensor:
        turned = tf.transpose(image, (1, 0, 2)) if found.transposes else image
        axes = [axis for axis, flips in enumerate((found.flips_rows, found.flips_columns)) if flips]
        return tf.reverse(turned, axes) if axes else turned

    return turn


def _decode_png(encoded: tf.Tensor, content: tf.Tensor, limits: Limits) -> tuple[tf.Tensor, tf.Tensor]:
    """The pixels, and the orientation 1 to 8."""
    width, height, colour_type = _numbers(content, 16, (0, 4), (4, 4), (9, 1))
    has_opacity, exif = _png_chunks(content)
    has_opacity = tf.logical_or(has_opacity, tf.reduce_any(colour_type == _PNG_OPACITY_TYPES))
    with tf.control_dependencies([_within(height, width, limits)]):
        image = tf.cond(
            has_opacity,
            lambda: _over_black(tf.io.decode_png(encoded, channels=4)),
            lambda: tf.io.decode_png(encoded, channels=3),
        )
    return image, tf.cond(exif > 0, lambda: _orientation(content, exif), lambda: 1)


def _png_chunks(content: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
    """Whether there is a chunk of opacity; where the EXIF data is, int32, or 0."""

    def chunk(position: tf.Tensor, has_opacity: tf.Tensor, exif: tf.Tensor) -> tuple:
        length, name = _numbers(content, position, (0, 4), (4, 4))
        exif = tf.where(tf.logical_and(name == _PNG_EXIF, exif == 0), position + 8, exif)
        following = tf.minimum(tf.cast(position, tf.int64) + 12 + length, tf.size(content, tf.int64))
        following = tf.where(name == _PNG_END, tf.size(content), tf.cast(following, tf.int32))
        return following, tf.logical_or(has_opacity, name == _PNG_OPACITY), exif

    _, has_opacity, exif = tf.while_loop(
        lambda position, *_: position < tf.size(content),
        chunk,
        (tf.constant(len(_PNG_START)), tf.constant(False), tf.constant(0)),
        maximum_iterations=_MOST_PARTS,
    )
    return has_opacity, exif


def _over_black(image: tf.Tensor) -> tf.Tensor:
    colours, opacity = tf.cast(image[..., :3], tf.uint16), tf.cast(image[..., 3:], tf.uint16)
    return tf.cast((colours * opacity + 127) // 255, tf.uint8)


def _decode_jpeg(encoded: tf.Tensor, content: tf.Tensor, limits: Limits) -> tuple[tf.Tensor, tf.Tensor]:
    """The pixels, and the orientation 1 to 8."""
    (height, width, colours), exif = _jpeg_segments(content)
    checks = [
        require(colours > 0, "a JPEG has no frame header"),
        require(colours <= 3, "a JPEG has four colours (CMYK), which are not read"),
        _within(height, width, limits),
    ]
    with tf.control_dependencies(checks):
        image = tf.io.decode_jpeg(encoded, channels=3, dct_method="INTEGER_ACCURATE")
    return image, tf.cond(exif > 0, lambda: _orientation(content, exif), lambda: 1)


def _jpeg_segments(content: tf.Tensor) -> tuple[tuple[tf.Tensor, tf.Tensor, tf.Tensor], tf.Tensor]:
    """Height, width and number of colours, int64, 0 if nothing says so; where the EXIF data is, int32, or 0."""

    def segment(position: tf.Tensor, found: tf.Tensor, exif: tf.Tensor) -> tuple:
        marker, length, *frame = _numbers(content, position, (1, 1), (2, 2), (5, 2), (7, 2), (9, 1))
        kind = tf.gather(_JPEG_KINDS, marker)
        found = tf.where(tf.logical_and(kind == _FRAME, found[2] == 0), frame, found)
        is_exif = tf.logical_and(kind == _EXIF, _is(content, position + 4, _JPEG_EXIF))
        exif = tf.where(tf.logical_and(is_exif, exif == 0), position + 4 + len(_JPEG_EXIF), exif)
        # Any number of 0xFF may stand before a marker.
        sizes = tf.stack([2 + tf.cast(length, tf.int32)] * 3 + [2, 1, tf.size(content)])
        return position + sizes[kind], found, exif

    _, found, exif = tf.while_loop(
        lambda position, *_: tf.reduce_all(content[position : position + 1] == 0xFF) & (position < tf.size(content)),
        segment,
        (tf.constant(len(_JPEG_START)), tf.zeros(3, tf.int64), tf.constant(0)),
        maximum_iterations=_MOST_PARTS,
    )
    return tf.unstack(found), exif


def _orientation(content: tf.Tensor, start: tf.Tensor) -> tf.Tensor:
    """The orientation 1 to 8, int32, that EXIF data names; 1 if it names none."""
    content = content[start:]
    little = _is(content, 0, _TIFF_LITTLE)

    def number(offset: tf.Tensor | int, count: int) -> tf.Tensor:
        data = _slice(content, offset, count)
        (value,) = _numbers(tf.where(little, data[::-1], data), 0, (0, count))
        return value

    directory = tf.cast(tf.minimum(number(4, 4), tf.size(content, tf.int64)), tf.int32)
    count = tf.cast(tf.minimum(number(directory, 2), _MOST_TAGS), tf.int32)
    tags = tf.cast(tf.reshape(_slice(content, directory + 2, 12 * count), (-1, 12)), tf.int32)
    names = tf.where(little, tags[:, 0] + 256 * tags[:, 1], 256 * tags[:, 0] + tags[:, 1])
    values = tf.where(little, tags[:, 8], tags[:, 9])
    found = tf.concat([tf.boolean_mask(values, names == _ORIENTATION_TAG), [1]], 0)[0]
    return tf.where(tf.logical_and(found >= 1, found <= 8), found, 1)


def _within(height: tf.Tensor, width: tf.Tensor, limits: Limits) -> tf.Operation:
    fits = tf.logical_and(tf.minimum(height, width) > 0, height * width <= limits.pixels)
    return require(fits, f"a frame has no pixels or more than {limits.pixels}: height and width are", height, width)


def _is(content: tf.Tensor, start: tf.Tensor | int, expected: bytes) -> tf.Tensor:
    """Whether bytes lie there."""
    return tf.reduce_all(_slice(content, start, len(expected)) == tf.constant(list(expected), tf.uint8))


def _numbers(content: tf.Tensor, start: tf.Tensor | int, *fields: tuple[int, int]) -> list[tf.Tensor]:
    """Numbers, int64, the highest byte first, at (offset, count of bytes) from there."""
    length = max(offset + count for offset, count in fields)
    weights = [[0] * length for _ in fields]
    for row, (offset, count) in zip(weights, fields, strict=True):
        row[offset : offset + count] = [256**exponent for exponent in reversed(range(count))]
    data = tf.cast(_slice(content, start, length), tf.int64)
    return tf.unstack(tf.reduce_sum(data * tf.constant(weights, tf.int64), 1))


def _slice(content: tf.Tensor, start: tf.Tensor | int, count: tf.Tensor | int) -> tf.Tensor:
    """So many bytes; zeros where there are none."""
    there = content[start : start + count]
    return tf.pad(there, [[0, count - tf.size(there)]])
