"""Metrics: milliseconds a frame, against the benchmark's own way to compute them and against predicting the frame.

The reference goes through the steps of the official MATLAB code one by one, in NumPy: maps as doubles stretched to
[0,1], a count over all pixels for each threshold, a permutation of the other fixations for each split.
"""

import cv2
import numpy as np

from hd2s_tf.benchmark import measure
from hd2s_tf.evaluation import metrics
from hd2s_tf.models.presets import FRAME_SIZE

# As a frame of DHF1K has them: its size, fixations of 17 observers or so, and those of ten other frames.
_SIZE, _FIXATIONS, _OTHER_FIXATIONS = (360, 640), 34, 310
_SMOOTHNESS = 15
_PRESET, _BATCH = "hd2s", 4


def run() -> dict[str, dict]:
    """Each metric, all five, and how long `hd2s` predicts a frame."""
    generator = np.random.default_rng(0)
    saliency_map, truth = (_blurred_noise(generator) for _ in range(2))
    fixations, others = (_scattered(generator, count) for count in (_FIXATIONS, _OTHER_FIXATIONS))
    results = {}
    for name, arguments in {
        "auc_judd": (saliency_map, fixations),
        "sim": (saliency_map, truth),
        "s_auc": (saliency_map, fixations, others, generator),
        "cc": (saliency_map, truth),
        "nss": (saliency_map, fixations),
    }.items():
        ours = 1000 * measure.seconds(lambda name=name, call=arguments: getattr(metrics, name)(*call), repeats=51)
        literal = 1000 * measure.seconds(lambda name=name, call=arguments: _LITERAL[name](*call), repeats=11)
        results[name] = {
            "ms_a_frame": round(ours, 3),
            "literal_ms_a_frame": round(literal, 2),
            "times_faster": round(literal / ours, 1),
        }
    five = sum(result["ms_a_frame"] for result in results.values())
    predicting = _milliseconds_to_predict(generator)
    results["all five"] = {
        "ms_a_frame": round(five, 2),
        "literal_ms_a_frame": round(sum(result["literal_ms_a_frame"] for result in results.values()), 1),
        "hd2s_ms_a_window": round(predicting, 1),
        "share_of_predicting": round(five / predicting, 4),
    }
    return results


def _milliseconds_to_predict(generator: np.random.Generator) -> float:
    """A window of `hd2s` in batches, float32, normalisation folded into the convolutions."""
    from hd2s_tf.inference.predict_fn import ModelPredictFn
    from hd2s_tf.models.hd2s import HD2S

    predict_fn = ModelPredictFn(HD2S.from_preset(_PRESET, weights=None), precision="float32")
    clips = generator.integers(0, 256, (_BATCH, predict_fn.info.clip_frames, *FRAME_SIZE, 3), np.uint8)
    return 1000 * measure.seconds(lambda: predict_fn(clips), repeats=5) / _BATCH


def _blurred_noise(generator: np.random.Generator) -> np.ndarray:
    noise = cv2.GaussianBlur(generator.random(_SIZE), (0, 0), _SMOOTHNESS)
    return np.uint8(np.rint(255 * (noise - noise.min()) / np.ptp(noise)))


def _scattered(generator: np.random.Generator, count: int) -> np.ndarray:
    fixation_map = np.zeros(_SIZE, bool)
    fixation_map.flat[generator.permutation(fixation_map.size)[:count]] = True
    return fixation_map


def _stretched(saliency_map: np.ndarray) -> np.ndarray:
    values = saliency_map.astype(np.float64)
    return (values - values.min()) / (values.max() - values.min())


def _literal_auc_judd(saliency_map: np.ndarray, fixation_map: np.ndarray) -> float:
    values = _stretched(saliency_map).ravel()
    thresholds = np.sort(values[fixation_map.ravel() > 0])[::-1]
    count = len(thresholds)
    hits, false_alarms = np.zeros(count + 2), np.zeros(count + 2)
    hits[-1] = false_alarms[-1] = 1
    for index, threshold in enumerate(thresholds, 1):
        above = np.sum(values >= threshold)
        hits[index] = index / count
        false_alarms[index] = (above - index) / (len(values) - count)
    return np.trapz(hits, false_alarms)


def _literal_s_auc(
    saliency_map: np.ndarray, fixation_map: np.ndarray, other_fixation_map: np.ndarray, generator: np.random.Generator
) -> float:
    values = _stretched(saliency_map).ravel()
    fixated = values[fixation_map.ravel() > 0]
    others = np.flatnonzero(other_fixation_map.ravel() > 0)
    count = min(len(fixated), len(others))
    areas = []
    for _ in range(metrics.SPLITS):
        drawn = values[generator.permutation(others)[:count]]
        thresholds = np.arange(0, max(fixated.max(), drawn.max()) + metrics.STEP * 1e-9, metrics.STEP)[::-1]
        hits, false_alarms = np.zeros(len(thresholds) + 2), np.zeros(len(thresholds) + 2)
        hits[-1] = false_alarms[-1] = 1
        for index, threshold in enumerate(thresholds, 1):
            hits[index] = np.sum(fixated >= threshold) / len(fixated)
            false_alarms[index] = np.sum(drawn >= threshold) / count
        areas.append(np.trapz(hits, false_alarms))
    return float(np.mean(areas))


def _literal_sim(saliency_map: np.ndarray, ground_truth_map: np.ndarray) -> float:
    first, second = _stretched(saliency_map), _stretched(ground_truth_map)
    return np.sum(np.minimum(first / first.sum(), second / second.sum()))


def _literal_cc(saliency_map: np.ndarray, ground_truth_map: np.ndarray) -> float:
    first, second = (values.astype(np.float64) / 255 for values in (saliency_map, ground_truth_map))
    first = (first - first.mean()) / first.std(ddof=1)
    second = (second - second.mean()) / second.std(ddof=1)
    first, second = first - first.mean(), second - second.mean()
    return np.sum(first * second) / np.sqrt(np.sum(first * first) * np.sum(second * second))


def _literal_nss(saliency_map: np.ndarray, fixation_map: np.ndarray) -> float:
    values = saliency_map.astype(np.float64)
    return ((values - values.mean()) / values.std(ddof=1))[fixation_map].mean()


_LITERAL = {
    "auc_judd": _literal_auc_judd,
    "sim": _literal_sim,
    "s_auc": _literal_s_auc,
    "cc": _literal_cc,
    "nss": _literal_nss,
}
