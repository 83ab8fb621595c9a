"""Images as arrays and as bytes: always 8-bit and RGB on this side, upright and over black, whatever a file holds.

Pillow knows the formats and what a file says of itself; libjpeg-turbo (simplejpeg) decodes JPEG, as it alone tells
whether data is missing; OpenCV encodes, and decodes TIFF of floating point colours, which Pillow does not.
"""

import io
import pathlib
import struct
import warnings
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
import simplejpeg
from PIL import Image, ImageSequence, UnidentifiedImageError

from hd2s_tf import files
from hd2s_tf.data import orientation
from hd2s_tf.errors import BadInputError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
# Formats of files that may hold several pictures, one after the other.
_PAGED_SUFFIXES = frozenset({".gif", ".png", ".tif", ".tiff", ".webp"})
_PNG_START, _JPEG_START, _JPEG_END = b"\x89PNG\r\n\x1a\n", b"\xff\xd8", b"\xff\xd9"
_TIFF_STARTS = (b"II*\0", b"MM\0*")
_LOSSY_WEBP = b"VP8 "
_ORIENTATION_TAG = 0x0112
# Of TIFF pages: the tag that tells previews from pictures.
_KIND_TAG, _PREVIEW = 254, 1
# Shorter pages are shown for this long, as in browsers.
_SHORTEST_PAGE, _PAGE_WITHOUT_TIME = 0.011, 0.1


def has_image_suffix(path: str) -> bool:
    """Whether a file's name is that of an image."""
    return pathlib.PurePath(path).suffix.lower() in IMAGE_SUFFIXES


def read_image(path: str) -> np.ndarray:
    """Reads an image file as uint8 RGB [H,W,3], turned as its EXIF data says and composed over black.

    Values of 16 bits are scaled by their type; floating point ones are taken for 0..1, or for 0..255 where one is
    above 1.

    Raises:
      BadInputError: the file is missing, empty, damaged, not an image, or of values whose range is not known.
    """
    pixels = _decode(path, files.read_bytes(path))
    return pixels if pixels.ndim == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB)


def read_map(path: str) -> np.ndarray:
    """Reads a saliency map stored as an image, uint8 [H,W], scaled and turned as in `read_image`.

    Raises:
      BadInputError: see `read_image`.
    """
    pixels = _decode(path, files.read_bytes(path))
    return pixels if pixels.ndim == 2 else cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)


def read_mask(path: str) -> np.ndarray:
    """Reads which pixels of a losslessly stored image are not black, bool [H,W].

    Raises:
      BadInputError: see `read_image`; or the format changes values, so that none can be told from another.
    """
    data = files.read_bytes(path)
    if data.startswith(_JPEG_START) or data[12:16] == _LOSSY_WEBP:
        raise BadInputError(f"{path}: fixations in a lossy format: neighbours of fixated pixels are not black in it")
    image = _opened(path, data)
    pixels = _loaded(path, image)
    if image.mode in ("1", "L") or image.mode[0] in "FI":
        return pixels > 0
    return np.asarray(image.convert("RGB")).any(-1)


def page_count(path: str) -> int:
    """How many pictures follow each other in a file: frames of an animation, or pages of a TIFF file.

    Raises:
      BadInputError: see `read_image`.
    """
    if pathlib.PurePath(path).suffix.lower() not in _PAGED_SUFFIXES:
        return 1
    data = files.read_bytes(path)
    try:
        image = _opened(path, data)
    except BadInputError:
        # As long as it can be decoded by other means.
        return 1
    return sum(1 for _ in _pages(image))


def read_pages(path: str) -> Iterator[tuple[np.ndarray, float | None]]:
    """Yields each picture of a file, as `read_image`, and for how many seconds it is shown, None where none are told.

    Raises:
      BadInputError: see `read_image`.
    """
    image = _opened(path, files.read_bytes(path))
    for page in _pages(image):
        pixels = _eight_bit(path, page, _loaded(path, page))
        duration = page.info.get("duration")
        if duration is not None:
            duration = duration / 1000 if duration / 1000 >= _SHORTEST_PAGE else _PAGE_WITHOUT_TIME
        yield pixels if pixels.ndim == 3 else cv2.cvtColor(pixels, cv2.COLOR_GRAY2RGB), duration


def _pages(image: Image.Image) -> Iterator[Image.Image]:
    if image.format == "MPO":
        yield image
        return
    for page in ImageSequence.Iterator(image):
        tags = getattr(page, "tag_v2", {})
        if not tags.get(_KIND_TAG, 0) & _PREVIEW:
            yield page


def _decode(path: str, data: bytes) -> np.ndarray:
    """The picture in a file, upright: uint8 [H,W] or RGB [H,W,3]."""
    try:
        image = _opened(path, data)
    except BadInputError:
        if data.startswith(_TIFF_STARTS):
            return _through_opencv(path, data)
        raise
    if getattr(image, "is_animated", False):
        if sum(1 for _ in _pages(image)) > 1:
            raise BadInputError(f"{path}: holds several pictures where one is expected")
        image.seek(0)
    pixels = _jpeg(path, data) if data.startswith(_JPEG_START) else _eight_bit(path, image, _loaded(path, image))
    # Pillow turns TIFF files itself, and takes the tag away.
    return orientation.from_exif(image.getexif().get(_ORIENTATION_TAG)).apply(pixels)


