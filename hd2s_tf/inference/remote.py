"""A served model: clips or chunks of a video to TensorFlow Serving over gRPC, and maps back.

A request that fails because the server is away or full is sent again, later and later; nothing is lost or doubled,
because a request has no effect on the server. All requests of a run go to one version of the model, as long as the
server has it.
"""

import collections
import concurrent.futures
import dataclasses
import functools
import ipaddress
import random
import re
import threading
import time
from collections.abc import Iterable, Iterator

import grpc
import numpy as np
import tensorflow as tf
from absl import logging
from google.protobuf import message
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from hd2s_tf import files
from hd2s_tf.data import images, preprocessing
from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.inference.domains import domain_index
from hd2s_tf.inference.predict_fn import PredictFn
from hd2s_tf.inference.streams import Maps
from hd2s_tf.models.presets import FRAME_SIZE
from hd2s_tf.serving import signatures
from hd2s_tf.serving.connection import Connection
from hd2s_tf.serving.signatures import ModelInfo

SCHEME = "grpc://"
_RETRIED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
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
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_OPTIONS = [
    # Maps of a chunk may be larger than gRPC's default limit of 4 MB.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A server that is back shall be noticed as soon as a request is sent again.
    ("grpc.initial_reconnect_backoff_ms", round(1000 * _FIRST_PAUSE)),
    ("grpc.max_reconnect_backoff_ms", round(1000 * _LONGEST_PAUSE)),
]


