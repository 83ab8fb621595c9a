"""SavedModels for TensorFlow Serving: their signatures, warm-up requests and description.

Signatures:
  serving_default: clip uint8 [B,T,H,W,3] -> saliency_map float32 [B,H,W], as the network gives it.
  predict_conspicuity: the same, and conspicuity_maps float32 [B,L,H,W].
  predict_frames: frames string [1,N], JPEG or PNG of any size, and skip int32 [1] -> saliency_map float32
    [1,N-skip,H,W] in 0..255 and saliency_png string [1,N-skip], smoothed and scaled. The first `skip` frames are
    context only, so that chunks of a video that overlap by T-1 frames give each frame's map once.
  describe: request int32 [B], whatever its values -> model_info string [B], JSON: what model this is.
Domain-specific models also take domain int32 [B], or [1] for `predict_frames`.

A small model's weights are constants of the graphs as well, see `folding.with_constant_weights`.

Batching joins requests along their first axis, which a video does not share with another: a version has either
batching parameters or `predict_frames`.
"""

import datetime
import json
import pathlib
import shutil
import tempfile
import uuid
from collections.abc import Callable

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_shape_pb2
from tensorflow.core.protobuf import meta_graph_pb2, saved_model_pb2
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

from hd2s_tf import files
from hd2s_tf.data import preprocessing
from hd2s_tf.errors import BadInputError
from hd2s_tf.export.streamed_windows import StreamedWindows
from hd2s_tf.inference import postprocessing
from hd2s_tf.inference.graph import MapGraph
from hd2s_tf.models import folding
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import FRAME_SIZE
from hd2s_tf.serving import signatures
from hd2s_tf.serving.signatures import ModelInfo

# TensorFlow Serving's BatchingParameters in text form.
BATCHING_PARAMETERS = """\
max_batch_size { value: 16 }
batch_timeout_micros { value: 5000 }
max_enqueued_batches { value: 64 }
allowed_batch_sizes: [1, 2, 4, 8, 16]
"""


def export(
    model: HD2S,
    output_dir: str,
    version: int,
    *,
    precision: str = "auto",
    batching: bool = False,
    weights_sha256: str | None = None,
) -> str:
    """Writes `<output_dir>/<version>`, which appears whole or not at all.

    Args:
      model: trained.
      output_dir: the model's base path, local or remote. A remote store has no folders that could appear at once:
        there saved_model.pb, without which no server takes a folder for a version, is written last.
      version: at least 1; must not be there yet.
      precision: see `folding.for_inference`.
      batching: whether to write batching parameters, for many clients that send clips, and no `predict_frames`.
      weights_sha256: of the weights, for the description.

    Returns:
      The version's folder.

    Raises:
      BadInputError: a version that is there already or makes no sense.
    """
    folder = files.join(output_dir, str(version))
    if version < 1:
        raise BadInputError(f"version is {version}: it must be at least 1")
    if files.exists(folder):
        raise BadInputError(f"{folder}: this version is there already")
    files.make_folder(output_dir)
    fast = folding.for_inference(model, precision)
    description = _description(fast, version, weights_sha256)
    with tempfile.TemporaryDirectory() as temporary:
        local = pathlib.Path(temporary) / "model"
        archive = keras.export.ExportArchive()
        archive.track(fast)
        for name, (function, specifications) in endpoints(fast, description).items():
            if not (batching and name == signatures.PREDICT_FRAMES):
                archive.add_endpoint(name, function, input_signature=specifications)
        archive.write_out(str(local), verbose=False)
        definitions = _definitions(local)
        _write_warmup(local, fast, definitions)
        if batching:
            (local / signatures.BATCHING).write_text(BATCHING_PARAMETERS)
        table = {name: _table(signature) for name, signature in definitions.items()}
        (local / signatures.MODEL_INFO).write_text(json.dumps({**description, "signatures": table}, indent=2) + "\n")
        _publish(local, folder)
    return folder


