"""An exported model: its graph, its signatures in the session loader."""

import json
import subprocess
import sys

import cv2
import numpy as np
import pytest
import tensorflow as tf
from tensorflow.core.protobuf import saved_model_pb2
from tensorflow_serving.apis import (
    prediction_log_pb2,
)
from tensorflow_serving.config import model_server_config_pb2

from hd2s_tf.data import images
from hd2s_tf.errors import BadInputError
from hd2s_tf.export import saved_model
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.serving import models, signatures


@pytest.fixture(scope="module")
def servable(exported):
    return models.Servable(exported.base / "1", 1)


def _config(base, name="m"):
    return model_server_config_pb2.ModelConfig(name=name, base_path=str(base))


@pytest.mark.parametrize("count", [1, 3])
def test_clips_as_the_keras_model_answers(exported, servable, count):
    outputs = ["saliency_map", "conspicuity_maps"]
    found = servable.run("predict_conspicuity", {"clip": exported.clips[:count]}, outputs)
    for name, values in zip(outputs, found, strict=True):
        np.testing.assert_allclose(values, exported.outputs[name][:count], rtol=0, atol=1e-5)
    (alone,) = servable.run("serving_default", {"clip": exported.clips[:count]}, ["saliency_map"])
    np.testing.assert_allclose(alone, exported.outputs["saliency_map"][:count], rtol=0, atol=1e-5)


_FRESH = """
import sys
import numpy as np, tensorflow as tf
folder, arrays = sys.argv[1:]
given = np.load(arrays, allow_pickle=True)
with tf.compat.v1.Session(graph=tf.Graph()) as session:
    signatures = tf.compat.v1.saved_model.loader.load(session, ["serve"], folder).signature_def
    def run(name, output, **inputs):
        signature = signatures[name]
        feed = {signature.inputs[key].name: value for key, value in inputs.items()}
        return session.run(signature.outputs[output].name, feed)
    for name in ("saliency_map", "conspicuity_maps"):
        found = run("predict_conspicuity", name, clip=given["clips"])
        np.testing.assert_allclose(found, given[name], rtol=0, atol=1e-5)
    found = run("serving_default", "saliency_map", clip=given["clips"])
    np.testing.assert_allclose(found, given["saliency_map"], rtol=0, atol=1e-5)
    found = run("predict_frames", "saliency_map", frames=given["frames"], skip=np.zeros(1, np.int32))
    np.testing.assert_allclose(found[0], given["maps"], rtol=0, atol=255e-5)
    assert b"hd2s_tiny" in run("describe", "model_info", request=np.zeros(1, np.int32))[0]
assert not any(name.startswith(("hd2s_tf", "tensorflow_io")) for name in sys.modules)
"""


def test_every_signature_in_a_fresh_process_without_this_package(exported, tmp_path):
    frames = np.array([[images.png(frame) for frame in exported.frames]], object)
    np.savez(
        tmp_path / "arrays.npz", clips=exported.clips, frames=frames, maps=np.stack(exported.maps), **exported.outputs
    )
    command = [sys.executable, "-c", _FRESH, str(exported.base / "1"), str(tmp_path / "arrays.npz")]
    result = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert result.returncode == 0, result.stderr[-2000:]


def test_a_domain_specific_model_with_batching(tmp_path):
    model = HD2S.from_preset("hd2s_dsl", weights=None, domains=("A", "B"), width_multiplier=0.0625, levels=(1,))
    saved_model.export(model, str(tmp_path), 3, batching=True)
    assert (tmp_path / "3" / signatures.BATCHING).exists()
    assert [path.name for path in tmp_path.iterdir()] == ["3"]
    loaded = models.Servable(tmp_path / "3", 3)
    assert "predict_frames" not in loaded.signatures
    *clips, _ = _warmup(tmp_path / "3" / signatures.WARMUP)
    sizes = [request.inputs["clip"].tensor_shape.dim[0].size for request in clips]
    assert sizes == 2 * list(saved_model.ALLOWED_BATCH_SIZES)
    clips = np.random.default_rng(0).integers(0, 256, (2, 16, 128, 192, 3), np.uint8)
    for domain in (0, 1):
        inputs = {"clip": clips.astype(np.float32) * (2 / 255) - 1, "domain": np.full(2, domain, np.int32)}
        expected = model(inputs, training=False)["saliency_map"]
        given = {"clip": clips, "domain": inputs["domain"]}
        (found,) = loaded.run("serving_default", given, ["saliency_map"])
        np.testing.assert_allclose(found, expected, rtol=0, atol=1e-5)


