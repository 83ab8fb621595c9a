"""Requests that do not fit, through the C++ session as TensorFlow Serving calls it: it checks no shapes."""

import base64
import io
import json

import keras
import numpy as np
import pytest
import tensorflow as tf
from PIL import Image
from tensorflow.core.protobuf import config_pb2

from hd2s_tf.data import images
from hd2s_tf.export.endpoints import Endpoints
from hd2s_tf.export.pictures import Limits
from hd2s_tf.models import folding
from hd2s_tf.models.hd2s import HD2S

PNG = images.png(np.full((40, 60, 3), 90, np.uint8))


class Loaded:
    """A SavedModel in a C++ session, called without the checks of Python's `Session.run`."""

    def __init__(self, folder):
        self.session = tf.compat.v1.Session(graph=tf.Graph())
        with self.session.graph.as_default():
            loaded = tf.compat.v1.saved_model.loader.load(self.session, ["serve"], str(folder))
        self.signatures = loaded.signature_def
        self.callables = {}

    def run(self, name, **inputs):
        signature = self.signatures[name]
        if name not in self.callables:
            options = config_pb2.CallableOptions(
                feed=[signature.inputs[key].name for key in inputs],
                fetch=[signature.outputs[key].name for key in sorted(signature.outputs)],
            )
            self.callables[name] = self.session._make_callable_from_options(options)
        found = self.callables[name](*inputs.values())
        return dict(zip(sorted(signature.outputs), found, strict=True))


@pytest.fixture(scope="module")
def loaded(exported):
    return Loaded(exported.base / "1")


def _frames(*shape):
    return np.full(shape, PNG, object)


@pytest.mark.parametrize(
    "name, inputs",
    [
        ("serving_default", {"clip": np.zeros((1, 16, 256, 384, 3), np.uint8)}),
        ("serving_default", {"clip": np.zeros((1, 16, 128, 192, 1), np.uint8)}),
        ("serving_default", {"clip": np.zeros((1, 32, 128, 192, 3), np.uint8)}),
        ("serving_default", {"clip": np.zeros((16, 128, 192, 3), np.uint8)}),
        ("predict_conspicuity", {"clip": np.zeros((1, 16, 64, 96, 3), np.uint8)}),
        ("predict_frames", {"frames": _frames(2, 3), "skip": np.zeros(1, np.int32)}),
        ("predict_frames", {"frames": _frames(3), "skip": np.zeros(1, np.int32)}),
        ("predict_frames", {"frames": _frames(1, 3), "skip": np.zeros(2, np.int32)}),
        ("predict_frames", {"frames": _frames(1, 0), "skip": np.zeros(1, np.int32)}),
        ("predict_frames", {"frames": _frames(1, 1025), "skip": np.zeros(1, np.int32)}),
        ("predict_frames", {"frames": np.array([[PNG, b"GIF89a"]], object), "skip": np.zeros(1, np.int32)}),
        ("describe", {"request": np.zeros(100_000, np.int32)}),
    ],
)
def test_inputs_of_another_shape_are_refused(loaded, name, inputs):
    with pytest.raises(tf.errors.InvalidArgumentError):
        loaded.run(name, **inputs)


@pytest.mark.parametrize("skip, count", [(-5, 3), (0, 3), (2, 1), (3, 0), (99, 0)])
def test_any_number_of_frames_may_be_context(loaded, skip, count):
    answer = loaded.run("predict_frames", frames=_frames(1, 3), skip=np.array([skip], np.int32))
    assert answer["saliency_map"].shape == (1, count, 128, 192)
    assert answer["saliency_png_bytes"].shape == (1, count)


@pytest.fixture(scope="module")
def endpoints():
    """Of a domain-specific model, with low limits."""
    keras.utils.set_random_seed(0)
    model = HD2S.from_preset("hd2s_dsl", weights=None, domains=("A", "B"), width_multiplier=0.0625, levels=(1,))
    return Endpoints(folding.for_inference(model), {}, Limits(pixels=2400, frames=3))


def _function(endpoints, name):
    function, declared = endpoints.function(name)
    return tf.function(lambda inputs: function(*inputs), input_signature=[declared])


def test_domains_that_do_not_exist_are_refused(endpoints):
    clips = np.zeros((2, 16, 128, 192, 3), np.uint8)
    predict = _function(endpoints, "serving_default")
    assert predict([clips, np.int32([0, 1])])["saliency_map"].shape == (2, 128, 192)
    for domains in ([0, 2], [-1, 0], [0], [0, 1, 1]):
        with pytest.raises(tf.errors.InvalidArgumentError, match="domain"):
            predict([clips, np.int32(domains)])


def test_limits_are_those_of_the_export(endpoints):
    predict = _function(endpoints, "predict_frames")
    skip, domain = np.int32([0]), np.int32([0])
    assert predict([_frames(1, 3), skip, domain])["saliency_map"].shape == (1, 3, 128, 192)
    for inputs, message in (
        ([_frames(1, 4), skip, domain], "1 to 3 frames, not"),
        ([np.array([[images.png(np.zeros((49, 49), np.uint8))]]), skip, domain], "more than 2400"),
        ([_frames(1, 1), skip, np.int32([2])], "domains are 0 to 1, not"),
    ):
        with pytest.raises(tf.errors.InvalidArgumentError, match=message):
            predict(inputs)


def test_a_rest_answer_is_json_and_comes_back(loaded):
    """By the rules of TensorFlow Serving: bytes are in base64 where a name ends in `_bytes`, and text elsewhere."""
    answer = loaded.run("predict_frames", frames=_frames(1, 2), skip=np.zeros(1, np.int32))
    written = json.dumps({"outputs": {name: _jsonable(name, values.tolist()) for name, values in answer.items()}})
    outputs = json.loads(written)["outputs"]
    for coded, expected in zip(outputs["saliency_png_bytes"][0], answer["saliency_map"][0], strict=True):
        pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(coded["b64"]))))
        np.testing.assert_array_equal(pixels, np.rint(expected))
    described = loaded.run("describe", request=np.zeros(1, np.int32))
    assert json.loads(_jsonable("model_info", described["model_info"].tolist())[0])["preset"] == "hd2s_tiny"


def _jsonable(name, value):
    if isinstance(value, list):
        return [_jsonable(name, part) for part in value]
    if isinstance(value, bytes):
        return {"b64": base64.b64encode(value).decode()} if name.endswith("_bytes") else value.decode()
    return value
