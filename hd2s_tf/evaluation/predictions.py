"""The sources of scored maps: a network, a folder of PNG files, or a baseline."""

import abc
import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import tqdm
from absl import logging

from hd2s_tf import files
from hd2s_tf.data import images, preprocessing
from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation.ground_truth import ScoredVideo
from hd2s_tf.evaluation.protocol import centre_map
from hd2s_tf.inference import postprocessing
from hd2s_tf.inference.predict_fn import PredictFn
from hd2s_tf.inference.predictor import predict_frame, predict_video

BASELINE_PREFIX = "baseline:"
BASELINES = ("centre", "mean_map", "uniform")
_BASELINE_SIZE = (128, 192)
_MEAN_MAP_FRAMES = 50
# Seconds before a progress bar shows, so that a run that is refused at once prints one line only.
BAR_DELAY = 3


@dataclasses.dataclass(frozen=True)
class PredictedFrame:
    """A prediction to score.

    Attributes:
      saliency_map: real [h,w] in 0..255, of any size; None if it is missing, or in a file.
      path: of a file from elsewhere, whose shape is checked.
      pixels: uint8 [H,W], the map at the frame's size, as a submission wants it; of a network only.
    """

    saliency_map: np.ndarray | None = None
    path: str | None = None
    pixels: np.ndarray | None = None

    def read(self, as_file: bool = False) -> np.ndarray | None:
        """The map; None if it is missing.

        Args:
          as_file: whether a network's map is wanted as a submission holds it, in place of its own.

        Raises:
          BadInputError: its file is not an image.
        """
        if self.path is not None:
            return images.read_map(self.path)
        return self.pixels if as_file and self.pixels is not None else self.saliency_map


class Predictor(abc.ABC):
    """Predictions of the videos of a set."""

    @abc.abstractmethod
    def frames(self, scored: ScoredVideo) -> Iterator[PredictedFrame]:
        """The predictions of a video's frames, in order."""

    @abc.abstractmethod
    def example(self, scored: ScoredVideo, index: int) -> list[np.ndarray]:
        """The maps of one frame to look at, real [h,w] each: saliency, then conspicuity (shallow to deep) if known."""


class NetworkPredictor(Predictor):
    """Predictions of a `predict_fn`; the other arguments are `predict_video`'s."""

    def __init__(
        self, predict_fn: PredictFn, batch_size: int, stride: int = 1, smoothing_sigma: float | None = None
    ) -> None:
        self._predict_fn, self._smoothing_sigma = predict_fn, smoothing_sigma
        self._options = {"batch_size": batch_size, "stride": stride, "smoothing_sigma": smoothing_sigma}
        # Of the videos that have been predicted: there may be more or fewer frames than labels.
        self._frame_counts: dict[str, int] = {}

    def frames(self, scored: ScoredVideo) -> Iterator[PredictedFrame]:
        """See `Predictor`."""
        for prediction in predict_video(self._predict_fn, scored.frames(), check_finite=False, **self._options):
            self._frame_counts[scored.name] = prediction.index + 1
            yield PredictedFrame(prediction.network_map, pixels=prediction.saliency_map)

    def example(self, scored: ScoredVideo, index: int) -> list[np.ndarray]:
        """See `Predictor`; with a stride too it is the frame's own window that is predicted."""
        count = self._frame_counts.get(scored.name, len(scored.frame_names))
        return list(predict_frame(self._predict_fn, scored.read_frames, count, index, self._smoothing_sigma))


