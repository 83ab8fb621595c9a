"""The four conspicuity networks: one decoder class and a table of stages for each level (section 3.1)."""

import dataclasses

import keras
import tensorflow as tf
from keras import layers

from hd2s_tf.models.layers import ConvolutionUnit, Normalization
from hd2s_tf.models.s3d import scaled_width

# Conspicuity networks count from 1 (shallow) to 4 (deep) and decode endpoints 2 to 5.
LEVELS = (1, 2, 3, 4)
ENDPOINT_OF_LEVEL = {level: f"endpoint{level + 1}" for level in LEVELS}
# Stages as (width, convolution units in it); each ends with an upsampling by two.
STAGES = {
    1: ((128, 2), (64, 2), (3, 2)),
    2: ((256, 2), (128, 2), (64, 2), (3, 2)),
    3: ((512, 3), (256, 3), (128, 2), (64, 2), (3, 2)),
    4: ((512, 3), (256, 3), (128, 2), (64, 2), (3, 2)),
}


@dataclasses.dataclass(frozen=True)
class DecoderNormalization:
    """The normalisation of a decoder's plain convolutions and of its depthwise-separable units."""

    plain: Normalization = Normalization()
    separable: Normalization = Normalization(epsilon=1e-5, momentum=0.9)


@keras.saving.register_keras_serializable("hd2s")
class DepthwiseSeparableUnit(layers.Layer):
    """3x3 depthwise convolution unit, then a 1x1 one. Call with features [B,H,W,C]; returns [B,H,W,filters]."""

    def __init__(self, filters: int, normalization: Normalization | dict = Normalization(), **kwargs) -> None:  # noqa: B008
        super().__init__(**kwargs)
        if isinstance(normalization, dict):
            normalization = Normalization(**normalization)
        self.filters, self.normalization_settings = filters, normalization
        self.depthwise = ConvolutionUnit(filters, (3, 3), normalization=normalization, depthwise=True, name="depthwise")
        self.pointwise = ConvolutionUnit(filters, (1, 1), normalization=normalization, name="pointwise")

    def build(self, *_: tuple) -> None:
        """Creates nothing: its layers are built when it is first called."""

    def call(self, features: tf.Tensor, domain: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        """Applies both; see the class."""
        return self.pointwise(self.depthwise(features, domain, training=training), domain, training=training)

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "filters": self.filters,
            "normalization": dataclasses.asdict(self.normalization_settings),
        }


@keras.saving.register_keras_serializable("hd2s")
class ConspicuityNetwork(layers.Layer):
    """Decodes one level's features into a conspicuity map.

    Call with features [B,H/s,W/s,C] after temporal reduction (s is 8, 16, 32, 32 for levels 1 to 4) and, with domain
    normalisation, domain int32 [B]; returns a map float32 [B,H,W] in [0,1].

    Args:
      level: 1 (shallow) to 4 (deep), a key of `STAGES`.
      width_multiplier: factor on the width of every stage.
      normalization: of its convolutions.
    """

    def __init__(
        self,
        level: int,
        width_multiplier: float = 1.0,
        normalization: DecoderNormalization | dict = DecoderNormalization(),  # noqa: B008
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        if isinstance(normalization, dict):
            normalization = DecoderNormalization(
                **{key: Normalization(**value) for key, value in normalization.items()}
            )
        self.level, self.width_multiplier, self.normalization_settings = level, width_multiplier, normalization
        self.units, self.last_units = [], []
        for number, (width, count) in enumerate(STAGES[level], 1):
            filters = scaled_width(width, width_multiplier)
            self.units.append(
                ConvolutionUnit(filters, (3, 3), normalization=normalization.plain, name=f"stage{number}_unit1")
            )
            for unit in range(2, count + 1):
                self.units.append(
                    DepthwiseSeparableUnit(filters, normalization.separable, name=f"stage{number}_unit{unit}")
                )
            self.last_units.append(self.units[-1].name)
        self.upsampling = layers.UpSampling2D(2, interpolation="bilinear", name="upsampling")
        self.to_map = layers.Conv2D(1, 1, name="to_map")

    def build(self, *_: tuple) -> None:
        """Creates nothing: its layers are built when it is first called."""

    def call(self, features: tf.Tensor, domain: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        """Decodes; see the class."""
        for unit in self.units:
            features = unit(features, domain, training=training)
            if unit is self.units[-1]:
                # A sum over channels and an interpolation commute, and one channel is less to interpolate.
                features = self.to_map(features)
            if unit.name in self.last_units:
                features = self.upsampling(features)
        return tf.sigmoid(tf.cast(features[..., 0], tf.float32))

    def get_config(self) -> dict:
        """The constructor's arguments."""
        return {
            **super().get_config(),
            "level": self.level,
            "width_multiplier": self.width_multiplier,
            "normalization": dataclasses.asdict(self.normalization_settings),
        }