class ServedModel:
    """A model behind gRPC; a context manager that ends the connection, and with it requests that wait.

    Args:
      target: "grpc://host:port/name", or without the scheme.
      connection: see `Connection`.
      version: to ask for; None for the newest, which the run then keeps as long as the server has it.

    Attributes:
      versions: those that have answered, in this order.

    Raises:
      BadInputError: a target of another form, or files of certificates that cannot be read.
    """

    def __init__(self, target: str, connection: Connection = Connection(), version: int | None = None) -> None:
        match = re.fullmatch(r"(?:grpc://)?([^/\s]+:\d+)/([^/\s]+)", target)
        if not match:
            raise BadInputError(f"{target}: a served model is named as grpc://host:port/name")
        self.target, (self._address, self.name) = target, match.groups()
        self.versions: list[int] = []
        self._wanted, self._kept = version, version
        self._lock = threading.Lock()
        self._deadline = connection.deadline
        self._metadata = [("authorization", f"Bearer {connection.token}")] if connection.token else []
        credentials = _credentials(connection)
        if connection.token and not credentials and not _is_this_machine(self._address):
            logging.warning("%s: the token is sent without encryption", target)
        self._channel = (
            grpc.secure_channel(self._address, credentials, _OPTIONS)
            if credentials
            else grpc.insecure_channel(self._address, _OPTIONS)
        )
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)

    def __enter__(self) -> "ServedModel":
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    @functools.cached_property
    def signatures(self) -> dict[str, set[str]]:
        """The names of each signature's inputs."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        response = self._call(self._service.GetModelMetadata, request)
        found = get_model_metadata_pb2.SignatureDefMap()
        try:
            response.metadata["signature_def"].Unpack(found)
        except message.DecodeError as error:
            raise RunError(f"{self.target}: an answer that makes no sense: {error}") from error
        return {name: set(signature.inputs) for name, signature in found.signature_def.items()}

    @functools.cached_property
    def info(self) -> ModelInfo:
        """What the model says of itself."""
        self.require(signatures.DESCRIBE)
        request = {signatures.REQUEST: np.zeros(1, np.int32)}
        answer = self.predict(signatures.DESCRIBE, (signatures.DESCRIPTION,), **request)[signatures.DESCRIPTION]
        try:
            return ModelInfo.from_json(answer[0], self.target)
        except (IndexError, TypeError, ValueError) as error:
            raise RunError(f"{self.target}: an answer that makes no sense: {error}") from error

    def require(self, signature: str) -> None:
        """Raises BadInputError if the model has no such signature."""
        if signature not in self.signatures:
            present = ", ".join(sorted(self.signatures))
            raise BadInputError(f"{self.target}: no signature {signature}: it has {present}")

    def domain_input(self, domain: str | None, count: int = 1) -> dict[str, np.ndarray]:
        """The input for a domain by its name, `count` times; empty for a model without domains."""
        domains = self.info.domains
        index = domain_index(domain, domains)
        return {signatures.DOMAIN: np.full(count, index, np.int32)} if domains else {}

    def predict(self, signature: str, outputs: tuple[str, ...], **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Asks for outputs of a signature.

        Raises:
          BadInputError: no such model, version or signature, or inputs it does not take.
          RunError: no answer before the deadline, or one that makes no sense.
        """
        request = predict_pb2.PredictRequest(output_filter=outputs)
        request.model_spec.signature_name = signature
        for name, values in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        response = self._call(self._service.Predict, request)
        try:
            return {name: tf.make_ndarray(response.outputs[name]) for name in outputs}
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{self.target}: an answer that makes no sense: {error}") from error

    def _call(self, method: grpc.UnaryUnaryMultiCallable, request: message.Message) -> message.Message:
        request.model_spec.name = self.name
        give_up = time.monotonic() + self._deadline
        pause = _FIRST_PAUSE
        while True:
            kept = self._kept
            request.model_spec.ClearField("version")
            if kept is not None:
                request.model_spec.version.value = kept
            try:
                response = method(request, timeout=max(0.01, give_up - time.monotonic()), metadata=self._metadata)
            except grpc.RpcError as error:
                if self._is_gone(kept, error):
                    continue
                if not _may_pass(error) or time.monotonic() + pause >= give_up:
                    raise self._failure(error) from error
                time.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            except ValueError as error:
                raise RunError(f"{self.target}: the connection is closed") from error
            self._note(response.model_spec.version.value)
            return response

    def _note(self, version: int) -> None:
        with self._lock:
            if self._kept is None and version:
                self._kept = version
            if version not in self.versions:
                self.versions.append(version)

    def _is_gone(self, kept: int | None, error: grpc.RpcError) -> bool:
        """Whether the server has retired the version that the run kept of its own accord."""
        if self._wanted is not None or kept is None or error.code() != grpc.StatusCode.NOT_FOUND:
            return False
        with self._lock:
            if self._kept == kept:
                logging.warning("%s: version %d is gone: going on with the newest", self.target, kept)
                self._kept = None
        return True

    def _failure(self, error: grpc.RpcError) -> Exception:
        kind = BadInputError if error.code() in _BAD_REQUEST or _is_insecure(error) else RunError
        return kind(f"{self.target}: {error.code().name}: {error.details()}")


def _may_pass(error: grpc.RpcError) -> bool:
    return error.code() in _RETRIED and _TOO_LARGE not in (error.details() or "") and not _is_insecure(error)


def _is_insecure(error: grpc.RpcError) -> bool:
    """Whether the two ends could not agree on a secure connection."""
    return error.code() == grpc.StatusCode.UNAVAILABLE and any(word in (error.details() or "") for word in _INSECURE)


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


class RemotePredictFn(PredictFn):
    """Sends clips to a served model.

    Args:
      target: "grpc://host:port/name".
      domain: the data set that a domain-specific model predicts for.
      connection: how to reach it.

    Raises:
      BadInputError: no such model, or a domain that does not fit.
      RunError: no answer.
    """

    def __init__(self, target: str, domain: str | None = None, connection: Connection = Connection()) -> None:
        self._model = ServedModel(target, connection)
        super().__init__(dataclasses.replace(self._model.info, domain=domain))
        self._model.domain_input(domain)

    def __call__(self, clips: np.ndarray, conspicuity: bool = False) -> Maps:
        """See `PredictFn`."""
        inputs = {signatures.CLIP: clips, **self._model.domain_input(self.info.domain, len(clips))}
        if not conspicuity:
            outputs = self._model.predict(signatures.PREDICT_CLIPS, (signatures.SALIENCY_MAP,), **inputs)
            return Maps(outputs[signatures.SALIENCY_MAP])
        wanted = (signatures.SALIENCY_MAP, signatures.CONSPICUITY_MAPS)
        return Maps(*self._model.predict(signatures.PREDICT_CONSPICUITY, wanted, **inputs).values())


