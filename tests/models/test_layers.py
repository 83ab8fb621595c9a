import keras
import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.models import conspicuity, domain_adaptation, domain_specific, layers, normalization, s3d

ROUND_TRIPS = [
    layers.ConvolutionUnit(4, (3, 3), depthwise=False),
    layers.ConvolutionUnit(4, (3, 1, 1), (2, 1, 1), normalization=layers.Normalization(1e-5, 0.9, 2)),
    layers.SeparableConvolution(4, 3, 2, normalization=layers.Normalization(folded=True)),
    layers.InceptionBlock((1, 2, 3, 4, 5, 6)),
    layers.TemporalReduction(2, layers.Normalization(1e-3, 0.95)),
    s3d.S3D(0.25, last="endpoint3"),
    conspicuity.DepthwiseSeparableUnit(4),
    conspicuity.ConspicuityNetwork(2, 0.25),
    domain_adaptation.DomainClassifier(3, seed=4),
    domain_specific.DomainBatchNormalization(3, 0.9, 1e-4),
    domain_specific.GaussianPriors(2),
    domain_specific.DomainFusion(2),
    domain_specific.GaussianSmoothing(2, 4.0),
    normalization.BatchNormalization(0.9, 1e-4),
]


@pytest.mark.parametrize("layer", ROUND_TRIPS, ids=lambda layer: type(layer).__name__)
def test_config_round_trip(layer):
    revived = keras.saving.deserialize_keras_object(keras.saving.serialize_keras_object(layer))
    assert type(revived) is type(layer)
    assert revived.get_config() == layer.get_config()


def test_strided_unit_pads_both_sides_alike():
    unit = layers.ConvolutionUnit(1, (3, 3), (2, 2), normalization=layers.Normalization(folded=True))
    features = tf.ones((1, 4, 4, 1))
    unit(features)
    unit.convolution.kernel.assign(tf.ones((3, 3, 1, 1)))
    # Windows begin one before the first row and column: 2x2, 2x3, 3x2 and 3x3 ones.
    np.testing.assert_array_equal(unit(features)[0, ..., 0], [[4, 6], [6, 9]])


@pytest.mark.parametrize("kernel_size", [(7, 1, 1), (3, 3)])
def test_a_unit_that_is_fused_in_a_graph_trains_as_one_that_is_not(kernel_size):
    unit = layers.ConvolutionUnit(32, kernel_size, (2, *(1 for _ in kernel_size[1:])))
    generator = np.random.default_rng(0)
    shape = (2, 8, 5, 6)[: len(kernel_size) + 1]
    features = tf.constant(generator.normal(size=(*shape, 32)).astype(np.float32))
    weights = tf.constant(generator.normal(size=unit(features).shape).astype(np.float32))

    def gradients(features):
        with tf.GradientTape() as tape:
            tape.watch(features)
            loss = tf.reduce_sum(unit(features, training=True) * weights)
        return tape.gradient(loss, [features, *(variable.value for variable in unit.trainable_variables)])

    for fused, plain in zip(tf.function(gradients)(features), gradients(features), strict=True):
        np.testing.assert_allclose(fused, plain, rtol=1e-4, atol=1e-4)


def test_unit_ends_in_relu():
    unit = layers.ConvolutionUnit(1, (1, 1), normalization=layers.Normalization(folded=True))
    features = tf.constant([[[[-2.0], [3.0]]]])
    unit(features)
    unit.convolution.kernel.assign(tf.ones((1, 1, 1, 1)))
    np.testing.assert_array_equal(unit(features)[0, 0, :, 0], [0, 3])


@pytest.mark.parametrize("shape", [(2, 4, 5, 6, 3), (1, 1, 1, 1, 2), (1, 2, 1, 7, 1)])
def test_max_of_neighbours_is_one_pooling_in_three_dimensions(shape):
    features = tf.constant(np.random.default_rng(0).normal(size=shape).astype(np.float32))
    weights = tf.constant(np.random.default_rng(1).normal(size=shape).astype(np.float32))
    gradients = []
    for pool in (layers.max_of_neighbours, lambda x: tf.nn.max_pool3d(x, 3, 1, "SAME")):
        with tf.GradientTape() as tape:
            tape.watch(features)
            pooled = pool(features)
            loss = tf.reduce_sum(pooled * weights)
        gradients.append((pooled, tape.gradient(loss, features)))
    np.testing.assert_array_equal(gradients[0][0], gradients[1][0])
    np.testing.assert_allclose(gradients[0][1], gradients[1][1], atol=1e-5)


def test_max_pool_of_odd_window_starts_before_the_first_row():
    features = tf.reshape(tf.range(16.0), (1, 1, 4, 4, 1))
    pooled = layers.max_pool(features, (1, 3, 3), (1, 2, 2))
    np.testing.assert_array_equal(pooled[0, 0, ..., 0], [[5, 7], [13, 15]])


def test_inception_block_concatenates_its_branches():
    block = layers.InceptionBlock((1, 2, 3, 4, 5, 6))
    assert block(tf.ones((2, 3, 4, 5, 7))).shape == (2, 3, 4, 5, 1 + 3 + 5 + 6)


@pytest.mark.parametrize("steps", [0, 1, 2, 3])
def test_temporal_reduction_ends_without_time(steps):
    assert layers.TemporalReduction(steps)(tf.ones((2, 2**steps, 3, 4, 5))).shape == (2, 3, 4, 5)


def test_fused_normalisation_equals_the_formula_in_training_and_after():
    layer = normalization.BatchNormalization(momentum=0.9, epsilon=1e-3)
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
    normalised = normalization.BatchNormalization()(features, training=True).numpy().reshape(-1, 4)
    np.testing.assert_allclose(normalised.mean(0), 0, atol=1e-5)
    np.testing.assert_allclose(normalised.std(0), 1, rtol=1e-2)
