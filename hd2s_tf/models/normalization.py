"""Batch normalisation: its settings, a layer that all data sets share, and one with variables for each of them.

Both layers move the running variance towards the unbiased variance of the batch, as the published network's framework
does. The shared one uses TensorFlow's fused operation, which takes a third less of a training step than Keras' own.
"""

import dataclasses

import keras
import tensorflow as tf

from hd2s_tf.models.recomputation import is_recomputing


@dataclasses.dataclass(frozen=True)
class Normalization:
    """What follows a convolution.

    Attributes:
      epsilon: added to the variance.
      momentum: share of the running statistics that a training step keeps.
      domains: data sets with a normalisation of their own; 0 when all share one.
      folded: the normalisation is part of the convolution, which has a bias then; domains are never folded.
    """

    epsilon: float
    momentum: float
    domains: int = 0
    folded: bool = False

    @classmethod
    def revived(cls, settings: "Normalization | dict") -> "Normalization":
        """Settings that may be a layer's config, in which they are a dictionary."""
        return cls(**settings) if isinstance(settings, dict) else settings

    @property
    def in_convolution(self) -> bool:
        """Whether the convolution has a bias and no layer follows it."""
        return self.folded and not self.domains

    def layer(self, name: str, dtype: keras.DTypePolicy) -> keras.layers.Layer:
        """The layer that follows the convolution."""
        if self.domains:
            return DomainBatchNormalization(self.domains, self.momentum, self.epsilon, name=name, dtype=dtype)
        return BatchNormalization(self.momentum, self.epsilon, name=name, dtype=dtype)


# The published values: of the encoder, the temporal reduction and the decoders' plain convolutions; of depthwise-
# separable units and domain classifiers; of the domain-specific layers.
ENCODER = Normalization(epsilon=1e-3, momentum=0.999)
UNITS = Normalization(epsilon=1e-5, momentum=0.9)
DOMAINS = Normalization(epsilon=1e-5, momentum=0.99)


def in_four_axes(features: tf.Tensor) -> tf.Tensor:
    """Features [B,...,C] as [N,1,W,C], the shape that the fused operation takes."""
    width = features.shape[-2] if len(features.shape) > 2 else 1
    return tf.reshape(features, (-1, 1, width, features.shape[-1]))


