"""I3D, to whose features S3D is fitted: the layers of `s3d.LAYERS` with cubic kernels, in inference."""

import numpy as np
import tensorflow as tf

from hd2s_tf.models.i3d_weights import Checkpoint, Unit
from hd2s_tf.models.layers import max_of_neighbours, max_pool, pad
from hd2s_tf.models.s3d import LAYERS

_EPSILON = 1e-3
PADDINGS = ("symmetric", "same")


class I3D:
    """The network without its last layer.

    Call with clips float32 or bfloat16 [B,T,H,W,3] in [-1,1]; returns a dict of every row of the table, endpoints
    included, each [B,T',H',W',C] of the clip's type.

    Args:
      units: of the checkpoint, by name.
      padding: "same" as published, which pads strided windows at their end first, or "symmetric" as S3D does, which is
        to pad them at their start first. Over time, that changes what I3D sees in 16 frames more than their order
        does; so the kernels are then mirrored in time, and the network sees what I3D does in the reversed clip.
      layers: a table as `s3d.LAYERS`.
    """

    def __init__(self, units: dict[str, Unit], padding: str = "symmetric", layers: tuple = LAYERS) -> None:
        if padding not in PADDINGS:
            raise ValueError(f"padding is {padding!r}: it is one of {', '.join(PADDINGS)}")
        self.padding, self.layers = padding, layers
        self._kernels, self._offsets = {}, {}
        for name, unit in units.items():
            # The normalisation is part of the convolution: gamma is 1, so a factor and an offset a filter.
            factor = (unit.variance + _EPSILON) ** -0.5
            kernel = unit.kernel if padding == "same" else unit.kernel[::-1]
            self._kernels[name] = tf.constant(kernel * factor)
            self._offsets[name] = tf.constant(unit.beta - unit.mean * factor)

    def __call__(self, clip: tf.Tensor) -> dict[str, tf.Tensor]:
        """Encodes; see the class."""
        outputs, features = {}, clip
        for name, kind, sizes in self.layers:
            features = self.layer(name, kind, sizes, features)
            outputs[name] = features
        return outputs

    def layer(self, name: str, kind: str, sizes: tuple, features: tf.Tensor) -> tf.Tensor:
        """Applies one row of the table to what the row before it gave."""
        if kind == "endpoint":
            return features
        if kind == "pool":
            return max_pool(features, *sizes) if self.padding == "symmetric" else _same_pool(features, *sizes)
        if kind == "inception":
            return tf.concat(self.branches(name, features), -1)
        return self.unit(name, features, sizes[2] if kind == "separable" else 1)

    def branches(self, block: str, features: tf.Tensor) -> list[tf.Tensor]:
        """The four branches of an inception block."""

        def unit(branch: str, values: tf.Tensor) -> tf.Tensor:
            return self.unit(f"{block}/{branch}", values)

        return [
            unit("branch0", features),
            unit("branch1", unit("reduction1", features)),
            unit("branch2", unit("reduction2", features)),
            unit("branch3", max_of_neighbours(features)),
        ]

    def unit(self, name: str, features: tf.Tensor, stride: int = 1) -> tf.Tensor:
        """Convolution, normalisation, ReLU."""
        return tf.nn.relu(self.response(name, features, stride))

    def kernel(self, name: str) -> np.ndarray:
        """A unit's kernel with its normalisation's factor, float32 [k,k,k,C,filters]."""
        return self._kernels[name].numpy()

    def response(self, name: str, features: tf.Tensor, stride: int = 1) -> tf.Tensor:
        """What a unit gives before its ReLU."""
        kernel = tf.cast(self._kernels[name], features.dtype)
        padding = "SAME"
        if stride > 1 and self.padding == "symmetric":
            features, padding = pad(features, (kernel.shape[0] // 2,) * 3), "VALID"
        convolved = tf.nn.conv3d(features, kernel, (1, stride, stride, stride, 1), padding)
        return tf.nn.bias_add(convolved, tf.cast(self._offsets[name], features.dtype))


def _same_pool(features: tf.Tensor, window: tuple[int, int, int], strides: tuple[int, int, int]) -> tf.Tensor:
    return tf.nn.max_pool3d(features, window, strides, "SAME")


def class_scores(features: tf.Tensor, checkpoint: Checkpoint) -> tf.Tensor:
    """Logits [B,400] of Kinetics' classes from endpoint 5, [B,T',H',W',1024].

    The published network averages over windows of the size that features of 224x224 pixels have; here it is all
    positions, whatever the clip's size. Dropout is for training only.
    """
    kernel, bias = checkpoint.logits
    return tf.linalg.matmul(tf.reduce_mean(tf.cast(features, tf.float32), (1, 2, 3)), kernel) + bias
