"""Convolution units, the inception block and the temporal reduction, each with batch normalisation and ReLU.

An attribute that holds a layer has the name under which weight files know that layer: it stays as it is.

Strided windows are padded by hand with the same amount on both sides: `same` padding puts the odd row last, the
published network puts it first. Units can also be built without batch normalisation and with a bias instead, which is
what the normalised ones are folded into for inference.
"""

import dataclasses
from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import layers

from hd2s_tf.models.kernel_gradient import Convolution2D, Convolution3D
from hd2s_tf.models.normalization import ENCODER, Normalization, in_four_axes


def scaled_width(width: int, multiplier: float) -> int:
    """A layer's width times the multiplier, rounded to a multiple of eight, which suits vector units."""
    return width if multiplier == 1.0 else max(8, 8 * round(width * multiplier / 8))


def pad(features: tf.Tensor, amounts: tuple[int, ...], training: bool = False) -> tf.Tensor:
    """Pads every axis between batch and channels by `amounts` zeros on both sides.

    TensorFlow fuses a Pad into the convolution behind it. If a gradient also needs the padded features, that fails, and
    every other fusion of the graph with it, so training pads with an operation that is not fused.
    """
    if not any(amounts):
        return features
    paddings = [(0, 0), *((amount, amount) for amount in amounts), (0, 0)]
    if training:
        return tf.raw_ops.PadV2(input=features, paddings=paddings, constant_values=tf.zeros((), features.dtype))
    return tf.pad(features, paddings)


