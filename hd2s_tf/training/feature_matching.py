"""A narrow encoder trained to give I3D's features, as far as its width allows.

Its endpoints have fewer channels than I3D's. A linear projection behind each of them, trained along with it and thrown
away at the end, predicts I3D's features; the loss is the mean squared error over all endpoints, each as a share of the
variance of what is predicted. I3D's features of all clips are computed once.
"""

from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
import tqdm

from hd2s_tf.models.i3d_network import I3D
from hd2s_tf.models.s3d import ENDPOINTS, S3D

_LEARNING_RATE, _WARMUP, _CLIP_NORM = 2e-3, 50, 1.0
# Batches of clips that an update sees.
_ACCUMULATED = 2


def train(encoder: S3D, teacher: I3D, clips: Sequence[tf.Tensor], updates: int, seed: int = 0) -> list[tf.Tensor]:
    """Trains the encoder.

    Args:
      encoder: its variables created.
      teacher: with symmetric padding.
      clips: batches [B,T,H,W,3] in [-1,1] of the type that the encoder computes in.
      updates: number of gradient steps.
      seed: of their order and of the projections.

    Returns:
      The projections, float32 [c,C] for each endpoint.
    """
    taught = tf.function(lambda clip: {name: teacher(clip)[name] for name in ENDPOINTS})
    targets = [taught(clip) for clip in tqdm.tqdm(clips, unit="batch", desc="I3D's features")]
    variances = {name: float(np.mean([np.var(np.float32(target[name])) for target in targets])) for name in ENDPOINTS}
    widths = [(encoder(clips[0])[name].shape[-1], targets[0][name].shape[-1]) for name in ENDPOINTS]
    initializer = keras.initializers.GlorotUniform(seed)
    projections = [keras.Variable(initializer(shape), name=name) for name, shape in zip(ENDPOINTS, widths, strict=True)]
    variables = [*encoder.trainable_variables, *projections]
    rate = keras.optimizers.schedules.CosineDecay(
        0.0, max(1, updates - _WARMUP), warmup_target=_LEARNING_RATE, warmup_steps=_WARMUP
    )
    optimizer = keras.optimizers.Adam(rate, global_clipnorm=_CLIP_NORM)
    optimizer.build(variables)

    @tf.function
    def update(clip: tf.Tensor, target: dict[str, tf.Tensor]) -> tf.Tensor:
        with tf.GradientTape() as tape:
            endpoints = encoder(clip, training=True)
            errors = [
                tf.reduce_mean(
                    tf.square(tf.cast(endpoints[name], tf.float32) @ weights - tf.cast(target[name], tf.float32))
                )
                / variances[name]
                for name, weights in zip(ENDPOINTS, projections, strict=True)
            ]
            loss = tf.add_n(errors)
        optimizer.apply(tape.gradient(loss, [variable.value for variable in variables]), variables)
        return tf.stack(errors)

    generator = np.random.default_rng(seed)
    with tqdm.tqdm(total=updates, unit="update", desc="matching") as bar:
        while bar.n < updates:
            order = generator.permutation(len(clips))
            for first in range(0, len(order) - _ACCUMULATED + 1, _ACCUMULATED):
                chosen = order[first : first + _ACCUMULATED]
                clip = tf.concat([clips[index] for index in chosen], 0)
                target = {name: tf.concat([targets[index][name] for index in chosen], 0) for name in ENDPOINTS}
                errors = update(clip, target)
                bar.set_postfix(error=f"{float(tf.reduce_mean(errors)):.3f}", refresh=False)
                bar.update()
                if bar.n == updates:
                    break
    return [tf.convert_to_tensor(weights) for weights in projections]
