"""The same network in other runtimes, for those that are installed: PyTorch, ONNX Runtime, OpenVINO."""

import importlib.util
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hd2s_tf.benchmark import measure
from hd2s_tf.inference.predictor import ModelPredictFn
from hd2s_tf.models.hd2s import CLIP_FRAMES, FRAME_SIZE, HD2S

# The packages that each needs.
RUNTIMES = {"torch": ("torch",), "onnxruntime": ("tf2onnx", "onnxruntime"), "openvino": ("openvino",)}
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
    return {"onnxruntime": _onnxruntime, "openvino": _openvino}[name](_graph(model))


def _graph(model: HD2S) -> tf.types.experimental.PolymorphicFunction:
    """The network with folded batch normalisation."""
    predict_fn = ModelPredictFn(model)
    clips = tf.TensorSpec((None, CLIP_FRAMES, *FRAME_SIZE, 3), tf.uint8, name="clip")
    return tf.function(lambda clip: predict_fn.maps(clip)[0], input_signature=(clips,))


def _onnxruntime(graph: tf.types.experimental.PolymorphicFunction) -> Callable[[np.ndarray], np.ndarray]:
    import onnxruntime
    import tf2onnx

    converted, _ = tf2onnx.convert.from_function(graph, graph.input_signature, opset=_OPSET)
    session = onnxruntime.InferenceSession(converted.SerializeToString(), providers=["CPUExecutionProvider"])
    return lambda clips: session.run(None, {"clip": clips})[0]


def _openvino(graph: tf.types.experimental.PolymorphicFunction) -> Callable[[np.ndarray], np.ndarray]:
    import openvino

    model = openvino.convert_model(graph.get_concrete_function())
    compiled = openvino.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    return lambda clips: next(iter(compiled([clips]).values()))
