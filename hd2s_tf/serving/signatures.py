"""What an exported model promises: the names of its signatures, their inputs and outputs, its files and description.

`hd2s_tf.export.saved_model` says what each signature computes.
"""

import dataclasses
import json
import pathlib

from hd2s_tf.models.presets import CLIP_FRAMES, FRAME_SIZE, SMOOTHING_SIGMA

# Signatures.
PREDICT_CLIPS, PREDICT_CONSPICUITY, PREDICT_FRAMES = "serving_default", "predict_conspicuity", "predict_frames"
DESCRIBE = "describe"
SIGNATURES = (PREDICT_CLIPS, PREDICT_CONSPICUITY, PREDICT_FRAMES, DESCRIBE)
# Their inputs; those of a domain-specific model have DOMAIN too.
CLIP, FRAMES, SKIP, DOMAIN, REQUEST = "clip", "frames", "skip", "domain", "request"
# Their outputs. REST answers hold bytes in base64 where a name ends in `_bytes`, and are no JSON otherwise.
SALIENCY_MAP, CONSPICUITY_MAPS, SALIENCY_PNG = "saliency_map", "conspicuity_maps", "saliency_png_bytes"
DESCRIPTION = "model_info"

# Files in a version's folder. TensorFlow Serving gives the last two their names.
MODEL_INFO, BATCHING = "model_info.json", "batching_params.pbtxt"
WARMUP = pathlib.PurePath("assets.extra", "tf_serving_warmup_requests")

# No clip is longer, higher or wider than this.
_LARGEST_SIDE = 16384


@dataclasses.dataclass(frozen=True)
class ModelInfo:
    """What a model is and how it predicts.

    Attributes:
      preset: its name.
      weights: where its weights came from: a file, the folder of a SavedModel, a served model, or "random".
      weights_sha256: of the weight file, in hexadecimal; None if there is none or nobody knows.
      domains: the data sets of a domain-specific model; empty for others.
      domain: the one of them that it predicts for, as the user named it.
      precision: of its arithmetic, "float32" or "bfloat16".
      clip_frames: T, the frames of a clip.
      frame_size: (height, width) of a clip's frames in pixels.
      smoothing_sigma: of the Gaussian filter that its maps need, in their pixels; 0 for a model that smooths by itself.
      version: of an exported model.
      compat: see `hd2s_tf.inference.compatibility`; of no exported model.
    """

    preset: str
    weights: str = "random"
    weights_sha256: str | None = None
    domains: tuple[str, ...] = ()
    domain: str | None = None
    precision: str = "float32"
    clip_frames: int = CLIP_FRAMES
    frame_size: tuple[int, int] = FRAME_SIZE
    smoothing_sigma: float = SMOOTHING_SIGMA
    version: int | None = None
    compat: str | None = None

    def to_json(self) -> dict:
        """What an exported model says of itself: everything but `weights` and `domain`, which its user knows."""
        return {name: getattr(self, name) for name in _JSON_TYPES}

    @classmethod
    def from_json(cls, text: str | bytes, weights: str, domain: str | None = None) -> "ModelInfo":
        """Reads what an exported model says of itself.

        Args:
          text: a JSON object with the values of `to_json`; others are passed over.
          weights, domain: see the class.

        Raises:
          ValueError: not such an object.
        """
        values = json.loads(text)
        if not isinstance(values, dict):
            raise ValueError(f"a model is described by {type(values).__name__} in place of an object")
        for name, types in _JSON_TYPES.items():
            if not isinstance(values.get(name), types):
                raise ValueError(f"the description of a model has {name}: {values.get(name)!r}")
        known = {name: values[name] for name in _JSON_TYPES}
        known |= {name: tuple(values[name]) for name in ("domains", "frame_size")}
        info = cls(**known, weights=weights, domain=domain)
        sides = (info.clip_frames, *info.frame_size)
        if len(sides) != 3 or not all(isinstance(side, int) and 1 <= side <= _LARGEST_SIDE for side in sides):
            raise ValueError(f"the description of a model has clips of {sides}")
        if not all(isinstance(name, str) for name in info.domains) or not 0 <= info.smoothing_sigma < _LARGEST_SIDE:
            raise ValueError(f"the description of a model has {info.domains} and a sigma of {info.smoothing_sigma}")
        return info

    def to_summary(self) -> dict:
        """What is recorded beside predictions of the model."""
        names = ("preset", "weights", "weights_sha256", "domain", "precision", "smoothing_sigma")
        summary = {name: getattr(self, name) for name in names}
        return summary if self.compat is None else {**summary, "compat": self.compat}


_JSON_TYPES = {
    "preset": str,
    "version": int | None,
    "domains": list | tuple,
    "weights_sha256": str | None,
    "precision": str,
    "clip_frames": int,
    "frame_size": list | tuple,
    "smoothing_sigma": int | float,
}
