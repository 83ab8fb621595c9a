"""The four conspicuity networks: one decoder class and a table of stages for each level (section 3.3)."""

import dataclasses
import itertools
from collections.abc import Iterator

import keras
import tensorflow as tf
from keras import layers

from hd2s_tf.models.layers import Block, ConvolutionUnit, scaled_width
from hd2s_tf.models.normalization import ENCODER, UNITS, Normalization

# Of each level, from 1 (shallow) to 4 (deep): stages as (width, units in it). A stage is a plain convolution unit, then
# depthwise-separable ones, then an upsampling by two.
STAGES = {
    1: ((128, 2), (64, 2), (3, 2)),
    2: ((256, 2), (128, 2), (64, 2), (3, 2)),
    3: ((512, 3), (256, 3), (128, 2), (64, 2), (3, 2)),
    4: ((512, 3), (256, 3), (128, 2), (64, 2), (3, 2)),
}


@keras.saving.register_keras_serializable("hd2s")
class DepthwiseSeparableUnit(Block):
    """3x3 depthwise convolution unit, then a 1x1 one. Call with features [B,H,W,C]; returns [B,H,W,filters]."""

    def __init__(self, filters: int, normalization_settings: Normalization | dict = UNITS, **kwargs) -> None:
        super().__init__(normalization_settings, **kwargs)
        self.filters = filters
        self.depthwise = ConvolutionUnit(filters, (3, 3), depthwise=True, name="depthwise", **self._common)
        self.pointwise = ConvolutionUnit(filters, (1, 1), name="pointwise", **self._common)

    def call(self, features: tf.Tensor, domain: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        return self.pointwise(self.depthwise(features, domain, training=training), domain, training=training)

    def get_config(self) -> dict:
        return {**super().get_config(), "filters": self.filters}


@keras.saving.register_keras_serializable("hd2s")
class ConspicuityNetwork(Block):
    """Decodes one level's features into a conspicuity map.

    Call with features [B,H/s,W/s,C] after temporal reduction (s is 8, 16, 32, 32 for levels 1 to 4) and, with domain
    normalisation, domain int32 [B]; returns a map float32 [B,H,W] in [0,1].

    Args:
      level: 1 (shallow) to 4 (deep), a key of `STAGES`.
      width_multiplier: factor on the width of every stage.
      normalization_settings: of its plain convolutions.
      unit_settings: of the normalisation in its depthwise-separable units.
    """

    def __init__(
        self,
        level: int,
        width_multiplier: float = 1.0,
        normalization_settings: Normalization | dict = ENCODER,
        unit_settings: Normalization | dict = UNITS,
        **kwargs,
    ) -> None:
        super().__init__(normalization_settings, **kwargs)
        self.level, self.width_multiplier = level, width_multiplier
        self.unit_settings = Normalization.revived(unit_settings)
        self.units = []
        for number, (width, count) in enumerate(STAGES[level], 1):
            filters, stage = scaled_width(width, width_multiplier), f"stage{number}_unit"
            self.units.append(ConvolutionUnit(filters, (3, 3), name=f"{stage}1", **self._common))
            for unit in range(2, count + 1):
                self.units.append(
                    DepthwiseSeparableUnit(filters, self.unit_settings, name=f"{stage}{unit}", dtype=self.dtype_policy)
                )
        common = {"data_format": "channels_last", "dtype": self.dtype_policy}
        self.upsampling = layers.UpSampling2D(2, interpolation="bilinear", name="upsampling", **common)
        self.to_map = layers.Conv2D(1, 1, name="to_map", **common)

    def stages(self) -> Iterator[list[layers.Layer]]:
        """The units of each stage of `STAGES`, from the features to the map."""
        units = iter(self.units)
        for _, count in STAGES[self.level]:
            yield list(itertools.islice(units, count))

    def call(self, features: tf.Tensor, domain: tf.Tensor | None = None, training: bool = False) -> tf.Tensor:
        *stages, last_stage = self.stages()
        for units in stages:
            for unit in units:
                features = unit(features, domain, training=training)
            features = self.upsampling(features)
        for unit in last_stage:
            features = unit(features, domain, training=training)
        # A sum over channels and an interpolation commute, and one channel is less to interpolate.
        features = self.upsampling(self.to_map(features))
        return tf.sigmoid(tf.cast(features[..., 0], tf.float32))

    def get_config(self) -> dict:
        return {
            **super().get_config(),
            "level": self.level,
            "width_multiplier": self.width_multiplier,
            "unit_settings": dataclasses.asdict(self.unit_settings),
        }