@dataclasses.dataclass(frozen=True)
class _Chunk:
    """New frames of a video as they came, and all frames of its request: context, then the new ones, as PNG."""

    originals: list[np.ndarray]
    encoded: list[bytes]


def predict_frames(
    model: ServedModel,
    frames: Iterable[np.ndarray],
    *,
    domain: str | None = None,
    in_flight: int = 2,
    first: int = 0,
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Sends a video in chunks of 2 T frames and yields each frame with its finished map.

    A frame crosses the wire at the network's size: once to be predicted, and every other one as context of the next.

    Args:
      model: that has the signature `predict_frames`.
      frames: uint8 RGB [H,W,3].
      domain: the data set that a domain-specific model shall predict for.
      in_flight: chunks that wait for an answer at a time.
      first: chunks that end before this frame are not asked for; their maps are None.

    Yields:
      The frame and its map, float32 [h,w] in 0..255, in order.

    Raises:
      BadInputError: no such model, version, signature or domain.
      RunError: no answer before the deadline, or one that makes no sense.
    """
    model.require(signatures.PREDICT_FRAMES)
    domains = model.domain_input(domain)
    pending: collections.deque[tuple[_Chunk, concurrent.futures.Future | None]] = collections.deque()

    def ask(chunk: _Chunk) -> np.ndarray:
        count = len(chunk.originals)
        inputs = {
            signatures.FRAMES: np.array([chunk.encoded], object),
            signatures.SKIP: np.array([len(chunk.encoded) - count], np.int32),
        }
        wanted = (signatures.SALIENCY_MAP,)
        maps = model.predict(signatures.PREDICT_FRAMES, wanted, **inputs, **domains)[signatures.SALIENCY_MAP]
        expected = (1, count, *FRAME_SIZE)
        if maps.shape != expected or maps.dtype != np.float32 or not np.isfinite(maps).all():
            raise RunError(
                f"{model.target}: an answer that makes no sense: {maps.dtype} {list(maps.shape)} instead of finite "
                f"float32 {list(expected)}"
            )
        return maps[0]

    def finished() -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        chunk, future = pending.popleft()
        yield from zip(chunk.originals, future.result() if future else [None] * len(chunk.originals), strict=True)

    pool = concurrent.futures.ThreadPoolExecutor(in_flight)
    try:
        end = 0
        for chunk in _chunks(frames, model.info.clip_frames):
            if len(pending) >= in_flight:
                yield from finished()
            end += len(chunk.originals)
            pending.append((chunk, pool.submit(ask, chunk) if end > first else None))
        while pending:
            yield from finished()
    finally:
        # What is still asked for after a failure ends with the connection.
        pool.shutdown(wait=False, cancel_futures=True)


def _chunks(frames: Iterable[np.ndarray], clip_frames: int) -> Iterator[_Chunk]:
    """Chunks of 2 T frames, as the reversed windows of the first need, each with the T-1 before it."""
    originals: list[np.ndarray] = []
    encoded: list[bytes] = []
    for frame in frames:
        originals.append(frame)
        encoded.append(images.png(preprocessing.resize(frame, FRAME_SIZE)))
        if len(originals) == 2 * clip_frames:
            yield _Chunk(originals, encoded)
            originals, encoded = [], encoded[1 - clip_frames :]
    if originals:
        yield _Chunk(originals, encoded)
