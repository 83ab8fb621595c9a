"""Saliency metrics of one frame, in agreement with the DHF1K benchmark's MATLAB code.

Every function takes arrays of one size [H,W] and returns a float. A map may be of any real type and range, but for
`kl_divergence`, which wants distributions; a fixation map is bool, or any numbers of which the positive ones are
fixations. Where a metric is undefined (no fixation, nothing but fixations, a constant map) it is NaN, which the caller
counts, except where theory gives a value: a constant map has AUC 0.5 and NSS 0. NSS, CC, SIM and the AUCs do not change
when the map is scaled or shifted. All raise ValueError for sizes that differ and for values that are not finite.

Definitions: Bylinskii et al., "What do different evaluation metrics tell us about saliency models?", TPAMI 2019. What
the benchmark's code counts threshold by threshold over all pixels is counted here in one pass; 8-bit maps are fastest.
"""

import cv2
import numpy as np

_EPSILON = np.finfo(np.float64).eps
SPLITS, STEP = 100, 0.1


def nss(saliency_map: np.ndarray, fixation_map: np.ndarray) -> float:
    """Normalised scanpath saliency: the mean over the fixations of the map, standardised (deviation with N-1).

    Args:
      saliency_map: real [H,W].
      fixation_map: bool [H,W].
    """
    saliency, fixations = _check(saliency_map, fixation_map)
    if not len(fixations):
        return np.nan
    if _constant(saliency):
        return 0.0
    centred = _centred(saliency)
    return float(centred[fixations].mean() / np.sqrt(centred.dot(centred) / (centred.size - 1)))


def cc(saliency_map: np.ndarray, ground_truth_map: np.ndarray) -> float:
    """Pearson's correlation of two maps, real [H,W]."""
    first, second = _check_maps(saliency_map, ground_truth_map)
    if _constant(first) or _constant(second):
        return np.nan
    first, second = _centred(first), _centred(second)
    return float(first.dot(second) / np.sqrt(first.dot(first) * second.dot(second)))


def sim(saliency_map: np.ndarray, ground_truth_map: np.ndarray) -> float:
    """Similarity, 0 to 1: what two maps share, each shifted to a minimum of zero and scaled to sum one."""
    first, second = _check_maps(saliency_map, ground_truth_map)
    if _constant(first) or _constant(second):
        return np.nan
    first, second = _distribution(first), _distribution(second)
    return float(np.minimum(first, second, out=first).sum())


def kl_divergence(saliency_map: np.ndarray, ground_truth_map: np.ndarray) -> float:
    """Kullback-Leibler divergence of the ground truth from the map, each scaled to sum one; NaN if one is all zero.

    Raises:
      ValueError: a negative value too.
    """
    first, second = _check_maps(saliency_map, ground_truth_map)
    if first.min() < 0 or second.min() < 0:
        raise ValueError("a map with negative values is no distribution")
    if not (first.any() and second.any()):
        return np.nan
    # Where the ground truth is zero, so is the term.
    present = np.flatnonzero(second)
    shares = second[present].astype(np.float64) / second.sum(dtype=np.float64)
    predicted = first[present].astype(np.float64) / first.sum(dtype=np.float64)
    return float(shares.dot(np.log(_EPSILON + shares / (predicted + _EPSILON))))


def information_gain(saliency_map: np.ndarray, fixation_map: np.ndarray, baseline_map: np.ndarray) -> float:
    """Information gain over a baseline map, in bits a fixation.

    Args:
      saliency_map, baseline_map: real [H,W]; each is shifted to a minimum of zero and scaled to sum one.
      fixation_map: bool [H,W].
    """
    saliency, fixations = _check(saliency_map, fixation_map)
    baseline, _ = _check(baseline_map, fixation_map)
    if not len(fixations) or _constant(saliency) or _constant(baseline):
        return np.nan
    ours, theirs = (np.log2(_EPSILON + _distribution(values)[fixations]) for values in (saliency, baseline))
    return float((ours - theirs).mean())


