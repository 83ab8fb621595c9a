"""The kernel gradient by matrix products against TensorFlow's own."""

import numpy as np
import pytest
import tensorflow as tf
from keras import layers

from hd2s_tf.models.kernel_gradient import Convolution2D, Convolution3D

WIDE, NARROW = 32, 8


def random(shape: tuple, seed: int) -> tf.Tensor:
    return tf.constant(np.random.default_rng(seed).normal(size=shape).astype(np.float32))


def gradients(layer, features, kernel, weights, training):
    """Gradients with respect to features and kernel, in a graph that does not know the batch size."""
    signature = [tf.TensorSpec((None, *features.shape[1:]))]

    @tf.function(input_signature=signature)
    def compute(features):
        with tf.GradientTape() as tape:
            tape.watch(features)
            answer = layer(features, **training)
            loss = tf.reduce_sum(answer * weights)
        return tape.gradient(loss, [features, layer.kernel.value]), answer

    if not layer.built:
        layer.build(features.shape)
    layer.kernel.assign(kernel)
    return compute(features), {operation.type for operation in compute.get_concrete_function().graph.get_operations()}


@pytest.mark.parametrize(
    ("shape", "kernel_size", "strides", "padding"),
    [
        ((2, 3, 4, 5, WIDE), (1, 1, 1), (1, 1, 1), "same"),
        ((2, 3, 4, 5, WIDE), (1, 3, 3), (1, 1, 1), "same"),
        ((2, 3, 4, 5, WIDE), (3, 1, 1), (1, 1, 1), "same"),
        ((2, 14, 4, 5, WIDE), (7, 1, 1), (2, 1, 1), "valid"),
        ((2, 5, 4, 3, WIDE), (3, 1, 1), (2, 1, 1), "valid"),
        ((1, 3, 4, 3, WIDE), (3, 1, 1), (2, 1, 1), "valid"),
        ((3, 6, 7, WIDE), (3, 3), (1, 1), "same"),
        ((3, 6, 7, WIDE), (1, 1), (1, 1), "same"),
        ((3, 6, 7, WIDE + 1), (3, 3), (1, 1), "valid"),
    ],
)
def test_gradients_are_those_of_tensorflow(shape, kernel_size, strides, padding):
    mine, plain = {4: (Convolution2D, layers.Conv2D), 5: (Convolution3D, layers.Conv3D)}[len(shape)]
    arguments = {"strides": strides, "padding": padding, "use_bias": False}
    features, kernel = random(shape, 0), random((*kernel_size, shape[-1], 6), 1)
    weights = random(plain(6, kernel_size, **arguments)(features).shape, 2)
    ((by_features, by_kernel), answer), operations = gradients(
        mine(6, kernel_size, **arguments), features, kernel, weights, {"training": True}
    )
    (expected, expected_answer), _ = gradients(plain(6, kernel_size, **arguments), features, kernel, weights, {})
    np.testing.assert_array_equal(answer, expected_answer)
    np.testing.assert_allclose(by_features, expected[0], atol=1e-4)
    np.testing.assert_allclose(by_kernel, expected[1], atol=2e-4)
    assert not any("BackpropFilter" in operation for operation in operations)


@pytest.mark.parametrize(
    ("channels", "strides"), [(NARROW, (1, 1, 1)), (WIDE, (1, 2, 2))], ids=["few channels", "strides over the image"]
)
def test_others_keep_tensorflows_gradient(channels, strides):
    features, kernel = random((2, 3, 6, 6, channels), 0), random((1, 3, 3, channels, 4), 1)
    layer = Convolution3D(4, (1, 3, 3), strides, "valid", use_bias=False)
    weights = tf.ones(layer(features).shape)
    _, operations = gradients(layer, features, kernel, weights, {"training": True})
    assert "Conv3DBackpropFilterV2" in operations


def test_inference_is_a_plain_convolution():
    layer = Convolution3D(4, (3, 1, 1), padding="same", use_bias=False)
    graph = tf.function(lambda features: layer(features)).get_concrete_function(tf.TensorSpec((2, 3, 4, 5, WIDE))).graph
    assert "IdentityN" not in {operation.type for operation in graph.get_operations()}