def _warmup(path):
    """The requests with which a server warms a version up."""
    records = tf.data.TFRecordDataset(str(path)).as_numpy_iterator()
    return [prediction_log_pb2.PredictionLog.FromString(record).predict_log.request for record in records]


def _graph(exported):
    saved = saved_model_pb2.SavedModel.FromString((exported.base / "1" / "saved_model.pb").read_bytes())
    return saved.meta_graphs[0].graph_def


def test_no_signature_reads_the_weights_of_a_small_model(exported):
    for function in _graph(exported).library.function:
        operations = {node.op for node in function.node_def}
        # The function that saves reads them all.
        assert "ReadVariableOp" not in operations or "SaveV2" in operations


def test_the_graph_has_no_foreign_operation(exported):
    graph = _graph(exported)
    functions = {function.signature.name for function in graph.library.function}
    used = {node.op for node in graph.node}
    used |= {node.op for function in graph.library.function for node in function.node_def}
    assert {"DecodePng", "DecodeJpeg", "EncodePng", "DepthwiseConv2dNative"} <= used
    assert not [name for name in used if "PyFunc" in name or name.startswith("IO>")]
    # TensorFlow's own operations only.
    assert all(name in functions or hasattr(tf.raw_ops, name) for name in used)


def test_warm_up_requests_are_prediction_logs_of_every_signature(exported):
    path = exported.base / "1" / signatures.WARMUP
    names = [request.model_spec.signature_name for request in _warmup(path)]
    assert names == ["serving_default", "predict_conspicuity", "predict_frames", "describe"]
    # One value stands for all.
    assert path.stat().st_size < 10_000


def test_the_description(exported):
    information = json.loads((exported.base / "1" / "model_info.json").read_text())
    assert information["smoothing_sigma"] == 5
    assert information["signatures"]["predict_frames"] == {
        "inputs": {"frames": "string [1,?]", "skip": "int32 [1]"},
        "outputs": {"saliency_map": "float32 [1,?,128,192]", "saliency_png_bytes": "string [1,?]"},
    }


def _encoded(extension, size, channels):
    image = np.full((*size, 3) if channels == 3 else size, 120, np.uint8)
    return cv2.imencode(extension, image)[1].tobytes()


def test_frames_of_any_kind_and_number(servable):
    frames = [
        _encoded(kind, size, channels)
        for kind in (".jpg", ".png")
        for size in ((33, 57), (301, 407))
        for channels in (1, 3)
    ]
    inputs = {"frames": np.array([frames], object), "skip": np.array([1], np.int32)}
    maps, pngs = servable.run("predict_frames", inputs, ["saliency_map", "saliency_png_bytes"])
    assert maps.shape == (1, 7, 128, 192)
    for found, png in zip(maps[0], pngs[0], strict=True):
        pixels = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_UNCHANGED)
        assert (pixels == np.rint(found)).all()
    with pytest.raises(tf.errors.InvalidArgumentError):
        servable.run("predict_frames", inputs | {"frames": np.array([[b"broken"] * 2], object)}, ["saliency_map"])


def test_what_is_not_exported(exported):
    for version, message in ((1, "there already"), (0, "at least 1")):
        with pytest.raises(BadInputError, match=message):
            saved_model.export(exported.model, str(exported.base), version)
    with pytest.raises(BadInputError, match="no version"):
        models.Model(_config(exported.base / "missing"))
