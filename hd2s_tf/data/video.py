"""Decodes videos, folders of frames and images one frame at a time, and writes videos."""

import dataclasses
import os
import pathlib
import tempfile
from collections.abc import Iterator

import cv2
import numpy as np
from absl import logging

from hd2s_tf import files
from hd2s_tf.data import images
from hd2s_tf.errors import BadInputError

VIDEO_SUFFIXES = frozenset({".avi", ".mp4", ".mov", ".mkv", ".webm", ".m4v", ".mpg", ".mpeg", ".wmv"})
# H.264 plays everywhere; MPEG-4 part 2 is in every build of OpenCV (its VP9 encoder takes 0.2 s a frame).
_CODECS = ("avc1", "mp4v")
_DEFAULT_FRAME_RATE = 25.0

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
            image = images.read_image(path)
            if image.shape[:2] != self.size:
                raise BadInputError(
                    f"{path}: the frame is {image.shape[1]}x{image.shape[0]}, "
                    f"the first one is {self.size[1]}x{self.size[0]}"
                )
            yield image

    def _video(self) -> Iterator[np.ndarray]:
        with files.local_copy(self.path) as local:
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
        names = [
            name for name in files.list_folder(path) if pathlib.PurePath(name).suffix.lower() in images.IMAGE_SUFFIXES
        ]
        if not names:
            raise BadInputError(f"{path}: the folder holds no images")
        return open_images(tuple(files.join(path, name) for name in names), path)
    if not files.exists(path):
        raise BadInputError(f"{path}: no such file or folder")
    if files.file_size(path) == 0:
        raise BadInputError(f"{path}: the file is empty")
    if images.has_image_suffix(path):
        return open_images((path,))
    return _open_video(path)


def open_images(image_paths: tuple[str, ...], path: str | None = None) -> FrameSource:
    """Opens image files in the order given.

    Args:
      image_paths: at least one.
      path: what the source is called; the first image if None.

    Raises:
      BadInputError: the first one cannot be read.
    """
    size = images.read_image(image_paths[0]).shape[:2]
    return FrameSource(path or image_paths[0], size, _DEFAULT_FRAME_RATE, len(image_paths), image_paths)


def _open_video(path: str) -> FrameSource:
    with files.local_copy(path) as local:
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


class _silenced_stderr:
    """Hides what native encoders print while OpenCV tries one after the other."""

    def __enter__(self) -> None:
        self._saved = os.dup(2)
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 2)
        os.close(null)

    def __exit__(self, *_: object) -> None:
        os.dup2(self._saved, 2)
        os.close(self._saved)
