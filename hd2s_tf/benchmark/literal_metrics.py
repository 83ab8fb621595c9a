"""The benchmark's metrics as its MATLAB code computes them, step by step: the reference for speed and for results.

Maps are doubles stretched to [0,1]; every threshold counts over all pixels, every split permutes the other fixations.
Arguments are those of `hd2s_tf.evaluation.metrics`; nothing is checked.
"""

import numpy as np

from hd2s_tf.evaluation.metrics import SPLITS, STEP

_JITTER = 1e-7


def auc_judd(saliency_map: np.ndarray, fixation_map: np.ndarray, generator: np.random.Generator | None = None) -> float:
    """AUC-Judd; with a generator, jitter breaks ties."""
    values = saliency_map.astype(np.float64)
    if generator is not None:
        values = values + _JITTER * generator.random(values.shape)
    values = _stretch(values).ravel()
    thresholds = np.sort(values[fixation_map.ravel() > 0])[::-1]
    count = len(thresholds)
    hits, false_alarms = np.zeros(count + 2), np.zeros(count + 2)
    hits[-1] = false_alarms[-1] = 1
    for index, threshold in enumerate(thresholds, 1):
        above = np.sum(values >= threshold)
        hits[index] = index / count
        false_alarms[index] = (above - index) / (len(values) - count)
    return _area(hits, false_alarms)


def s_auc(
    saliency_map: np.ndarray, fixation_map: np.ndarray, other_fixation_map: np.ndarray, generator: np.random.Generator
) -> float:
    """Shuffled AUC."""
    values = _stretch(saliency_map).ravel()
    fixated = values[fixation_map.ravel() > 0]
    others = values[other_fixation_map.ravel() > 0]
    count = min(len(fixated), len(others))
    return float(np.mean([_sampled_area(fixated, generator.permutation(others)[:count]) for _ in range(SPLITS)]))


def auc_borji(saliency_map: np.ndarray, fixation_map: np.ndarray, generator: np.random.Generator) -> float:
    """AUC-Borji."""
    values = _stretch(saliency_map).ravel()
    fixated = values[fixation_map.ravel() > 0]
    return float(np.mean([_sampled_area(fixated, generator.choice(values, len(fixated))) for _ in range(SPLITS)]))


def sim(saliency_map: np.ndarray, ground_truth_map: np.ndarray) -> float:
    """Similarity."""
    first, second = _stretch(saliency_map), _stretch(ground_truth_map)
    return float(np.sum(np.minimum(first / first.sum(), second / second.sum())))


def cc(saliency_map: np.ndarray, ground_truth_map: np.ndarray) -> float:
    """Correlation."""
    first, second = (values.astype(np.float64) / 255 for values in (saliency_map, ground_truth_map))
    first = (first - first.mean()) / first.std(ddof=1)
    second = (second - second.mean()) / second.std(ddof=1)
    first, second = first - first.mean(), second - second.mean()
    return float(np.sum(first * second) / np.sqrt(np.sum(first * first) * np.sum(second * second)))


def nss(saliency_map: np.ndarray, fixation_map: np.ndarray) -> float:
    """Normalised scanpath saliency."""
    values = saliency_map.astype(np.float64)
    return float(((values - values.mean()) / values.std(ddof=1))[fixation_map].mean())


METRICS = {"auc_judd": auc_judd, "sim": sim, "s_auc": s_auc, "cc": cc, "nss": nss, "auc_borji": auc_borji}


def _stretch(saliency_map: np.ndarray) -> np.ndarray:
    values = saliency_map.astype(np.float64)
    return (values - values.min()) / (values.max() - values.min())


def _sampled_area(fixated: np.ndarray, drawn: np.ndarray) -> float:
    thresholds = np.arange(0, max(fixated.max(), drawn.max()) + STEP * 1e-9, STEP)[::-1]
    hits, false_alarms = np.zeros(len(thresholds) + 2), np.zeros(len(thresholds) + 2)
    hits[-1] = false_alarms[-1] = 1
    for index, threshold in enumerate(thresholds, 1):
        hits[index] = np.sum(fixated >= threshold) / len(fixated)
        false_alarms[index] = np.sum(drawn >= threshold) / len(drawn)
    return _area(hits, false_alarms)


def _area(hits: np.ndarray, false_alarms: np.ndarray) -> float:
    return float(np.sum(np.diff(false_alarms) * (hits[1:] + hits[:-1])) / 2)
