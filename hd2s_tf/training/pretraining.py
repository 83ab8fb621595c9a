"""Encoders with the features of Kinetics-400, made of I3D's checkpoint and clips without labels."""

import dataclasses
import os
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
import tqdm

from hd2s_tf.data import clips
from hd2s_tf.data.augmentation import Augmentation
from hd2s_tf.data.records import Dataset
from hd2s_tf.errors import BadInputError
from hd2s_tf.models import i3d_fit, i3d_weights, weight_files
from hd2s_tf.models.hd2s import HD2S, LEVELS
from hd2s_tf.models.i3d_network import I3D
from hd2s_tf.models.presets import FRAME_SIZE, PRESETS
from hd2s_tf.models.s3d import ENDPOINTS, LAYERS, S3D
from hd2s_tf.training import batches, feature_matching

# Clips in a batch.
_BATCH = 4
# Share of a data set's videos that is kept out of the fit.
_KEPT_OUT = 0.1
# Share of the running statistics that an update keeps: the paper's would lag behind so few updates.
_MOMENTUM = 0.98
# The clips that the fit sees vary more than those that it is judged by; stills become slow pans in both.
_FIT = Augmentation(
    flip=True, zoom=0.5, stretch=0.15, pan=0.25, brightness=0.12, contrast=0.3, saturation=0.4, tempo=0.3
)
_JUDGE = Augmentation(flip=False, zoom=0.6, pan=0.25)


@dataclasses.dataclass(frozen=True)
class Options:
    """How an encoder is made.

    Attributes:
      clips: that the fit sees.
      kept_out: other clips, of other videos, by which it is judged.
      updates: of a narrow encoder's training.
      frame_size: (height, width) of the clips in pixels.
      precision: "float32", or "mixed_bfloat16", which is faster where the processor has instructions for it.
      seed: of every choice.
    """

    clips: int = 256
    kept_out: int = 64
    updates: int = 1500
    frame_size: tuple[int, int] = FRAME_SIZE
    precision: str = "float32"
    seed: int = 0


def make_encoder(
    checkpoint: str | os.PathLike,
    data: Sequence[str],
    output: str | os.PathLike,
    preset: str = "hd2s",
    options: Options = Options(),
) -> dict[str, float]:
    """Writes the weights of a preset's encoder whose features are I3D's.

    An encoder of the paper's widths is fitted, see `i3d_fit`; a narrower one is trained, see `feature_matching`.

    Args:
      checkpoint: I3D's, see `i3d_weights`.
      data: prepared data, each "folder:split"; labels are not used.
      output: a `.weights.h5` file for training to start from.
      preset: of `HD2S`.
      options: see `Options`.

    Returns:
      For each row of `s3d.LAYERS` (for a narrow encoder the endpoints), the correlation of all its values with I3D's,
      on clips that were kept out.

    Raises:
      BadInputError: any of the arguments cannot be used.
    """
    if preset not in PRESETS:
        raise BadInputError(f"no preset {preset!r}: the presets are {', '.join(PRESETS)}")
    if not os.fspath(output).endswith(weight_files.SUFFIX):
        raise BadInputError(f"{output}: the name of a weight file ends in {weight_files.SUFFIX}")
    if not data:
        raise BadInputError("the fit needs clips: name prepared data, folder:split")
    teacher = I3D(i3d_weights.load_checkpoint(checkpoint).units)
    keras.utils.set_random_seed(options.seed)
    seen, kept_out = _divided(batches.open_splits(tuple(data)), options.seed)
    # All of the encoder and as little as possible of the rest.
    deepest = {"weights": None, "levels": LEVELS[-1:]}
    working = HD2S.from_preset(preset, momentum=_MOMENTUM, dtype=options.precision, **deepest).encoder
    shown = _clips(seen, options.clips, options, _FIT, working.compute_dtype)
    projections = ()
    if working.width_multiplier == 1.0:
        with tqdm.tqdm(total=len(working.blocks), unit="block", desc="fitting") as bar:
            i3d_fit.fit(working, teacher, shown, options.seed, bar.update)
    else:
        projections = feature_matching.train(working, teacher, shown, options.updates, options.seed)
    model = HD2S.from_preset(preset, **deepest)
    for variable, fitted in zip(model.encoder.variables, working.variables, strict=True):
        variable.assign(fitted)
    weight_files.save_encoder(model, output)
    judged = _clips(kept_out, options.kept_out, options, _JUDGE, tf.float32)
    return correlations(model.encoder, teacher, judged, projections)


