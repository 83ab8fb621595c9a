import csv

import numpy as np
import pytest

from hd2s_tf.benchmark import literal_metrics
from hd2s_tf.evaluation import metrics

RNG = np.random.default_rng(7)


@pytest.fixture(scope="module")
def cases(shared):
    with np.load(shared / "metrics" / "cases.npz") as stored:
        arrays = dict(stored)
    for name in ("fixation", "other_fixation"):
        arrays[name] = np.unpackbits(arrays[name], axis=-1).astype(bool)
    with open(shared / "metrics" / "golden.csv") as file:
        golden = [{name: float(value) for name, value in row.items()} for row in csv.DictReader(file)]
    return arrays, golden


def test_agrees_with_the_official_code(cases):
    arrays, golden = cases
    generator = np.random.default_rng(0)
    for index, expected in enumerate(golden):
        saliency, truth = arrays["saliency"][index], arrays["ground_truth"][index]
        fixated, others = arrays["fixation"][index], arrays["other_fixation"][index]
        exact = {
            "nss": metrics.nss(saliency, fixated),
            "cc": metrics.cc(saliency, truth),
            "sim": metrics.sim(saliency, truth),
            "kl": metrics.kl_divergence(saliency, truth),
            "auc_judd": metrics.auc_judd(saliency, fixated, ties="none"),
        }
        for name, value in exact.items():
            assert value == pytest.approx(expected[name], abs=1e-6), (index, name)
        assert metrics.s_auc(saliency, fixated, others, generator) == pytest.approx(expected["s_auc"], abs=0.015)
        assert metrics.auc_borji(saliency, fixated, generator) == pytest.approx(expected["auc_borji"], abs=0.015)


def test_known_answers():
    saliency = np.array([[0.0, 1.0], [2.0, 3.0]])
    fixated = np.array([[False, False], [False, True]])
    # Mean 1.5, sample deviation sqrt(5/3).
    assert metrics.nss(saliency, fixated) == pytest.approx(1.5 / np.sqrt(5 / 3))
    assert metrics.cc(saliency, 5 - 2 * saliency) == pytest.approx(-1)
    assert metrics.auc_judd(saliency, fixated) == pytest.approx(1.0)
    # One threshold, reached by every pixel: a straight line from (0,0) to (1,1).
    assert metrics.auc_judd(-saliency, fixated) == pytest.approx(0.5)
    # Shares (0, 1, 2, 3)/6 and (0, 3, 2, 1)/6 have minima (0, 1, 2, 1)/6.
    assert metrics.sim(saliency, np.array([[0.0, 3.0], [2.0, 1.0]])) == pytest.approx(4 / 6)
    uniform, truth = np.ones((2, 2)), np.array([[1.0, 1.0], [0.0, 0.0]])
    assert metrics.kl_divergence(uniform, truth) == pytest.approx(np.log(2))
    # Twice as much on the fixated pixel as in the baseline is one bit.
    baseline = np.array([[0.0, 2.0], [2.0, 4.0]])
    ours = np.array([[0.0, 0.0], [0.0, 1.0]])
    assert metrics.information_gain(ours, fixated, baseline) == pytest.approx(1.0)


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.float32, np.float64])
@pytest.mark.parametrize("levels", [2, 5, 256])
def test_the_counted_auc_is_the_literal_one(levels, dtype):
    for share in (0.0, 0.01, 0.1, 0.5, 0.95):
        saliency = np.floor(RNG.random((13, 17)) * levels).astype(dtype)
        fixated = RNG.random((13, 17)) < share
        fixated[0, 0], fixated[1, 1] = True, False
        assert metrics.auc_judd(saliency, fixated) == pytest.approx(
            literal_metrics.auc_judd(saliency, fixated), abs=1e-12
        )


def test_the_counted_auc_is_the_literal_one_without_ties():
    for _ in range(10):
        saliency, fixated = RNG.normal(size=(13, 17)), RNG.random((13, 17)) < 0.2
        fixated[0, 0] = True
        assert metrics.auc_judd(saliency, fixated) == pytest.approx(
            literal_metrics.auc_judd(saliency, fixated), abs=1e-12
        )


def _all_metrics(saliency, fixated, truth):
    generator = np.random.default_rng(3)
    return (
        metrics.nss(saliency, fixated),
        metrics.auc_judd(saliency, fixated),
        metrics.cc(saliency, truth),
        metrics.sim(saliency, truth),
        metrics.kl_divergence(saliency, truth),
        metrics.information_gain(saliency, fixated, truth),
        metrics.s_auc(saliency, fixated, truth > 100, generator),
        metrics.auc_borji(saliency, fixated, generator),
    )


