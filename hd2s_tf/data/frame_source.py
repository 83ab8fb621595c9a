"""Sources of frames: a video, a folder of images or an image, read one frame at a time."""

import dataclasses
import os
import pathlib
from collections.abc import Iterator

import numpy as np
from absl import logging

from hd2s_tf import files
from hd2s_tf.data import images, video
from hd2s_tf.data.video import Shown
from hd2s_tf.errors import BadInputError


@dataclasses.dataclass(frozen=True)
class FrameSource:
    """The frames of a video file, of a folder of images (in the order of their numbers) or of one image or animation.

    Attributes:
      path: where the frames come from.
      size: (height, width) in pixels of every frame.
      frame_rate: frames a second; 25 where the source has none.
      frame_count: the probable number of frames, to show progress: what a video's header claims, 0 if nothing.
      codec: FFmpeg's name of a video's codec, an animation's format; empty for images.
      rotation: degrees clockwise by which a video's stored frames are turned for showing.
      image_paths: the image files in order; empty where one file holds all frames.
      is_animation: whether that file is an image of several pictures.
    """

    path: str
    size: tuple[int, int]
    frame_rate: float
    frame_count: int
    codec: str = ""
    rotation: int = 0
    image_paths: tuple[str, ...] = ()
    is_animation: bool = False

    @property
    def is_video(self) -> bool:
        """Whether FFmpeg decodes it, so that it may have sound."""
        return not (self.image_paths or self.is_animation)

    def read(self) -> "Reading":
        """Starts to read the frames."""
        return Reading(self)

    def __iter__(self) -> Iterator[np.ndarray]:
        """As `read`."""
        return self.read()


class Reading(Iterator[np.ndarray]):
    """Yields each frame of a source, uint8 RGB [H,W,3].

    Attributes:
      source: what is read.
      times: (start, duration) in seconds of each frame so far, from the first one's start on; the duration is the
        source's, which another frame may end early.
      damaged: when frames were lost or damaged, in seconds.

    Raises:
      BadInputError: an image cannot be read or has another size than the first; or not one frame can be decoded.
    """

    def __init__(self, source: FrameSource) -> None:
        self.times: list[tuple[float, float]] = []
        self.damaged: list[float] = []
        self.source = source
        if source.is_video:
            self._shown = video.read(source.path, source.size, self.damaged)
        else:
            self._shown = _animation(source) if source.is_animation else _images(source)

    def __next__(self) -> np.ndarray:
        shown = next(self._shown, None)
        if shown is None:
            self._check()
            raise StopIteration
        self.times.append((shown.start, shown.duration))
        return shown.image

    def _check(self) -> None:
        if not self.times:
            raise BadInputError(f"{self.source.path}: no frame can be decoded")
        if self.damaged:
            logging.warning("%s: %s", self.source.path, self.damage)

    @property
    def damage(self) -> str:
        """What is wrong with the source, in words; empty where nothing is."""
        if not self.damaged:
            return ""
        count, first = len(self.damaged), min(self.damaged)
        return f"truncated or damaged at {first:.2f} s: at least {count} of its frames lost or damaged"


def _images(source: FrameSource) -> Iterator[Shown]:
    for index, path in enumerate(source.image_paths):
        image = images.read_image(path)
        _check_size(path, image, source.size)
        yield Shown(image, index / source.frame_rate, 1 / source.frame_rate)


def _animation(source: FrameSource) -> Iterator[Shown]:
    start = 0.0
    for image, seconds in images.read_pages(source.path):
        _check_size(source.path, image, source.size)
        duration = seconds or 1 / source.frame_rate
        yield Shown(image, start, duration)
        start += duration


def _check_size(path: str, image: np.ndarray, size: tuple[int, int]) -> None:
    height, width = image.shape[:2]
    if (height, width) != size:
        raise BadInputError(f"{path}: the frame is {width}x{height}, the first one is {size[1]}x{size[0]}")


def open_frames(path: str | os.PathLike) -> FrameSource:
    """Opens a video file, a folder of images or an image, without reading more than its first frame.

    Raises:
      BadInputError: nothing there, an empty file, a folder without images, or no frame that can be decoded.
    """
    path = os.fspath(path)
    if files.is_folder(path):
        names = files.by_number(name for name in files.list_folder(path) if images.has_image_suffix(name))
        if not names:
            raise BadInputError(f"{path}: the folder holds no images")
        return open_images(tuple(files.join(path, name) for name in names), path)
    if not files.exists(path):
        raise BadInputError(f"{path}: no such file or folder")
    if files.file_size(path) == 0:
        raise BadInputError(f"{path}: the file is empty")
    pages = images.page_count(path)
    if pages > 1:
        return _open_animation(path, pages)
    if images.has_image_suffix(path) or path.lower().endswith(".gif"):
        return open_images((path,))
    found = video.probe(path)
    return FrameSource(path, found.size, found.frame_rate, found.claimed_frames, found.codec, found.rotation)


def _open_animation(path: str, pages: int) -> FrameSource:
    image, seconds = next(images.read_pages(path))
    rate = 1 / seconds if seconds else float(video.DEFAULT_FRAME_RATE)
    codec = pathlib.PurePath(path).suffix[1:].lower()
    return FrameSource(path, image.shape[:2], rate, pages, codec, is_animation=True)


def open_images(image_paths: tuple[str, ...], path: str | None = None) -> FrameSource:
    """Opens image files in the order given.

    Args:
      image_paths: at least one.
      path: what the source is called; the first image if None.

    Raises:
      BadInputError: the first one cannot be read.
    """
    size = images.read_image(image_paths[0]).shape[:2]
    rate = float(video.DEFAULT_FRAME_RATE)
    return FrameSource(path or image_paths[0], size, rate, len(image_paths), image_paths=image_paths)
