"""Recorded gaze as the ground truth of a video's frames."""

import dataclasses
import hashlib
import pathlib

import numpy as np

from hd2s_tf.data.gaze import maps
from hd2s_tf.data.gaze.stimulus import FIXATION
from hd2s_tf.data.labels import FrameLabels, Labels, Observed

# Maps of larger stimuli are made that wide or high, as wide as DHF1K's; they are smooth.
_LARGEST_SIDE = 640


@dataclasses.dataclass(frozen=True)
class GazeLabels(Labels):
    """Fixations of a video or an image; every frame that is shown while one lasts has it.

    Attributes:
      path: of a file made by `save`.
      frames: their number.
      size: (height, width) of the stimulus in pixels.
      sigma: of the maps along y and x, in pixels of the stimulus.
      digest: of the file.
      observers: names of the data set's observers.
    """

    path: str
    frames: int
    size: tuple[int, int]
    sigma: tuple[float, float]
    digest: str
    observers: tuple[str, ...]

    @classmethod
    def save(
        cls,
        path: str,
        fixations: np.ndarray,
        times: np.ndarray | None,
        size: tuple[int, int],
        sigma: tuple[float, float],
        observers: tuple[str, ...],
    ) -> "GazeLabels":
        """Writes fixations to a file.

        Args:
          path: of the file, local.
          fixations: `FIXATION` [N].
          times: float [frames + 1], ms, when each frame appears and the last one ends; None for an image.
          size, sigma, observers: see the class.
        """
        times = np.zeros(0) if times is None else np.asarray(times, float)
        np.savez(path, fixations=fixations, times=times)
        digest = hashlib.sha256(fixations.tobytes() + times.tobytes()).hexdigest()
        return cls(path, max(1, len(times) - 1), size, sigma, digest, observers)

    @property
    def frame_names(self) -> tuple[str, ...]:
        """See `Labels`: numbers from 0001."""
        return tuple(f"{number:04d}" for number in range(1, self.frames + 1))

    @property
    def observed(self) -> Observed:
        """See `Labels`."""
        fixations, _ = _load(self.path)
        return Observed(
            tuple(np.unique(fixations["observer"]).tolist()),
            tuple(deviation / side for deviation, side in zip(self.sigma, self.size, strict=True)),
            tuple((fixations["end"] - fixations["onset"]).round(1).tolist()),
        )

    def read(self, index: int, frame_size: tuple[int, int] | None = None) -> FrameLabels:
        """See `Labels`; the map has the frame's aspect."""
        seen = self._seen(index)
        points = _points(seen)
        scale = min(1.0, _LARGEST_SIDE / max(self.size))
        size = tuple(max(1, round(side * scale)) for side in self.size)
        sigma = tuple(
            deviation * small / side for deviation, small, side in zip(self.sigma, size, self.size, strict=True)
        )
        return FrameLabels(maps.saliency_map(points, size, sigma), points, seen["observer"].astype(np.int32))

    def read_fixations(self, index: int) -> np.ndarray:
        """See `Labels`."""
        return _points(self._seen(index))

    def fixation_counts(self) -> dict[int, int]:
        """How many fixations each observer has, by number."""
        numbers, counts = np.unique(_load(self.path)[0]["observer"], return_counts=True)
        return dict(zip(numbers.tolist(), counts.tolist(), strict=True))

    def fingerprint(self) -> object:
        """Of the fixations and of what the maps depend on."""
        return [self.digest, list(self.sigma), list(self.observers)]

    def _seen(self, index: int) -> np.ndarray:
        """The fixations of a frame, `FIXATION` [N]."""
        fixations, times = _load(self.path)
        if not len(times):
            return fixations
        start, end = times[index : index + 2]
        # A sample is an instant: it belongs to the frame during which it was taken.
        lasting = (fixations["end"] > start) | (fixations["onset"] >= start)
        return fixations[lasting & (fixations["onset"] < end)]


def _points(fixations: np.ndarray) -> np.ndarray:
    return np.stack([fixations["y"], fixations["x"]], 1).astype(np.float32)


_loaded: tuple[str, tuple[np.ndarray, np.ndarray]] | None = None


def _load(path: str) -> tuple[np.ndarray, np.ndarray]:
    """The fixations and times in a file; the one read last is kept, for frames are read one after the other."""
    global _loaded
    if _loaded is None or _loaded[0] != path:
        with np.load(pathlib.Path(path)) as data:
            _loaded = path, (data["fixations"].astype(FIXATION), data["times"])
    return _loaded[1]