class FolderPredictor(Predictor):
    """Predictions stored as `<folder>/<video>/<frame>.png`, frames named as their ground truth or by the same number.

    Raises:
      BadInputError: no files at all; or files are missing, or there are some that no frame has, unless that is allowed.
    """

    def __init__(self, folder: str, videos: Sequence[ScoredVideo], allow_missing: bool) -> None:
        if not files.is_folder(folder):
            raise BadInputError(f"{folder}: no such folder")
        self._files: dict[str, list[str | None]] = {}
        missing: list[str] = []
        unknown: list[str] = []
        for scored in videos:
            found = _images(files.join(folder, scored.name))
            matched = [found.pop(_key(name), None) for name in scored.frame_names]
            self._files[scored.name] = matched
            names = zip(scored.frame_names, matched, strict=True)
            missing += [f"{scored.name}/{name}.png" for name, path in names if path is None]
            unknown += sorted(found.values())
        if len(missing) == sum(len(scored.frame_names) for scored in videos):
            raise BadInputError(f"{folder}: no prediction for any frame (they are looked for as <video>/<frame>.png)")
        _refuse_or_warn(folder, "no prediction for", missing, allow_missing)
        _refuse_or_warn(folder, "no frame has the name of", unknown, allow_missing)

    def frames(self, scored: ScoredVideo) -> Iterator[PredictedFrame]:
        """See `Predictor`."""
        for path in self._files[scored.name]:
            yield PredictedFrame(path=path)

    def example(self, scored: ScoredVideo, index: int) -> list[np.ndarray]:
        """See `Predictor`."""
        return [images.read_map(self._files[scored.name][index])]


def _images(folder: str) -> dict[str | int, str]:
    names = files.list_folder(folder) if files.is_folder(folder) else []
    return {_key(name.rsplit(".", 1)[0]): files.join(folder, name) for name in names if "." in name}


def _key(stem: str) -> str | int:
    """Numbers are compared as numbers: 1, 01 and 0001 are the same frame."""
    return int(stem) if stem.isdecimal() else stem


def _refuse_or_warn(folder: str, what: str, names: Sequence[str], allowed: bool) -> None:
    if not names:
        return
    message = f"{folder}: {what} {enumeration(names)}"
    if not allowed:
        raise BadInputError(message, remedy="allow_missing")
    logging.warning("%s", message)


def enumeration(names: Sequence[str], shown: int = 3) -> str:
    """The first names, and how many there are in all."""
    listed = ", ".join(names[:shown])
    return listed if len(names) <= shown else f"{listed} and {len(names) - shown} more ({len(names)} in all)"


class BaselinePredictor(Predictor):
    """The same map for every frame.

    Args:
      name: "centre" (a Gaussian whose deviations are a quarter of height and width), "mean_map" (the mean of the
        training split's maps) or "uniform".
      training: opens the training split; called for "mean_map" only.

    Raises:
      BadInputError: no such baseline, or no training split.
    """

    def __init__(self, name: str, training: Callable[[], Sequence[ScoredVideo]]) -> None:
        if name not in BASELINES:
            raise BadInputError(f"no baseline {name!r}: the baselines are {', '.join(BASELINES)}")
        if name == "mean_map":
            self._map = _mean_map(training())
        elif name == "centre":
            self._map = postprocessing.PEAK * centre_map(_BASELINE_SIZE)
        else:
            self._map = np.full(_BASELINE_SIZE, postprocessing.PEAK, np.float32)

    def frames(self, scored: ScoredVideo) -> Iterator[PredictedFrame]:
        """See `Predictor`."""
        for _ in scored.frame_names:
            yield PredictedFrame(self._map)

    def example(self, scored: ScoredVideo, index: int) -> list[np.ndarray]:
        """See `Predictor`."""
        return [self._map]


def _mean_map(videos: Sequence[ScoredVideo]) -> np.ndarray:
    total = np.zeros(_BASELINE_SIZE, np.float64)
    for scored in tqdm.tqdm(videos, unit="video", desc="mean map", delay=BAR_DELAY):
        count = len(scored.frame_names)
        mean = np.zeros_like(total)
        for index in np.unique(np.linspace(0, count - 1, min(count, _MEAN_MAP_FRAMES)).astype(int)):
            truth = scored.read_truth(int(index))
            if truth is not None and truth.saliency_map.any():
                resized = preprocessing.resize(truth.saliency_map.astype(np.float32), _BASELINE_SIZE)
                mean += resized / resized.sum()
        total += mean / max(mean.sum(), 1e-12)
    if not total.any():
        raise BadInputError("the baseline mean_map needs training videos beside the ones that are scored")
    return (postprocessing.PEAK * total / total.max()).astype(np.float32)
