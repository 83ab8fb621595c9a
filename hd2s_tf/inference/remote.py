"""A served model: clips or chunks of a video to TensorFlow Serving over gRPC, and maps back.

A request that fails because the server is away or full is sent again, later and later; nothing is lost or doubled,
because a request has no effect on the server. All requests of a run go to one version of the model.
"""

import collections
import concurrent.futures
import dataclasses
import random
import re
import time
from collections.abc import Iterable, Iterator

import grpc
import numpy as np
import tensorflow as tf
from absl import logging
from tensorflow_serving.apis import (
    get_model_metadata_pb2,
    predict_pb2,
    prediction_service_pb2_grpc,
)

from hd2s_tf.data import preprocessing, video
from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.inference.domains import domain_index
from hd2s_tf.models.hd2s import CLIP_FRAMES, FRAME_SIZE, SMOOTHING_SIGMA

SCHEME = "grpc://"
_RETRIED = {grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.RESOURCE_EXHAUSTED}
_BAD_REQUEST = {
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.FAILED_PRECONDITION,
    grpc.StatusCode.UNAUTHENTICATED,
    grpc.StatusCode.PERMISSION_DENIED,
}
_FIRST_PAUSE, _LONGEST_PAUSE = 0.1, 5.0
_CHUNK_FRAMES = 32


@dataclasses.dataclass(frozen=True)
class Connection:
    """How to reach a server.

    Attributes:
      deadline: seconds that a request may take, all its attempts together.
      tls_ca: file of the certificate authority; with it the connection is encrypted.
      tls_certificate, tls_key: files of the client's certificate.
      token: sent as `authorization: Bearer <token>`.
      in_flight: requests that wait for an answer at a time.
    """

    deadline: float = 60.0
    tls_ca: str | None = None
    tls_certificate: str | None = None
    tls_key: str | None = None
    token: str | None = None
    in_flight: int = 3


class ServedModel:
    """A model behind gRPC.

    Args:
      target: "grpc://host:port/name", or without the scheme.
      connection: see `Connection`.
      version: to ask for; None for the newest, which the whole run then keeps.
    """

    def __init__(self, target: str, connection: Connection = Connection(), version: int | None = None) -> None:  # noqa: B008
        match = re.fullmatch(r"(?:grpc://)?([^/\s]+:\d+)/([^/\s]+)", target)
        if not match:
            raise BadInputError(f"{target}: a served model is named as grpc://host:port/name")
        self.target, (self.address, self.name) = target, match.groups()
        self.version = version
        self._connection = connection
        # Maps of a whole chunk are larger than gRPC's default limit of 4 MB.
        options = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]
        credentials = _credentials(connection)
        self._channel = (
            grpc.secure_channel(self.address, credentials, options)
            if credentials
            else grpc.insecure_channel(self.address, options)
        )
        self._service = prediction_service_pb2_grpc.PredictionServiceStub(self._channel)
        self._metadata = [("authorization", f"Bearer {connection.token}")] if connection.token else []

    def signatures(self) -> dict[str, set[str]]:
        """The names of each signature's inputs; fixes the version."""
        request = get_model_metadata_pb2.GetModelMetadataRequest(metadata_field=["signature_def"])
        request.model_spec.name = self.name
        response = self._call(self._service.GetModelMetadata, request)
        signatures = get_model_metadata_pb2.SignatureDefMap()
        response.metadata["signature_def"].Unpack(signatures)
        return {name: set(signature.inputs) for name, signature in signatures.signature_def.items()}

    def predict(self, signature: str, outputs: tuple[str, ...], **inputs: np.ndarray) -> dict[str, np.ndarray]:
        """Asks for outputs of a signature.

        Raises:
          BadInputError: no such model, version or signature, or inputs it does not take.
          RunError: no answer before the deadline, or one that makes no sense.
        """
        request = predict_pb2.PredictRequest(output_filter=outputs)
        request.model_spec.name, request.model_spec.signature_name = self.name, signature
        for name, values in inputs.items():
            request.inputs[name].CopyFrom(tf.make_tensor_proto(values))
        response = self._call(self._service.Predict, request)
        try:
            return {name: tf.make_ndarray(response.outputs[name]) for name in outputs}
        except (KeyError, TypeError, ValueError) as error:
            raise RunError(f"{self.target}: an answer that makes no sense: {error}") from error

    def close(self) -> None:
        """Ends the connection."""
        self._channel.close()

    def _call(self, method: grpc.UnaryUnaryMultiCallable, request: object) -> object:
        give_up = time.monotonic() + self._connection.deadline
        pause = _FIRST_PAUSE
        while True:
            if self.version is not None:
                request.model_spec.version.value = self.version
            left = give_up - time.monotonic()
            try:
                response = method(request, timeout=max(0.01, left), metadata=self._metadata)
            except grpc.RpcError as error:
                if self._version_is_gone(error):
                    request.model_spec.ClearField("version")
                    continue
                if error.code() not in _RETRIED or time.monotonic() + pause >= give_up:
                    raise self._failure(error) from error
                time.sleep(pause * random.uniform(0.5, 1.0))
                pause = min(2 * pause, _LONGEST_PAUSE)
                continue
            if self.version is None and response.model_spec.version.value:
                self.version = response.model_spec.version.value
            return response

    def _version_is_gone(self, error: grpc.RpcError) -> bool:
        if error.code() != grpc.StatusCode.NOT_FOUND or self.version is None or "Specific" not in error.details():
            return False
        logging.warning("%s: version %d is gone: going on with the newest", self.target, self.version)
        self.version = None
        return True

    def _failure(self, error: grpc.RpcError) -> Exception:
        kind = BadInputError if error.code() in _BAD_REQUEST else RunError
        return kind(f"{self.target}: {error.code().name}: {error.details()}")


