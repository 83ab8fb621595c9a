"""SavedModels for TensorFlow Serving: their signatures, warm-up requests and description.

Signatures:
  serving_default: clip uint8 [B,T,H,W,3] -> saliency_map float32 [B,H,W], as the network gives it.
  predict_conspicuity: the same, and conspicuity_maps float32 [B,L,H,W].
  predict_frames: frames string [1,N], JPEG or PNG of any size, and skip int32 [1] -> saliency_map float32
    [1,N-skip,H,W] in 0..255, smoothed and scaled, and the same as 8-bit PNG, saliency_png_bytes string [1,N-skip], for
    clients of REST, to whom 24,576 numbers a map are too many. The first `skip` frames are context only, so that chunks
    of a video that overlap by T-1 frames give each frame's map once.
  describe: request int32 [B], whatever its values -> model_info string [B], JSON: what model this is.
Domain-specific models also take domain int32 [B], or [1] for `predict_frames`.

A small model's weights are constants of the graphs as well, see `folding.with_constant_weights`.

Requests that do not fit get INVALID_ARGUMENT; see `hd2s_tf.export.endpoints` and, for limits on pictures, `pictures`.

Batching joins requests along their first axis, which a video does not share with another: a version has either
batching parameters or `predict_frames`.
"""

import datetime
import json
import pathlib
import shutil
import tempfile
import uuid
from collections.abc import Sequence

import keras
import numpy as np
import tensorflow as tf
from tensorflow.core.framework import tensor_pb2
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2

from hd2s_tf import files
from hd2s_tf.errors import BadInputError
from hd2s_tf.export.endpoints import Endpoints
from hd2s_tf.export.pictures import Limits
from hd2s_tf.models import folding
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import CLIP_FRAMES, FRAME_SIZE
from hd2s_tf.serving import signatures
from hd2s_tf.serving.signatures import ModelInfo

# Batches are filled up to one of these, so that few shapes are compiled.
ALLOWED_BATCH_SIZES = (1, 2, 4, 8, 16)
# TensorFlow Serving's BatchingParameters in text form.
BATCHING_PARAMETERS = f"""\
max_batch_size {{ value: {ALLOWED_BATCH_SIZES[-1]} }}
batch_timeout_micros {{ value: 5000 }}
max_enqueued_batches {{ value: 64 }}
allowed_batch_sizes: {list(ALLOWED_BATCH_SIZES)}
"""


def export(
    model: HD2S,
    output_dir: str,
    version: int,
    *,
    precision: str = "auto",
    batching: bool = False,
    weights_sha256: str | None = None,
    limits: Limits = Limits(),
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
      limits: what a request may ask of a server.

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
        endpoints = Endpoints(fast, description, limits)
        names = [name for name in signatures.SIGNATURES if not (batching and name == signatures.PREDICT_FRAMES)]
        for name in names:
            function, declared = endpoints.function(name)
            archive.add_endpoint(name, function, input_signature=declared)
        archive.write_out(str(local), verbose=False)
        specifications = {name: endpoints.specifications[name] for name in names}
        _write_warmup(local, specifications, ALLOWED_BATCH_SIZES if batching else (1,))
        if batching:
            (local / signatures.BATCHING).write_text(BATCHING_PARAMETERS)
        table = _table(local, specifications)
        (local / signatures.MODEL_INFO).write_text(json.dumps({**description, "signatures": table}, indent=2) + "\n")
        _publish(local, folder)
    return folder


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


def _table(folder: pathlib.Path, specifications: dict[str, list[tf.TensorSpec]]) -> dict[str, dict]:
    """Types and shapes of each signature's inputs and outputs in words."""
    saved = saved_model_pb2.SavedModel.FromString((folder / "saved_model.pb").read_bytes())
    definitions = saved.meta_graphs[0].signature_def
    return {
        name: {
            "inputs": {wanted.name: _in_words(wanted) for wanted in sorted(inputs, key=lambda wanted: wanted.name)},
            "outputs": {
                output: _in_words(tf.TensorSpec(tensor.tensor_shape, tensor.dtype))
                for output, tensor in sorted(definitions[name].outputs.items())
            },
        }
        for name, inputs in specifications.items()
    }


def _in_words(specification: tf.TensorSpec) -> str:
    return (
        f"{specification.dtype.name} [{','.join('?' if side is None else str(side) for side in specification.shape)}]"
    )


def _write_warmup(
    folder: pathlib.Path, specifications: dict[str, list[tf.TensorSpec]], batch_sizes: Sequence[int]
) -> None:
    """Requests that TensorFlow Serving runs before it calls the version available: each signature, each batch size."""
    frame = tf.io.encode_png(np.zeros((*FRAME_SIZE, 3), np.uint8)).numpy()
    path = folder / signatures.WARMUP
    path.parent.mkdir(parents=True)
    with tf.io.TFRecordWriter(str(path)) as writer:
        for name, inputs in specifications.items():
            sizes = batch_sizes if name in (signatures.PREDICT_CLIPS, signatures.PREDICT_CONSPICUITY) else (1,)
            for size in sizes:
                request = predict_pb2.PredictRequest(
                    model_spec=model_pb2.ModelSpec(name="hd2s", signature_name=name),
                    inputs={wanted.name: _filled(wanted, size, frame) for wanted in inputs},
                )
                log = prediction_log_pb2.PredictionLog(predict_log=prediction_log_pb2.PredictLog(request=request))
                writer.write(log.SerializeToString())


def _filled(wanted: tf.TensorSpec, size: int, frame: bytes) -> tensor_pb2.TensorProto:
    """Zeros, or as many frames as a clip has, in a few bytes: one value stands for all."""
    tensor = tensor_pb2.TensorProto(dtype=wanted.dtype.as_datatype_enum)
    if wanted.dtype == tf.string:
        tensor.string_val.extend([frame] * CLIP_FRAMES)
        shape = (1, CLIP_FRAMES)
    else:
        tensor.int_val.append(0)
        shape = [size if side is None else side for side in wanted.shape]
    for side in shape:
        tensor.tensor_shape.dim.add(size=side)
    return tensor


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