def auc_judd(saliency_map: np.ndarray, fixation_map: np.ndarray) -> float:
    """Area under the ROC curve whose thresholds are the map's values at the fixations (without jitter).

    Args:
      saliency_map: real [H,W].
      fixation_map: bool [H,W].
    """
    saliency, fixations = _check(saliency_map, fixation_map)
    count = len(fixations)
    if count in (0, saliency.size):
        return np.nan
    if _constant(saliency):
        return 0.5
    thresholds = np.sort(saliency[fixations])[::-1]
    hits = np.arange(1, count + 1)
    reached = _count_reaching(saliency, thresholds)
    return _area(hits / count, (reached - hits) / (saliency.size - count))


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

    Args:
      saliency_map: real [H,W].
      fixation_map: bool [H,W].
      generator: of the draws.
      splits: at least 1.
      step: above 0, at most 1.
    """
    saliency, fixations = _check(saliency_map, fixation_map)
    _check_sampling(splits, step)
    if not len(fixations):
        return np.nan
    pixels = _levels(saliency, saliency, step)
    drawn = generator.multinomial(len(fixations), pixels / saliency.size, size=splits)
    return _threshold_area(_levels(saliency[fixations], saliency, step), drawn.sum(0))


def s_auc(
    saliency_map: np.ndarray,
    fixation_map: np.ndarray,
    other_fixation_map: np.ndarray,
    generator: np.random.Generator,
    splits: int = SPLITS,
    step: float = STEP,
) -> float:
    """Shuffled AUC: as `auc_borji`, against fixations of other images (`other_fixation_map`, bool [H,W]).

    As many of them as there are fixations, or all if they are fewer, are drawn without replacement; what is drawn is
    how many lie between two thresholds (multivariate hypergeometric).
    """
    saliency, fixations = _check(saliency_map, fixation_map)
    _, others = _check(saliency_map, other_fixation_map)
    _check_sampling(splits, step)
    if not (len(fixations) and len(others)):
        return np.nan
    population = _levels(saliency[others], saliency, step)
    drawn = generator.multivariate_hypergeometric(population, min(len(fixations), len(others)), size=splits)
    return _threshold_area(_levels(saliency[fixations], saliency, step), drawn.sum(0))


def _count_reaching(values: np.ndarray, thresholds: np.ndarray) -> np.ndarray:
    """How many of the values reach each of the thresholds, which are of their type and descend."""
    if values.dtype == np.uint8:
        counts = cv2.calcHist([values[np.newaxis]], [0], None, [256], [0, 256])[:, 0].astype(np.int64)
        return np.cumsum(counts[::-1])[::-1][thresholds]
    ascending = thresholds[::-1]
    passed = np.bincount(np.searchsorted(ascending, values, side="right"), minlength=len(thresholds) + 1)
    reaching = np.cumsum(passed[:0:-1])[::-1]
    # Equal thresholds are reached by the same values, which are counted at the last of them.
    return reaching[np.searchsorted(ascending, thresholds, side="right") - 1]


def _levels(values: np.ndarray, saliency: np.ndarray, step: float) -> np.ndarray:
    """How many of some values of a map lie from each of the thresholds 0, step, ... up to below the next one."""
    low, high = float(saliency.min()), float(saliency.max())
    level_count = int(np.floor(1 / step)) + 2
    if low == high:
        return np.bincount(np.zeros(values.size, np.intp), minlength=level_count)
    stretched = (values.astype(np.float64) - low) / (high - low)
    levels = np.floor(stretched / step).astype(np.intp)
    # Division rounds: a value at a threshold must reach it, one just below must not.
    levels += stretched >= (levels + 1) * step
    levels -= stretched < levels * step
    return np.bincount(levels, minlength=level_count)


def _threshold_area(hits: np.ndarray, drawn: np.ndarray) -> float:
    """The area from the numbers of fixations and of drawn points on each level.

    The hit rate does not depend on the draw, so the mean of the draws' areas is the area of their mean.
    """
    return _area(*(np.cumsum(numbers[::-1]) / numbers.sum() for numbers in (hits, drawn)))


def _area(hit_rate: np.ndarray, false_alarm_rate: np.ndarray) -> float:
    """The area under a curve from (0,0) through the points to (1,1), by trapezoids."""
    hits = np.concatenate([[0.0], hit_rate, [1.0]])
    false_alarms = np.concatenate([[0.0], false_alarm_rate, [1.0]])
    return float(np.trapz(hits, false_alarms))


def _constant(values: np.ndarray) -> bool:
    # Not by the deviation, which rounding keeps from being zero.
    return values.min() == values.max()


def _centred(values: np.ndarray) -> np.ndarray:
    centred = values.astype(np.float64)
    centred -= centred.mean()
    return centred


def _distribution(values: np.ndarray) -> np.ndarray:
    """The values, which are not all the same, shifted to a minimum of zero and scaled to sum one."""
    shifted = values.astype(np.float64)
    shifted -= shifted.min()
    shifted /= shifted.sum()
    return shifted


def _check(saliency_map: np.ndarray, fixation_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The map's values [H*W] and the indices of the fixations among them."""
    saliency, fixations = _check_maps(saliency_map, fixation_map)
    return saliency, np.flatnonzero(fixations > 0 if fixations.dtype != bool else fixations)


def _check_maps(first_map: np.ndarray, second_map: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The values of both maps, [H*W]."""
    first, second = np.asarray(first_map), np.asarray(second_map)
    if first.ndim != 2 or first.shape != second.shape or not first.size:
        raise ValueError(f"maps of one shape [H,W] are wanted, not of {first.shape} and {second.shape}")
    for values in (first, second):
        if values.dtype.kind not in "biuf":
            raise ValueError(f"a map of real numbers is wanted, not of {values.dtype}")
        # What is not finite shows in the smallest or the largest value.
        if values.dtype.kind == "f" and not np.isfinite([values.min(), values.max()]).all():
            raise ValueError("the map has values that are not finite")
    return np.ravel(first), np.ravel(second)


def _check_sampling(splits: int, step: float) -> None:
    if splits < 1 or not 0 < step <= 1:
        raise ValueError(f"splits is {splits} and step {step}: at least 1, and from above 0 to 1, are wanted")
