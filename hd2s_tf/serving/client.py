"""The client of TensorFlow Serving's protocol: a served model, asked over gRPC.

A request that fails because a server is away, lost or full is sent again, later and later; nothing is lost or doubled,
because a request has no effect on the server. All requests of a run go to one version of the model as long as a server
has it, and never back to an older one.
"""

import functools
import ipaddress
import json
import math
import random
import re
import threading
import time
from collections.abc import Callable, Mapping

import grpc
import numpy as np
import tensorflow as tf
from absl import logging
from google.protobuf import message
from tensorflow.core.framework import tensor_pb2
from tensorflow_serving.apis import get_model_metadata_pb2, predict_pb2, prediction_service_pb2_grpc

from hd2s_tf import files
from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.serving import signatures
from hd2s_tf.serving.connection import Connection
from hd2s_tf.serving.signatures import ModelInfo

SCHEME = "grpc://"
_RETRIED = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
    # Of one attempt: the server may be lost.
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
_BAD_REQUEST = {
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
}
# In gRPC's words, failures that stay: a message that is too large; certificates or keys that do not fit each other, the
# server or its name, or a server without TLS.
_TOO_LARGE = "message larger than max"
_INSECURE = ("SSL_ERROR_SSL", "security handshaker", "Hostname Verification")
# In TensorFlow Serving's words, FAILED_PRECONDITION of a whole batch: someone else's clip has another shape.
_SPOILED, _SPOILED_ATTEMPTS = "from different tasks", 5
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_OPTIONS = [
    # Maps of a chunk may be larger than gRPC's default limit of 4 MB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A server that is back must be noticed as soon as a request is sent again.
    ("grpc.initial_reconnect_backoff_ms", round(1000 * _FIRST_PAUSE)),
    ("grpc.max_reconnect_backoff_ms", round(1000 * _LONGEST_PAUSE)),
    # Requests go to all addresses of a name in turn, and a connection that is lost silently is noticed. The
    # deployment files in serving/ admit a ping every 20 s.
    ("grpc.service_config", json.dumps({"loadBalancingConfig": [{"round_robin": {}}]})),
    ("grpc.keepalive_time_ms", 30_000),
    ("grpc.keepalive_timeout_ms", 10_000),
]
# The fields that hold a tensor's values if `tensor_content` does not.
_VALUE_FIELDS = {tf.float32: "float_val", tf.string: "string_val"}


class ServedModel:
    """A model served over gRPC; as a context manager it closes the connection, which ends waiting requests.

    Args:
      target: "grpc://host:port/name", or without the scheme.
      connection: see `Connection`.
      version: to ask for; None for the newest, which the run then keeps as long as a server has it.
      on_answer: called with the signature and the seconds of each request that was answered.

    Attributes:
      versions: those that have answered, in this order.

    Raises:
      BadInputError: a target of another form, files of certificates that cannot be read, or a token that would be sent
        without encryption.
    """

    def __init__(
        self,
        target: str,
        connection: Connection = Connection(),
        version: int | None = None,
        on_answer: Callable[[str, float], None] | None = None,
    ) -> None:
        match = re.fullmatch(r"(?:grpc://)?([^/\s]+:\d+)/([^/\s]+)", target)
        if not match:
            raise BadInputError(f"{target}: a served model is named as grpc://host:port/name")
        self.target, (address, self.name) = target, match.groups()
        self.versions: list[int] = []
        self._wanted, self._kept = version, version
        self._lock = threading.Lock()
        self._connection, self._on_answer = connection, on_answer
        self._metadata = [("authorization", f"Bearer {connection.token}")] if connection.token else []
        self._channel = _open_channel(target, address, connection)
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def __enter__(self) -> "ServedModel":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    @functools.cached_property
    def signatures(self) -> tuple[str, ...]:
        """The names of the model's signatures."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        response = self._call(self._service.GetModelMetadata, request)
        found = get_model_metadata_pb2.SignatureDefMap()
        try:
            if not response.metadata["signature_def"].Unpack(found):
                raise self._senseless("its metadata name no signatures")
        except message.DecodeError as error:
            raise self._senseless(error) from error
        return tuple(sorted(found.signature_def))

    @functools.cached_property
    def info(self) -> ModelInfo:
        """What the model says of itself."""
        self.require(signatures.DESCRIBE)
        wanted = {signatures.DESCRIPTION: tf.TensorSpec((1,), tf.string)}
        answer = self.predict(signatures.DESCRIBE, wanted, **{signatures.REQUEST: np.zeros(1, np.int32)})
        try:
            return ModelInfo.from_json(answer[signatures.DESCRIPTION][0], self.target)
        except ValueError as error:
            raise self._senseless(error) from error

    def require(self, signature: str) -> None:
        """Raises BadInputError if the model has no such signature."""
        if signature not in self.signatures:
            raise BadInputError(f"{self.target}: no signature {signature}: it has {', '.join(self.signatures)}")

    def predict(
        self, signature: str, outputs: Mapping[str, tf.TensorSpec], **inputs: np.ndarray
    ) -> dict[str, np.ndarray]:
        """Requests outputs of a signature.

        Args:
          signature: its name.
          outputs: the names of the outputs, float32 or string, and their shapes as far as they are known.
          **inputs: by their names.

        Raises:
          BadInputError: no such model, version or signature, or inputs it does not take.
          RunError: no answer before the deadline, or one of another type or shape.
        """
        request = predict_pb2.PredictRequest(output_filter=outputs)
        request.model_spec.signature_name = signature
        for name, values in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        started = time.perf_counter()
        response = self._call(self._service.Predict, request)
        if self._on_answer:
            self._on_answer(signature, time.perf_counter() - started)
        try:
            return {name: _array(name, response.outputs[name], wanted) for name, wanted in outputs.items()}
        except (TypeError, ValueError) as error:
            raise self._senseless(error) from error

    def _call(self, method: grpc.UnaryUnaryMultiCallable, request: message.Message) -> message.Message:
        request.model_spec.name = self.name
        give_up = time.monotonic() + self._connection.deadline
        longest = self._connection.attempt or self._connection.deadline / 2
        pause, spoiled = _FIRST_PAUSE, 0
        while True:
            kept = self._pin(request)
            timeout = min(longest, max(0.01, give_up - time.monotonic()))
            try:
                response = method(request, timeout=timeout, metadata=self._metadata)
            except grpc.RpcError as error:
                if self._is_gone(kept, error):
                    continue
                spoiled += _is_spoiled(error)
                failure = self._failure(error)
                if not (_may_pass(error) or (_is_spoiled(error) and spoiled < _SPOILED_ATTEMPTS)):
                    raise failure from error
            except ValueError as error:
                raise RunError(f"{self.target}: the connection is closed") from error
            else:
                version = response.model_spec.version.value
                if self._accepts(version):
                    return response
                failure = RunError(f"{self.target}: version {version} answers after a newer one")
            if time.monotonic() + pause >= give_up:
                raise failure
            time.sleep(pause * random.uniform(0.5, 1.0))
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _pin(self, request: message.Message) -> int | None:
        """Asks for the version that the run keeps; returns it, None if there is none yet."""
        kept = self._kept
        request.model_spec.ClearField("version")
        if kept is not None:
            request.model_spec.version.value = kept
        return kept

    def _accepts(self, version: int) -> bool:
        """Records the version of an answer; False if it is older than an earlier answer's."""
        with self._lock:
            if 0 < version < max(self.versions, default=0) and self._wanted is None:
                return False
            if self._kept is None and version:
                self._kept = version
            if version not in self.versions:
                self.versions.append(version)
        return True

    def _is_gone(self, kept: int | None, error: grpc.RpcError) -> bool:
        """Whether the server has retired the version that the run kept of its own accord."""
        if self._wanted is not None or kept is None or error.code() != grpc.StatusCode.NOT_FOUND:
            return False
        with self._lock:
            if self._kept == kept:
                logging.warning("%s: version %d is gone: the run continues with the newest", self.target, kept)
                self._kept = None
        return True

    def _failure(self, error: grpc.RpcError) -> Exception:
        kind = BadInputError if error.code() in _BAD_REQUEST or _is_insecure(error) else RunError
        return kind(f"{self.target}: {error.code().name}: {error.details()}")

    def _senseless(self, reason: object) -> RunError:
        return RunError(f"{self.target}: an answer that makes no sense: {reason}")