class _Statistics(keras.layers.Layer):
    """What both layers share: their variables, and the moments of a batch."""

    def __init__(self, momentum: float, epsilon: float, **kwargs) -> None:
        super().__init__(**kwargs)
        self.momentum = momentum
        self.epsilon = epsilon

    def _add_variables(self, shape: tuple[int, ...]) -> None:
        """Creates gamma, beta and the running statistics in float32."""
        common = {"shape": shape, "autocast": False, "dtype": "float32"}
        self.gamma = self.add_weight(initializer="ones", name="gamma", **common)
        self.beta = self.add_weight(initializer="zeros", name="beta", **common)
        statistics = {"trainable": False, "aggregation": "mean", **common}
        self.moving_mean = self.add_weight(initializer="zeros", name="moving_mean", **statistics)
        self.moving_variance = self.add_weight(initializer="ones", name="moving_variance", **statistics)

    def _moments(self, values: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Mean, variance and unbiased variance, [C] each, of float32 [B,...,C] over all replicas."""
        mean, variance = keras.ops.moments(values, list(range(len(values.shape) - 1)), synchronized=True)
        count = tf.size(values) // values.shape[-1] * tf.distribute.get_strategy().num_replicas_in_sync
        count = tf.cast(count, tf.float32)
        return mean, variance, variance * count / tf.maximum(count - 1.0, 1.0)

    def get_config(self) -> dict:
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("hd2s")
class BatchNormalization(_Statistics):
    """Batch normalisation over all axes but the last.

    Call with features [B,...,C] of float32 or bfloat16; returns the same shape and type. With `training` the statistics
    are those of the batch, over all replicas, and the running ones move towards them.

    Args:
      momentum: share of the running statistics that a training step keeps.
      epsilon: added to the variance.
    """

    def __init__(self, momentum: float = ENCODER.momentum, epsilon: float = ENCODER.epsilon, **kwargs) -> None:
        super().__init__(momentum, epsilon, **kwargs)

    def build(self, features_shape: tuple) -> None:
        self._add_variables((features_shape[-1],))

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        if not (training and self.trainable):
            return self._fused(features, self.moving_mean.value, self.moving_variance.value)[0]
        if tf.distribute.get_strategy().num_replicas_in_sync > 1:
            return self._synchronized(features)
        normalised, mean, variance = self._fused(features)
        self._update(mean, variance)
        return normalised

    def _fused(self, features: tf.Tensor, *statistics: tf.Tensor) -> tuple[tf.Tensor, tf.Tensor, tf.Tensor]:
        """Normalises by the given mean and variance, or by the batch's, which are returned (the variance unbiased)."""
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
        mean, variance, unbiased = self._moments(values)
        self._update(mean, unbiased)
        factor = self.gamma.value * tf.math.rsqrt(variance + self.epsilon)
        return tf.cast(values * factor + (self.beta.value - mean * factor), features.dtype)

    def _update(self, mean: tf.Tensor, variance: tf.Tensor) -> None:
        if is_recomputing():
            return
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moving.assign(moving.value * self.momentum + value * (1.0 - self.momentum))


@keras.saving.register_keras_serializable("hd2s")
class DomainBatchNormalization(_Statistics):
    """Batch normalisation whose scale, offset and running statistics belong to the domain (section 3.6).

    Call with features [B,...,C] and domain int32 [B]; returns features of the same shape and type. With `training` the
    statistics are those of the batch, over all replicas, and only the row of `domain[0]` moves.

    Args:
      domains: how many there are; the variables are [domains, C].
      momentum: share of the running statistics that a training step keeps.
      epsilon: added to the variance.
    """

    def __init__(
        self, domains: int, momentum: float = DOMAINS.momentum, epsilon: float = DOMAINS.epsilon, **kwargs
    ) -> None:
        super().__init__(momentum, epsilon, **kwargs)
        self.domains = domains

    def build(self, features_shape: tuple, *_: tuple) -> None:
        self._add_variables((self.domains, features_shape[-1]))

    def call(self, features: tf.Tensor, domain: tf.Tensor, training: bool = False) -> tf.Tensor:
        values = tf.cast(features, tf.float32)
        if training and self.trainable:
            mean, variance, unbiased = self._moments(values)
            self._update(domain[0], mean, unbiased)
        else:
            mean, variance = (self._rows(v, values, domain) for v in (self.moving_mean, self.moving_variance))
        gamma, beta = (self._rows(variable, values, domain) for variable in (self.gamma, self.beta))
        factor = gamma * tf.math.rsqrt(variance + self.epsilon)
        return tf.cast(values * factor + (beta - mean * factor), features.dtype)

    @staticmethod
    def _rows(variable: keras.Variable, values: tf.Tensor, domain: tf.Tensor) -> tf.Tensor:
        """The row of each example's domain, [B,1,...,C]."""
        rows = tf.gather(tf.convert_to_tensor(variable), domain)
        return tf.reshape(rows, [-1] + [1] * (len(values.shape) - 2) + [values.shape[-1]])

    def _update(self, domain: tf.Tensor, mean: tf.Tensor, variance: tf.Tensor) -> None:
        if is_recomputing():
            return
        active = tf.one_hot(domain, self.domains)[:, tf.newaxis]
        for moving, value in ((self.moving_mean, mean), (self.moving_variance, variance)):
            moved = moving * self.momentum + value * (1.0 - self.momentum)
            moving.assign(tf.where(active > 0, moved, moving))

    def get_config(self) -> dict:
        return {**super().get_config(), "domains": self.domains}
