"""The same network in other runtimes, for those that are installed: PyTorch, ONNX Runtime, OpenVINO."""

import importlib.util
import tempfile
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hd2s_tf.benchmark import measure
from hd2s_tf.inference.predictor import ModelPredictFn
from hd2s_tf.models.hd2s import CLIP_FRAMES, FRAME_SIZE, HD2S

# The packages that each needs.
RUNTIMES = {"torch": ("torch",), "onnxruntime": ("tf2onnx", "onnxruntime"), "openvino": ("tf2onnx", "openvino")}
_OPSET = 17
# Maps of two runtimes may differ by that much, being sums in another order.
_TOLERANCE = 1e-4


def run(preset: str, batch: int) -> dict[str, float]:
    """Milliseconds a window of each installed runtime and of this project, float32, one after the other."""
    return {name: measure.alone(_one, name, preset, batch)["ms"] for name in ("ours", *installed())}


def installed() -> tuple[str, ...]:
    """The runtimes whose packages are there."""
    return tuple(
        name for name, packages in RUNTIMES.items() if all(importlib.util.find_spec(package) for package in packages)
    )


def _one(name: str, preset: str, batch: int) -> dict[str, float]:
    model = HD2S.from_preset(preset, weights=None)
    clips = np.random.default_rng(0).integers(0, 256, (batch, CLIP_FRAMES, *FRAME_SIZE, 3), np.uint8)
    ours = ModelPredictFn(model)
    predict = ours if name == "ours" else create(name, model)
    difference = float(np.abs(predict(clips) - ours(clips)).max())
    if difference > _TOLERANCE:
        raise RuntimeError(f"{name} answers something else: {difference}")
    return {"ms": round(1000 * measure.seconds(lambda: predict(clips)) / batch, 1)}


def create(name: str, model: HD2S) -> Callable[[np.ndarray], np.ndarray]:
    """Creates a function of clips uint8 [B,T,H,W,3] that answers with saliency maps float32 [B,H,W].

    Args:
      name: one of `RUNTIMES`.
      model: without domains, its batch normalisation not folded.
    """
    if name == "torch":
        from hd2s_tf.benchmark.torch_network import TorchNetwork

        return TorchNetwork(model)
    with tempfile.NamedTemporaryFile(suffix=".onnx") as file:
        file.write(_onnx(model))
        file.flush()
        return {"onnxruntime": _onnxruntime, "openvino": _openvino}[name](file.name)


def _onnx(model: HD2S) -> bytes:
    """The network with folded batch normalisation."""
    import tf2onnx

    clips = tf.TensorSpec((None, CLIP_FRAMES, *FRAME_SIZE, 3), tf.uint8, name="clip")
    predict_fn = ModelPredictFn(model)
    function = tf.function(lambda clip: predict_fn._call(clip)[0])
    converted, _ = tf2onnx.convert.from_function(function, (clips,), opset=_OPSET)
    return converted.SerializeToString()


def _onnxruntime(path: str) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    return lambda clips: session.run(None, {"clip": clips})[0]


def _openvino(path: str) -> Callable[[np.ndarray], np.ndarray]:
    import openvino

    compiled = openvino.Core().compile_model(path, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda clips: next(iter(compiled([clips]).values()))