def test_the_type_of_a_map_does_not_matter():
    saliency, truth = RNG.integers(0, 256, (2, 21, 33))
    fixated = RNG.random((21, 33)) < 0.1
    expected = _all_metrics(saliency.astype(np.float64), fixated, truth.astype(np.float64))
    for dtype in (np.uint8, np.int64, np.float32):
        assert _all_metrics(saliency.astype(dtype), fixated, truth.astype(dtype)) == pytest.approx(expected, abs=1e-9)
    for fixation_map in (fixated.astype(np.uint8) * 255, fixated.astype(np.float32), fixated.tolist()):
        assert _all_metrics(saliency, fixation_map, truth) == pytest.approx(expected, abs=1e-9)
    # As an array that is not contiguous, and one that starts at an odd address.
    assert _all_metrics(saliency.T.copy().T, fixated, truth) == pytest.approx(expected, abs=1e-9)
    odd = np.zeros(saliency.size + 1, np.uint8)[1:].reshape(saliency.shape)
    odd[:] = saliency
    assert _all_metrics(odd, fixated, truth) == pytest.approx(expected, abs=1e-9)


@pytest.mark.parametrize("equal", [0.0, 0.3, 0.6, 0.93])
def test_expected_ties_are_those_of_jitter_in_the_mean(equal):
    generator = np.random.default_rng(11)
    saliency = generator.integers(1, 256, (30, 40)).astype(np.uint8)
    saliency[generator.random(saliency.shape) < equal] = 0
    fixated = generator.random(saliency.shape) < 0.05
    jittered = (saliency + 1e-7 * generator.random(saliency.shape) for _ in range(6000))
    expected = np.mean([metrics.auc_judd(values, fixated, ties="none") for values in jittered])
    for dtype in (np.uint8, np.float32, np.int64):
        ours = metrics.auc_judd(saliency.astype(dtype), fixated, ties="expected")
        assert ours == pytest.approx(expected, abs=1e-3)


def test_expected_ties_by_hand():
    saliency = np.array([[2, 1, 1, 0]], np.uint8)
    fixated = np.array([[False, True, False, False]])
    # The 2 comes first, then 1 and 1 in either order: the fixation is second or third of four, and the curve goes
    # straight from (0,0) to it. Areas 1 - 1/6 and 1 - 2/6.
    assert metrics.auc_judd(saliency, fixated, ties="expected") == pytest.approx((5 / 6 + 4 / 6) / 2)
    # The highest of all values.
    top = np.array([[255, 255, 0, 0]], np.uint8)
    fixated = np.array([[True, False, False, False]])
    assert metrics.auc_judd(top, fixated, ties="expected") == pytest.approx((1 + 5 / 6) / 2)


def test_sampled_aucs_have_the_literal_ones_expectation():
    saliency = RNG.random((30, 40))
    saliency[0, 0], saliency[0, 1] = 0.0, 1.0
    for values in (saliency, np.uint8(255 * saliency)):
        fixated, others = RNG.random((2, 30, 40)) < 0.05
        draws = [literal_metrics.s_auc(values, fixated, others, RNG) for _ in range(4)]
        ours = metrics.s_auc(values, fixated, others, np.random.default_rng(1), splits=400)
        assert ours == pytest.approx(np.mean(draws), abs=0.01)
        draws = [literal_metrics.auc_borji(values, fixated, RNG) for _ in range(4)]
        ours = metrics.auc_borji(values, fixated, np.random.default_rng(1), splits=400)
        assert ours == pytest.approx(np.mean(draws), abs=0.01)


def test_values_at_a_threshold_reach_it():
    saliency = np.arange(11).reshape(1, 11) / 10
    fixated = np.zeros((1, 11), bool)
    fixated[0, 3] = True
    others = np.zeros((1, 11), bool)
    others[0, 3] = True
    assert metrics.s_auc(saliency, fixated, others, RNG) == pytest.approx(0.5)


@pytest.mark.parametrize("factor, shift", [(3.0, 0.0), (0.01, 5.0), (1000.0, -3.0)])
def test_increasing_affine_maps_change_nothing(factor, shift):
    saliency, truth = RNG.random((2, 20, 30))
    fixated = truth > 0.9
    changed = factor * saliency + shift
    for metric, other in (
        (metrics.nss, fixated),
        (metrics.cc, truth),
        (metrics.sim, truth),
        (metrics.auc_judd, fixated),
    ):
        assert metric(changed, other) == pytest.approx(metric(saliency, other), abs=1e-9)
    draws = [
        metrics.s_auc(values, fixated, truth < 0.2, np.random.default_rng(0), splits=5)
        for values in (saliency, changed)
    ]
    assert draws[0] == pytest.approx(draws[1], abs=1e-9)


