import dataclasses

import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.models import layers
from hd2s_tf.models.normalization import ENCODER, UNITS, Normalization
from tests.models.layer_checks import check_layer

FOLDED = dataclasses.replace(ENCODER, folded=True)


@pytest.mark.parametrize(
    ("create", "inputs", "shape"),
    [
        (lambda: layers.ConvolutionUnit(4, (3, 3)), (2, 5, 6, 3), (2, 5, 6, 4)),
        (lambda: layers.ConvolutionUnit(3, (3, 3), depthwise=True), (2, 5, 6, 3), (2, 5, 6, 3)),
        (lambda: layers.ConvolutionUnit(4, (3, 1, 1), (2, 1, 1), UNITS), (2, 4, 5, 6, 3), (2, 2, 5, 6, 4)),
        (lambda: layers.SeparableConvolution(4, 3, 2, FOLDED), (2, 4, 6, 8, 3), (2, 2, 3, 4, 4)),
        (lambda: layers.InceptionBlock([[1], [2, 3], [4, 5], [6]]), (2, 3, 4, 5, 7), (2, 3, 4, 5, 1 + 3 + 5 + 6)),
        *((lambda s=s: layers.TemporalReduction(s), (2, 2**s, 3, 4, 5), (2, 3, 4, 5)) for s in range(4)),
    ],
)
def test_layers_keep_their_promises(create, inputs, shape):
    check_layer(create, tf.random.stateless_normal(inputs, seed=(1, 2)), shape=shape)


def test_a_unit_with_domains_keeps_its_promises():
    features = tf.random.stateless_normal((2, 5, 6, 3), seed=(1, 2))
    check_layer(
        lambda: layers.ConvolutionUnit(4, (3, 3), normalization_settings=Normalization(1e-5, 0.9, domains=2)),
        features,
        tf.constant([0, 1]),
        shape=(2, 5, 6, 4),
    )


def test_scaled_width_keeps_the_papers_widths_and_rounds_others_to_eight():
    assert layers.scaled_width(832, 1.0) == 832
    assert layers.scaled_width(3, 1.0) == 3
    assert layers.scaled_width(480, 0.25) == 120
    assert layers.scaled_width(3, 0.25) == 8


def test_strided_unit_pads_both_sides_alike():
    unit = layers.ConvolutionUnit(1, (3, 3), (2, 2), normalization_settings=FOLDED)
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
    unit = layers.ConvolutionUnit(1, (1, 1), normalization_settings=FOLDED)
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
