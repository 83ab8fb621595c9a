"""Images as arrays and as bytes: always RGB on this side, whatever a codec calls its channels."""

import pathlib
import struct
import zlib

import cv2
import numpy as np

from hd2s_tf import files
from hd2s_tf.errors import BadInputError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

# What OpenCV finds wrong with a file reaches the user as an exception that names it.
cv2.setLogLevel(0)


def has_image_suffix(path: str) -> bool:
    """Whether a file's name is that of an image."""
    return pathlib.PurePath(path).suffix.lower() in IMAGE_SUFFIXES


def read_image(path: str) -> np.ndarray:
    """Reads an image file as uint8 RGB [H,W,3].

    Raises:
      BadInputError: the file is missing, empty or not an image.
    """
    return cv2.cvtColor(_read(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def read_map(path: str) -> np.ndarray:
    """Reads a saliency or fixation map stored as an image, uint8 [H,W].

    Raises:
      BadInputError: the file is missing, empty or not an image.
    """
    return _read(path, cv2.IMREAD_GRAYSCALE)


def _read(path: str, mode: int) -> np.ndarray:
    data = files.read_bytes(path)
    if not data:
        raise BadInputError(f"{path}: the file is empty")
    if data.startswith(_PNG_SIGNATURE) and _is_damaged(data):
        raise BadInputError(f"{path}: not an image that can be decoded: truncated or damaged")
    try:
        image = cv2.imdecode(np.frombuffer(data, np.uint8), mode)
    except cv2.error as error:
        # OpenCV's limit on the number of pixels, for one.
        raise BadInputError(f"{path}: not an image that can be decoded: {error.err}") from error
    if image is None:
        raise BadInputError(f"{path}: not an image that can be decoded")
    return image


def _is_damaged(png: bytes) -> bool:
    """Whether a chunk of a PNG fails its checksum; the decoder prints such a thing, or passes over it."""
    start = len(_PNG_SIGNATURE)
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
