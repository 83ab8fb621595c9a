import math

import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.training import losses


def test_kl_divergence_by_hand():
    ground_truth = tf.constant([[[2.0, 0.0], [2.0, 0.0]], [[0.0, 4.0], [0.0, 0.0]]])
    saliency_map = tf.constant([[[1.0, 1.0], [1.0, 1.0]], [[3.0, 1.0], [0.0, 0.0]]])
    # Half of the mass on two quarters: 2 * 0.5 ln(0.5 / 0.25); all of it on a quarter: ln(1 / 0.25).
    np.testing.assert_allclose(losses.kl_divergence(ground_truth, saliency_map), [math.log(2), math.log(4)], rtol=1e-6)


def test_kl_divergence_of_a_map_from_itself_is_zero_at_any_scale():
    values = tf.random.stateless_uniform((3, 8, 12), seed=(1, 2))
    np.testing.assert_allclose(losses.kl_divergence(values, 7.0 * values), np.zeros(3), atol=1e-6)


def test_kl_divergence_of_an_empty_ground_truth_is_zero_and_has_no_gradient():
    saliency_map = tf.Variable(tf.random.stateless_uniform((1, 8, 12), seed=(1, 2)))
    with tf.GradientTape() as tape:
        loss = losses.kl_divergence(tf.zeros((1, 8, 12)), saliency_map)
    assert float(loss[0]) == 0.0
    assert not np.any(tape.gradient(loss, saliency_map))


def test_kl_divergence_is_finite_where_the_prediction_is_zero():
    loss = losses.kl_divergence(tf.ones((1, 2, 2)), tf.constant([[[1.0, 0.0], [0.0, 0.0]]]))
    assert 1.0 < float(loss[0]) < 30.0


def test_kl_divergence_of_bfloat16_maps_is_close_to_that_of_float32():
    first, second = (tf.random.stateless_uniform((2, 16, 24), seed=(seed, 0)) for seed in (1, 2))
    exact = losses.kl_divergence(first, second)
    rounded = losses.kl_divergence(tf.cast(first, tf.bfloat16), tf.cast(second, tf.bfloat16))
    assert rounded.dtype == tf.float32
    np.testing.assert_allclose(rounded, exact, rtol=2e-2)


@pytest.mark.parametrize(
    ("levels", "multi_level", "expected"),
    [(2, True, 3 * math.log(4)), (2, False, math.log(4)), (1, True, math.log(4))],
)
def test_saliency_loss_sums_the_levels_but_a_single_one_once(levels, multi_level, expected):
    ground_truth = tf.constant([[[0.0, 4.0], [0.0, 0.0]]])
    flat = tf.ones((1, 2, 2))
    outputs = {"saliency_map": flat, "conspicuity_maps": tf.stack([flat] * levels, 1)}
    np.testing.assert_allclose(losses.saliency_loss(outputs, ground_truth, multi_level), [expected], rtol=1e-6)


def test_domain_loss_is_the_sum_over_levels_of_the_right_domain():
    log_probs = tf.Variable([[[-1.0, -2.0], [-3.0, -4.0]]])
    for domain, expected in ((0, 4.0), (1, 6.0)):
        with tf.GradientTape() as tape:
            loss = losses.domain_loss(log_probs, domain)
        np.testing.assert_allclose(loss, [expected])
        # Each level's own log-likelihood counts whole.
        gradient = np.zeros((1, 2, 2))
        gradient[:, :, domain] = -1.0
        np.testing.assert_array_equal(tape.gradient(loss, log_probs), gradient)


def test_nss_by_hand_and_without_fixations():
    saliency_map = tf.constant([[[1.0, 3.0]], [[1.0, 3.0]]])
    fixation_map = tf.constant([[[False, True]], [[False, False]]])
    scores = losses.nss(saliency_map, fixation_map).numpy()
    assert scores[0] == pytest.approx(1.0, rel=1e-5)
    assert math.isnan(scores[1])


def test_correlation_by_hand():
    values = tf.random.stateless_uniform((1, 6, 7), seed=(3, 4))
    np.testing.assert_allclose(losses.correlation(values, 2 * values + 1), [1.0], rtol=1e-5)
    np.testing.assert_allclose(losses.correlation(values, -values), [-1.0], rtol=1e-5)
    np.testing.assert_allclose(losses.correlation(values, tf.ones_like(values)), [0.0], atol=1e-6)


def test_terms_by_hand_and_without_fixations():
    # Two opposite corners: the map's mean is 1/2 and its deviation 1/2, so NSS is 1 on it; CC with itself is 1.
    saliency_map = tf.constant([[[1.0, 0.0], [0.0, 1.0]]] * 2)
    fixation_map = tf.constant([[[True, False], [False, False]], [[False, False], [False, False]]])
    with tf.GradientTape() as tape:
        tape.watch(saliency_map)
        terms = {name: term(saliency_map, 1.0 - saliency_map, fixation_map) for name, term in losses.TERMS.items()}
        loss = sum(terms.values())
    # CC with the opposite map is -1.
    np.testing.assert_allclose(terms["cc"], [2.0, 2.0], atol=1e-5)
    np.testing.assert_allclose(terms["nss"], [-1.0, 0.0], atol=1e-5)
    assert np.isfinite(tape.gradient(loss, saliency_map)).all()
