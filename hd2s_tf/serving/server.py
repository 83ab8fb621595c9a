"""TensorFlow Serving's gRPC services over `models`, with its status codes and messages.

For trying and testing on a machine without TensorFlow Serving: one process, no batching, no REST.
"""

import concurrent.futures
import threading
from collections.abc import Callable

import grpc
import tensorflow as tf
from grpc_health.v1 import health, health_pb2, health_pb2_grpc
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    get_model_status_pb2,
    model_pb2,
    model_service_pb2_grpc,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from hd2s_tf.errors import BadInputError
from hd2s_tf.serving import models

_DEFAULT_SIGNATURE = "serving_default"
_CODES = {
    tf.errors.InvalidArgumentError: grpc.StatusCode.INVALID_ARGUMENT,
    tf.errors.ResourceExhaustedError: grpc.StatusCode.RESOURCE_EXHAUSTED,
    tf.errors.CancelledError: grpc.StatusCode.CANCELLED,
}


class _Stop(Exception):
    """A request's end with a status."""

    def __init__(self, code: grpc.StatusCode, message: str) -> None:
        super().__init__(message)
        self.code, self.message = code, message


def _answering(method: Callable) -> Callable:
    """Turns `_Stop` into the status of the call."""

    def answer(self: "_Services", request: object, context: grpc.ServicerContext) -> object:
        try:
            return method(self, request)
        except _Stop as stop:
            context.abort(stop.code, stop.message)

    return answer


class _Services(prediction_service_pb2_grpc.PredictionServiceServicer, model_service_pb2_grpc.ModelServiceServicer):
    def __init__(self, served: dict[str, models.Model], queue: int) -> None:
        self._served = served
        self._places = threading.BoundedSemaphore(queue)

    @_answering
    def Predict(self, request: predict_pb2.PredictRequest) -> predict_pb2.PredictResponse:  # noqa: N802
        """Runs a signature."""
        if not self._places.acquire(blocking=False):
            raise _Stop(grpc.StatusCode.RESOURCE_EXHAUSTED, "The server's queue is full")
        try:
            model, servable = self._acquire(request.model_spec)
            try:
                return _run(request, servable)
            finally:
                model.release(servable)
        finally:
            self._places.release()

    @_answering
    def GetModelMetadata(  # noqa: N802
        self, request: get_model_metadata_pb2.GetModelMetadataRequest
    ) -> get_model_metadata_pb2.GetModelMetadataResponse:
        """Tells a version's signatures."""
        if not request.metadata_field:
            raise _Stop(
                grpc.StatusCode.INVALID_ARGUMENT, "GetModelMetadataRequest must specify at least one metadata_field"
            )
        for field in request.metadata_field:
            if field != "signature_def":
                raise _Stop(grpc.StatusCode.INVALID_ARGUMENT, f"Metadata field {field} is not supported")
        model, servable = self._acquire(request.model_spec)
        try:
            signatures = get_model_metadata_pb2.SignatureDefMap(signature_def=servable.signatures)
            response = get_model_metadata_pb2.GetModelMetadataResponse()
            response.model_spec.CopyFrom(_spec(request.model_spec.name, servable.version))
            response.metadata["signature_def"].Pack(signatures)
            return response
        finally:
            model.release(servable)

    @_answering
    def GetModelStatus(  # noqa: N802
        self, request: get_model_status_pb2.GetModelStatusRequest
    ) -> get_model_status_pb2.GetModelStatusResponse:
        """Tells the state of a model's versions."""
        name = request.model_spec.name
        versions = self._served[name].versions() if name in self._served else {}
        wanted = request.model_spec.version.value if request.model_spec.HasField("version") else None
        chosen = {number: state for number, state in versions.items() if wanted in (None, number)}
        if not chosen:
            suffix = "" if wanted is None else f" version {wanted}"
            raise _Stop(grpc.StatusCode.NOT_FOUND, f"Could not find any versions of model {name}{suffix}")
        status = get_model_status_pb2.ModelVersionStatus
        return get_model_status_pb2.GetModelStatusResponse(
            model_version_status=[
                status(version=number, state=status.AVAILABLE if available else status.END)
                for number, available in sorted(chosen.items(), reverse=True)
            ]
        )

    def _acquire(self, spec: model_pb2.ModelSpec) -> tuple[models.Model, models.Servable]:
        if not spec.name:
            raise _Stop(grpc.StatusCode.INVALID_ARGUMENT, "Missing ModelSpec")
        model = self._served.get(spec.name)
        version = None
        if spec.HasField("version"):
            version = spec.version.value
        elif spec.version_label:
            version = model.labels.get(spec.version_label) if model else None
            if version is None:
                raise _Stop(
                    grpc.StatusCode.INVALID_ARGUMENT,
                    f"Unrecognized servable version label: {spec.version_label}",
                )
        servable = model.acquire(version) if model else None
        if servable is None:
            wanted = f"Latest({spec.name})" if version is None else f"Specific({spec.name}, {version})"
            raise _Stop(grpc.StatusCode.NOT_FOUND, f"Servable not found for request: {wanted}")
        return model, servable


