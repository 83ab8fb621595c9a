"""The S3D encoder (Xie et al., ECCV 2018) as a table of layers with five named endpoints."""

import functools
from collections.abc import Sequence

import keras
import tensorflow as tf
from keras import layers

from hd2s_tf.models.layers import (
    Block,
    ConvolutionUnit,
    InceptionBlock,
    Restorable,
    SeparableConvolution,
    max_pool,
    scaled_width,
)
from hd2s_tf.models.normalization import ENCODER, Normalization
from hd2s_tf.models.recomputation import recomputed

# (layer, what it is, its sizes). "separable" and "point": width, kernel side, stride; "pool": window, strides;
# "inception": the widths of `InceptionBlock`; "endpoint": none. Behind each block is what it returns for a clip of 16
# frames of 128x192 pixels, [T,H,W,C].
LAYERS = (
    ("conv_1a", "separable", (64, 7, 2)),  # 8x64x96x64
    ("pool_1", "pool", ((1, 3, 3), (1, 2, 2))),
    ("endpoint1", "endpoint", ()),
    ("conv_2b", "point", (64,)),  # 8x32x48x64
    ("conv_2c", "separable", (192, 3, 1)),  # 8x32x48x192
    ("pool_2", "pool", ((1, 3, 3), (1, 2, 2))),
    ("endpoint2", "endpoint", ()),
    ("mixed_3b", "inception", [[64], [96, 128], [16, 32], [32]]),  # 8x16x24x256
    ("mixed_3c", "inception", [[128], [128, 192], [32, 96], [64]]),  # 8x16x24x480
    ("pool_3", "pool", ((3, 3, 3), (2, 2, 2))),
    ("endpoint3", "endpoint", ()),
    ("mixed_4b", "inception", [[192], [96, 208], [16, 48], [64]]),  # 4x8x12x512
    ("mixed_4c", "inception", [[160], [112, 224], [24, 64], [64]]),  # 4x8x12x512
    ("mixed_4d", "inception", [[128], [128, 256], [24, 64], [64]]),  # 4x8x12x512
    ("mixed_4e", "inception", [[112], [144, 288], [32, 64], [64]]),  # 4x8x12x528
    ("mixed_4f", "inception", [[256], [160, 320], [32, 128], [128]]),  # 4x8x12x832
    ("pool_4", "pool", ((2, 2, 2), (2, 2, 2))),
    ("endpoint4", "endpoint", ()),
    ("mixed_5b", "inception", [[256], [160, 320], [32, 128], [128]]),  # 2x4x6x832
    ("mixed_5c", "inception", [[384], [192, 384], [48, 128], [128]]),  # 2x4x6x1024
    ("endpoint5", "endpoint", ()),
)
ENDPOINTS = tuple(name for name, kind, _ in LAYERS if kind == "endpoint")


def _strides() -> dict[str, tuple[int, int]]:
    """Frames and pixels a position of each endpoint, (over time, over the image)."""
    strides, time, space = {}, 1, 1
    for name, kind, sizes in LAYERS:
        if kind == "separable":
            time, space = time * sizes[2], space * sizes[2]
        elif kind == "pool":
            time, space = time * sizes[1][0], space * sizes[1][1]
        elif kind == "endpoint":
            strides[name] = (time, space)
    return strides


TEMPORAL_STRIDES = {endpoint: time for endpoint, (time, _) in _strides().items()}
# Height and width of a clip are multiples of it.
SIZE_DIVISOR = max(space for _, space in _strides().values())


@keras.saving.register_keras_serializable("hd2s")
class S3D(Restorable, Block, keras.Model):
    """The encoder.

    Call with clips float32 [B,T,H,W,3] in [-1,1]; returns a dict of the endpoints up to `last`: with a width
    multiplier of 1, endpoint1 [B,T/2,H/4,W/4,64], endpoint2 [B,T/2,H/8,W/8,192], endpoint3 [B,T/4,H/16,W/16,480],
    endpoint4 [B,T/8,H/32,W/32,832] and endpoint5 [B,T/8,H/32,W/32,1024].

    Args:
      width_multiplier: factor on the width of every layer.
      normalization_settings: of every convolution.
      last: the endpoint to stop at.
      recompute: whether training computes the inner values of every block again instead of keeping them.

    Raises:
      ValueError: `last` is no endpoint.
    """

    def __init__(
        self,
        width_multiplier: float = 1.0,
        normalization_settings: Normalization | dict = ENCODER,
        last: str = "endpoint5",
        recompute: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(normalization_settings, **kwargs)
        if last not in ENDPOINTS:
            raise ValueError(f"no endpoint {last!r}: the endpoints are {', '.join(ENDPOINTS)}")
        self.width_multiplier, self.last, self.recompute = width_multiplier, last, recompute
        self.blocks = {}
        for name, kind, sizes in LAYERS:
            if kind in ("separable", "point", "inception"):
                self.blocks[name] = self._block(name, kind, sizes)
            if name == last:
                break

    def _block(self, name: str, kind: str, sizes: Sequence) -> layers.Layer:
        common = {"name": name, **self._common}
        if kind == "inception":
            widths = [[scaled_width(width, self.width_multiplier) for width in branch] for branch in sizes]
            return InceptionBlock(widths, **common)
        width = scaled_width(sizes[0], self.width_multiplier)
        if kind == "separable":
            return SeparableConvolution(width, *sizes[1:], **common)
        return ConvolutionUnit(width, (1, 1, 1), **common)

    def create_variables(self) -> None:
        """Creates all variables by a call on a blank clip, as small as the encoder takes."""
        self(tf.zeros((1, max(TEMPORAL_STRIDES.values()), SIZE_DIVISOR, SIZE_DIVISOR, 3)))

    def call(self, clip: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        return self._run(LAYERS, clip, training)

    def after(self, layer: str, features: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """The endpoints behind a layer of `LAYERS`, from what that layer returned, [B,T',H',W',C]."""
        names = [name for name, *_ in LAYERS]
        return self._run(LAYERS[names.index(layer) + 1 :], features, training)

    def _run(self, table: tuple, features: tf.Tensor, training: bool) -> dict[str, tf.Tensor]:
        endpoints = {}
        for name, kind, sizes in table:
            if kind == "endpoint":
                endpoints[name] = features
                if name == self.last:
                    break
            elif kind == "pool":
                features = max_pool(features, *sizes)
            else:
                block = functools.partial(self.blocks[name], training=training)
                features = recomputed(block, features) if self.recompute and training else block(features)
        return endpoints

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "width_multiplier": self.width_multiplier,
            "last": self.last,
            "recompute": self.recompute,
        }
