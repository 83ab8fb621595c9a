import csv

import numpy as np
import pytest

from hd2s_tf.evaluation import metrics

RNG = np.random.default_rng(7)


def _literal_auc_judd(saliency_map, fixation_map):
    """The benchmark's code, threshold by threshold."""
    fixated = fixation_map.ravel() > 0
    values = saliency_map.ravel()
    thresholds = np.sort(values[fixated])[::-1]
    count, pixels = len(thresholds), len(values)
    hits, false_alarms = [0.0], [0.0]
    for index, threshold in enumerate(thresholds, 1):
        above = np.sum(values >= threshold)
        hits.append(index / count)
        false_alarms.append((above - index) / (pixels - count))
    return np.trapz([*hits, 1.0], [*false_alarms, 1.0])


def _literal_sampled_auc(values, drawn, fixated, step=0.1):
    thresholds = np.arange(0, max(values[fixated].max(), drawn.max()) + step * 1e-9, step)[::-1]
    hits = [0.0, *((values[fixated] >= threshold).mean() for threshold in thresholds), 1.0]
    false_alarms = [0.0, *((drawn >= threshold).mean() for threshold in thresholds), 1.0]
    return np.trapz(hits, false_alarms)


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
            "auc_judd": metrics.auc_judd(saliency, fixated),
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


@pytest.mark.parametrize("levels", [2, 5, 256, None])
def test_the_sorted_auc_is_the_literal_one(levels):
    for _ in range(20):
        saliency = RNG.random((13, 17))
        if levels:
            saliency = np.floor(saliency * levels).astype(np.uint8)
        fixated = RNG.random((13, 17)) < RNG.uniform(0.01, 0.3)
        fixated[0, 0] = True
        assert metrics.auc_judd(saliency, fixated) == pytest.approx(_literal_auc_judd(saliency, fixated), abs=1e-12)


def test_sampled_aucs_have_the_literal_ones_expectation():
    saliency = RNG.random((30, 40))
    saliency[0, 0], saliency[0, 1] = 0.0, 1.0
    fixated, others = RNG.random((2, 30, 40)) < 0.05
    count = fixated.sum()
    draws = [
        _literal_sampled_auc(saliency, RNG.permutation(saliency[others])[: min(count, others.sum())], fixated)
        for _ in range(400)
    ]
    ours = metrics.s_auc(saliency, fixated, others, np.random.default_rng(1), splits=400)
    assert ours == pytest.approx(np.mean(draws), abs=0.01)
    draws = [_literal_sampled_auc(saliency, RNG.choice(saliency.ravel(), count), fixated) for _ in range(400)]
    ours = metrics.auc_borji(saliency, fixated, np.random.default_rng(1), splits=400)
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
    for metric, other in ((metrics.nss, fixated), (metrics.cc, truth), (metrics.auc_judd, fixated)):
        assert metric(changed, other) == pytest.approx(metric(saliency, other), abs=1e-9)


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
    assert np.isnan(metrics.kl_divergence(np.zeros((4, 5)), varied))
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


def test_bad_arguments():
    with pytest.raises(ValueError, match="shape"):
        metrics.nss(np.zeros((3, 4)), np.zeros((4, 3), bool))
    with pytest.raises(ValueError, match="not finite"):
        metrics.cc(np.full((3, 4), np.nan), np.zeros((3, 4)))