def _credentials(connection: Connection) -> grpc.ChannelCredentials | None:
    if connection.tls_ca is None:
        return None
    contents = []
    for path in (connection.tls_ca, connection.tls_key, connection.tls_certificate):
        try:
            contents.append(None if path is None else open(path, "rb").read())  # noqa: SIM115
        except OSError as error:
            raise BadInputError(f"{path}: cannot be read: {error.strerror}") from error
    return grpc.ssl_channel_credentials(*contents)


class RemotePredictFn:
    """A `predict_fn` that sends clips to a served model; attributes as `ModelPredictFn`'s."""

    clip_frames, smoothing_sigma = CLIP_FRAMES, SMOOTHING_SIGMA
    preset = precision = weights_sha256 = None

    def __init__(self, target: str, domain: str | None = None, connection: Connection = Connection()) -> None:  # noqa: B008
        self.model = ServedModel(target, connection)
        self.weights = target
        signatures = self.model.signatures()
        self.has_conspicuity = "predict_conspicuity" in signatures
        self._inputs = _domain_input(signatures.get("serving_default", set()), domain)

    def __call__(self, clips: np.ndarray, conspicuity: bool = False) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predicts; see `PredictFn`."""
        inputs = {"clip": clips, **{name: np.repeat(value, len(clips)) for name, value in self._inputs.items()}}
        if not conspicuity:
            return self.model.predict("serving_default", ("saliency_map",), **inputs)["saliency_map"]
        outputs = self.model.predict("predict_conspicuity", ("saliency_map", "conspicuity_maps"), **inputs)
        return outputs["saliency_map"], outputs["conspicuity_maps"]


def _domain_input(names: set[str], domain: str | None) -> dict[str, np.ndarray]:
    """The input for a domain. A server does not tell the domains' names, so it is given by its number."""
    if "domain" not in names:
        domain_index(domain, ())
        return {}
    if domain is None or not domain.isdecimal():
        raise BadInputError("the served model is domain-specific: give the domain's number (see its model_info.json)")
    return {"domain": np.array([int(domain)], np.int32)}


def predict_frames(
    model: ServedModel,
    frames: Iterable[np.ndarray],
    *,
    domain: str | None = None,
    in_flight: int = 3,
    first: int = 0,
) -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
    """Sends a video in chunks and yields each frame with its finished map.

    Frames cross the wire once, at the network's size as PNG, with T-1 frames of context a chunk.

    Args:
      model: that has the signature `predict_frames`.
      frames: uint8 RGB [H,W,3].
      domain: number of a domain-specific model's domain.
      in_flight: chunks that wait for an answer at a time.
      first: frames before it are not asked for; their map is None.

    Yields:
      The frame and its map, float32 [h,w] in 0..255, in order.
    """
    signatures = model.signatures()
    if "predict_frames" not in signatures:
        raise BadInputError(f"{model.target}: no signature predict_frames: it has {', '.join(sorted(signatures))}")
    domains = _domain_input(signatures["predict_frames"], domain)
    pending: collections.deque[tuple[list[np.ndarray], concurrent.futures.Future]] = collections.deque()

    def ask(encoded: list[bytes], skip: int) -> np.ndarray:
        if skip == len(encoded):
            return np.zeros((0, *FRAME_SIZE), np.float32)
        inputs = {"frames": np.array([encoded], object), "skip": np.array([skip], np.int32), **domains}
        maps = model.predict("predict_frames", ("saliency_map",), **inputs)["saliency_map"]
        if maps.shape[:2] != (1, len(encoded) - skip):
            raise RunError(f"{model.target}: {maps.shape[1]} maps for {len(encoded) - skip} frames")
        return maps[0]

    def finished() -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        originals, future = pending.popleft()
        maps = list(future.result())
        yield from zip(originals, [None] * (len(originals) - len(maps)) + maps, strict=True)

    with concurrent.futures.ThreadPoolExecutor(in_flight) as pool:
        for originals, encoded, skip in _chunks(frames, first):
            if len(pending) >= in_flight:
                yield from finished()
            pending.append((originals, pool.submit(ask, encoded, skip)))
        while pending:
            yield from finished()


def _chunks(frames: Iterable[np.ndarray], first: int) -> Iterator[tuple[list[np.ndarray], list[bytes], int]]:
    """New frames of each chunk, encoded frames of its request, and how many of these are context only."""
    context = CLIP_FRAMES - 1
    originals: list[np.ndarray] = []
    encoded: list[bytes] = []
    count = start = 0
    for frame in frames:
        count += 1
        originals.append(frame)
        encoded.append(video.png_bytes(preprocessing.resize(frame, FRAME_SIZE)))
        # The first chunk must hold what the reversed windows of its first frames reach.
        if len(originals) >= (_CHUNK_FRAMES if start else max(_CHUNK_FRAMES, 2 * CLIP_FRAMES)):
            yield originals, encoded, _skipped(start, count, first, len(encoded))
            originals, encoded, start = [], encoded[-context:], count
    if originals:
        yield originals, encoded, _skipped(start, count, first, len(encoded))


def _skipped(start: int, count: int, first: int, encoded: int) -> int:
    """Frames of a request that are context, or before the first one that is asked for."""
    wanted = count - min(max(first, start), count)
    return encoded - wanted
