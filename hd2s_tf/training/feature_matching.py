"""A narrow encoder trained to give I3D's features, as far as its width allows.

Its endpoints have fewer channels than I3D's. A linear projection behind each of them, which is trained too and then
discarded, predicts I3D's features; the loss is the mean squared error over all endpoints, each as a share of the
variance of what is predicted. I3D's features of all clips are computed once.
"""

from collections.abc import Iterator, Sequence

import keras
import numpy as np
import tensorflow as tf
import tqdm

from hd2s_tf.models.i3d_network import I3D
from hd2s_tf.models.s3d import ENDPOINTS, S3D

# Adam's learning rate, falling with a cosine after the first updates, and the largest norm of a gradient.
_LEARNING_RATE, _WARMUP, _LARGEST_NORM = 2e-3, 50, 1.0
# Batches of clips that an update sees.
_TOGETHER = 2


def train(encoder: S3D, teacher: I3D, clips: Sequence[tf.Tensor], updates: int, seed: int = 0) -> list[tf.Tensor]:
    """Trains the encoder.

    Args:
      encoder: its variables created.
      teacher: with symmetric padding.
      clips: batches [B,T,H,W,3] in [-1,1] of the type that the encoder computes in.
      updates: number of gradient steps.
      seed: of the order of the clips and of the projections.

    Returns:
      The projections, float32 [c,C] for each endpoint.
    """
    matching = FeatureMatching(encoder, teacher, clips, updates, seed)
    with tqdm.tqdm(matching.updates(), total=updates, unit="update", desc="matching") as bar:
        for error in bar:
            bar.set_postfix(error=f"{error:.3f}", refresh=False)
    return [tf.convert_to_tensor(weights) for weights in matching.projections]


class FeatureMatching:
    """The training of one encoder; arguments as of `train`.

    Attributes:
      projections: variables float32 [c,C] for each endpoint.
    """

    def __init__(self, encoder: S3D, teacher: I3D, clips: Sequence[tf.Tensor], updates: int, seed: int) -> None:
        self._encoder, self._clips, self._count = encoder, clips, updates
        self._generator = np.random.default_rng(seed)

        @tf.function
        def taught(clip: tf.Tensor) -> list[tf.Tensor]:
            features = teacher(clip)
            return [features[name] for name in ENDPOINTS]

        self._targets = [taught(clip) for clip in tqdm.tqdm(clips, unit="batch", desc="I3D's features")]
        variances = [[np.var(np.float32(level)) for level in levels] for levels in self._targets]
        self._variances = np.mean(variances, 0).tolist()
        made = encoder(clips[0])
        initializer = keras.initializers.GlorotUniform(seed)
        self.projections = [
            keras.Variable(initializer((made[name].shape[-1], target.shape[-1])), name=name)
            for name, target in zip(ENDPOINTS, self._targets[0], strict=True)
        ]
        self._variables = [*encoder.trainable_variables, *self.projections]
        warmup = min(_WARMUP, updates // 4)
        rate = keras.optimizers.schedules.CosineDecay(
            0.0, updates - warmup, warmup_target=_LEARNING_RATE, warmup_steps=warmup
        )
        self._optimizer = keras.optimizers.Adam(rate, global_clipnorm=_LARGEST_NORM)
        self._optimizer.build(self._variables)
        self._update = tf.function(self._updated)

    def updates(self) -> Iterator[float]:
        """Makes the updates, each of the next clips in a new order every time round; yields each one's mean error."""
        order: list[int] = []
        for _ in range(self._count):
            if len(order) < _TOGETHER:
                order = self._generator.permutation(len(self._clips)).tolist()
            chosen, order = order[:_TOGETHER], order[_TOGETHER:]
            clip = tf.concat([self._clips[index] for index in chosen], 0)
            targets = [tf.concat(levels, 0) for levels in zip(*(self._targets[i] for i in chosen), strict=True)]
            yield float(self._update(clip, targets))

    def _updated(self, clip: tf.Tensor, targets: list[tf.Tensor]) -> tf.Tensor:
        with tf.GradientTape() as tape:
            endpoints = self._encoder(clip, training=True)
            errors = []
            for name, projection, target, variance in zip(
                ENDPOINTS, self.projections, targets, self._variances, strict=True
            ):
                difference = tf.cast(endpoints[name], tf.float32) @ projection.value - tf.cast(target, tf.float32)
                errors.append(tf.reduce_mean(tf.square(difference)) / variance)
            loss = tf.add_n(errors)
        gradients = tape.gradient(loss, [variable.value for variable in self._variables])
        self._optimizer.apply(gradients, self._variables)
        return loss / len(errors)
