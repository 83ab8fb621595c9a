"""Fits S3D to I3D, layer by layer and without a gradient step.

The two networks differ in the cubic convolutions alone: S3D has one over space and one over time in their place. Every
layer of S3D sees what S3D's own layers before it answer on clips, and is fitted to what I3D's convolution answers there
before its ReLU: the spatial kernels to span the projections of patches that predict it best, see `positive_factors`,
the temporal kernel and every pointwise one by a ridge regression pulled towards I3D's own.
"""

import dataclasses
from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf

from hd2s_tf.models.i3d_network import I3D
from hd2s_tf.models.layers import (
    ConvolutionUnit,
    InceptionBlock,
    SeparableConvolution,
    max_of_neighbours,
    max_pool,
    pad,
)
from hd2s_tf.models.positive_factors import positive_factors, ridge
from hd2s_tf.models.s3d import LAYERS, S3D

# Rows that a regression sees, of at least so many batches.
_ROWS, _BATCHES = 60_000, 8


@dataclasses.dataclass(frozen=True)
class Features:
    """What both networks give at one place for the same clips: batches [B,T,H,W,C] of one float type."""

    student: Sequence[tf.Tensor]
    teacher: Sequence[tf.Tensor]

    def through(self, student: Callable, teacher: Callable) -> "Features":
        """What both give behind a layer."""
        student, teacher = tf.function(student), tf.function(teacher)
        return Features([student(batch) for batch in self.student], [teacher(batch) for batch in self.teacher])

    def some(self) -> "Features":
        """As few batches as have eight times the rows of a regression, spread over all of them."""
        positions = int(np.prod(self.teacher[0].shape[:4]))
        step = max(1, len(self.teacher) // max(_BATCHES, -(-8 * _ROWS // positions)))
        return Features(self.student[::step], self.teacher[::step])


def fit(
    encoder: S3D, teacher: I3D, clips: Sequence[tf.Tensor], seed: int = 0, progress: Callable[[], None] = lambda: None
) -> None:
    """Sets the encoder's weights.

    Args:
      encoder: of the paper's widths, its variables created.
      teacher: with symmetric padding.
      clips: batches [B,T,H,W,3] in [-1,1], of the type that the encoder computes in.
      seed: of the positions that the regressions see.
      progress: called whenever a block is done.
    """
    fitting = LayerFit(teacher, np.random.default_rng(seed))
    features, behind = Features(clips, clips), []
    for name, kind, sizes in LAYERS:
        if kind not in ("pool", "endpoint"):
            features, behind = features.through(*_chained(encoder, teacher, behind)), []
            fitting.block(encoder.blocks[name], name, features)
            progress()
        behind.append((name, kind, sizes))


def student_row(encoder: S3D, name: str, kind: str, sizes: tuple, features: tf.Tensor) -> tf.Tensor:
    """Applies one row of the table as the encoder does in inference."""
    if kind == "endpoint":
        return features
    return max_pool(features, *sizes) if kind == "pool" else encoder.blocks[name](features)


def _chained(encoder: S3D, teacher: I3D, rows: Sequence[tuple]) -> tuple[Callable, Callable]:
    """Successive rows of the table, as the encoder computes them in inference and as I3D does."""

    def student(features: tf.Tensor) -> tf.Tensor:
        for row in rows:
            features = student_row(encoder, *row, features)
        return features

    def taught(features: tf.Tensor) -> tf.Tensor:
        for row in rows:
            features = teacher.layer(*row, features)
        return features

    return student, taught


class LayerFit:
    """Fits layers; a unit's name is that of `i3d_weights.unit_shapes`."""

    def __init__(self, teacher: I3D, generator: np.random.Generator) -> None:
        self._teacher, self._generator = teacher, generator

    def block(
        self, block: InceptionBlock | SeparableConvolution | ConvolutionUnit, name: str, features: Features
    ) -> None:
        """Fits a block to what I3D's gives."""
        if isinstance(block, InceptionBlock):
            self._inception(block, name, features)
        elif isinstance(block, SeparableConvolution):
            self._separable(block, name, features.some())
        else:
            self._point(block, name, features.some())

    def _inception(self, block: InceptionBlock, name: str, features: Features) -> None:
        features = features.some()
        self._point(block.branch0, f"{name}/branch0", features)
        self._point(block.branch3, f"{name}/branch3", features.through(max_of_neighbours, max_of_neighbours))
        for reduction, branch in (("reduction1", "branch1"), ("reduction2", "branch2")):
            unit, theirs = getattr(block, reduction), f"{name}/{reduction}"
            self._point(unit, theirs, features)
            reduced = features.through(
                lambda values, unit=unit: unit(values), lambda values, theirs=theirs: self._teacher.unit(theirs, values)
            )
            self._separable(getattr(block, branch), f"{name}/{branch}", reduced)

    def _point(self, unit: ConvolutionUnit, name: str, features: Features) -> None:
        response = tf.function(lambda values: self._teacher.response(name, values))
        inputs, targets = [], []
        for student, teacher in zip(features.student, features.teacher, strict=True):
            chosen = self._chosen(student.shape[:4], len(features.student))
            inputs.append(_rows(student, chosen))
            targets.append(_rows(response(teacher), chosen))
        _regress(unit, np.concatenate(inputs), np.concatenate(targets), self._teacher.kernel(name)[0, 0, 0])

    def _separable(self, layer: SeparableConvolution, name: str, features: Features) -> None:
        kernel = self._teacher.kernel(name)
        side, _, _, channels, filters = kernel.shape
        # [(h,w,C),(t,filters)]: a cubic convolution as a product of a patch with a matrix.
        matrix = kernel.transpose(1, 2, 3, 0, 4).reshape(side * side * channels, side * filters)
        patches = self._patches(features.student, side, layer.stride)
        spatial, temporal = positive_factors(matrix, patches, filters)
        unit = layer.spatial
        unit.convolution.kernel.assign(spatial.reshape(1, side, side, channels, filters))
        # All projections come out as large as each other, and zero stays zero.
        scale = _deviation(unit, patches @ spatial)
        unit.normalization.gamma.assign(np.ones(filters))
        unit.normalization.beta.assign(unit.normalization.moving_mean / scale)
        prior = (temporal.reshape(filters, side, filters) * scale[:, np.newaxis, np.newaxis]).transpose(1, 0, 2)
        middle = tf.function(lambda values: unit(values))
        response = tf.function(lambda values: self._teacher.response(name, values, layer.stride))
        inputs, targets = [], []
        for student, teacher in zip(features.student, features.teacher, strict=True):
            answer = response(teacher)
            values = pad(middle(student), (side // 2, 0, 0))
            chosen = self._chosen(answer.shape[:4], len(features.student))
            clip, time, y, x = np.unravel_index(chosen, answer.shape[:4])
            taps = [tf.gather_nd(values, np.stack([clip, time * layer.stride + tap, y, x], -1)) for tap in range(side)]
            inputs.append(np.float32(tf.concat(taps, -1)))
            targets.append(_rows(answer, chosen))
        _regress(layer.temporal, np.concatenate(inputs), np.concatenate(targets), prior.reshape(-1, filters))

    def _patches(self, batches: Sequence[tf.Tensor], side: int, stride: int) -> np.ndarray:
        """Patches float32 [N,side*side*C] as the spatial kernel sees them, at random places."""
        rows = []
        for batch in batches:
            _, _, height, width, channels = batch.shape
            frames = pad(tf.reshape(batch, (-1, height, width, channels)), (side // 2, side // 2))
            patches = tf.image.extract_patches(frames, (1, side, side, 1), (1, stride, stride, 1), (1,) * 4, "VALID")
            rows.append(_rows(patches, self._chosen(patches.shape[:3], 2 * len(batches))))
        return np.concatenate(rows)

    def _chosen(self, shape: Sequence[int], batches: int) -> np.ndarray:
        """Positions of a batch that a regression sees, so that all batches give `_ROWS` or all that they have."""
        positions = int(np.prod(shape))
        return self._generator.choice(positions, min(positions, -(-_ROWS // batches)), replace=False)


def _rows(features: tf.Tensor, chosen: np.ndarray) -> np.ndarray:
    """Some positions of features [...,C], float32 [len(chosen),C]."""
    return np.float32(tf.gather(tf.reshape(features, (-1, features.shape[-1])), chosen))


def _regress(unit: ConvolutionUnit, inputs: np.ndarray, targets: np.ndarray, prior: np.ndarray) -> None:
    """Sets a unit so that it answers inputs [N,n] by targets [N,filters], pulled towards a kernel [n,filters]."""
    mean, target_mean = inputs.mean(0, dtype=np.float64), targets.mean(0, dtype=np.float64)
    inputs, targets = inputs - np.float32(mean), targets - np.float32(target_mean)
    square = np.float64(inputs.T @ inputs)
    square += ridge(square, len(inputs))
    kernel = prior + np.linalg.solve(square, np.float64(inputs.T @ (targets - inputs @ np.float32(prior))))
    unit.convolution.kernel.assign(kernel.reshape(unit.convolution.kernel.shape))
    # The normalisation undoes itself, but for the difference of the means.
    unit.normalization.gamma.assign(_deviation(unit, inputs @ np.float32(kernel) + np.float32(mean @ kernel)))
    unit.normalization.beta.assign(target_mean)


def _deviation(unit: ConvolutionUnit, responses: np.ndarray) -> np.ndarray:
    """Gives a unit the statistics of what its convolution answers, [N,filters]; returns what it divides by."""
    unit.normalization.moving_mean.assign(responses.mean(0, dtype=np.float64))
    unit.normalization.moving_variance.assign(responses.var(0, dtype=np.float64))
    return np.sqrt(unit.normalization.moving_variance.numpy() + unit.normalization.epsilon)
