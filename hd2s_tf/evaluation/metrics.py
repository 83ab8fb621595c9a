"""Saliency metrics of one frame, in agreement with the DHF1K benchmark's MATLAB code.

Every function takes arrays of one size [H,W] and returns a float. A map may be of any real type and range, but for
`kl_divergence`, which wants distributions; a fixation map is bool, or any numbers of which the positive ones are
fixations. Where a metric is undefined (no fixation, nothing but fixations, a constant map) it is NaN, which the caller
counts, except where theory gives a value (a constant map has AUC 0.5 and NSS 0) or the benchmark's code does (an
all-black map has SIM 0, and as a prediction a finite KL divergence). NSS, CC, SIM and the AUCs do not change when a map
that is not all black is scaled or shifted. All raise ValueError for sizes that differ and for values that are not
finite.

Definitions: Bylinskii et al., "What do different evaluation metrics tell us about saliency models?", TPAMI 2019. What
the benchmark's code counts threshold by threshold over all pixels is counted here in one pass; 8-bit maps are fastest.
"""

import cv2
import numpy as np

_EPSILON = np.finfo(np.float64).eps
SPLITS, STEP = 100, 0.1
# How `auc_judd` treats equal values.
EXPECTED_JITTER, NO_JITTER = "expected", "none"


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
    """Similarity, 0 to 1: what two maps share, each shifted to a minimum of zero and scaled to sum one.

    A map of zeros stays one, so it shares nothing: 0.
    """
    first, second = _check_maps(saliency_map, ground_truth_map)
    if not (first.any() and second.any()):
        return 0.0
    if _constant(first) or _constant(second):
        return np.nan
    first, second = _distribution(first), _distribution(second)
    return float(np.minimum(first, second, out=first).sum())


def kl_divergence(saliency_map: np.ndarray, ground_truth_map: np.ndarray) -> float:
    """Kullback-Leibler divergence of the ground truth from the map, each scaled to sum one.

    A prediction of zeros stays one, and scores about 36 less the truth's entropy; a ground truth of zeros gives NaN.

    Raises:
      ValueError: a negative value too.
    """
    first, second = _check_maps(saliency_map, ground_truth_map)
    if first.min() < 0 or second.min() < 0:
        raise ValueError("a map with negative values is no distribution")
    if not second.any():
        return np.nan
    # Where the ground truth is zero, so is the term.
    present = np.flatnonzero(second)
    shares = second[present].astype(np.float64) / second.sum(dtype=np.float64)
    predicted = first[present].astype(np.float64) / (first.sum(dtype=np.float64) or 1.0)
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


def auc_judd(saliency_map: np.ndarray, fixation_map: np.ndarray, ties: str = NO_JITTER) -> float:
    """Area under the ROC curve whose thresholds are the map's values at the fixations.

    The benchmark's code has two variants. By default it adds noise far below the map's steps ("jitter"), which puts
    equal values in random order; `ties="expected"` is the mean over all these orders, computed without a draw.
    `ties="none"` is the variant without jitter.

    Args:
      saliency_map: real [H,W].
      fixation_map: bool [H,W].
      ties: "expected" or "none".

    Raises:
      ValueError: another value of `ties` too.
    """
    if ties not in (EXPECTED_JITTER, NO_JITTER):
        raise ValueError(f"ties is {ties!r}: {EXPECTED_JITTER!r} or {NO_JITTER!r} is wanted")
    saliency, fixations = _check(saliency_map, fixation_map)
    count = len(fixations)
    if count in (0, saliency.size):
        return np.nan
    if _constant(saliency):
        return 0.5
    if ties == EXPECTED_JITTER:
        return _expected_area(saliency, saliency[fixations])
    thresholds = np.sort(saliency[fixations])[::-1]
    hits = np.arange(1, count + 1)
    reached, _ = _count_reaching(saliency, thresholds)
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


def _count_reaching(values: np.ndarray, thresholds: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How many of the values reach each of the thresholds, which are some of them, and how many lie above it."""
    if values.dtype == np.uint8:
        above = np.cumsum(_histogram(values)[:0:-1])[::-1]
        counts = np.concatenate([[values.size], above, [0]])
        return counts[thresholds], counts[thresholds.astype(np.intp) + 1]
    ascending = np.sort(values)
    return tuple(values.size - np.searchsorted(ascending, thresholds, side) for side in ("left", "right"))


def _histogram(values: np.ndarray) -> np.ndarray:
    """How often each of 0..255 is among uint8 values."""
    return cv2.calcHist([values[np.newaxis]], [0], None, [256], [0, 256])[:, 0].astype(np.int64)


def _expected_area(values: np.ndarray, fixated: np.ndarray) -> float:
    """The mean, over all orders of equal values, of the area under the curve through the fixations.

    Per value, from the highest: `hits` fixations and `others` pixels share it. In a random order the fixations cut the
    others into hits + 1 parts of equal expected size. The curve rises by one fixation along a straight segment, so the
    part before the i-th fixation lies at a mean height of i - 1/2 fixations above those before the value, and what
    follows the last one belongs to the next segment, or to the top if there is none.
    """
    thresholds, hits = np.unique(fixated, return_counts=True)
    thresholds, hits = thresholds[::-1], hits[::-1]
    reaching, above = _count_reaching(values, thresholds)
    before = np.cumsum(hits) - hits
    others = reaching - above - hits
    between = np.diff(above - before, prepend=0) - np.concatenate([[0], others[:-1]])
    tied = before + (hits + 1) / 2
    tied[-1] = before[-1] + hits[-1] * (hits[-1] / 2 + 1) / (hits[-1] + 1)
    below = values.size - reaching[-1]
    area = between.dot(before + 0.5) + others.dot(tied) + below * len(fixated)
    return float(area / (len(fixated) * (values.size - len(fixated))))


def _levels(values: np.ndarray, saliency: np.ndarray, step: float) -> np.ndarray:
    """How many of some values of a map lie from each of the thresholds 0, step, ... up to below the next one."""
    low, high = float(saliency.min()), float(saliency.max())
    level_count = int(np.floor(1 / step)) + 2
    if low == high:
        return np.bincount(np.zeros(values.size, np.intp), minlength=level_count)
    counts = None
    if values.dtype == np.uint8:
        values, counts = np.arange(low, high + 1), _histogram(values)[int(low) : int(high) + 1]
    stretched = (values.astype(np.float64) - low) / (high - low)
    levels = np.floor(stretched / step).astype(np.intp)
    # Division rounds: a value at a threshold must reach it, one just below must not.
    levels += stretched >= (levels + 1) * step
    levels -= stretched < levels * step
    return np.bincount(levels, counts, level_count).astype(np.int64)


def _threshold_area(hits: np.ndarray, drawn: np.ndarray) -> float:
    """The area from the numbers of fixations and of drawn points on each level.

    The hit rate does not depend on the draw, so the mean of the draws' areas is the area of their mean.
    """
    return _area(*(np.cumsum(numbers[::-1]) / numbers.sum() for numbers in (hits, drawn)))


def _area(hit_rate: np.ndarray, false_alarm_rate: np.ndarray) -> float:
    """The area under a curve from (0,0) through the points to (1,1), by trapezoids."""
    hits = np.concatenate([[0.0], hit_rate, [1.0]])
    false_alarms = np.concatenate([[0.0], false_alarm_rate, [1.0]])
    return float(np.diff(false_alarms).dot(hits[1:] + hits[:-1]) / 2)


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
