"""Batch normalisation by TensorFlow's fused operation, which takes a third less of a training step than Keras' own."""

import keras
import tensorflow as tf

from hd2s_tf.models.recomputation import is_recomputing


def in_four_axes(features: tf.Tensor) -> tf.Tensor:
    """Features [B,...,C] as [N,1,W,C], the shape that the fused operation takes."""
    width = features.shape[-2] if len(features.shape) > 2 else 1
    return tf.reshape(features, (-1, 1, width, features.shape[-1]))


@keras.saving.register_keras_serializable("hd2s")
class BatchNormalization(keras.layers.Layer):
    """Batch normalisation over all axes but the last.

    Call with features [B,...,C] of float32 or bfloat16; returns the same shape and type. With `training` the statistics
    are those of the batch, over all replicas, and the running ones move towards them; the running variance is the
    unbiased one, as in the published network's framework.

    Args:
      momentum: share of the running statistics that a training step keeps.
      epsilon: added to the variance.
    """

    def __init__(self, momentum: float = 0.999, epsilon: float = 1e-3, **kwargs) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon

    def build(self, features_shape: tuple) -> None:
        """Creates gamma, beta and the running statistics, float32 [C] each."""
        shape = (features_shape[-1],)
        self.gamma = self.add_weight(shape=shape, initializer="ones", name="gamma", autocast=False, dtype="float32")
        self.beta = self.add_weight(shape=shape, initializer="zeros", name="beta", autocast=False, dtype="float32")
        statistics = {"shape": shape, "trainable": False, "autocast": False, "dtype": "float32", "aggregation": "mean"}
        self.moving_mean = self.add_weight(initializer="zeros", name="moving_mean", **statistics)
        self.moving_variance = self.add_weight(initializer="ones", name="moving_variance", **statistics)

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        """Normalises; see the class."""
        if not (training and self.trainable):
            return self._fused(features, self.moving_mean.value, self.moving_variance.value)[0]
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            return self._synchronized(features)
        normalised, mean, variance = self._fused(features)
        self._update(mean, variance)
        return normalised

    def _fused(self, features: tf.Tensor, *statistics: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Normalises by the given mean and variance, or by the batch's, which are returned."""
        normalised, mean, variance = tf.compat.v1.nn.fused_batch_norm(
            features if len(features.shape) == 4 else in_four_axes(features),
            self.gamma.value,
            self.beta.value,
            *statistics,
            epsilon=self.epsilon,
            is_training=not statistics,
        )
        if len(features.shape) != 4:
            normalised = tf.reshape(normalised, tf.shape(features))
        return normalised, mean, variance

    def _synchronized(self, features: tf.Tensor) -> tf.Tensor:
        values = tf.cast(features, tf.float32)
        mean, variance = keras.ops.moments(values, list(range(len(features.shape) - 1)), synchronized=True)
        count = tf.size(features) // features.shape[-1] * tf.distribute.get_strategy().num_replicas_in_sync
        count = tf.cast(count, tf.float32)
        self._update(mean, variance * count / tf.maximum(count - 1.0, 1.0))
        factor = self.gamma.value * tf.math.rsqrt(variance + self.epsilon)
        return tf.cast(values * factor + (self.beta.value - mean * factor), features.dtype)

    def _update(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        if is_recomputing():
            return
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving.value * self.momentum + value * (1.0 - self.momentum))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon}
