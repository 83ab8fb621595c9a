"""The paper's table 8: size on disk and time of a frame, for every preset and precision."""

import pathlib
import tempfile

import numpy as np

from hd2s_tf.benchmark import measure
from hd2s_tf.evaluation import published
from hd2s_tf.inference.predict_fn import ModelPredictFn
from hd2s_tf.inference.predictor import predict_video
from hd2s_tf.models import weight_files
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import PRESETS

_FRAMES, _SIZE = 48, (360, 640)
_REPEATS = 3
_TITLES = {"size_mb": "megabytes", "runtime_s": "seconds_a_frame"}


def run() -> dict[str, dict]:
    """Every preset and precision in a process of its own; a frame of 640x360 in, its map out."""
    precisions = ("float32", "bfloat16") if measure.bfloat16_pays() else ("float32",)
    ours = {
        f"{preset}, {precision}": measure.alone(_one, preset, precision)
        for preset in PRESETS
        for precision in precisions
    }
    return {**ours, **published_rows()}


def published_rows() -> dict[str, dict]:
    """The paper's own rows; it does not name the hardware."""
    return {
        f"{row.name} (paper)": {_TITLES[name]: value for name, value in row.values.items()}
        for row in published.find("8")
    }


def _one(preset: str, precision: str) -> dict:
    model = HD2S.from_preset(preset, weights=None)
    with tempfile.TemporaryDirectory() as folder:
        path = pathlib.Path(folder, f"model{weight_files.SUFFIX}")
        weight_files.save(model, path)
        size = path.stat().st_size
    domain = model.domains[0] if model.domains else None
    predict_fn = ModelPredictFn(model, domain=domain, precision=precision)
    frames = np.random.default_rng(0).integers(0, 256, (_FRAMES, *_SIZE, 3), np.uint8)
    taken = measure.seconds(lambda: sum(1 for _ in predict_video(predict_fn, frames)), _REPEATS, 1)
    return {
        "parameters_millions": round(model.count_params() / 1e6, 1),
        "megabytes": round(size / 1e6, 1),
        "seconds_a_frame": round(taken / _FRAMES, 4),
    }
