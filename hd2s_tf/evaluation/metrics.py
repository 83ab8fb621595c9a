"""Saliency metrics of one frame, in agreement with the DHF1K benchmark's MATLAB code.

Every function takes arrays of one size [H,W] and returns a float. Where a metric is undefined (no fixation, a constant
map) it is NaN, which the caller counts, except where theory gives a value: a constant map has AUC 0.5 and NSS 0. NSS,
CC and the AUCs do not change when the map is scaled or shifted. Definitions: Bylinskii et al., "What do different
evaluation metrics tell us about saliency models?", TPAMI 2019.
"""

import numpy as np

_EPSILON = np.finfo(np.float64).eps
SPLITS, STEP = 100, 0.1


def nss(saliency_map: np.ndarray, fixation_map: np.ndarray) -> float:
    """Normalised scanpath saliency: the mean of the standardised map over the fixated pixels.

    Args:
      saliency_map: real [H,W].
      fixation_map: bool [H,W], or any numbers of which the positive ones are fixations.

    Raises:
      ValueError: sizes that differ, or values that are not finite; so do all functions here.
    """
    saliency, fixated = _check(saliency_map, fixation_map)
    if not fixated.any():
        return np.nan
    if _constant(saliency):
        return 0.0
    return float((saliency[fixated].mean() - saliency.mean()) / saliency.std(ddof=1))


def cc(saliency_map: np.ndarray, ground_truth_map: np.ndarray) -> float:
    """Pearson's correlation of two maps, real [H,W]."""
    first, second = _check_maps(saliency_map, ground_truth_map)
    if _constant(first) or _constant(second):
        return np.nan
    first, second = (values.ravel() - values.mean() for values in (first, second))
    return float(first.dot(second) / np.sqrt(first.dot(first) * second.dot(second)))


def sim(saliency_map: np.ndarray, ground_truth_map: np.ndarray) -> float:
    """Similarity, 0 to 1: what two maps share, each stretched to [0,1] and then normalised to sum one."""
    first, second = (_distribution(_stretched(values)) for values in _check_maps(saliency_map, ground_truth_map))
    return float(np.minimum(first, second).sum())


def kl_divergence(saliency_map: np.ndarray, ground_truth_map: np.ndarray) -> float:
    """Kullback-Leibler divergence of the ground truth from the map, both non-negative and normalised to sum one."""
    first, second = _check_maps(saliency_map, ground_truth_map)
    if first.sum() <= 0 or second.sum() <= 0:
        return np.nan
    # Where the ground truth is zero, so is the term.
    present = second > 0
    shares = second[present] / second.sum()
    return float((shares * np.log(_EPSILON + shares / (first[present] / first.sum() + _EPSILON))).sum())


def information_gain(saliency_map: np.ndarray, fixation_map: np.ndarray, baseline_map: np.ndarray) -> float:
    """Information gain over a baseline map, in bits a fixation; both maps are stretched to [0,1] and sum one."""
    saliency, fixated = _check(saliency_map, fixation_map)
    baseline, _ = _check(baseline_map, fixation_map)
    if not fixated.any():
        return np.nan
    saliency, baseline = (_distribution(_stretched(values)) for values in (saliency, baseline))
    gains = np.log2(_EPSILON + saliency[fixated]) - np.log2(_EPSILON + baseline[fixated])
    return float(gains.mean())


def auc_judd(saliency_map: np.ndarray, fixation_map: np.ndarray) -> float:
    """Area under the ROC curve whose thresholds are the map's values at the fixations (without jitter).

    The benchmark's code counts the pixels above each threshold anew; here one sort counts them all.
    """
    saliency, fixated = _check(saliency_map, fixation_map)
    count = int(np.count_nonzero(fixated))
    if count == 0 or count == saliency.size:
        return np.nan
    ranked = np.sort(saliency_map, axis=None)
    if ranked[0] == ranked[-1]:
        return 0.5
    thresholds = np.sort(np.asarray(saliency_map)[fixated])[::-1]
    above = saliency.size - np.searchsorted(ranked, thresholds, side="left")
    hits = np.arange(1, count + 1)
    return _area(hits / count, (above - hits) / (saliency.size - count))


