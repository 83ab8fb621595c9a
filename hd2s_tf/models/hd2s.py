"""The HD2S model and its presets (Bellitto et al., IJCV 2021, arXiv 2010.01220)."""

import dataclasses
import math
from collections.abc import Sequence

import keras
import tensorflow as tf

from hd2s_tf.errors import BadInputError
from hd2s_tf.models import weight_files
from hd2s_tf.models.conspicuity import ConspicuityNetwork
from hd2s_tf.models.domain_adaptation import DomainClassifier
from hd2s_tf.models.domain_specific import DomainFusion, GaussianPriors, GaussianSmoothing
from hd2s_tf.models.layers import Restorable, TemporalReduction
from hd2s_tf.models.normalization import DOMAINS, ENCODER, UNITS, Normalization
from hd2s_tf.models.presets import (
    ARGUMENTS,
    CLIP_FRAMES,
    DEFAULT_PRESET,
    DOMAIN_MODULES,
    FRAME_SIZE,
    PRESETS,
    SHAPING_ARGUMENTS,
    SMOOTHING_SIGMA,
)
from hd2s_tf.models.s3d import S3D, SIZE_DIVISOR, TEMPORAL_STRIDES

# Conspicuity networks count from 1 (shallow) to 4 (deep) and decode endpoints 2 to 5.
LEVELS = (1, 2, 3, 4)
ENDPOINT_OF_LEVEL = {level: f"endpoint{level + 1}" for level in LEVELS}
COMPUTE_DTYPES = ("float32", "bfloat16")


