"""Convolutions that compute the gradient with respect to the kernel as one matrix product per kernel position.

oneDNN's own gradient takes 1.3 to 5 times as long from 32 channels up, most of all for long strided kernels over time.
Below that, and on GPUs, where the products were not tried, TensorFlow's gradient is kept.
"""

import itertools

import tensorflow as tf
from keras import layers

# With so many channels or more, the matrix products are faster.
_CHANNELS = 32


def kernel_gradient(
    features: tf.Tensor, upstream: tf.Tensor, kernel_size: tuple[int, ...], strides: tuple[int, ...]
) -> tf.Tensor:
    """The gradient of a convolution without padding with respect to its kernel.

    Args:
      features: what is convolved, [B,(T,)H,W,C].
      upstream: the gradient with respect to the convolution's result, [B,(T',)H',W',K].
      kernel_size: of each axis between batch and channels.
      strides: of the same axes; all but the first must be 1.

    Returns:
      [*kernel_size,C,K].
    """
    channels, filters = features.shape[-1], upstream.shape[-1]
    rows = tf.reshape(upstream, (-1, filters))
    phases = _phases(features, strides[0])
    products = []
    for first, *others in itertools.product(*map(range, kernel_size)):
        begin = (0, first // strides[0], *others, 0)
        size = (-1, *upstream.shape[1:-1], channels)
        seen = tf.slice(phases[first % strides[0]], begin, size)
        products.append(tf.matmul(tf.reshape(seen, (-1, channels)), rows, transpose_a=True))
    return tf.reshape(tf.stack(products), (*kernel_size, channels, filters))


def _phases(features: tf.Tensor, stride: int) -> list[tf.Tensor]:
    """Every `stride`-th of the features along the first axis after the batch, from each of the `stride` starts.

    Slices of whole rows make them: a strided slice copies one number at a time.
    """
    if stride == 1:
        return [features]
    length, *rest = features.shape[1:]
    missing = -length % stride
    features = tf.pad(features, [(0, 0), (0, missing), *((0, 0) for _ in rest)])
    row = tf.TensorShape(rest).num_elements()
    count = (length + missing) // stride
    together = tf.reshape(features, (-1, count, stride * row))
    starts = [together[:, :, phase * row : (phase + 1) * row] for phase in range(stride)]
    return [tf.reshape(phase, (-1, count, *rest)) for phase in starts]


class _TrainedByMatrixProducts:
    """What both convolutions share; it comes before Keras' layer among the bases."""

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not training or self.use_bias or not self._fits(features):
            return super().call(features)
        kernel = tf.convert_to_tensor(self.kernel)
        return _convolved(self, features, kernel)

    def _fits(self, features: tf.Tensor) -> bool:
        wide = features.shape[-1] >= _CHANNELS and max(self.strides[1:]) == 1
        known = features.dtype == tf.float32 and None not in features.shape[1:]
        return wide and known and not tf.config.list_logical_devices("GPU")


def _convolved(layer: layers.Layer, features: tf.Tensor, kernel: tf.Tensor) -> tf.Tensor:
    sides = [side // 2 if layer.padding == "same" else 0 for side in layer.kernel_size]
    transposed = {2: tf.nn.conv2d_transpose, 3: tf.nn.conv3d_transpose}[len(sides)]

    @tf.custom_gradient
    def convolve(features: tf.Tensor, kernel: tf.Tensor) -> tuple:
        def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor]:
            features_gradient = transposed(
                upstream, kernel, tf.shape(features), (1, *layer.strides, 1), layer.padding.upper()
            )
            padded = tf.pad(features, [(0, 0), *((side, side) for side in sides), (0, 0)])
            return features_gradient, kernel_gradient(padded, upstream, layer.kernel_size, layer.strides)

        return layer.convolution_op(features, kernel), gradient

    return convolve(features, kernel)


class Convolution2D(_TrainedByMatrixProducts, layers.Conv2D):
    """Convolution of [B,H,W,C]; see the module."""


class Convolution3D(_TrainedByMatrixProducts, layers.Conv3D):
    """Convolution of [B,T,H,W,C]; see the module."""
