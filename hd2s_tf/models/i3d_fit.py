"""S3D fitted to I3D, layer by layer and without a gradient step.

The two networks differ in their cubic convolutions alone: S3D has one over space and one over time in their place.
Every layer of S3D is given what S3D's own layers before it answer on clips, and fitted to what I3D's convolution
answers there before its ReLU:

- the kernel over space spans, of all kernels with as many filters, what predicts the cubic convolution best from the
  patches that occur (reduced rank regression: a singular value decomposition weighted by their covariance);
- its normalisation leaves a share of the values above the ReLU;
- the kernel over time, and every pointwise one, is a ridge regression pulled towards I3D's own.
"""

import dataclasses
from collections.abc import Callable, Iterator

import keras
import numpy as np
import tensorflow as tf

from hd2s_tf.models.i3d_network import I3D
from hd2s_tf.models.layers import ConvolutionUnit, max_of_neighbours, max_pool, pad
from hd2s_tf.models.s3d import LAYERS, S3D

# Rows that a regression takes at most, and the clips that are computed at once.
_ROWS, _BATCH = 60_000, 4
DTYPE = tf.bfloat16
# Of the ridge regressions, as a share of the mean square of a column.
_RIDGE = 1e-3
# What the normalisation between the two kernels adds to values of mean 0 and variance 1: few fall below the ReLU.
_LIFT = 1.0


@dataclasses.dataclass
class _Branch:
    """What both networks give at one place on all clips: a list of batches [B,T,H,W,C]."""

    student: list
    teacher: list


def fit(encoder: S3D, teacher: I3D, clips: np.ndarray, seed: int = 0, progress: Callable[[str], None] = lambda _: None):
    """Sets the encoder's weights.

    Args:
      encoder: of the paper's widths, its variables created.
      teacher: with symmetric padding.
      clips: uint8 [N,T,H,W,3].
      seed: of the positions that the regressions see.
      progress: called with the name of each layer when it is fitted.
    """
    generator = np.random.default_rng(seed)
    both = None
    for name, kind, sizes in LAYERS:
        if kind == "endpoint":
            continue
        if kind == "pool":
            both = _Branch(*(_mapped(lambda x: max_pool(x, *sizes), values) for values in (both.student, both.teacher)))
            continue
        if both is None:
            pixels = [
                tf.cast(np.float32(clips[i : i + _BATCH]) * np.float32(2 / 255) - np.float32(1), DTYPE)
                for i in range(0, len(clips), _BATCH)
            ]
            both = _Branch(pixels, pixels)
        layer = _Layer(encoder.blocks[name], name, teacher, generator)
        if kind == "inception":
            layer.fit_inception(both)
        elif kind == "separable":
            layer.fit_separable(encoder.blocks[name], name, both, sizes[2])
        else:
            layer.fit_point(encoder.blocks[name], name, both)
        both = _Branch(
            _mapped(lambda x: encoder.blocks[name](x), both.student),
            _mapped(lambda x: teacher.layer(name, kind, sizes, x), both.teacher),
        )
        progress(name)


def _mapped(function: Callable, values: list) -> list:
    function = tf.function(function)
    return [function(batch) for batch in values]