def _opened(path: str, data: bytes) -> Image.Image:
    if not data:
        raise BadInputError(f"{path}: the file is empty")
    if data.startswith(_PNG_START) and _is_damaged(data):
        raise BadInputError(f"{path}: not an image that can be decoded: truncated or damaged")
    try:
        with warnings.catch_warnings():
            # Of many pixels; too many are an error.
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            return Image.open(io.BytesIO(data))
    except UnidentifiedImageError as error:
        raise BadInputError(f"{path}: not an image that can be decoded") from error
    except Exception as error:
        # Its readers raise many kinds; too many pixels are one of the reasons.
        raise BadInputError(f"{path}: not an image that can be decoded: {error}") from error


def _loaded(path: str, image: Image.Image) -> np.ndarray:
    try:
        image.load()
        return np.asarray(image)
    except Exception as error:
        raise BadInputError(f"{path}: not an image that can be decoded: truncated or damaged: {error}") from error


def _eight_bit(path: str, image: Image.Image, pixels: np.ndarray) -> np.ndarray:
    """The pixels of a loaded image as uint8, gray ones [H,W] and others RGB [H,W,3]."""
    if image.mode[0] in "FI":
        return _scaled(path, pixels)
    if image.has_transparency_data:
        return over_black(np.asarray(image.convert("RGBA")))
    if image.mode == "L":
        return pixels
    try:
        return np.asarray(image.convert("L" if image.mode == "1" else "RGB"))
    except ValueError as error:
        raise BadInputError(f"{path}: pixels of the kind {image.mode}: {error}") from error


def _scaled(path: str, values: np.ndarray) -> np.ndarray:
    """Values of other types than uint8, scaled to it."""
    if values.dtype == np.uint8:
        return values
    if values.dtype.kind == "u" and values.dtype.itemsize == 2:
        return np.uint8((values.astype(np.uint32) + 128) // 257)
    lowest, highest = (float(extreme) for extreme in (values.min(), values.max()))
    if values.dtype.kind != "f" or not 0 <= lowest <= highest <= 255:
        raise BadInputError(
            f"{path}: {values.dtype} values from {lowest:g} to {highest:g}; they may be of 8 or 16 bits, or floating "
            "point numbers in 0..1 or 0..255"
        )
    return np.uint8(np.rint(values * (255 if highest <= 1 else 1)))


def _jpeg(path: str, data: bytes) -> np.ndarray:
    try:
        # A file may well lack its end mark alone.
        data = data if data.endswith(_JPEG_END) else data + _JPEG_END
        if simplejpeg.decode_jpeg_header(data)[2] == "Gray":
            return simplejpeg.decode_jpeg(data, "GRAY")[..., 0]
        return simplejpeg.decode_jpeg(data, "RGB")
    except ValueError as error:
        raise BadInputError(f"{path}: not an image that can be decoded: truncated or damaged: {error}") from error


def _through_opencv(path: str, data: bytes) -> np.ndarray:
    try:
        decoded, pages = cv2.imdecodemulti(np.frombuffer(data, np.uint8), cv2.IMREAD_UNCHANGED)
    except cv2.error as error:
        raise BadInputError(f"{path}: not an image that can be decoded: {error.err}") from error
    if not decoded or len(pages) != 1:
        raise BadInputError(f"{path}: not an image that can be decoded, or several in one file")
    pixels = _scaled(path, pages[0])
    if pixels.ndim == 2:
        return pixels
    if pixels.shape[2] == 4:
        return over_black(cv2.cvtColor(pixels, cv2.COLOR_BGRA2RGBA))
    return cv2.cvtColor(pixels, cv2.COLOR_BGR2RGB)


def over_black(image: np.ndarray) -> np.ndarray:
    """Composes uint8 RGBA [H,W,4] over black: RGB [H,W,3]."""
    opacity = np.ascontiguousarray(np.broadcast_to(image[..., 3:], (*image.shape[:2], 3)))
    return cv2.multiply(np.ascontiguousarray(image[..., :3]), opacity, scale=1 / 255)


def _is_damaged(png: bytes) -> bool:
    """Whether a chunk of a PNG fails its checksum; decoders pass over some."""
    start = len(_PNG_START)
    while start + 12 <= len(png):
        (length,) = struct.unpack_from(">I", png, start)
        end = start + 8 + length
        if end + 4 > len(png) or zlib.crc32(png[start + 4 : end]) != struct.unpack_from(">I", png, end)[0]:
            return True
        if png[start + 4 : start + 8] == b"IEND":
            return False
        start = end + 4
    return True


def png(image: np.ndarray) -> bytes:
    """Encodes uint8 [H,W] (gray) or [H,W,3] (RGB) as PNG."""
    return _encode(".png", image)


def jpeg(image: np.ndarray, quality: int) -> bytes:
    """Encodes uint8 RGB [H,W,3] as JPEG; the quality goes from 1 to 100."""
    return _encode(".jpg", image, (cv2.IMWRITE_JPEG_QUALITY, quality))


def _encode(suffix: str, image: np.ndarray, settings: tuple[int, ...] = ()) -> bytes:
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    encoded, data = cv2.imencode(suffix, image, settings)
    if not encoded:
        raise ValueError(f"OpenCV cannot encode an image of shape {image.shape} and type {image.dtype}")
    return data.tobytes()


def from_jpeg(data: bytes) -> np.ndarray:
    """The inverse of `jpeg`: uint8 RGB [H,W,3]."""
    return cv2.cvtColor(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def from_png(data: bytes) -> np.ndarray:
    """The inverse of `png` for a gray image: uint8 [H,W]."""
    return cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE)