def correlations(
    encoder: S3D, teacher: I3D, judged: Sequence[tf.Tensor], projections: Sequence[tf.Tensor] = ()
) -> dict[str, float]:
    """How alike the features of both networks are.

    Args:
      encoder, teacher: the networks.
      judged: clips, batches float32 [B,T,H,W,3] in [-1,1].
      projections: for a narrow encoder, [c,C] for each endpoint, to as many channels as the teacher has.

    Returns:
      The correlation of all values of a row of the table; of the endpoints only if there are projections.
    """
    sums: dict[str, np.ndarray] = {}

    @tf.function
    def moments(clip: tf.Tensor) -> dict[str, tf.Tensor]:
        theirs, found = teacher(clip), {}
        for name, values in _rows(encoder, clip, projections).items():
            pair = tf.reshape(values, (-1,)), tf.reshape(theirs[name], (-1,))
            one = tf.ones_like(pair[0])
            found[name] = tf.stack([[tf.reduce_mean(a * b) for b in (one, *pair)] for a in (one, *pair)])
        return found

    for batch in judged:
        for name, value in moments(batch).items():
            sums[name] = sums.get(name, 0.0) + len(batch) * np.float64(value)
    return {name: _correlation(value / value[0, 0]) for name, value in sums.items()}


def _rows(encoder: S3D, clip: tf.Tensor, projections: Sequence[tf.Tensor]) -> dict[str, tf.Tensor]:
    """What is compared: every row of the table, or the projected endpoints."""
    if len(projections):
        endpoints = encoder(clip)
        return {name: endpoints[name] @ weights for name, weights in zip(ENDPOINTS, projections, strict=True)}
    rows, features = {}, clip
    for row in LAYERS:
        features = rows[row[0]] = i3d_fit.student_row(encoder, *row, features)
    return rows


def _correlation(moments: np.ndarray) -> float:
    """From the means of all products of (1, a, b), [3,3]."""
    covariance = moments[1:, 1:] - np.outer(moments[0, 1:], moments[0, 1:])
    return float(covariance[0, 1] / np.sqrt(covariance[0, 0] * covariance[1, 1]))


def _divided(datasets: Sequence[Dataset], seed: int) -> tuple[list[Dataset], list[Dataset]]:
    """The videos that the fit sees and those that are kept out, whole videos of every data set that has two."""
    seen, kept_out = [], []
    for dataset in datasets:
        order = np.random.default_rng(seed).permutation(len(dataset.videos))
        count = max(1, round(_KEPT_OUT * len(order))) if len(order) > 1 else 0
        for group, indices in ((kept_out, order[:count]), (seen, order[count:])):
            if len(indices):
                group.append(dataclasses.replace(dataset, videos=tuple(dataset.videos[i] for i in sorted(indices))))
    if not kept_out:
        raise BadInputError("the clips must be of two videos at least: one is kept out to judge by")
    return seen, kept_out


def _clips(
    datasets: Sequence[Dataset], count: int, options: Options, augmentation: Augmentation, dtype: tf.DType
) -> list[tf.Tensor]:
    """At least so many clips of data sets in turn, [B,T,H,W,3] in [-1,1]."""
    sampling = clips.Sampling(
        _BATCH, options.seed, size=options.frame_size, augmentation=augmentation, unit=clips.VIDEOS
    )
    drawn = clips.training_batches(datasets, sampling, labelled=False).take(-(-count // _BATCH))
    return [tf.cast(batch["clip"], dtype) for batch in clips.with_run_errors(drawn)]
