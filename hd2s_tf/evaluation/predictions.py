"""Where the maps that are scored come from: a network, someone's folder of PNG files, or a baseline."""

import dataclasses
from collections.abc import Callable, Iterator, Sequence

import numpy as np

from hd2s_tf.data import paths, preprocessing, video
from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation.ground_truth import ScoredVideo
from hd2s_tf.inference.predictor import Prediction, predict_video

BASELINE_PREFIX = "baseline:"
BASELINES = ("centre", "mean_map", "uniform")
_BASELINE_SIZE = (128, 192)


@dataclasses.dataclass(frozen=True)
class PredictedFrame:
    """A prediction to score.

    Attributes:
      saliency_map: real [h,w] in 0..255, of any size; None if it is missing.
      prediction: what the network said, where one did.
      from_file: whether someone else made the map, so that its shape must be right.
    """

    saliency_map: np.ndarray | None
    prediction: Prediction | None = None
    from_file: bool = False


# The predictions of a video's frames, in order.
Predictor = Callable[[ScoredVideo], Iterator[PredictedFrame]]


def from_network(predict_fn: Callable, batch_size: int, stride: int, smoothing_sigma: float | None) -> Predictor:
    """Predictions of a `predict_fn`, with its conspicuity maps if it has them."""

    def predict(scored: ScoredVideo) -> Iterator[PredictedFrame]:
        conspicuity = getattr(predict_fn, "has_conspicuity", True)
        options = {"batch_size": batch_size, "stride": stride, "smoothing_sigma": smoothing_sigma}
        for prediction in predict_video(predict_fn, scored.frames(), conspicuity=conspicuity, **options):
            yield PredictedFrame(prediction.network_map, prediction)

    return predict


def from_folder(folder: str, videos: Sequence[ScoredVideo], allow_missing: bool) -> Predictor:
    """Predictions stored as `<folder>/<video>/<frame>.png`, frames named as their ground truth or by the same number.

    Raises:
      BadInputError: files are missing, unless that is allowed, or there are files that no frame has.
    """
    files = {scored.name: _match(folder, scored) for scored in videos}
    missing = [
        f"{scored.name}/{name}"
        for scored in videos
        for name, path in zip(scored.frame_names, files[scored.name], strict=True)
        if path is None
    ]
    if missing and not allow_missing:
        raise BadInputError(
            f"{folder}: no prediction for {missing[0]}.png and {len(missing) - 1} other frames: "
            "give --allow_missing to score the rest"
        )
    if all(path is None for found in files.values() for path in found):
        raise BadInputError(f"{folder}: no prediction for any frame (they are looked for as <video>/<frame>.png)")

    def predict(scored: ScoredVideo) -> Iterator[PredictedFrame]:
        for path in files[scored.name]:
            yield PredictedFrame(None if path is None else video.read_map(path), from_file=True)

    return predict


def _match(folder: str, scored: ScoredVideo) -> list[str | None]:
    own = paths.join(folder, scored.name)
    if not paths.is_folder(own):
        return [None] * len(scored.frame_names)
    found = {_key(name.rsplit(".", 1)[0]): paths.join(own, name) for name in paths.list_folder(own) if "." in name}
    unknown = sorted(set(found) - {_key(name) for name in scored.frame_names}, key=str)
    if unknown:
        raise BadInputError(f"{found[unknown[0]]}: no frame of {scored.name} has this name ({len(unknown)} such files)")
    return [found.get(_key(name)) for name in scored.frame_names]


def _key(stem: str) -> str | int:
    """Numbers are compared as numbers: 1, 01 and 0001 are the same frame."""
    return int(stem) if stem.isdecimal() else stem


def from_baseline(name: str, training: Callable[[], Sequence[ScoredVideo]]) -> Predictor:
    """The same map for every frame.

    Args:
      name: "centre" (a Gaussian whose deviations are a quarter of height and width), "mean_map" (the mean of the
        training split's maps) or "uniform".
      training: opens the training split; called for "mean_map" only.

    Raises:
      BadInputError: no such baseline, or no training split.
    """
    if name not in BASELINES:
        raise BadInputError(f"no baseline {name!r}: the baselines are {', '.join(BASELINES)}")
    saliency_map = np.full(_BASELINE_SIZE, 255.0, np.float32)
    if name == "centre":
        rows, columns = (np.linspace(-0.5, 0.5, side) for side in _BASELINE_SIZE)
        saliency_map *= np.exp(-8 * (rows[:, np.newaxis] ** 2 + columns**2)).astype(np.float32)
    elif name == "mean_map":
        saliency_map = _mean_map(training())

    def predict(scored: ScoredVideo) -> Iterator[PredictedFrame]:
        for _ in scored.frame_names:
            yield PredictedFrame(saliency_map)

    return predict


def _mean_map(videos: Sequence[ScoredVideo], frames_per_video: int = 50) -> np.ndarray:
    total = np.zeros(_BASELINE_SIZE, np.float64)
    for scored in videos:
        count = len(scored.frame_names)
        mean = np.zeros_like(total)
        for index in np.unique(np.linspace(0, count - 1, min(count, frames_per_video)).astype(int)):
            truth = scored.read_truth(int(index))
            if truth is not None and truth.saliency_map.any():
                resized = preprocessing.resize(truth.saliency_map.astype(np.float32), _BASELINE_SIZE)
                mean += resized / resized.sum()
        total += mean / max(mean.sum(), 1e-12)
    if not total.any():
        raise BadInputError("baseline:mean_map needs training videos beside the ones that are scored")
    return (255 * total / total.max()).astype(np.float32)
