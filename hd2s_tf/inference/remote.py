"""A served model as a `PredictFn`, and whole videos through it, in chunks that form their windows on the server."""

import collections
import concurrent.futures
import dataclasses
from collections.abc import Iterable, Iterator

import numpy as np
import tensorflow as tf

from hd2s_tf.data import images, preprocessing
from hd2s_tf.errors import RunError
from hd2s_tf.inference.domains import domain_index
from hd2s_tf.inference.predict_fn import PredictFn
from hd2s_tf.inference.streams import Maps
from hd2s_tf.serving import signatures
from hd2s_tf.serving.client import ServedModel
from hd2s_tf.serving.connection import Connection
from hd2s_tf.serving.signatures import ModelInfo


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
        domain_index(domain, self.info.domains)

    def __call__(self, clips: np.ndarray, conspicuity: bool = False) -> Maps:
        """See `PredictFn`."""
        count, *_, height, width, _ = clips.shape
        inputs = {signatures.CLIP: clips, **_domain_input(self.info, count)}
        wanted = {signatures.SALIENCY_MAP: tf.TensorSpec((count, height, width))}
        if not conspicuity:
            return Maps(*self._model.predict(signatures.PREDICT_CLIPS, wanted, **inputs).values())
        wanted[signatures.CONSPICUITY_MAPS] = tf.TensorSpec((count, None, height, width))
        return Maps(*self._model.predict(signatures.PREDICT_CONSPICUITY, wanted, **inputs).values())


def _domain_input(info: ModelInfo, count: int = 1) -> dict[str, np.ndarray]:
    """The input for the domain, `count` times; empty for a model without domains.

    Raises:
      BadInputError: a domain that does not fit.
    """
    index = domain_index(info.domain, info.domains)
    return {signatures.DOMAIN: np.full(count, index, np.int32)} if info.domains else {}


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
      domain: the data set that a domain-specific model predicts for.
      in_flight: chunks that wait for an answer at a time.
      first: chunks that end before this frame are not asked for; their maps are None.

    Yields:
      The frame and its map, float32 [h,w] in 0..255, in order.

    Raises:
      BadInputError: no such model, version, signature or domain.
      RunError: no answer before the deadline, or one that makes no sense.
    """
    model.require(signatures.PREDICT_FRAMES)
    domains = _domain_input(dataclasses.replace(model.info, domain=domain))
    pending: collections.deque[tuple[_Chunk, concurrent.futures.Future | None]] = collections.deque()

    def finished() -> Iterator[tuple[np.ndarray, np.ndarray | None]]:
        chunk, future = pending.popleft()
        yield from zip(chunk.originals, future.result() if future else [None] * len(chunk.originals), strict=True)

    pool = concurrent.futures.ThreadPoolExecutor(in_flight)
    try:
        end = 0
        for chunk in _chunks(frames, model.info):
            if len(pending) >= in_flight:
                yield from finished()
            end += len(chunk.originals)
            pending.append((chunk, pool.submit(_ask, model, chunk, domains) if end > first else None))
        while pending:
            yield from finished()
    finally:
        # What is still asked for after a failure ends with the connection.
        pool.shutdown(wait=False, cancel_futures=True)


def _chunks(frames: Iterable[np.ndarray], info: ModelInfo) -> Iterator[_Chunk]:
    """Chunks of 2 T frames, as the reversed windows of the first need, each with the T-1 before it."""
    originals: list[np.ndarray] = []
    encoded: list[bytes] = []
    for frame in frames:
        originals.append(frame)
        encoded.append(images.png(preprocessing.resize(frame, info.frame_size)))
        if len(originals) == 2 * info.clip_frames:
            yield _Chunk(originals, encoded)
            originals, encoded = [], encoded[1 - info.clip_frames :]
    if originals:
        yield _Chunk(originals, encoded)


def _ask(model: ServedModel, chunk: _Chunk, domains: dict[str, np.ndarray]) -> np.ndarray:
    """The maps of a chunk's new frames, float32 [N,h,w]."""
    count = len(chunk.originals)
    inputs = {
        signatures.FRAMES: np.array([chunk.encoded], object),
        signatures.SKIP: np.array([len(chunk.encoded) - count], np.int32),
    }
    wanted = {signatures.SALIENCY_MAP: tf.TensorSpec((1, count, *model.info.frame_size))}
    maps = model.predict(signatures.PREDICT_FRAMES, wanted, **inputs, **domains)[signatures.SALIENCY_MAP]
    if not np.isfinite(maps).all():
        raise RunError(f"{model.target}: an answer that makes no sense: maps that are not finite")
    return maps[0]
