"""A service whose answers a test scripts: a frame's map is the frame's own first pixel."""

import concurrent.futures
import contextlib
import json
import threading

import cv2
import grpc
import numpy as np
import pytest
import tensorflow as tf
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from hd2s_tf.inference import remote
from hd2s_tf.serving.client import ServedModel
from hd2s_tf.serving.connection import Connection
from hd2s_tf.serving.signatures import ModelInfo

INFORMATION = ModelInfo("test", domains=("A", "B")).to_json()


class Service(prediction_service_pb2_grpc.PredictionServiceServicer):
    """Answers as a served model does; `faults` are called first, one a request, with the request and its context."""

    def __init__(self):
        self.requests, self.metadata, self.faults, self.version = [], [], [], 1
        self.description = json.dumps(INFORMATION).encode()
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
            answer = np.array([self.description], object)
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
def serving(service, port=0):
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
    return Service()


@pytest.fixture
def port(service):
    """Of a server of the scripted service."""
    with serving(service) as port:
        yield port


def frames_of(count):
    return [np.full((8, 12, 3), index, np.uint8) for index in range(count)]


def ask(port, count, name="m", version=None, first=0, domain="a", **connection):
    with ServedModel(f"127.0.0.1:{port}/{name}", Connection(**connection), version) as model:
        answers = remote.predict_frames(model, frames_of(count), domain=domain, first=first)
        return [(frame[0, 0, 0], None if found is None else found[0, 0]) for frame, found in answers], model.versions


def whole(count):
    return [(index, index) for index in range(count)]
