"""Ground truth of a video's frames as a data set holds it, for preparation and evaluation alike."""

import abc
import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np

from hd2s_tf import files
from hd2s_tf.data import fixations, images
from hd2s_tf.errors import BadInputError

# A map that is wider or narrower than its frame by more than this belongs to another frame.
_ASPECT_TOLERANCE = 0.05


@dataclasses.dataclass(frozen=True)
class FrameLabels:
    """Ground truth of a frame.

    Attributes:
      saliency_map: uint8 [H,W], of any size with the frame's aspect.
      fixations: float32 [N,2], (y, x) as fractions of height and width from 0 to below 1.
      observers: int32 [N], the observer of each fixation; empty where that is not known.
    """

    saliency_map: np.ndarray
    fixations: np.ndarray
    observers: np.ndarray = dataclasses.field(default_factory=lambda: np.zeros(0, np.int32))


@dataclasses.dataclass(frozen=True)
class Observed:
    """Who looked at a video, where that is known.

    Attributes:
      observers: numbers of those who did, among all of the data set.
      sigma: standard deviations along y and x of the Gaussian around a fixation that maps are made with, as fractions
        of height and width.
      durations: of the fixations in ms.
    """

    observers: tuple[int, ...]
    sigma: tuple[float, float]
    durations: tuple[float, ...]

    @classmethod
    def from_json(cls, values: dict[str, list]) -> "Observed":
        """The inverse of `dataclasses.asdict`, whose tuples JSON turns into lists."""
        return cls(**{name: tuple(value) for name, value in values.items()})


class Labels(abc.ABC):
    """Ground truth of a video's first frames, one by one."""

    @property
    def observed(self) -> Observed | None:
        """Who looked; None where that is not known."""
        return None

    @property
    def promises_fixations(self) -> bool:
        """Whether maps without one fixation in the whole video must be a mistake."""
        return False

    @property
    @abc.abstractmethod
    def frame_names(self) -> tuple[str, ...]:
        """Names of the labelled frames in order, without suffix, as prediction files are named."""

    @abc.abstractmethod
    def read(self, index: int, frame_size: tuple[int, int] | None = None) -> FrameLabels:
        """Reads the ground truth of a frame.

        Args:
          index: of the frame, from 0 to below the number of names.
          frame_size: (height, width) of the frame; None to read without a comparison.

        Raises:
          BadInputError: a file cannot be read, or does not fit the frame.
        """

    @abc.abstractmethod
    def read_fixations(self, index: int) -> np.ndarray:
        """Reads the fixations of a frame alone; see `FrameLabels`."""

    @abc.abstractmethod
    def fingerprint(self) -> object:
        """Identifies the labels as JSON values, which change when the labels do."""


@dataclasses.dataclass(frozen=True)
class LabelFiles(Labels):
    """Ground truth stored as a file for each frame.

    Attributes:
      map_paths: images, in the order of the frames.
      fixation_paths: PNG or MATLAB files, one for each map; empty where there are none.
    """

    map_paths: tuple[str, ...]
    fixation_paths: tuple[str, ...] = ()

    @property
    def frame_names(self) -> tuple[str, ...]:
        """See `Labels`: the maps' names."""
        return tuple(pathlib.PurePath(path).stem for path in self.map_paths)

    def read(self, index: int, frame_size: tuple[int, int] | None = None) -> FrameLabels:
        """See `Labels`."""
        saliency_map = images.read_map(self.map_paths[index])
        if frame_size is not None:
            _check_aspect(self.map_paths[index], saliency_map.shape, frame_size, "its frame")
        if not self.fixation_paths:
            return FrameLabels(saliency_map, np.zeros((0, 2), np.float32))
        fixation_map = fixations.read_fixation_map(self.fixation_paths[index])
        _check_aspect(self.map_paths[index], saliency_map.shape, fixation_map.shape, "its map of fixations")
        points = fixations.points(fixation_map)
        if len(points) and not saliency_map.any():
            raise BadInputError(f"{self.map_paths[index]}: all black, but {self.fixation_paths[index]} has fixations")
        return FrameLabels(saliency_map, points)

    def read_fixations(self, index: int) -> np.ndarray:
        """See `Labels`."""
        if not self.fixation_paths:
            return np.zeros((0, 2), np.float32)
        return fixations.points(fixations.read_fixation_map(self.fixation_paths[index]))

    @property
    def promises_fixations(self) -> bool:
        """See `Labels`: there are files of them."""
        return bool(self.fixation_paths)

    def fingerprint(self) -> object:
        """Paths and sizes of the files."""
        return file_sizes((*self.map_paths, *self.fixation_paths))


def file_sizes(paths: Sequence[str]) -> list[list]:
    """Paths with the files' sizes, to tell whether they have changed."""
    return [[path, files.file_size(path)] for path in paths]


def _check_aspect(path: str, size: tuple[int, int], other: tuple[int, int], what: str) -> None:
    aspects = [height / width for height, width in (size, other)]
    if abs(aspects[0] / aspects[1] - 1) > _ASPECT_TOLERANCE:
        raise BadInputError(f"{path}: the map is {size[1]}x{size[0]}, {what} {other[1]}x{other[0]}: another aspect")