def auc_borji(
    saliency_map: np.ndarray,
    fixation_map: np.ndarray,
    generator: np.random.Generator,
    splits: int = SPLITS,
    step: float = STEP,
) -> float:
    """Area under the ROC curve against pixels drawn uniformly, as many as fixations, averaged over `splits` draws.

    Thresholds lie `step` apart on the map stretched to [0,1]. Only how many drawn pixels lie between two thresholds
    matters, so these numbers are drawn (multinomial) instead of the pixels.
    """
    levels, fixated = _levels(saliency_map, fixation_map, step)
    count = int(np.count_nonzero(fixated))
    if count == 0:
        return np.nan
    pixels = np.bincount(levels.ravel(), minlength=_level_count(step))
    drawn = generator.multinomial(count, pixels / levels.size, size=splits)
    return _threshold_area(levels[fixated], drawn.mean(0), step)


def s_auc(
    saliency_map: np.ndarray,
    fixation_map: np.ndarray,
    other_fixation_map: np.ndarray,
    generator: np.random.Generator,
    splits: int = SPLITS,
    step: float = STEP,
) -> float:
    """Shuffled AUC: as `auc_borji`, against fixations of other images (`other_fixation_map` [H,W]).

    As many of them as there are fixations, or all if they are fewer, are drawn without replacement; what is drawn is
    how many lie between two thresholds (multivariate hypergeometric).
    """
    levels, fixated = _levels(saliency_map, fixation_map, step)
    _, others = _check(saliency_map, other_fixation_map)
    count, available = int(np.count_nonzero(fixated)), int(np.count_nonzero(others))
    if count == 0 or available == 0:
        return np.nan
    population = np.bincount(levels[others], minlength=_level_count(step))
    drawn = generator.multivariate_hypergeometric(population, min(count, available), size=splits)
    return _threshold_area(levels[fixated], drawn.mean(0), step)


def _levels(saliency_map: np.ndarray, fixation_map: np.ndarray, step: float) -> tuple[np.ndarray, np.ndarray]:
    """How many of the thresholds 0, step, ... each pixel of the stretched map reaches, less one; and the fixations."""
    saliency, fixated = _check(saliency_map, fixation_map)
    stretched = _stretched(saliency)
    if not np.isfinite(stretched).all():
        return np.zeros(saliency.shape, np.intp), fixated
    levels = np.floor(stretched / step).astype(np.intp)
    # Division rounds: a value at a threshold must reach it, one just below must not.
    levels += stretched >= (levels + 1) * step
    levels -= stretched < levels * step
    return levels, fixated


def _level_count(step: float) -> int:
    return int(np.floor(1 / step)) + 2


def _threshold_area(fixated_levels: np.ndarray, drawn: np.ndarray, step: float) -> float:
    """The area from levels of the fixations and mean numbers of drawn points on each level.

    The hit rate does not depend on the draw, so the mean of the areas is the area of the mean.
    """
    hits = np.bincount(fixated_levels, minlength=_level_count(step))
    rates = [np.cumsum(numbers[::-1]) / numbers.sum() for numbers in (hits, drawn)]
    return _area(*rates)


def _area(hit_rate: np.ndarray, false_alarm_rate: np.ndarray) -> float:
    """The area under a curve from (0,0) through the points to (1,1), by trapezoids."""
    hits = np.concatenate([[0.0], hit_rate, [1.0]])
    false_alarms = np.concatenate([[0.0], false_alarm_rate, [1.0]])
    return float(np.trapz(hits, false_alarms))


def _constant(values: np.ndarray) -> bool:
    # Not by the deviation, which rounding keeps from being zero.
    return values.min() == values.max()


def _stretched(values: np.ndarray) -> np.ndarray:
    low, high = values.min(), values.max()
    return (values - low) / (high - low) if high > low else np.full(values.shape, np.nan)


def _distribution(values: np.ndarray) -> np.ndarray:
    total = values.sum()
    return values / total if total > 0 else np.full(values.shape, np.nan)


def _check(saliency_map: np.ndarray, fixation_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    saliency, fixated = np.asarray(saliency_map), np.asarray(fixation_map)
    if saliency.ndim != 2 or saliency.shape != fixated.shape:
        raise ValueError(f"a saliency map of shape {saliency.shape} and a fixation map of shape {fixated.shape}")
    return _finite(saliency), fixated if fixated.dtype == bool else fixated > 0


def _check_maps(saliency_map: np.ndarray, ground_truth_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    saliency, truth = np.asarray(saliency_map), np.asarray(ground_truth_map)
    if saliency.ndim != 2 or saliency.shape != truth.shape:
        raise ValueError(f"a saliency map of shape {saliency.shape} and a ground truth of shape {truth.shape}")
    return _finite(saliency), _finite(truth)


def _finite(values: np.ndarray) -> np.ndarray:
    values = values.astype(np.float64)
    if not np.isfinite(values).all():
        raise ValueError("the map has values that are not finite")
    return values
