import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.models.normalization import BatchNormalization, DomainBatchNormalization
from hd2s_tf.models.recomputation import recomputed
from tests.models.layer_checks import check_layer


@pytest.mark.parametrize("shape", [(6, 4), (2, 5, 3), (2, 3, 4, 5, 2)])
def test_layers_keep_their_promises(shape):
    features = tf.random.stateless_normal(shape, seed=(1, 2))
    check_layer(lambda: BatchNormalization(0.9, 1e-4), features, shape=shape)
    domain = tf.range(shape[0]) % 3
    check_layer(lambda: DomainBatchNormalization(3, 0.9, 1e-4), features, domain, shape=shape)


def test_fused_normalisation_equals_the_formula_in_training_and_after():
    layer = BatchNormalization(momentum=0.9, epsilon=1e-3)
    features = tf.random.stateless_normal((4, 3, 5, 2), seed=(1, 2)) * 3.0 + 1.0
    values = features.numpy().reshape(-1, 2)
    trained = layer(features, training=True)
    np.testing.assert_allclose(
        trained, (features - values.mean(0)) / np.sqrt(values.var(0) + 1e-3), rtol=1e-4, atol=1e-5
    )
    np.testing.assert_allclose(layer.moving_mean, 0.1 * values.mean(0), rtol=1e-5)
    np.testing.assert_allclose(layer.moving_variance, 0.9 + 0.1 * values.var(0, ddof=1), rtol=1e-5)
    expected = (features - layer.moving_mean.value) / np.sqrt(layer.moving_variance.numpy() + 1e-3)
    np.testing.assert_allclose(layer(features), expected, rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("shape", [(6, 4), (2, 3, 4), (2, 3, 2, 2, 4)])
def test_normalisation_takes_any_number_of_axes(shape):
    features = tf.random.stateless_normal(shape, seed=(1, 2))
    normalised = BatchNormalization()(features, training=True).numpy().reshape(-1, 4)
    np.testing.assert_allclose(normalised.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.std(0), 1, rtol=1e-2)


def test_one_domain_is_normalised_as_if_there_were_none():
    own, plain = DomainBatchNormalization(1, 0.9, 1e-3), BatchNormalization(0.9, 1e-3)
    domain = tf.zeros(2, tf.int32)
    # Few values, so that the batch's variance and the unbiased one differ by a fifth.
    features = tf.random.stateless_normal((2, 1, 3, 4), seed=(1, 2)) * 2 + 1
    for _ in range(3):
        np.testing.assert_allclose(
            own(features, domain, training=True), plain(features, training=True), rtol=1e-4, atol=1e-5
        )
    np.testing.assert_allclose(own.moving_mean[0], plain.moving_mean, rtol=1e-5)
    np.testing.assert_allclose(own.moving_variance[0], plain.moving_variance, rtol=1e-5)
    np.testing.assert_allclose(own(features, domain), plain(features), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize("create", [BatchNormalization, lambda: DomainBatchNormalization(2)])
def test_a_recomputed_layer_moves_its_statistics_once(create):
    features = tf.random.stateless_normal((3, 2, 2, 4), seed=(1, 2)) + 1
    inputs = () if create is BatchNormalization else (tf.ones(3, tf.int32),)
    kept, computed_again = create(), create()
    kept(features, *inputs, training=True)
    computed_again(features, *inputs)
    with tf.GradientTape() as tape:
        tape.watch(features)
        loss = tf.reduce_sum(recomputed(lambda values: computed_again(values, *inputs, training=True), features) ** 2)
    assert tape.gradient(loss, features) is not None
    for first, second in zip(kept.variables, computed_again.variables, strict=True):
        np.testing.assert_array_equal(first, second)


def test_training_one_domain_leaves_the_others_statistics_untouched():
    layer = DomainBatchNormalization(3)
    features = tf.random.stateless_normal((4, 3, 5, 2), seed=(1, 2)) + 5
    layer(features, tf.zeros(4, tf.int32))
    before = [variable.numpy() for variable in (layer.moving_mean, layer.moving_variance)]
    layer(features, tf.fill([4], 1), training=True)
    for old, variable in zip(before, (layer.moving_mean, layer.moving_variance), strict=True):
        assert (old[1] != variable.numpy()[1]).all()
        np.testing.assert_array_equal(old[[0, 2]], variable.numpy()[[0, 2]])


def test_one_batch_may_mix_domains_at_inference():
    layer = DomainBatchNormalization(2)
    features = tf.random.stateless_normal((2, 3, 5, 2), seed=(1, 2))
    layer(features, tf.constant([0, 1]))
    layer.gamma.assign([[1.0, 1.0], [2.0, 3.0]])
    mixed = layer(features, tf.constant([0, 1]))
    for index in range(2):
        np.testing.assert_allclose(mixed[index : index + 1], layer(features[index : index + 1], tf.constant([index])))
