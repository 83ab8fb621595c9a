"""The client against a service whose answers a test scripts: a frame's map is the frame's own first pixel."""

import concurrent.futures
import contextlib
import json
import threading
import time

import cv2
import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.inference import remote
from hd2s_tf.serving.signatures import ModelInfo

INFORMATION = ModelInfo("test", domains=("A", "B")).to_json()


class _Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers as a served model does; `faults` are called first, one a request, with the request and its context."""

    def __init__(self):
        self.requests, self.metadata, self.faults, self.version = [], [], [], 1
        self.lock = threading.Lock()

    def _check(self, request, context):
        spec = request.model_spec
        self.metadata.append(dict(context.invocation_metadata()))
        if spec.name != "m":
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: Latest({spec.name})")
        if spec.HasField("version") and spec.version.value != self.version:
            wanted = f"Specific(m, {spec.version.value})"
            context.abort(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {wanted}")

    def GetModelMetadata(self, request, context):
        self._check(request, context)
        response = get_model_metadata_pb2.GetModelMetadataResponse()
        response.model_spec.version.value = self.version
        signatures = get_model_metadata_pb2.SignatureDefMap()
        for name in ("describe", "predict_frames"):
            signatures.signature_def[name].SetInParent()
        response.metadata["signature_def"].Pack(signatures)
        return response

    def Predict(self, request, context):
        self._check(request, context)
        response = predict_pb2.PredictResponse()
        response.model_spec.version.value = self.version
        if request.model_spec.signature_name == "describe":
            answer = np.array([json.dumps(INFORMATION).encode()], object)
            response.outputs["model_info"].CopyFrom(tf.make_tensor_proto(answer))
            return response
        with self.lock:
            fault = self.faults.pop(0) if self.faults else None
        answer = fault(request, context) if fault else None
        if answer is not None:
            return answer
        self.requests.append(request)
        frames = tf.make_ndarray(request.inputs["frames"])[0]
        skip = int(tf.make_ndarray(request.inputs["skip"])[0])
        pixels = [cv2.imdecode(np.frombuffer(frame, np.uint8), cv2.IMREAD_COLOR)[0, 0, 0] for frame in frames[skip:]]
        maps = np.stack([np.full((128, 192), pixel, np.float32) for pixel in pixels])[np.newaxis]
        response.outputs["saliency_map"].CopyFrom(tf.make_tensor_proto(maps))
        return response


@contextlib.contextmanager
def _serving(service, port=0):
    options = [("grpc.so_reuseport", 0)]
    server = grpc.server(concurrent.futures.ThreadPoolExecutor(8), options=options)
    prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(service, server)
    port = server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    try:
        yield port
    finally:
        server.stop(0).wait()


@pytest.fixture
def service():
    return _Service()


@pytest.fixture
def port(service):
    with _serving(service) as port:
        yield port


def _frames(count):
    return [np.full((8, 12, 3), index, np.uint8) for index in range(count)]


def _ask(port, count, name="m", version=None, first=0, domain="a", **connection):
    with remote.ServedModel(f"127.0.0.1:{port}/{name}", remote.Connection(**connection), version) as model:
        answers = remote.predict_frames(model, _frames(count), domain=domain, first=first)
        return [(frame[0, 0, 0], None if found is None else found[0, 0]) for frame, found in answers], model.versions


def _whole(count):
    return [(index, index) for index in range(count)]


@pytest.mark.parametrize("count", [1, 16, 31, 32, 33, 64, 100])
def test_each_frame_once_and_in_order(service, port, count):
    assert _ask(port, count)[0] == _whole(count)
    sent = [len(tf.make_ndarray(request.inputs["frames"])[0]) for request in service.requests]
    assert sum(sent) == count + 15 * (len(sent) - 1)


def _fail(code, message="away"):
    return lambda request, context: context.abort(code, message)


@pytest.mark.parametrize("code", [grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED])
def test_a_request_that_may_pass_is_sent_again(service, port, code):
    service.faults = [None, _fail(code), _fail(code), None, _fail(code)]
    assert _ask(port, 100)[0] == _whole(100)


def test_answers_that_come_late_stay_in_order(service, port):
    service.faults = [lambda request, context: time.sleep(0.5)]
    assert _ask(port, 100)[0] == _whole(100)


def test_a_server_that_goes_and_comes_back_loses_no_frame(service):
    answers = []
    with contextlib.ExitStack() as first:
        port = first.enter_context(_serving(service))
        with remote.ServedModel(f"127.0.0.1:{port}/m", remote.Connection(deadline=20)) as model:
            for frame, found in remote.predict_frames(model, _frames(200), domain="a"):
                answers.append((frame[0, 0, 0], found[0, 0]))
                if len(answers) == 33:
                    first.close()
                    again = _serving(service, port)
                    threading.Timer(0.5, again.__enter__).start()
    again.__exit__(None, None, None)
    assert answers == _whole(200)


def test_a_version_swapped_meanwhile_is_told(service, port):
    def swap(request, context):
        service.version = 2
        context.abort(grpc.StatusCode.UNAVAILABLE, "swapping")

    service.faults = [None, swap]
    answers, versions = _ask(port, 100)
    assert answers == _whole(100)
    assert versions == [1, 2]


def test_a_version_that_was_asked_for_is_not_replaced(port):
    with pytest.raises(BadInputError, match=r"NOT_FOUND: .*Specific\(m, 7\)"):
        _ask(port, 1, version=7)


def test_wrong_names(port):
    with pytest.raises(BadInputError, match=r"NOT_FOUND: .*Latest\(x\)"):
        _ask(port, 1, name="x")
    with pytest.raises(BadInputError, match="this model has A, B"):
        _ask(port, 1, domain="c")
    with pytest.raises(BadInputError, match="grpc://host:port/name"):
        remote.ServedModel("somewhere")
    with remote.ServedModel(f"127.0.0.1:{port}/m") as model, pytest.raises(BadInputError, match="no signature x"):
        model.require("x")


def _answer(array):
    def answer(request, context):
        response = predict_pb2.PredictResponse()
        if array is not None:
            response.outputs["saliency_map"].CopyFrom(tf.make_tensor_proto(array))
        return response

    return answer


@pytest.mark.parametrize(
    "array",
    [
        None,
        np.zeros((1, 3, 128, 192), np.float32),
        np.full((1, 4, 128, 192), np.nan, np.float32),
        np.zeros((1, 4, 128, 192), np.float64),
    ],
)
def test_garbage_stops_the_run(service, port, array):
    service.faults = [_answer(array)]
    with pytest.raises(RunError, match="makes no sense"):
        _ask(port, 4)


def test_a_deadline_ends_the_waiting(service, port):
    service.faults = [_fail(grpc.StatusCode.UNAVAILABLE)] * 50
    started = time.monotonic()
    with pytest.raises(RunError, match="UNAVAILABLE"):
        _ask(port, 4, deadline=1.0)
    service.faults = [lambda request, context: time.sleep(2)]
    with pytest.raises(RunError, match="DEADLINE_EXCEEDED"):
        _ask(port, 4, deadline=0.5)
    assert time.monotonic() - started < 4


def test_a_message_that_is_too_large_is_not_sent_again(service, port):
    service.faults = [_fail(grpc.StatusCode.RESOURCE_EXHAUSTED, "Received message larger than max (9 vs. 4)")]
    with pytest.raises(RunError, match="larger than max"):
        _ask(port, 4, deadline=30.0)


def test_chunks_that_are_done_are_not_asked_for(service, port):
    answers, _ = _ask(port, 100, first=70)
    assert answers == [(index, None if index < 64 else index) for index in range(100)]
    assert len(service.requests) == 2


def test_the_token_is_sent(service, port):
    _ask(port, 1, token="secret")
    assert {metadata["authorization"] for metadata in service.metadata} == {"Bearer secret"}


def test_certificates_that_do_not_make_sense(tmp_path):
    for arguments, message in (
        ({"tls_certificate": "c"}, "both"),
        ({"tls_certificate": "c", "tls_key": "k"}, "authority"),
        ({"tls_ca": str(tmp_path / "missing.pem")}, "missing.pem"),
    ):
        with pytest.raises(BadInputError, match=message):
            remote.ServedModel("127.0.0.1:1/m", remote.Connection(**arguments))


def test_no_message_reaches_four_megabytes(service, port):
    noise = np.random.default_rng(0).integers(0, 256, (64, 128, 192, 3), np.uint8)
    with remote.ServedModel(f"127.0.0.1:{port}/m") as model:
        list(remote.predict_frames(model, noise, domain="a"))
    assert max(request.ByteSize() for request in service.requests) < 4 << 20