def _run(request: predict_pb2.PredictRequest, servable: models.Servable) -> predict_pb2.PredictResponse:
    name = request.model_spec.signature_name or _DEFAULT_SIGNATURE
    if name not in servable.signatures:
        raise _Stop(grpc.StatusCode.FAILED_PRECONDITION, f'Serving signature key "{name}" not found.')
    signature = servable.signatures[name]
    required, sent = set(signature.inputs), set(request.inputs)
    if required != sent:
        raise _Stop(
            grpc.StatusCode.INVALID_ARGUMENT,
            f"input size does not match signature: {len(sent)}!={len(required)} len({{{','.join(sorted(sent))}}}) != "
            f"len({{{','.join(sorted(required))}}}). Sent extra: {{{','.join(sorted(sent - required))}}}. Missing but "
            f"required: {{{','.join(sorted(required - sent))}}}.",
        )
    outputs = list(request.output_filter) or sorted(signature.outputs)
    for output in outputs:
        if output not in signature.outputs:
            raise _Stop(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"output tensor alias not found in signature: {output} Outputs expected to be in the set "
                f"{{{','.join(sorted(signature.outputs))}}}.",
            )
    for input_name, tensor in request.inputs.items():
        if tensor.dtype != signature.inputs[input_name].dtype:
            expected, given = (tf.as_dtype(dtype).name for dtype in (signature.inputs[input_name].dtype, tensor.dtype))
            raise _Stop(
                grpc.StatusCode.INVALID_ARGUMENT,
                f"Expects arg[{input_name}] to be {expected} but {given} is provided",
            )
    try:
        values = servable.run(name, models.decode_inputs(request), outputs)
    except ValueError as error:
        raise _Stop(grpc.StatusCode.INVALID_ARGUMENT, str(error)) from error
    except tf.errors.OpError as error:
        code = next((code for kind, code in _CODES.items() if isinstance(error, kind)), grpc.StatusCode.INTERNAL)
        raise _Stop(code, error.message) from error
    response = predict_pb2.PredictResponse(model_spec=_spec(request.model_spec.name, servable.version, name))
    for output, value in zip(outputs, values, strict=True):
        response.outputs[output].CopyFrom(tf.make_tensor_proto(value))
    return response


def _spec(name: str, version: int, signature: str = "") -> model_pb2.ModelSpec:
    spec = model_pb2.ModelSpec(name=name, signature_name=signature)
    spec.version.value = version
    return spec


class Server:
    """A running server.

    Args:
      base_paths: of each model by its name.
      port: to listen on; 0 for any.
      labels: of versions, for each model.
      max_request_bytes: largest request.
      queue: Predict calls that run or wait; others are refused.
      workers: calls that run at a time.
      poll_seconds: between looks for new versions.
      address: to listen on.

    Attributes:
      port: it listens on.

    Raises:
      BadInputError: a model without a version that loads, or a port that is taken.
    """

    def __init__(
        self,
        base_paths: dict[str, str],
        port: int = 0,
        *,
        labels: dict[str, dict[str, int]] | None = None,
        max_request_bytes: int = 64 << 20,
        queue: int = 64,
        workers: int = 4,
        poll_seconds: float = 1.0,
        address: str = "127.0.0.1",
    ) -> None:
        self._models = {name: models.Model(name, path, (labels or {}).get(name)) for name, path in base_paths.items()}
        options = [
            ("grpc.max_receive_message_length", max_request_bytes),
            ("grpc.max_send_message_length", -1),
            ("grpc.so_reuseport", 0),
        ]
        # One thread more than may wait, so that a full queue is told and not waited for.
        self._server = grpc.server(concurrent.futures.ThreadPoolExecutor(workers + queue), options=options)
        services = _Services(self._models, queue)
        prediction_service_pb2_grpc.add_PredictionServiceServicer_to_server(services, self._server)
        model_service_pb2_grpc.add_ModelServiceServicer_to_server(services, self._server)
        self._health = health.HealthServicer()
        health_pb2_grpc.add_HealthServicer_to_server(self._health, self._server)
        try:
            self.port = self._server.add_insecure_port(f"{address}:{port}")
        except RuntimeError as error:
            raise BadInputError(f"port {port} of {address} cannot be listened on: {error}") from error
        for name in ("", "tensorflow.serving.PredictionService"):
            self._health.set(name, health_pb2.HealthCheckResponse.SERVING)
        self._stopped = threading.Event()
        self._poll = threading.Thread(target=self._look_for_versions, args=(poll_seconds,), daemon=True)
        self._server.start()
        self._poll.start()

    def wait(self) -> None:
        """Returns when the server has stopped."""
        self._server.wait_for_termination()

    def stop(self, grace: float = 10.0) -> None:
        """Takes no new requests, and ends when those that run are answered or `grace` seconds have passed."""
        self._health.enter_graceful_shutdown()
        self._stopped.set()
        self._server.stop(grace).wait()

    def _look_for_versions(self, seconds: float) -> None:
        while not self._stopped.wait(seconds):
            for model in self._models.values():
                model.refresh()
