"""The same network in other runtimes, as far as they are installed: PyTorch, ONNX Runtime, OpenVINO."""

import importlib.util
import statistics
from collections.abc import Callable

import numpy as np
import tensorflow as tf

from hd2s_tf.benchmark import measure
from hd2s_tf.inference.predict_fn import ModelPredictFn
from hd2s_tf.inference.streams import DEFAULT_BATCH_SIZE
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import CLIP_FRAMES, FRAME_SIZE

# The packages that each needs.
RUNTIMES = {"torch": ("torch",), "onnxruntime": ("tf2onnx", "onnxruntime"), "openvino": ("openvino",)}
_OPSET = 17
# The most by which maps of two runtimes may differ, since they add in another order.
_TOLERANCE = 1e-4
_IN_VIDEO = "a_frame_of_a_video"


def run(preset: str, batch: int) -> dict[str, float]:
    """Times a window of each installed runtime and of this project, and a frame of a video here, float32, in turn.

    Returns:
      ms of each; and times_<runtime> and a_frame_of_a_video_times_<runtime>, the medians of the ratios of this
      project's time to that of each in the same turn.
    """
    functions = {name: (_window, name, preset, batch) for name in ("ours", *installed())}
    taken = measure.in_turn(functions | {_IN_VIDEO: (_frames, preset)})
    windows = dict.fromkeys(functions, batch)
    return _compared(taken, windows | {_IN_VIDEO: DEFAULT_BATCH_SIZE})


def _compared(taken: dict[str, list[float]], counts: dict[str, int]) -> dict[str, float]:
    """Of seconds a call, turn by turn, and how many windows or frames a call has."""
    each = {name: [call / counts[name] for call in calls] for name, calls in taken.items()}
    result = {name: round(1000 * statistics.median(calls), 1) for name, calls in each.items()}
    for name in [name for name in each if name not in ("ours", _IN_VIDEO)]:
        for ours, ratio in (("ours", "times"), (_IN_VIDEO, f"{_IN_VIDEO}_times")):
            ratios = [here / there for here, there in zip(each[ours], each[name], strict=True)]
            result[f"{ratio}_{name}"] = round(statistics.median(ratios), 2)
    return result


def installed() -> tuple[str, ...]:
    """The runtimes whose packages are there."""
    return tuple(
        name for name, packages in RUNTIMES.items() if all(importlib.util.find_spec(package) for package in packages)
    )


def _window(name: str, preset: str, batch: int) -> Callable[[], object]:
    model = HD2S.from_preset(preset, weights=None)
    clips = _frames_of_noise(batch, CLIP_FRAMES)
    ours = ModelPredictFn(model)
    if name == "ours":
        return lambda: ours(clips).saliency
    predict = create(name, model)
    difference = float(np.abs(predict(clips) - ours(clips).saliency).max())
    if difference > _TOLERANCE:
        raise RuntimeError(f"{name} answers something else: {difference}")
    return lambda: predict(clips)


def _frames(preset: str) -> Callable[[], object]:
    predict_fn = ModelPredictFn(HD2S.from_preset(preset, weights=None))
    stream = predict_fn.open_stream(_frames_of_noise(predict_fn.info.clip_frames - 1))
    frames = _frames_of_noise(DEFAULT_BATCH_SIZE)
    return lambda: stream(frames).saliency


def _frames_of_noise(*counts: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (*counts, *FRAME_SIZE, 3), np.uint8)


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
    # Without a function inside the function: not every converter knows those.
    maps = ModelPredictFn(model).graph.maps.python_function
    clips = tf.TensorSpec((None, CLIP_FRAMES, *FRAME_SIZE, 3), tf.uint8, name="clip")
    return tf.function(lambda clip: maps(clip, tf.zeros([tf.shape(clip)[0]], tf.int32))[0], input_signature=(clips,))


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
