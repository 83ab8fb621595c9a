"""Decodes videos, folders of frames and images one frame at a time, and writes videos and PNG maps."""

import dataclasses
import os
import pathlib
import struct
import tempfile
import zlib
from collections.abc import Iterator

import cv2
import numpy as np
from absl import logging

from hd2s_tf import files
from hd2s_tf.errors import BadInputError

IMAGE_SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".bmp", ".webp", ".tif", ".tiff"})
VIDEO_SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv"})
# H.264 plays everywhere; MPEG-4 part 2 is in every build of OpenCV (its VP9 encoder takes 0.2 s a frame).
_CODECS = ("avc1", "mp4v")
_DEFAULT_FRAME_RATE = 25.0
_PNG_SIGNATURE = b"\x89PNG\r\n\x1a\n"

# What these libraries find wrong with a file reaches the user as an exception that names it.
os.environ.setdefault("OPENCV_FFMPEG_LOGLEVEL", "-8")
cv2.setLogLevel(0)


@dataclasses.dataclass(frozen=True)
class FrameSource:
    """The frames of a video file, of a folder of images (in name order) or of one image.

    Attributes:
      path: where the frames come from.
      size: (height, width) in pixels of every frame.
      frame_rate: frames a second; 25 where the source has none.
      frame_count: the number of frames; for a video what its header claims, 0 when it claims nothing.
      image_paths: the image files in order; empty for a video.
    """

    path: str
    size: tuple[int, int]
    frame_rate: float
    frame_count: int
    image_paths: tuple[str, ...] = ()

    def __iter__(self) -> Iterator[np.ndarray]:
        """Yields each frame, uint8 RGB [H,W,3].

        Raises:
          BadInputError: an image cannot be read or has another size than the first.
        """
        return self._images() if self.image_paths else self._video()

    def _images(self) -> Iterator[np.ndarray]:
        for path in self.image_paths:
            image = read_image(path)
            if image.shape[:2] != self.size:
                raise BadInputError(
                    f"{path}: the frame is {image.shape[1]}x{image.shape[0]}, "
                    f"the first one is {self.size[1]}x{self.size[0]}"
                )
            yield image

    def _video(self) -> Iterator[np.ndarray]:
        with _local_copy(self.path) as local:
            capture = cv2.VideoCapture(local)
            count = 0
            try:
                while True:
                    decoded, frame = capture.read()
                    if not decoded:
                        break
                    count += 1
                    yield cv2.cvtColor(frame, cv2.COLOR_BGR2RGB)
            finally:
                capture.release()
        if count < self.frame_count:
            logging.warning(
                "%s: truncated or damaged: %d of %d frames could be read", self.path, count, self.frame_count
            )


def open_frames(path: str | os.PathLike) -> FrameSource:
    """Opens a video file, a folder of images or an image, without reading more than its first frame.

    Raises:
      BadInputError: nothing there, an empty file, a folder without images, or no frame that can be decoded.
    """
    path = os.fspath(path)
    if files.is_folder(path):
        names = [name for name in files.list_folder(path) if pathlib.PurePath(name).suffix.lower() in IMAGE_SUFFIXES]
        if not names:
            raise BadInputError(f"{path}: the folder holds no images")
        return open_images(tuple(files.join(path, name) for name in names))
    if not files.exists(path):
        raise BadInputError(f"{path}: no such file or folder")
    if files.file_size(path) == 0:
        raise BadInputError(f"{path}: the file is empty")
    if pathlib.PurePath(path).suffix.lower() in IMAGE_SUFFIXES:
        return open_images((path,))
    return _open_video(path)


def open_images(image_paths: tuple[str, ...]) -> FrameSource:
    """Opens image files in the order given.

    Raises:
      BadInputError: the first one cannot be read.
    """
    size = read_image(image_paths[0]).shape[:2]
    return FrameSource(os.path.dirname(image_paths[0]), size, _DEFAULT_FRAME_RATE, len(image_paths), image_paths)  # noqa: PTH120


