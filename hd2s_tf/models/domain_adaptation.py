"""Unsupervised domain adaptation with gradient reversal (section 3.5; Ganin and Lempitsky, 2015)."""

import keras
import tensorflow as tf
from keras import layers

from hd2s_tf.models.layers import Block
from hd2s_tf.models.normalization import UNITS, Normalization

# For each conspicuity level: widths of the 1x1 convolutions and of the hidden dense layers.
CLASSIFIERS = {
    1: ((64, 32, 4), (512, 128, 32)),
    2: ((64, 4), (64, 16)),
    3: ((128, 16), (64, 16)),
    4: ((512, 64, 16), (64, 16)),
}
DROPOUT = 0.5


@tf.custom_gradient
def reverse_gradient(features: tf.Tensor, reversal: tf.Tensor) -> tuple:
    """Passes the features on and multiplies their gradient by minus lambda (section 3.5).

    Args:
      features: any shape and type.
      reversal: lambda, a scalar tensor.
    """

    def gradient(upstream: tf.Tensor) -> tuple[tf.Tensor, None]:
        return -tf.cast(reversal, upstream.dtype) * upstream, None

    return tf.identity(features), gradient


def reversal_schedule(progress: tf.Tensor) -> tf.Tensor:
    """Lambda = 2 / (1 + exp(-10 p)) - 1 for the progress p of training (equation 4).

    Args:
      progress: p, the share of the training's steps that are done, from 0 to 1 (equation 5).
    """
    return 2.0 / (1.0 + tf.exp(-10.0 * tf.cast(progress, tf.float32))) - 1.0


@keras.saving.register_keras_serializable("hd2s")
class DomainClassifier(Block):
    """Classifies one level's features as source or target, and reverses their gradient.

    Call with features [B,h,w,C] after temporal reduction and lambda, a scalar; returns log-probabilities float32 [B,2]
    of source and target.

    Args:
      level: 1 (shallow) to 4 (deep), a key of `CLASSIFIERS`.
      normalization_settings: of its convolutions and dense layers.
      seed: of its dropout; every level and layer draws numbers of its own.
    """

    def __init__(
        self,
        level: int,
        normalization_settings: Normalization | dict = UNITS,
        seed: int = 0,
        **kwargs,
    ) -> None:
        super().__init__(normalization_settings, **kwargs)
        self.level, self.seed = level, seed
        normalization, dtype = self.normalization_settings, self.dtype_policy
        convolution_widths, dense_widths = CLASSIFIERS[level]
        self.convolutions, self.convolution_normalizations = [], []
        for number, width in enumerate(convolution_widths, 1):
            name = f"convolution{number}"
            self.convolutions.append(layers.Conv2D(width, 1, data_format="channels_last", name=name, dtype=dtype))
            self.convolution_normalizations.append(normalization.layer(f"{name}_normalization", dtype))
        self.denses, self.dense_normalizations, self.dropouts = [], [], []
        for number, width in enumerate(dense_widths, 1):
            name = f"dense{number}"
            self.denses.append(layers.Dense(width, name=name, dtype=dtype))
            self.dense_normalizations.append(normalization.layer(f"{name}_normalization", dtype))
            rate = DROPOUT if number > 1 else 0.0
            # Classifiers have at most nine dense layers, and a run's seed moves all of them.
            own_seed = 100 * seed + 10 * level + number
            self.dropouts.append(layers.Dropout(rate, seed=own_seed, name=f"{name}_dropout", dtype=dtype))
        self.to_domains = layers.Dense(2, name="to_domains", dtype=dtype)

    def call(self, features: tf.Tensor, reversal: tf.Tensor, training: bool = False) -> tf.Tensor:
        features = reverse_gradient(features, reversal)
        for convolution, normalization in zip(self.convolutions, self.convolution_normalizations, strict=True):
            features = tf.nn.relu(normalization(convolution(features), training=training))
        # Channels first, the order in which the published weights expect the values.
        channels_first = tf.transpose(features, (0, 3, 1, 2))
        values = tf.reshape(channels_first, (-1, channels_first.shape[1:].num_elements()))
        for dense, normalization, dropout in zip(self.denses, self.dense_normalizations, self.dropouts, strict=True):
            values = tf.nn.relu(normalization(dense(values), training=training))
            values = dropout(values, training=training)
        return tf.nn.log_softmax(tf.cast(self.to_domains(values), tf.float32))

    def get_config(self) -> dict:
        return {**super().get_config(), "level": self.level, "seed": self.seed}
