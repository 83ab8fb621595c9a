"""TensorFlow Serving's gRPC services over `models`, with its status codes and messages.

For trying and testing on a machine without TensorFlow Serving: one process, no batching, no REST.
"""

import concurrent.futures
import math
import threading
import time
from collections.abc import Callable, Iterable

import grpc
import numpy as np
import tensorflow as tf
from absl import logging
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow.core.framework import tensor_pb2, types_pb2
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)
from tensorflow_serving.config import model_server_config_pb2

from hd2s_tf import files
from hd2s_tf.errors import BadInputError
from hd2s_tf.serving import models, signatures

# TensorFlow's error codes and gRPC's are the same numbers.
_CODES = {code.value[0]: code for code in grpc.StatusCode}
# Many more than calls that may wait: each holds one from its first byte on, even if the rest comes slowly or never.
_THREADS = 512
# As the deployment files have it: a connection ends after a while, and with it the wait for a slow sender.
_CONNECTION_MS, _GRACE_MS, _PING_MS = 30_000, 120_000, 20_000
# TensorFlow Serving cuts messages off here.
_LONGEST_MESSAGE = 1024
# Seconds for clients to read the last answers before connections close.
_SECONDS_TO_READ = 1.0


class _Stop(Exception):
    """A request's end with a status."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def _bad(message: str) -> _Stop:
    return _Stop(grpc.StatusCode.INVALID_ARGUMENT, message)


def _answering(method: Callable) -> Callable:
    """Turns `_Stop` into the status of the call, and refuses it when the server stops."""

    def answer(self: "_Services", request: object, context: grpc.ServicerContext) -> object:
        try:
            if self._closed:
                raise _Stop(grpc.StatusCode.UNAVAILABLE, "The server is stopping")
            if not request.HasField("model_spec"):
                raise _bad("Missing ModelSpec")
            return method(self, request, context)
        except _Stop as stop:
            cut = len(stop.message) > _LONGEST_MESSAGE
            context.abort(stop.code, stop.message[:_LONGEST_MESSAGE] + "...TRUNCATED" * cut)

    return answer


class _Place:
    """A call's place in the queue, kept until both its answer is sent, or nobody wants it, and its thread is free.

    A large answer takes longer than the thread, and a thread inside TensorFlow longer than a cancelled call.
    """

    def __init__(self, places: threading.Semaphore) -> None:
        self._places, self._lock, self._ends = places, threading.Lock(), 2

    def end(self) -> None:
        """Tells that one of both is so."""
        with self._lock:
            self._ends -= 1
            ended = self._ends == 0
        if ended:
            self._places.release()


class _Services(prediction_service_pb2_grpc.PredictionServiceServicer, model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, served: dict[str, models.Model], workers: int, queue: int, most_bytes: int) -> None:
        self._served, self._queue, self._most_bytes = served, queue, most_bytes
        self._places, self._workers = threading.Semaphore(queue), threading.Semaphore(workers)
        self._closed = False

    def close(self, seconds: float) -> None:
        """Refuses calls from now on; returns when earlier Predict calls are answered or `seconds` have passed."""
        self._closed = True
        end = time.monotonic() + seconds
        for _ in range(self._queue):
            if not self._places.acquire(timeout=max(0, end - time.monotonic())):
                return

    @_answering
    def Predict(
        self, request: predict_pb2.PredictRequest, context: grpc.ServicerContext
    ) -> predict_pb2.PredictResponse:
        """Runs a signature."""
        if not self._places.acquire(blocking=False):
            raise _Stop(grpc.StatusCode.RESOURCE_EXHAUSTED, "The server's queue is full")
        place = _Place(self._places)
        if not context.add_callback(place.end):
            place.end()
        try:
            with self._workers:
                if not context.is_active():
                    raise _Stop(grpc.StatusCode.CANCELLED, "The client is gone")
                model, servable = self._acquire(request.model_spec)
                try:
                    return _run(request, servable, self._most_bytes)
                finally:
                    model.release(servable)
        finally:
            place.end()

    @_answering
    def GetModelMetadata(
        self, request: get_model_metadata_pb2.GetModelMetadataRequest, context: grpc.ServicerContext
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Returns a version's signatures."""
        del context
        if not request.metadata_field:
            raise _bad("GetModelMetadataRequest must specify at least one metadata_field")
        for field in request.metadata_field:
            if field != "signature_def":
                # The placeholder is in TensorFlow Serving's own message.
                raise _bad(f"Metadata field %s is not supported{field}")
        model, servable = self._acquire(request.model_spec)
        try:
            found = get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signatures)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.CopyFrom(_spec(request.model_spec.name, servable.version))
            response.metadata["signature_def"].Pack(found)
            return response
        finally:
            model.release(servable)

    @_answering
    def GetModelStatus(
        self, request: get_model_status_pb2.GetModelStatusRequest, context: grpc.ServicerContext
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Returns the states of a model's versions."""
        del context
        name = request.model_spec.name
        states = self._served[name].states() if name in self._served else {}
        if request.model_spec.HasField("version"):
            number = request.model_spec.version.value
            if number not in states:
                raise _Stop(grpc.StatusCode.NOT_FOUND, f"Could not find version {number} of model {name}")
            states = {number: states[number]}
        if not states:
            raise _Stop(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {name}")
        response = get_model_status_pb2.GetModelStatusResponse()
        for number, (state, error) in states.items():
            status = response.model_version_status.add(version=number, state=state)
            status.status.error_code = grpc.StatusCode.UNKNOWN.value[0] if error else grpc.StatusCode.OK.value[0]
            status.status.error_message = error
        return response

    def _acquire(self, spec: model_pb2.ModelSpec) -> tuple[models.Model, models.Servable]:
        if not spec.name:
            raise _bad("ModelSpec has no name specified.")
        model = self._served.get(spec.name)
        number = spec.version.value if spec.HasField("version") else None
        if spec.version_label:
            number = model.labels.get(spec.version_label) if model else None
            if number is None:
                raise _bad(f"Unrecognized servable version label: {spec.version_label}")
        servable = model.acquire(number) if model else None
        if servable is None:
            wanted = f"Latest({spec.name})" if number is None else f"Specific({spec.name}, {number})"
            raise _Stop(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {wanted}")
        return model, servable


def _run(
    request: predict_pb2.PredictRequest, servable: models.Servable, most_bytes: int
) -> predict_pb2.PredictResponse:
    name = request.model_spec.signature_name or signatures.PREDICT_CLIPS
    if name not in servable.signatures:
        raise _Stop(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
    signature = servable.signatures[name]
    inputs = _inputs(request, signature, most_bytes)
    outputs = _outputs(request, signature)
    try:
        values = servable.run(name, inputs, outputs)
    except ValueError as error:
        raise _bad(str(error)) from error
    except tf.errors.OpError as error:
        raise _Stop(_CODES[error.error_code], error.message) from error
    response = predict_pb2.PredictResponse(model_spec=_spec(request.model_spec.name, servable.version, name))
    for output, value in zip(outputs, values, strict=True):
        response.outputs[output].CopyFrom(tf.make_tensor_proto(value))
    return response


def _inputs(
    request: predict_pb2.PredictRequest, signature: meta_graph_pb2.SignatureDef, most_bytes: int
) -> dict[str, np.ndarray]:
    required, sent = set(signature.inputs), set(request.inputs)
    if len(sent) != len(required):
        raise _bad(
            f"input size does not match signature: {len(sent)}!={len(required)} len({_names(sent)}) != "
            f"len({_names(required)}). Sent extra: {_names(sent - required)}. Missing but required: "
            f"{_names(required - sent)}."
        )
    for name in sorted(required - sent):
        raise _bad(
            f"Signature input alias: {name}(feed name: {signature.inputs[name].name}) not found in request and no "
            f"default value provided. Inputs expected to be in the request {_names(sent)}, or default input alias set: "
        )
    arrays = {}
    for position, name in enumerate(sorted(required, key=lambda name: signature.inputs[name].name)):
        tensor, expected = request.inputs[name], signature.inputs[name].dtype
        try:
            # A few bytes can name a shape of any size, which one value fills.
            if _size(tensor) > most_bytes:
                raise _Stop(grpc.StatusCode.RESOURCE_EXHAUSTED, f"{name} would take more than {most_bytes} bytes")
            arrays[name] = tf.make_ndarray(tensor)
        except (TypeError, ValueError, KeyError) as error:
            raise _bad(f"tensor parsing error: {name}") from error
        if tensor.dtype != expected:
            raise _bad(f"Expects arg[{position}] to be {_type(expected)} but {_type(tensor.dtype)} is provided")
    return arrays


def _size(tensor: tensor_pb2.TensorProto) -> int:
    """Bytes of the array that a tensor becomes; of strings those of the references to them."""
    sides = [side.size for side in tensor.tensor_shape.dim]
    if min(sides, default=0) < 0:
        raise ValueError(f"the shape is {sides}")
    return math.prod(sides) * (8 if tensor.dtype == types_pb2.DT_STRING else tf.as_dtype(tensor.dtype).size)


def _outputs(request: predict_pb2.PredictRequest, signature: meta_graph_pb2.SignatureDef) -> list[str]:
    outputs = list(request.output_filter)
    for output in outputs:
        if output not in signature.outputs:
            raise _bad(
                f"output tensor alias not found in signature: {output} Outputs expected to be in the set "
                f"{_names(signature.outputs)}."
            )
        if outputs.count(output) > 1:
            raise _bad(f"duplicate output tensor alias: {output}")
    return outputs or sorted(signature.outputs)


def _names(names: Iterable[str]) -> str:
    return "{" + ",".join(sorted(names)) + "}"


def _type(number: int) -> str:
    return types_pb2.DataType.Name(number).removeprefix("DT_").lower()


def _spec(name: str, version: int, signature: str = "") -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=name, signature_name=signature)
    spec.version.value = version
    return spec


def tls(certificate: str | None, key: str | None, client_ca: str | None = None) -> grpc.ServerCredentials | None:
    """Credentials from PEM files; None if none are named.

    Args:
      certificate, key: of the server; both or none.
      client_ca: of the certificate authority that a client's certificate must be signed by; None asks for none.

    Raises:
      BadInputError: one without the other, or a file that cannot be read.
    """
    if (certificate is None) != (key is None) or (client_ca is not None and certificate is None):
        raise BadInputError("TLS needs both the server's certificate and its key")
    if certificate is None:
        return None
    pair = (files.read_bytes(key), files.read_bytes(certificate))
    return grpc.ssl_server_credentials([pair], client_ca and files.read_bytes(client_ca), client_ca is not None)


class Server:
    """A running server.

    Args:
      configs: the models; names differ.
      port: to listen on; 0 for any.
      max_request_bytes: largest request.
      queue: Predict calls that run or wait; others are refused.
      workers: Predict calls that run at a time.
      poll_seconds: between looks for new versions.
      address: to listen on.
      credentials: with them connections are encrypted; see `tls`.

    Attributes:
      port: it listens on.

    Raises:
      BadInputError: a model without a version that loads, a port that is taken, or credentials that do not fit.
    """

    def __init__(
        self,
        configs: Iterable[model_server_config_pb2.ModelConfig],
        port: int = 0,
        *,
        max_request_bytes: int = 64 << 20,
        queue: int = 64,
        workers: int = 2,
        poll_seconds: float = 1.0,
        address: str = "127.0.0.1",
        credentials: grpc.ServerCredentials | None = None,
    ) -> None:
        self._models = {config.name: models.Model(config) for config in configs}
        options = [
            ("grpc.max_receive_message_length", max_request_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
            ("grpc.max_connection_age_ms", _CONNECTION_MS),
            ("grpc.max_connection_age_grace_ms", _GRACE_MS),
            ("grpc.http2.min_ping_interval_without_data_ms", _PING_MS),
        ]
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(_THREADS), options=options)
        self._services = _Services(self._models, workers, queue, max_request_bytes)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(self._services, self._server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(self._services, self._server)
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        try:
            self.port = (
                self._server.add_secure_port(f"{address}:{port}", credentials)
                if credentials
                else self._server.add_insecure_port(f"{address}:{port}")
            )
        except RuntimeError as error:
            reason = "taken, or the certificate and its key do not fit" if credentials else str(error)
            raise BadInputError(f"port {port} of {address} cannot be listened on: {reason}") from error
        for name in ("", "ModelService", "PredictionService"):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._stopped = threading.Event()
        self._poll = threading.Thread(target=self._look_for_versions, args=(poll_seconds,), daemon=True)
        self._server.start()
        self._poll.start()

    def wait(self) -> None:
        """Returns when the server has stopped."""
        self._server.wait_for_termination()

    def stop(self, grace: float = 10.0) -> None:
        """Takes no new requests, and returns when running ones are answered or `grace` seconds have passed.

        With a grace, connections stay open for another second: gRPC closes them as soon as it has written an answer,
        and the system drops what a client has not yet read from a connection that is closed.
        """
        self._health.enter_graceful_shutdown()
        self._stopped.set()
        # A thread that is inside TensorFlow when the interpreter ends aborts the process.
        self._poll.join()
        if grace:
            self._services.close(grace)
            time.sleep(_SECONDS_TO_READ)
        self._server.stop(0).wait()

    def _look_for_versions(self, seconds: float) -> None:
        while not self._stopped.wait(seconds):
            for model in self._models.values():
                try:
                    model.refresh()
                except Exception:
                    # Whatever a folder holds, the next look may find it mended.
                    logging.exception("model %s: looking for versions failed", model.name)