def endpoints(model: HD2S, description: dict) -> dict[str, tuple[Callable, list[tf.TensorSpec]]]:
    """The signatures' functions and input specifications.

    Args:
      model: made for inference.
      description: what `describe` answers.
    """
    height, width = FRAME_SIZE
    clip = tf.TensorSpec((None, model.clip_frames, height, width, 3), tf.uint8, name=signatures.CLIP)
    frames = tf.TensorSpec((1, None), tf.string, name=signatures.FRAMES)
    skip = tf.TensorSpec((1,), tf.int32, name=signatures.SKIP)
    request = tf.TensorSpec((None,), tf.int32, name=signatures.REQUEST)
    answer = json.dumps(description)
    graph = MapGraph(model)
    streamed = StreamedWindows(graph, FRAME_SIZE)

    def conspicuity(clip: tf.Tensor, domain: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        domains = tf.zeros([tf.shape(clip)[0]], tf.int32) if domain is None else domain
        saliency_maps, conspicuity_maps = graph.maps(clip, domains)
        return {signatures.SALIENCY_MAP: saliency_maps, signatures.CONSPICUITY_MAPS: conspicuity_maps}

    def clips(clip: tf.Tensor, domain: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        return {signatures.SALIENCY_MAP: conspicuity(clip, domain)[signatures.SALIENCY_MAP]}

    def video(frames: tf.Tensor, skip: tf.Tensor, domain: tf.Tensor | None = None) -> dict[str, tf.Tensor]:
        images = tf.map_fn(_decoded, frames[0], fn_output_signature=tf.TensorSpec((height, width, 3), tf.uint8))
        maps = streamed.maps(images, skip[0], tf.constant(0) if domain is None else domain[0])
        maps = postprocessing.finish(maps, model.smoothing_sigma)
        pixels = tf.cast(tf.round(tf.clip_by_value(maps, 0.0, postprocessing.PEAK)), tf.uint8)[..., tf.newaxis]
        pngs = tf.map_fn(tf.io.encode_png, pixels, fn_output_signature=tf.TensorSpec((), tf.string))
        return {signatures.SALIENCY_MAP: maps[tf.newaxis], signatures.SALIENCY_PNG: pngs[tf.newaxis]}

    def describe(request: tf.Tensor) -> dict[str, tf.Tensor]:
        return {signatures.DESCRIPTION: tf.fill(tf.shape(request), answer)}

    def domain(count: int | None) -> list[tf.TensorSpec]:
        return [tf.TensorSpec((count,), tf.int32, name=signatures.DOMAIN)] if model.domains else []

    return {
        signatures.PREDICT_CLIPS: (clips, [clip, *domain(None)]),
        signatures.PREDICT_CONSPICUITY: (conspicuity, [clip, *domain(None)]),
        signatures.PREDICT_FRAMES: (video, [frames, skip, *domain(1)]),
        signatures.DESCRIBE: (describe, [request]),
    }


def _decoded(encoded: tf.Tensor) -> tf.Tensor:
    """A frame of the network's size, uint8 [H,W,3]."""
    image = tf.io.decode_image(encoded, channels=3, expand_animations=False)
    return preprocessing.resize_in_graph(image, FRAME_SIZE)


def _description(model: HD2S, version: int, weights_sha256: str | None) -> dict:
    info = ModelInfo(
        preset=model.name,
        weights_sha256=weights_sha256,
        domains=model.domains,
        precision=model.compute_dtype,
        clip_frames=model.clip_frames,
        smoothing_sigma=model.smoothing_sigma,
        version=version,
    )
    return {
        **info.to_json(),
        "tensorflow": tf.__version__,
        "keras": keras.__version__,
        "exported": datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds"),
    }


def _definitions(folder: pathlib.Path) -> dict[str, meta_graph_pb2.SignatureDef]:
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    definitions = saved.meta_graphs[0].signature_def
    return {name: definitions[name] for name in signatures.SIGNATURES if name in definitions}


def _table(signature: meta_graph_pb2.SignatureDef) -> dict[str, dict[str, str]]:
    return {
        kind: {
            name: f"{tf.as_dtype(tensor.dtype).name} {_shape(tensor.tensor_shape)}"
            for name, tensor in sorted(getattr(signature, kind).items())
        }
        for kind in ("inputs", "outputs")
    }


def _shape(shape: tensor_shape_pb2.TensorShapeProto) -> str:
    return "[" + ",".join("?" if side.size < 0 else str(side.size) for side in shape.dim) + "]"


def _write_warmup(folder: pathlib.Path, model: HD2S, definitions: dict[str, meta_graph_pb2.SignatureDef]) -> None:
    """Requests that TensorFlow Serving runs before it calls the version available, one for each signature."""
    clip = np.zeros((1, model.clip_frames, *FRAME_SIZE, 3), np.uint8)
    png = tf.io.encode_png(clip[0, 0]).numpy()
    values = {
        signatures.CLIP: clip,
        signatures.FRAMES: np.array([[png] * model.clip_frames], object),
        signatures.SKIP: np.zeros(1, np.int32),
        signatures.DOMAIN: np.zeros(1, np.int32),
        signatures.REQUEST: np.zeros(1, np.int32),
    }
    path = folder / signatures.WARMUP
    path.parent.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name, signature in definitions.items():
            request = predict_pb2.PredictRequest(
                model_spec=model_pb2.ModelSpec(name="hd2s", signature_name=name),
                inputs={key: tf.make_tensor_proto(values[key]) for key in signature.inputs},
            )
            log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
            writer.write(log.SerializeToString())


def _publish(local: pathlib.Path, folder: str) -> None:
    if not files.is_remote(folder):
        # A name that no server takes for a version.
        unfinished = pathlib.Path(f"{folder}.{uuid.uuid4().hex[:8]}.tmp")
        try:
            shutil.copytree(local, unfinished)
            unfinished.rename(folder)
        finally:
            shutil.rmtree(unfinished, ignore_errors=True)
        return
    for path in sorted(local.rglob("*"), key=lambda path: path.name == "saved_model.pb"):
        if path.is_file():
            target = files.join(folder, *path.relative_to(local).parts)
            files.make_folder(target.rsplit("/", 1)[0])
            files.copy(path, target)