def _array(name: str, tensor: tensor_pb2.TensorProto, wanted: tf.TensorSpec) -> np.ndarray:
    """A tensor as an array, which takes no more memory than the message: a few bytes can name a shape of any size.

    Raises:
      TypeError: no type that TensorFlow knows.
      ValueError: another type or shape, or as many values as the shape does not have.
    """
    dtype, shape = tf.as_dtype(tensor.dtype), [side.size for side in tensor.tensor_shape.dim]
    if dtype != wanted.dtype or min(shape, default=0) < 0 or not wanted.shape.is_compatible_with(shape):
        raise ValueError(f"{name} is {dtype.name} {shape} in place of {wanted.dtype.name} {wanted.shape}")
    content = tensor.tensor_content
    count = len(content) / dtype.size if content else len(getattr(tensor, _VALUE_FIELDS[dtype]))
    if count != math.prod(shape):
        raise ValueError(f"{name} is {shape} and has {count:g} values")
    return tf.make_ndarray(tensor)


def _may_pass(error: grpc.RpcError) -> bool:
    return error.code() in _RETRIED and _TOO_LARGE not in (error.details() or "") and not _is_insecure(error)


def _is_spoiled(error: grpc.RpcError) -> bool:
    """Whether it was someone else's request, in the same batch, that does not fit."""
    return error.code() == grpc.StatusCode.FAILED_PRECONDITION and _SPOILED in (error.details() or "")


def _is_insecure(error: grpc.RpcError) -> bool:
    """Whether the two ends could not agree on a secure connection."""
    return error.code() == grpc.StatusCode.UNAVAILABLE and any(word in (error.details() or "") for word in _INSECURE)


def _open_channel(target: str, address: str, connection: Connection) -> grpc.Channel:
    credentials = _credentials(connection)
    near = _is_this_machine(address)
    if connection.token and not credentials and not near and not connection.plaintext_token:
        raise BadInputError(f"{target}: the token would be sent without encryption", "plaintext_token")
    # A proxy's loopback is not this machine's.
    options = [*_OPTIONS, ("grpc.enable_http_proxy", int(not near))]
    if credentials:
        return grpc.secure_channel(address, credentials, options)
    return grpc.insecure_channel(address, options)


def _is_this_machine(address: str) -> bool:
    host = address.rsplit(":", 1)[0].strip("[]")
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def _credentials(connection: Connection) -> grpc.ChannelCredentials | None:
    certificate, key = connection.tls_certificate, connection.tls_key
    if (certificate is None) != (key is None):
        raise BadInputError("a client's certificate needs both the certificate and the key")
    if connection.tls_ca is None:
        if certificate is not None:
            raise BadInputError("a client's certificate needs the certificate authority of the server too")
        return None
    return grpc.ssl_channel_credentials(
        *(None if path is None else files.read_bytes(path) for path in (connection.tls_ca, key, certificate))
    )
