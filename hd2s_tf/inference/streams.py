"""A run: windows of successive frames, each a frame later than the one before.

`open_run` takes the T-1 frames before the last one of the first window. What it returns is called with the next frames
and answers as `predict_fn` does to the windows that end with them. Frames are uint8 [N,H,W,3], in the order of time in
which the network sees them.
"""

from collections.abc import Callable

import numpy as np
import tensorflow as tf

# Windows predicted at a time: more are hardly faster.
DEFAULT_BATCH_SIZE = 8

# Frames uint8 [N,H,W,3] and `conspicuity` in; out what a `predict_fn` answers to N clips.
Run = Callable[..., np.ndarray | tuple[np.ndarray, np.ndarray]]


def open_run(predict_fn: Callable, frames: np.ndarray) -> Run:
    """Opens a run by the `predict_fn`'s own means, its method `run`, or else with clips.

    Args:
      predict_fn: see `hd2s_tf.inference.predictor.PredictFn`.
      frames: uint8 [T-1,H,W,3].
    """
    return predict_fn.run(frames) if hasattr(predict_fn, "run") else ClipRun(predict_fn, frames)


class ClipRun:
    """A run that gives every window whole to a `predict_fn`."""

    def __init__(self, predict_fn: Callable, frames: np.ndarray) -> None:
        self._predict_fn, self._frames = predict_fn, frames

    def __call__(self, frames: np.ndarray, **options: bool) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predicts the windows that end with these frames."""
        before = len(self._frames)
        known = np.concatenate([self._frames, frames])
        self._frames = known[len(frames) :]
        return self._predict_fn(
            np.stack([known[end - before : end + 1] for end in range(before, len(known))]), **options
        )


class StateRun:
    """A run that keeps what its windows share; see `hd2s_tf.models.shared_windows`.

    Args:
      start, advance: `tf.function`s from the first frames to a state, and from a state and frames to saliency maps,
        conspicuity maps and the next state.
      frames: uint8 [T-1,H,W,3].
    """

    def __init__(self, start: Callable, advance: Callable, frames: np.ndarray) -> None:
        self._state = start(tf.constant(frames))
        # One graph for batches of every size, since tracing takes seconds.
        self._advance = advance.get_concrete_function(self._state, tf.TensorSpec((None, *frames.shape[1:]), tf.uint8))

    def __call__(self, frames: np.ndarray, conspicuity: bool = False) -> np.ndarray | tuple[np.ndarray, np.ndarray]:
        """Predicts the windows that end with these frames."""
        saliency_maps, conspicuity_maps, self._state = self._advance(self._state, tf.constant(frames))
        return (saliency_maps.numpy(), conspicuity_maps.numpy()) if conspicuity else saliency_maps.numpy()
