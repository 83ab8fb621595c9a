"""The S3D encoder (Xie et al., ECCV 2018) as a table of layers with five named endpoints."""

import dataclasses
import functools

import keras
import tensorflow as tf
from keras import layers

from hd2s_tf.models.layers import ConvolutionUnit, InceptionBlock, Normalization, SeparableConvolution, max_pool
from hd2s_tf.models.recomputation import recomputed

# (layer, what it is, its sizes). "separable" and "point": width, kernel side, stride; "pool": window, strides;
# "inception": the widths of `InceptionBlock`; "endpoint": its name.
LAYERS = (
    ("conv_1a", "separable", (64, 7, 2)),
    ("pool_1", "pool", ((1, 3, 3), (1, 2, 2))),
    ("endpoint1", "endpoint", ()),
    ("conv_2b", "point", (64,)),
    ("conv_2c", "separable", (192, 3, 1)),
    ("pool_2", "pool", ((1, 3, 3), (1, 2, 2))),
    ("endpoint2", "endpoint", ()),
    ("mixed_3b", "inception", (64, 96, 128, 16, 32, 32)),
    ("mixed_3c", "inception", (128, 128, 192, 32, 96, 64)),
    ("pool_3", "pool", ((3, 3, 3), (2, 2, 2))),
    ("endpoint3", "endpoint", ()),
    ("mixed_4b", "inception", (192, 96, 208, 16, 48, 64)),
    ("mixed_4c", "inception", (160, 112, 224, 24, 64, 64)),
    ("mixed_4d", "inception", (128, 128, 256, 24, 64, 64)),
    ("mixed_4e", "inception", (112, 144, 288, 32, 64, 64)),
    ("mixed_4f", "inception", (256, 160, 320, 32, 128, 128)),
    ("pool_4", "pool", ((2, 2, 2), (2, 2, 2))),
    ("endpoint4", "endpoint", ()),
    ("mixed_5b", "inception", (256, 160, 320, 32, 128, 128)),
    ("mixed_5c", "inception", (384, 192, 384, 48, 128, 128)),
    ("endpoint5", "endpoint", ()),
)
ENDPOINTS = tuple(name for name, kind, _ in LAYERS if kind == "endpoint")
TEMPORAL_STRIDES = {"endpoint1": 2, "endpoint2": 2, "endpoint3": 4, "endpoint4": 8, "endpoint5": 8}
SIZE_DIVISOR = 32


def scaled_width(width: int, multiplier: float) -> int:
    """A layer's width times the multiplier, rounded to a multiple of eight, which vector units like."""
    return width if multiplier == 1.0 else max(8, 8 * round(width * multiplier / 8))


@keras.saving.register_keras_serializable("hd2s")
class S3D(keras.Model):
    """The encoder.

    Call with clips float32 [B,T,H,W,3] in [-1,1]; returns a dict of the endpoints up to `last`: with a width
    multiplier of 1, endpoint1 [B,T/2,H/4,W/4,64], endpoint2 [B,T/2,H/8,W/8,192], endpoint3 [B,T/4,H/16,W/16,480],
    endpoint4 [B,T/8,H/32,W/32,832] and endpoint5 [B,T/8,H/32,W/32,1024].

    Args:
      width_multiplier: factor on the width of every layer.
      normalization: of every convolution.
      last: the endpoint to stop at.
      recompute: whether training computes the inner values of every block again instead of keeping them.

    Raises:
      ValueError: `last` is no endpoint.
    """

    def __init__(
        self,
        width_multiplier: float = 1.0,
        normalization: Normalization | dict = Normalization(),  # noqa: B008
        last: str = "endpoint5",
        recompute: bool = False,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if last not in ENDPOINTS:
            raise ValueError(f"no endpoint {last!r}: the endpoints are {', '.join(ENDPOINTS)}")
        if isinstance(normalization, dict):
            normalization = Normalization(**normalization)
        self.width_multiplier, self.normalization_settings, self.last = width_multiplier, normalization, last
        self.recompute = recompute
        self.blocks = {}
        for name, kind, sizes in LAYERS:
            if kind in ("separable", "point", "inception"):
                self.blocks[name] = self._block(name, kind, sizes)
            if name == last:
                break

    def _block(self, name: str, kind: str, sizes: tuple) -> layers.Layer:
        common = {"normalization": self.normalization_settings, "name": name}
        if kind == "inception":
            return InceptionBlock([scaled_width(width, self.width_multiplier) for width in sizes], **common)
        width = scaled_width(sizes[0], self.width_multiplier)
        if kind == "separable":
            return SeparableConvolution(width, *sizes[1:], **common)
        return ConvolutionUnit(width, (1, 1, 1), **common)

    def build(self, *_: tuple) -> None:
        """Creates nothing: its layers are built when it is first called."""

    def call(self, clip: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """Encodes; see the class."""
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
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "width_multiplier": self.width_multiplier,
            "normalization": dataclasses.asdict(self.normalization_settings),
            "last": self.last,
            "recompute": self.recompute,
        }