def max_pool(features: tf.Tensor, window: tuple[int, int, int], strides: tuple[int, int, int]) -> tf.Tensor:
    """Max pooling of [B,T,H,W,C] whose odd windows are padded symmetrically.

    Features come from a ReLU, so padding with zeros is as good as with minus infinity.
    """
    padded = pad(features, tuple(side // 2 if side % 2 else 0 for side in window))
    return tf.nn.max_pool3d(padded, window, strides, "VALID")


def max_of_neighbours(features: tf.Tensor) -> tf.Tensor:
    """Max pooling of [B,T,H,W,C] over 3x3x3 positions without strides, first over the image, then over time.

    Together their gradients take half as long as that of one pooling in three dimensions.
    """
    length, height, width, channels = features.shape[1:]
    pooled = tf.nn.max_pool2d(tf.reshape(features, (-1, height, width, channels)), 3, 1, "SAME")
    rows = tf.reshape(pooled, (-1, length, height * width, channels))
    return tf.reshape(tf.nn.max_pool2d(rows, (3, 1), 1, "SAME"), (-1, length, height, width, channels))


class Restorable:
    """A model with variables as soon as it is made from a config; it comes before `keras.Model` among the bases.

    Whatever copies, loads or revives a model makes it from its config and then assigns the weights. To a model without
    variables Keras silently assigns none.
    """

    @classmethod
    def from_config(cls, config: dict) -> keras.Model:
        model = super().from_config(config)
        model.create_variables()
        return model


class Block(layers.Layer):
    """A layer made of others, which are built when it is first called.

    Args:
      normalization_settings: of its convolutions.
    """

    def __init__(self, normalization_settings: Normalization | dict = ENCODER, **kwargs) -> None:
        super().__init__(**kwargs)
        self.normalization_settings = Normalization.revived(normalization_settings)

    @property
    def _common(self) -> dict:
        """Arguments of the blocks inside."""
        return {"normalization_settings": self.normalization_settings, "dtype": self.dtype_policy}

    def build(self, *_: tuple) -> None:
        pass

    def get_config(self) -> dict:
        return {**super().get_config(), "normalization_settings": dataclasses.asdict(self.normalization_settings)}


@keras.saving.register_keras_serializable("hd2s")
class ConvolutionUnit(Block):
    """Convolution, normalisation, ReLU, in two or three dimensions.

    Call with features [B,(T,)H,W,C] and, where the normalisation has domains, domain int32 [B]; returns
    [B,(T',)H',W',filters]. Every axis is padded by half the kernel on both sides.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: tuple[int, ...],
        strides: tuple[int, ...] | None = None,
        normalization_settings: Normalization | dict = ENCODER,
        depthwise: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(normalization_settings, **kwargs)
        normalization = self.normalization_settings
        self.filters = filters
        self.kernel_size = tuple(kernel_size)
        self.strides = tuple(strides or (1,) * len(self.kernel_size))
        self.depthwise = depthwise
        self._pads = max(self.strides) > 1
        common = {
            "strides": self.strides,
            "padding": "valid" if self._pads else "same",
            "use_bias": normalization.in_convolution,
            "data_format": "channels_last",
            "dtype": self.dtype_policy,
            "name": "convolution",
        }
        if depthwise:
            self.convolution = layers.DepthwiseConv2D(self.kernel_size, depthwise_initializer="he_normal", **common)
        else:
            kind = {2: Convolution2D, 3: Convolution3D}[len(self.kernel_size)]
            self.convolution = kind(filters, self.kernel_size, kernel_initializer="he_normal", **common)
        self.normalization = None
        if not normalization.in_convolution:
            self.normalization = normalization.layer("normalization", self.dtype_policy)

    def call(self, features: tf.Tensor, domain: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        if self._pads:
            features = pad(features, tuple(side // 2 for side in self.kernel_size), training)
        settings = {} if self.depthwise else {"training": training}
        return self._activate(self.convolution(features, **settings), domain, training)

    def over_taps(self, features: tf.Tensor, first: int = 0, last: int | None = None) -> tf.Tensor:
        """Applies the unit, in inference, with the kernel's positions over time from `first` to before `last` only.

        Features [B,T,1..,C] are neither padded nor strided over; returns [B,T-(last-first)+1,...,filters].
        """
        kernel = tf.convert_to_tensor(self.convolution.kernel)[first:last]
        features = tf.nn.conv3d(features, kernel, (1, 1, 1, 1, 1), "VALID")
        if self.convolution.use_bias:
            features = tf.nn.bias_add(features, tf.convert_to_tensor(self.convolution.bias))
        return self._activate(features)

    def _activate(self, features: tf.Tensor, domain: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        if self.normalization_settings.domains:
            return tf.nn.relu(self.normalization(features, domain, training=training))
        if self.normalization is None:
            return tf.nn.relu(features)
        # TensorFlow fuses the two only if nothing lies between them, not even a change of shape.
        rows = features if len(features.shape) == 4 else in_four_axes(features)
        rows = tf.nn.relu(self.normalization(rows, training=training))
        return tf.reshape(rows, tf.shape(features))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "depthwise": self.depthwise,
        }


@keras.saving.register_keras_serializable("hd2s")
class SeparableConvolution(Block):
    """A convolution over space, then one over time, each a `ConvolutionUnit` (the S3D paper's "sep-conv").

    Call with features [B,T,H,W,C]; returns [B,T/stride,H/stride,W/stride,filters].
    """

    def __init__(
        self,
        filters: int,
        size: int,
        stride: int = 1,
        normalization_settings: Normalization | dict = ENCODER,
        **kwargs,
    ) -> None:
        super().__init__(normalization_settings, **kwargs)
        self.filters, self.size, self.stride = filters, size, stride
        self.spatial = ConvolutionUnit(filters, (1, size, size), (1, stride, stride), name="spatial", **self._common)
        self.temporal = ConvolutionUnit(filters, (size, 1, 1), (stride, 1, 1), name="temporal", **self._common)

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        return self.temporal(self.spatial(features, training=training), training=training)

    def get_config(self) -> dict:
        return {**super().get_config(), "filters": self.filters, "size": self.size, "stride": self.stride}


@keras.saving.register_keras_serializable("hd2s")
class InceptionBlock(Block):
    """Four branches side by side: 1x1; 1x1 and sep-conv 3 (twice, with widths of their own); pooling and 1x1.

    Call with features [B,T,H,W,C]; returns [B,T,H,W,sum of the branches' widths].

    Args:
      widths: of each branch's convolutions, `((direct,), (reduction, width), (reduction, width), (pooled,))`.
      normalization_settings: of every convolution.
    """

    def __init__(
        self,
        widths: Sequence[Sequence[int]],
        normalization_settings: Normalization | dict = ENCODER,
        **kwargs,
    ) -> None:
        super().__init__(normalization_settings, **kwargs)
        self.widths = tuple(tuple(branch) for branch in widths)
        (direct,), (reduction1, branch1), (reduction2, branch2), (pooled,) = self.widths

        def point(filters: int, name: str) -> ConvolutionUnit:
            return ConvolutionUnit(filters, (1, 1, 1), name=name, **self._common)

        self.branch0 = point(direct, "branch0")
        self.reduction1 = point(reduction1, "reduction1")
        self.branch1 = SeparableConvolution(branch1, 3, name="branch1", **self._common)
        self.reduction2 = point(reduction2, "reduction2")
        self.branch2 = SeparableConvolution(branch2, 3, name="branch2", **self._common)
        self.branch3 = point(pooled, "branch3")

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        pooled = max_of_neighbours(features)
        return tf.concat(
            [
                self.branch0(features, training=training),
                self.branch1(self.reduction1(features, training=training), training=training),
                self.branch2(self.reduction2(features, training=training), training=training),
                self.branch3(pooled, training=training),
            ],
            -1,
        )

    def get_config(self) -> dict:
        return {**super().get_config(), "widths": self.widths}


@keras.saving.register_keras_serializable("hd2s")
class TemporalReduction(Block):
    """Halves time until it is gone: 3x1x1 convolution units of stride 2.

    Call with features [B,T,H,W,C], T two to the power of `steps`; returns [B,H,W,C].
    """

    def __init__(self, steps: int, normalization_settings: Normalization | dict = ENCODER, **kwargs) -> None:
        super().__init__(normalization_settings, **kwargs)
        self.steps = steps

    def build(self, features_shape: tuple) -> None:
        # As wide as the features, which are known only now.
        self.units = [
            ConvolutionUnit(features_shape[-1], (3, 1, 1), (2, 1, 1), name=f"unit{step}", **self._common)
            for step in range(1, self.steps + 1)
        ]

    def call(self, features: tf.Tensor, training: bool = False) -> tf.Tensor:
        for unit in self.units:
            features = unit(features, training=training)
        return tf.squeeze(features, 1)

    def get_config(self) -> dict:
        return {**super().get_config(), "steps": self.steps}
