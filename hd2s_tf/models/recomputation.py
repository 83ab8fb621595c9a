"""Layers that compute their inner values again for the gradient instead of keeping them (Chen et al., 2016)."""

import contextlib
import threading
from collections.abc import Callable, Iterator

import tensorflow as tf

_STATE = threading.local()


def recomputed(layer: Callable[[tf.Tensor], tf.Tensor], features: tf.Tensor) -> tf.Tensor:
    """Applies a layer and keeps only its input for the gradient.

    While it is computed again, running statistics must not move a second time: see `is_recomputing`.

    Args:
      layer: draws nothing at random, so that it answers the same twice.
      features: any shape.
    """
    calls = 0

    def call(values: tf.Tensor) -> tf.Tensor:
        nonlocal calls
        calls += 1
        with _recomputing(calls > 1):
            return layer(values)

    return tf.recompute_grad(call)(features)


def is_recomputing() -> bool:
    """Whether the present call is the second one, for the gradient."""
    return getattr(_STATE, "recomputing", False)


@contextlib.contextmanager
def _recomputing(value: bool) -> Iterator[None]:
    before = is_recomputing()
    _STATE.recomputing = value
    try:
        yield
    finally:
        _STATE.recomputing = before