def _some(values: list) -> list:
    """As many batches, evenly chosen, as the regressions' rows need eight times over."""
    positions = int(np.prod(values[0].shape[:4]))
    count = min(len(values), max(4, -(-8 * _ROWS // positions)))
    return values[:: len(values) // count]


class _Layer:
    def __init__(self, block, name: str, teacher: I3D, generator: np.random.Generator) -> None:
        self._block, self._name, self._teacher, self._generator = block, name, teacher, generator

    def fit_inception(self, both: _Branch) -> None:
        block, teacher = self._block, self._teacher
        pooled = _Branch(_mapped(max_of_neighbours, both.student), _mapped(max_of_neighbours, both.teacher))
        self.fit_point(block.branch0, f"{self._name}/branch0", both)
        self.fit_point(block.branch3, f"{self._name}/branch3", pooled)
        for number in "12":
            reduction, branch = getattr(block, f"reduction{number}"), getattr(block, f"branch{number}")
            self.fit_point(reduction, f"{self._name}/reduction{number}", both)
            reduced = _Branch(
                _mapped(lambda x: reduction(x), both.student),
                _mapped(lambda x: teacher.unit(f"{self._name}/reduction{number}", x), both.teacher),
            )
            self.fit_separable(branch, f"{self._name}/branch{number}", reduced, 1)

    def fit_point(self, unit: ConvolutionUnit, name: str, both: _Branch) -> None:
        prior = self._teacher._kernels[name].numpy()[0, 0, 0]
        rows, targets = [], []
        students = _some(both.student)
        for student, teacher in zip(students, _some(both.teacher)):
            response = self._teacher.response(name, teacher)
            chosen = self._chosen(int(np.prod(student.shape[:4])), len(students))
            rows.append(tf.gather(tf.reshape(student, (-1, student.shape[-1])), chosen))
            targets.append(tf.gather(tf.reshape(response, (-1, response.shape[-1])), chosen))
        rows, targets = ([np.float32(v) for v in vs] for vs in (rows, targets))
        _assign_regression(unit, np.concatenate(rows), np.concatenate(targets), prior)

    def fit_separable(self, layer, name: str, both: _Branch, stride: int) -> None:
        kernel = self._teacher._kernels[name].numpy()
        side, channels, filters = kernel.shape[0], kernel.shape[3], kernel.shape[4]
        # [(h,w,C),(t,filters)]
        matrix = kernel.transpose(1, 2, 3, 0, 4).reshape(side * side * channels, side * filters)
        covariance = self._patch_covariance(both.student, side, stride)
        spatial, temporal = reduced_rank(matrix, covariance, filters)
        unit = layer.spatial
        unit.convolution.kernel.assign(spatial.reshape(1, side, side, channels, filters))
        values = [
            np.float32(unit.convolution(_padded(batch, unit))).reshape(-1, filters)
            for batch in _some(both.student)[::4]
        ]
        mean = np.mean(np.concatenate(values), 0, dtype=np.float64)
        variance = np.var(np.concatenate(values), 0, dtype=np.float64)
        normalization = unit.normalization
        normalization.moving_mean.assign(mean)
        normalization.moving_variance.assign(variance)
        normalization.gamma.assign(np.ones(filters))
        normalization.beta.assign(np.full(filters, _LIFT))
        # The kernel over time undoes the division by the deviation.
        prior = temporal.reshape(filters, side, filters).transpose(1, 0, 2)
        prior = prior * np.sqrt(variance + normalization.epsilon)[:, None]
        rows, targets = [], []
        students = _some(both.student)
        for student, teacher in zip(students, _some(both.teacher)):
            response = np.float32(self._teacher.response(name, teacher, stride))
            middle = np.float32(unit(student))
            middle = np.pad(middle, [(0, 0), (side // 2, side // 2), *[(0, 0)] * 3])
            count, length, height, width, _ = response.shape
            chosen = self._chosen(count * length * height * width, len(students))
            b, t, y, x = np.unravel_index(chosen, (count, length, height, width))
            rows.append(np.stack([middle[b, t * stride + tap, y, x] for tap in range(side)], 1).reshape(len(b), -1))
            targets.append(response[b, t, y, x])
        _assign_regression(layer.temporal, np.concatenate(rows), np.concatenate(targets), prior.reshape(-1, filters))

    def _chosen(self, positions: int, batches: int) -> np.ndarray:
        return self._generator.choice(positions, min(positions, -(-_ROWS // batches)), replace=False)

    def _patch_covariance(self, student: np.ndarray, side: int, stride: int) -> np.ndarray:
        total, count = 0.0, 0
        batches = _some(student)[::4]
        for batch in batches:
            frames = tf.reshape(
                pad(batch, (0, side // 2, side // 2)),
                (-1, *(s + side // 2 * 2 for s in batch.shape[2:4]), batch.shape[4]),
            )
            patches = tf.image.extract_patches(
                frames, (1, side, side, 1), (1, stride, stride, 1), (1, 1, 1, 1), "VALID"
            )
            rows = tf.reshape(patches, (-1, patches.shape[-1]))
            rows = np.float32(tf.gather(rows, self._chosen(rows.shape[0], len(batches))))
            total, count = total + rows.T @ rows, count + len(rows)
        return np.float64(total) / count


def _padded(batch, unit):
    return pad(batch, tuple(side // 2 for side in unit.kernel_size)) if unit._pads else batch


def reduced_rank(matrix: np.ndarray, covariance: np.ndarray, rank: int) -> tuple[np.ndarray, np.ndarray]:
    """Factors A [n,rank] and B [rank,m] for which x A B is closest to x M, for x of that second moment [n,n]."""
    values, vectors = np.linalg.eigh(
        covariance + 1e-6 * np.trace(covariance) / len(covariance) * np.eye(len(covariance))
    )
    root = vectors * np.sqrt(values) @ vectors.T
    _, _, right = np.linalg.svd(root @ matrix, full_matrices=False)
    right = right[:rank]
    return matrix @ right.T, right


def _assign_regression(unit: ConvolutionUnit, rows: np.ndarray, targets: np.ndarray, prior: np.ndarray) -> None:
    mean, target_mean = rows.mean(0, dtype=np.float64), targets.mean(0, dtype=np.float64)
    rows, targets = np.float32(rows - mean), np.float32(targets - target_mean)
    square = np.float64(rows.T @ rows)
    square += _RIDGE * np.trace(square) / len(square) * np.eye(len(square))
    kernel = prior + np.linalg.solve(square, np.float64(rows.T @ (targets - rows @ np.float32(prior))))
    unit.convolution.kernel.assign(kernel.reshape(unit.convolution.kernel.shape))
    made = rows @ np.float32(kernel)
    variance = made.var(0, dtype=np.float64)
    normalization = unit.normalization
    normalization.moving_mean.assign(mean @ kernel)
    normalization.moving_variance.assign(variance)
    normalization.gamma.assign(np.sqrt(variance + normalization.epsilon))
    normalization.beta.assign(target_mean)
