"""Streams: windows of successive frames, each a frame later than the one before, predicted as the frames come."""

import abc
from collections.abc import Callable
from typing import NamedTuple

import numpy as np
import tensorflow as tf

from hd2s_tf.inference.graph import MapGraph

# Windows predicted at a time: more are hardly faster. Exported graphs use it too, so that their maps agree to the bit.
DEFAULT_BATCH_SIZE = 8


class Maps(NamedTuple):
    """What a network answers to B clips.

    Attributes:
      saliency: float32 [B,H,W].
      conspicuity: float32 [B,L,H,W], shallow to deep; None unless asked for, or where there are none.
    """

    saliency: np.ndarray
    conspicuity: np.ndarray | None = None


class Stream(abc.ABC):
    """Windows of successive frames.

    It is opened with the T-1 frames before the last one of its first window. All frames are uint8 [N,H,W,3], in the
    order of time in which the network sees them.
    """

    @abc.abstractmethod
    def __call__(self, frames: np.ndarray, conspicuity: bool = False) -> Maps:
        """Predicts the windows that end with each of the next frames."""


class WholeWindowStream(Stream):
    """A stream that predicts every window whole.

    Args:
      predict: from clips uint8 [B,T,H,W,3] and `conspicuity` to `Maps`.
      context: uint8 [T-1,H,W,3].
    """

    def __init__(self, predict: Callable[[np.ndarray, bool], Maps], context: np.ndarray) -> None:
        self._predict, self._context = predict, context

    def __call__(self, frames: np.ndarray, conspicuity: bool = False) -> Maps:
        """See `Stream`."""
        before = len(self._context)
        known = np.concatenate([self._context, frames])
        self._context = known[len(frames) :]
        clips = np.stack([known[end - before : end + 1] for end in range(before, len(known))])
        return self._predict(clips, conspicuity)


class StateStream(Stream):
    """A stream that keeps what its windows share; see `hd2s_tf.models.shared_windows`.

    Args:
      graph: of the model.
      domain: index of the data set that a domain-specific model predicts for.
      context: uint8 [T-1,H,W,3].
    """

    def __init__(self, graph: MapGraph, domain: int, context: np.ndarray) -> None:
        self._state, self._domain = graph.start(tf.constant(context)), domain
        frames, domains = tf.TensorSpec((None, *context.shape[1:]), tf.uint8), tf.TensorSpec((None,), tf.int32)
        # One graph for batches of every size, since tracing takes seconds.
        self._advance = graph.advance.get_concrete_function(self._state, frames, domains)

    def __call__(self, frames: np.ndarray, conspicuity: bool = False) -> Maps:
        """See `Stream`."""
        domains = tf.fill([len(frames)], self._domain)
        saliency_maps, conspicuity_maps, self._state = self._advance(self._state, tf.constant(frames), domains)
        return Maps(saliency_maps.numpy(), conspicuity_maps.numpy() if conspicuity else None)