def test_one_fixation_and_nothing_but_fixations():
    saliency = np.arange(12, dtype=np.uint8).reshape(3, 4)
    one = np.zeros((3, 4), bool)
    one[2, 1] = True  # The third highest of twelve: two of the eleven others lie above it.
    # From (0,0) straight to (2/11, 1), then along the top.
    assert metrics.auc_judd(saliency, one) == pytest.approx(1 - 1 / 11)
    everything = np.ones((3, 4), bool)
    assert metrics.nss(saliency, everything) == pytest.approx(0)
    assert np.isnan(metrics.auc_judd(saliency, everything))
    assert metrics.auc_borji(saliency, everything, np.random.default_rng(0), splits=2000) == pytest.approx(
        0.5, abs=0.01
    )


def test_constant_maps_and_missing_fixations():
    constant, nothing = np.full((4, 5), 0.3), np.zeros((4, 5), bool)
    some = nothing.copy()
    some[1, 2] = True
    varied = RNG.random((4, 5))
    assert metrics.nss(constant, some) == 0
    assert metrics.auc_judd(constant, some) == 0.5
    assert metrics.s_auc(constant, some, some, RNG) == pytest.approx(0.5)
    assert metrics.auc_borji(constant, some, RNG) == pytest.approx(0.5)
    assert np.isnan(metrics.cc(constant, varied))
    assert np.isnan(metrics.sim(constant, varied))
    assert np.isnan(metrics.kl_divergence(varied, np.zeros((4, 5))))
    for value in (
        metrics.nss(varied, nothing),
        metrics.auc_judd(varied, nothing),
        metrics.auc_borji(varied, nothing, RNG),
        metrics.s_auc(varied, nothing, some, RNG),
        metrics.s_auc(varied, some, nothing, RNG),
        metrics.information_gain(varied, nothing, varied),
    ):
        assert np.isnan(value)


def test_a_black_map_has_the_official_codes_values():
    """The official code leaves a map of zeros as it is: it overlaps with nothing, and no epsilon saves it in KL."""
    black, truth = np.zeros((2, 2), np.uint8), np.array([[3, 1], [0, 0]], np.uint8)
    assert metrics.sim(black, truth) == metrics.sim(truth, black) == 0
    epsilon = np.finfo(np.float64).eps
    expected = 0.75 * np.log(epsilon + 0.75 / epsilon) + 0.25 * np.log(epsilon + 0.25 / epsilon)
    assert metrics.kl_divergence(black, truth) == pytest.approx(expected)
    # 0 there: a prediction would be perfect where nobody looked.
    assert np.isnan(metrics.kl_divergence(truth, black))
    # NaN there as well.
    assert np.isnan(metrics.cc(black, truth))


def test_draws_are_of_the_generator():
    saliency, fixated = RNG.random((20, 30)), RNG.random((20, 30)) < 0.1
    others = RNG.random((20, 30)) < 0.3
    scores = [metrics.s_auc(saliency, fixated, others, np.random.default_rng(seed)) for seed in (1, 1, 2)]
    assert scores[0] == scores[1] != scores[2]


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_values_that_are_not_finite_are_refused(bad):
    good, fixated = RNG.random((3, 4)), np.eye(3, 4, dtype=bool)
    broken = good.copy()
    broken[1, 2] = bad
    for call in (
        lambda: metrics.nss(broken, fixated),
        lambda: metrics.cc(broken, good),
        lambda: metrics.cc(good, broken),
        lambda: metrics.sim(good, broken),
        lambda: metrics.kl_divergence(broken, good),
        lambda: metrics.auc_judd(broken, fixated),
        lambda: metrics.auc_judd(good, broken),
        lambda: metrics.s_auc(good, fixated, broken, RNG),
        lambda: metrics.auc_borji(broken, fixated, RNG),
        lambda: metrics.information_gain(good, fixated, broken),
    ):
        with pytest.raises(ValueError, match="not finite"):
            call()


def test_bad_arguments():
    maps, fixated = np.ones((3, 4)), np.ones((3, 4), bool)
    for first, second in ((maps, np.zeros((4, 3))), (maps.ravel(), maps.ravel()), (np.zeros((0, 4)), np.zeros((0, 4)))):
        for metric in (metrics.nss, metrics.cc, metrics.sim, metrics.kl_divergence, metrics.auc_judd):
            with pytest.raises(ValueError, match="maps of one shape"):
                metric(first, second)
    with pytest.raises(ValueError, match="maps of one shape"):
        metrics.s_auc(maps, fixated, fixated.T, RNG)
    with pytest.raises(ValueError, match="maps of one shape"):
        metrics.information_gain(maps, fixated, maps.T)
    with pytest.raises(ValueError, match="real numbers"):
        metrics.cc(maps.astype(complex), maps)
    with pytest.raises(ValueError, match="negative"):
        metrics.kl_divergence(maps, -maps)
    with pytest.raises(ValueError, match="ties is 'jitter'"):
        metrics.auc_judd(maps, fixated, ties="jitter")
    for arguments in ({"splits": 0}, {"step": 0}, {"step": 2}):
        with pytest.raises(ValueError, match="splits is"):
            metrics.auc_borji(maps, fixated, RNG, **arguments)
