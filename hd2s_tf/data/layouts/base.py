"""What every layout is made of: records of videos, problems with them, and the splits they belong to."""

import dataclasses
from collections.abc import Callable, Iterator

import numpy as np

from hd2s_tf.data import frame_source
from hd2s_tf.data.labels import Labels, file_sizes
from hd2s_tf.errors import BadInputError

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)


@dataclasses.dataclass(frozen=True)
class VideoRecord:
    """One video (or still image) of a data set.

    Attributes:
      name: unique in its split.
      split: one of `SPLITS`.
      frames: video file or image paths in order.
      labels: the ground truth of its frames; None for an unlabelled video.
    """

    name: str
    split: str
    frames: str | tuple[str, ...]
    labels: Labels | None = None

    def open(self) -> frame_source.FrameSource:
        """Opens the frames; see `FrameSource`.

        Raises:
          BadInputError: they cannot be read.
        """
        opens = frame_source.open_frames if isinstance(self.frames, str) else frame_source.open_images
        return opens(self.frames)

    def read_whole(self) -> Iterator[np.ndarray]:
        """Yields the frames, uint8 RGB [H,W,3]: those that labels can be paired with by number.

        Raises:
          BadInputError: they cannot be read, or some of them are lost or damaged.
        """
        reading = self.open().read()
        yield from reading
        if reading.damaged:
            raise BadInputError(f"{reading.source.path}: {reading.damage}")

    def fingerprint(self) -> list:
        """Identifies the video as JSON values, which change when one of its files does."""
        frames = [self.frames] if isinstance(self.frames, str) else self.frames
        return [self.name, self.split, file_sizes(frames), self.labels.fingerprint() if self.labels else None]


@dataclasses.dataclass(frozen=True)
class Problem:
    """A broken video that is left out: its split, and a line that names the file and says what is wrong."""

    split: str
    message: str

    def __str__(self) -> str:
        return self.message


@dataclasses.dataclass(frozen=True)
class Layout:
    """One way in which data sets lie on disk.

    Attributes:
      description: what a folder of this layout holds, as a user is told.
      read: yields a folder's videos, each a record, or a problem where it is broken; paths only, no pixels.
      recognises: whether a folder has this layout.
      own_validation: the split of the videos that the data set's authors call validation.
      report: what the last reading found out, as JSON values that are recorded with the prepared data.
    """

    description: str
    read: Callable[[str], Iterator[VideoRecord | Problem]]
    recognises: Callable[[str], bool]
    own_validation: str = VALIDATION
    report: Callable[[], dict] = dict


def attempt(split: str, read: Callable[..., VideoRecord], *arguments: object) -> VideoRecord | Problem:
    """The record that `read` returns for these arguments, or the `BadInputError` that it raises as a problem."""
    try:
        return read(*arguments)
    except BadInputError as error:
        return Problem(split, str(error))