@keras.saving.register_keras_serializable("hd2s")
class HD2S(Restorable, keras.Model):
    """Predicts where people look in a clip's last frame.

    Call with a dict of
      clip: float32 [B,T,H,W,3] in [-1,1], RGB, T = `clip_frames`, H and W divisible by 32 (128x192 with adaptation);
      domain: int32 [B], an index into `domains`; needed by domain-specific models only;
      reversal: scalar lambda of gradient reversal, 1 if not given; used by the adaptation branch only.
    It returns, whether training or not, a dict of
      saliency_map: float32 [B,H,W] in [0,1];
      conspicuity_maps: float32 [B,L,H,W] in [0,1], one for each of `levels`, shallow to deep;
      domain_log_probs: float32 [B,L,2], log-probabilities of source and target; with the adaptation branch only.

    Args:
      width_multiplier: factor on the width of every layer of encoder and decoders.
      clip_frames: T, 8 or a higher power of two.
      levels: the conspicuity networks to have, of 1 (shallow) to 4 (deep), in rising order. With a single one the model
        is a plain encoder and decoder, whose map is the saliency map.
      adaptation: whether to have the domain classifiers behind gradient reversal.
      domains: names of the data sets of a domain-specific model; empty for a model without domains.
      domain_modules: which of `DOMAIN_MODULES` a model with domains has.
      momentum: share of every running statistic that a training step keeps; None for the published values.
      dropout: share of feature channels after temporal reduction that a training step leaves out; 0 as published.
      recompute: whether training keeps less in memory and computes the encoder twice.
      folded: whether batch normalisation is part of the convolutions (for inference only).
      smoothing_sigma: of the Gaussian filter that follows the network (not part of it), in pixels; it is 0 for a model
        that smooths by itself.
      seed: of all dropout; each layer draws numbers of its own.

    Raises:
      ValueError: an argument or a clip's size that does not fit; the message says what would.
      BadInputError: Keras is set to another framework than TensorFlow, or to numbers that the model cannot compute in.
    """

    def __init__(
        self,
        width_multiplier: float = 1.0,
        clip_frames: int = CLIP_FRAMES,
        levels: Sequence[int] = LEVELS,
        adaptation: bool = False,
        domains: Sequence[str] = (),
        domain_modules: Sequence[str] = DOMAIN_MODULES,
        momentum: float | None = None,
        dropout: float = 0.0,
        recompute: bool = False,
        folded: bool = False,
        smoothing_sigma: float = SMOOTHING_SIGMA,
        seed: int = 0,
        **kwargs,
    ) -> None:
        super().__init__(**kwargs)
        self.width_multiplier = width_multiplier
        self.clip_frames = clip_frames
        self.levels = tuple(levels)
        self.adaptation = adaptation
        self.domains = tuple(domains)
        self.domain_modules = tuple(domain_modules)
        self.momentum = momentum
        self.dropout = dropout
        self.recompute = recompute
        self.folded = folded
        self.seed = seed
        self._check_keras()
        self._check_arguments()
        self.smoothing_sigma = 0.0 if "smoothing" in self.own_modules else smoothing_sigma

        count, plain, dtype = len(self.domains), self._settings(ENCODER), self.dtype_policy
        last = ENDPOINT_OF_LEVEL[self.levels[-1]]
        self.encoder = S3D(width_multiplier, plain, last, recompute, name="encoder", dtype=dtype)
        self.temporal_reductions, self.priors, self.classifiers, self.conspicuity_networks = [], [], [], []
        for level in self.levels:
            self.temporal_reductions.append(
                TemporalReduction(self._time_steps(level), plain, name=f"temporal_reduction{level}", dtype=dtype)
            )
            if adaptation:
                settings = dataclasses.replace(self._settings(UNITS), folded=False)
                classifier = DomainClassifier(level, settings, seed, name=f"domain_classifier{level}", dtype=dtype)
                self.classifiers.append(classifier)
            if "priors" in self.own_modules:
                self.priors.append(GaussianPriors(count, name=f"priors{level}", dtype=dtype))
            settings = self._decoder_settings()
            self.conspicuity_networks.append(
                ConspicuityNetwork(level, width_multiplier, *settings, name=f"conspicuity{level}", dtype=dtype)
            )
        self.feature_dropout = keras.layers.SpatialDropout2D(
            dropout, data_format="channels_last", seed=seed, name="feature_dropout", dtype=dtype
        )
        self.fusion, self.smoothing = None, None
        if len(self.levels) > 1:
            self.fusion = DomainFusion(count if "fusion" in self.own_modules else 1, name="fusion", dtype=dtype)
        if "smoothing" in self.own_modules:
            self.smoothing = GaussianSmoothing(count, name="smoothing", dtype=dtype)

    def _time_steps(self, level: int) -> int:
        """Halvings of time that a level's temporal reduction takes."""
        return int(math.log2(self.clip_frames // TEMPORAL_STRIDES[ENDPOINT_OF_LEVEL[level]]))

    def _check_keras(self) -> None:
        if keras.config.backend() != "tensorflow":
            raise BadInputError(f"Keras runs on {keras.config.backend()}: HD2S needs KERAS_BACKEND=tensorflow")
        if self.compute_dtype not in COMPUTE_DTYPES:
            raise BadInputError(
                f"Keras is set to {self.compute_dtype} (floatx in keras.json, or the dtype policy): HD2S computes in "
                + " or ".join(COMPUTE_DTYPES)
            )

    def _check_arguments(self) -> None:
        frames = self.clip_frames
        if frames < 8 or frames & (frames - 1):
            raise ValueError(
                f"clip_frames is {frames}: the temporal reduction takes 8, 16, 32 or a higher power of two"
            )
        if not self.levels or list(self.levels) != sorted(set(self.levels) & set(LEVELS)):
            raise ValueError(f"levels are {self.levels}: they must be some of {LEVELS}, in rising order")
        if len(set(self.domains)) < len(self.domains):
            raise ValueError(f"domains are {self.domains}: the names must differ")
        if list(self.domain_modules) != [module for module in DOMAIN_MODULES if module in self.domain_modules]:
            raise ValueError(
                f"domain_modules are {self.domain_modules}: they must be some of {DOMAIN_MODULES}, in order"
            )
        if self.domains and self.adaptation:
            raise ValueError("a model has either the adaptation branch or domains, not both (section 3)")

    @property
    def own_modules(self) -> tuple[str, ...]:
        """The `domain_modules` of a model with domains; none without."""
        return self.domain_modules if self.domains else ()

    def _settings(self, published: Normalization, domains: int = 0) -> Normalization:
        momentum = published.momentum if self.momentum is None else self.momentum
        return dataclasses.replace(published, momentum=momentum, domains=domains, folded=self.folded)

    def _decoder_settings(self) -> tuple[Normalization, Normalization]:
        """Of the plain convolutions and of the depthwise-separable units."""
        if "normalization" in self.own_modules:
            specific = self._settings(DOMAINS, len(self.domains))
            return specific, specific
        return self._settings(ENCODER), self._settings(UNITS)

    @classmethod
    def from_weights(cls, weights: str = weight_files.AUTO, preset: str | None = None) -> "HD2S":
        """Creates the model that a weight file describes and loads the file.

        Args:
          weights: the path of a `.weights.h5` file, "auto" for the bundled ones, or "random".
          preset: in place of the one that the file names; None for that one or, without a file, `DEFAULT_PRESET`.

        Raises:
          BadInputError: no such file or preset; no bundled weights for it; weights that do not fit or are not finite.
        """
        path = weight_files.find(weights, preset)
        if path is None:
            return cls.from_preset(preset or DEFAULT_PRESET, weights=None)
        settings = weight_files.settings(path)
        if preset is not None:
            return cls.from_preset(preset, path, domains=settings.get("domains"))
        arguments = {name: settings[name] for name in SHAPING_ARGUMENTS if name in settings}
        return cls.from_preset(settings.get("preset", DEFAULT_PRESET), path, **arguments)

    @classmethod
    def from_preset(
        cls, name: str, weights: str | None = "auto", domains: Sequence[str] | None = None, **overrides: object
    ) -> "HD2S":
        """Creates a model by its preset's name and loads its weights.

        Args:
          name: one of `PRESETS`.
          weights: "auto" for the bundled ones, None for random ones, or the path of a `.weights.h5` file.
          domains: names of the data sets, in place of the preset's.
          **overrides: further arguments of `HD2S`.

        Raises:
          BadInputError: no such preset; no bundled weights for it; weights that do not fit or are not finite.
        """
        if name not in PRESETS:
            raise BadInputError(f"no preset {name!r}: the presets are {', '.join(PRESETS)}")
        arguments = {**PRESETS[name], **({} if domains is None else {"domains": tuple(domains)}), **overrides}
        model = cls(**arguments, name=name)
        model.create_variables()
        if weights is not None:
            weight_files.load(model, weight_files.bundled(name) if weights == "auto" else weights)
        return model

    def create_variables(self) -> None:
        """Creates all variables by a call on a blank clip, as small as the model takes."""
        size = FRAME_SIZE if self.adaptation else (SIZE_DIVISOR, SIZE_DIVISOR)
        inputs = {"clip": tf.zeros((1, self.clip_frames, *size, 3))}
        if self.domains:
            inputs["domain"] = tf.zeros(1, tf.int32)
        self(inputs)

    def build(self, *_: tuple) -> None:
        # Its layers are built when it is first called.
        pass

    def call(self, inputs: dict[str, tf.Tensor], training: bool = False) -> dict[str, tf.Tensor]:
        features = self.level_features(inputs["clip"], training)
        outputs = self.decode(features, self._domain(inputs), training)
        if self.adaptation:
            reversal = inputs.get("reversal", tf.constant(1.0))
            outputs["domain_log_probs"] = self.classify(features, reversal, training)
        return outputs

    def level_features(self, clip: tf.Tensor, training: bool = False) -> list[tf.Tensor]:
        """Encodes clips [B,T,H,W,3] and reduces time: features [B,h,w,C] of each level, shallow to deep."""
        self._check_clip(clip.shape)
        return self.reduce_time(self.encoder(clip, training=training), training)

    def reduce_time(self, endpoints: dict[str, tf.Tensor], training: bool = False) -> list[tf.Tensor]:
        """Features [B,h,w,C] of each level, shallow to deep, from the encoder's endpoints."""
        return [
            reduction(endpoints[ENDPOINT_OF_LEVEL[level]], training=training)
            for level, reduction in zip(self.levels, self.temporal_reductions, strict=True)
        ]

    def decode(self, features: list[tf.Tensor], domain: tf.Tensor, training: bool = False) -> dict[str, tf.Tensor]:
        """The maps of `call` from the features of each level and domains int32 [B]."""
        maps = []
        for index, level_features in enumerate(features):
            values = self.feature_dropout(level_features, training=training)
            if self.priors:
                values = self.priors[index](values, domain)
            maps.append(self.conspicuity_networks[index](values, domain, training=training))
        return {"saliency_map": self._fuse(maps, domain), "conspicuity_maps": tf.stack(maps, 1)}

    def classify(self, features: list[tf.Tensor], reversal: tf.Tensor, training: bool = False) -> tf.Tensor:
        """`domain_log_probs` of `call` from the features of each level and lambda."""
        log_probs = [
            classifier(values, reversal, training=training)
            for classifier, values in zip(self.classifiers, features, strict=True)
        ]
        return tf.stack(log_probs, 1)

    def _fuse(self, maps: list[tf.Tensor], domain: tf.Tensor) -> tf.Tensor:
        saliency_map = maps[0]
        if self.fusion is not None:
            # Deep to shallow, the order of the published fusion's weights.
            saliency_map = tf.sigmoid(self.fusion(tf.stack(maps[::-1], -1), domain))
        return saliency_map if self.smoothing is None else self.smoothing(saliency_map, domain)

    def _domain(self, inputs: dict[str, tf.Tensor]) -> tf.Tensor:
        if not self.domains:
            return tf.zeros(tf.shape(inputs["clip"])[0], tf.int32)
        if "domain" not in inputs:
            raise ValueError(f"this model needs 'domain', an int32 for each clip: {dict(enumerate(self.domains))}")
        return tf.cast(inputs["domain"], tf.int32)

    def _check_clip(self, shape: tf.TensorShape) -> None:
        expected = f"[B,{self.clip_frames},H,W,3]"
        if len(shape) != 5 or shape[1] != self.clip_frames or shape[4] != 3:
            raise ValueError(f"the clip has shape {tuple(shape)}: this model takes {expected}")
        size = tuple(shape[2:4])
        if self.adaptation and size != FRAME_SIZE:
            raise ValueError(
                f"the clip is {size[0]}x{size[1]}: the domain classifiers take {FRAME_SIZE[0]}x{FRAME_SIZE[1]} only"
            )
        if any(side is None or side % SIZE_DIVISOR or side == 0 for side in size):
            raise ValueError(f"the clip is {size[0]}x{size[1]}: height and width must be multiples of {SIZE_DIVISOR}")

    def export(
        self, filepath: str, format: str = "tf_saved_model", *, input_signature: Sequence | None = None, **kwargs
    ) -> None:
        """Exports as Keras does; without a signature for any number of clips of `FRAME_SIZE`."""
        if input_signature is None:
            inputs = {"clip": keras.InputSpec("float32", (None, self.clip_frames, *FRAME_SIZE, 3))}
            if self.domains:
                inputs["domain"] = keras.InputSpec("int32", (None,))
            input_signature = [inputs]
        super().export(filepath, format, input_signature=input_signature, **kwargs)

    def get_config(self) -> dict:
        return {**super().get_config(), **{name: getattr(self, name) for name in ARGUMENTS}}