def _open_video(path: str) -> FrameSource:
    with _local_copy(path) as local:
        capture = cv2.VideoCapture(local)
        try:
            decoded, frame = capture.read()
            if not decoded:
                raise BadInputError(f"{path}: not a video that can be decoded")
            frame_rate = capture.get(cv2.CAP_PROP_FPS)
            claimed = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        finally:
            capture.release()
    return FrameSource(
        path,
        frame.shape[:2],
        frame_rate if np.isfinite(frame_rate) and 0 < frame_rate <= 1000 else _DEFAULT_FRAME_RATE,
        int(claimed) if np.isfinite(claimed) and claimed > 0 else 0,
    )


class _local_copy:  # noqa: N801
    """A local path for a file that may be remote: OpenCV decodes videos from local files only."""

    def __init__(self, path: str) -> None:
        self._path = path
        self._copy: str | None = None

    def __enter__(self) -> str:
        if not files.is_remote(self._path):
            return self._path
        handle, self._copy = tempfile.mkstemp(suffix=pathlib.PurePath(self._path).suffix)
        os.close(handle)
        files.copy(self._path, self._copy)
        return self._copy

    def __exit__(self, *_: object) -> None:
        if self._copy:
            pathlib.Path(self._copy).unlink()


def read_image(path: str) -> np.ndarray:
    """Reads an image file as uint8 RGB [H,W,3].

    Raises:
      BadInputError: the file is missing, empty or not an image.
    """
    return cv2.cvtColor(_decode(path, cv2.IMREAD_COLOR), cv2.COLOR_BGR2RGB)


def read_map(path: str) -> np.ndarray:
    """Reads a saliency or fixation map stored as an image, uint8 [H,W].

    Raises:
      BadInputError: the file is missing, empty or not an image.
    """
    return _decode(path, cv2.IMREAD_GRAYSCALE)


def _decode(path: str, mode: int) -> np.ndarray:
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


def png_bytes(image: np.ndarray) -> bytes:
    """Encodes uint8 [H,W] (gray) or [H,W,3] (RGB) as PNG."""
    if image.ndim == 3:
        image = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    encoded, data = cv2.imencode(".png", image)
    if not encoded:
        raise ValueError(f"OpenCV cannot encode an image of shape {image.shape} and type {image.dtype}")
    return data.tobytes()


class VideoWriter:
    """Writes uint8 RGB frames [H,W,3] to an MP4 file, which appears under its name only when closed without an error.

    The codec is H.264 where OpenCV's build can encode it, else MPEG-4 part 2; `codec` tells which.
    """

    def __init__(self, path: str | os.PathLike, size: tuple[int, int], frame_rate: float) -> None:
        self._path = os.fspath(path)
        handle, self._unfinished = tempfile.mkstemp(suffix=".mp4")
        os.close(handle)
        # Video codecs subsample colour by two, so an odd last row or column is left out.
        self._height, self._width = (max(2, side - side % 2) for side in size)
        self._writer, self.codec = self._open(frame_rate)

    def _open(self, frame_rate: float) -> tuple[cv2.VideoWriter, str]:
        for codec in _CODECS:
            with _silenced_stderr():
                writer = cv2.VideoWriter(
                    self._unfinished, cv2.VideoWriter_fourcc(*codec), frame_rate, (self._width, self._height)
                )
            if writer.isOpened():
                return writer, codec
        raise OSError(f"{self._path}: this build of OpenCV can encode none of {', '.join(_CODECS)}")

    def write(self, frame: np.ndarray) -> None:
        """Appends a frame."""
        if frame.shape[0] < self._height or frame.shape[1] < self._width:
            frame = cv2.resize(frame, (self._width, self._height), interpolation=cv2.INTER_NEAREST)
        self._writer.write(cv2.cvtColor(frame[: self._height, : self._width], cv2.COLOR_RGB2BGR))

    def __enter__(self) -> "VideoWriter":
        return self

    def __exit__(self, error_type: type | None, *_: object) -> None:
        self._writer.release()
        try:
            if error_type is None:
                files.copy(self._unfinished, self._path)
        finally:
            pathlib.Path(self._unfinished).unlink()


class _silenced_stderr:  # noqa: N801
    """Hides what native encoders print while OpenCV tries one after the other."""

    def __enter__(self) -> None:
        self._saved = os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)

    def __exit__(self, *_: object) -> None:
        os.dup2(self._saved, 2)
        os.close(self._saved)
