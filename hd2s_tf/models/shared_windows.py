"""Runs of windows, each a frame later than the one before: what they share is computed once.

Two windows of T frames that start a frame apart have T-1 frames in common, but the network sees them differently: its
first convolution over time has stride two, and every convolution over time sees zeros before a window's first frame
and after its last. Up to endpoint 2 two convolutions reach over time. Position p, of T/2, of the window that starts at
frame s has its centre at frame s + 2p.

- The convolution over space that comes first is a frame's own: it is computed once a frame instead of T times.
- The first over time reaches over 7 frames. Positions 0, 1 and the last one see zeros and are the window's own. Every
  other one is that of its centre, whichever position it has in a window: a frame brings one new centre.
- The second reaches over 3 positions: the first three and the last two are the window's own, and again a frame brings
  one new centre.

So a frame brings 4 positions of the first convolution over time and of all that follows up to the second one, and 6 of
that, instead of T/2 each. What comes after endpoint 2 is computed window by window.

A window that is reversed in time is a window of the reversed video: its neighbours share in the same way.
"""

import tensorflow as tf

from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.layers import max_pool
from hd2s_tf.models.s3d import LAYERS

# What a run's windows need of earlier frames: a tuple of tensors of fixed size, the newest frame's last.
State = tuple[tf.Tensor, ...]
# Shorter windows have no position in common.
_SHORTEST_CLIP = 16
_SIZES = {name: sizes for name, _, sizes in LAYERS}


def windows_of(model: HD2S) -> "SharedWindows | WholeWindows":
    """The runs of a model's windows, which share what they can."""
    return SharedWindows(model) if model.clip_frames >= _SHORTEST_CLIP else WholeWindows(model)


class WholeWindows:
    """Runs of windows that are predicted one by one; methods as `SharedWindows`'."""

    def __init__(self, model: HD2S) -> None:
        self._model = model

    def start(self, frames: tf.Tensor) -> State:
        """The state after the frames before the last one of a run's first window."""
        return (frames,)

    def advance(self, state: State, frames: tf.Tensor, domain: tf.Tensor) -> tuple[dict[str, tf.Tensor], State]:
        """Predicts the windows that end with each of the next frames."""
        known = tf.concat([*state, frames], 0)
        context = self._model.clip_frames - 1
        clips = tf.stack([_delayed(known, delay, context) for delay in range(context, -1, -1)], 1)
        return self._model({"clip": clips, "domain": domain}, training=False), (known[-context:],)


class SharedWindows:
    """Runs of windows that are predicted as the model does one by one, equal but for the order in which it adds.

    Args:
      model: with clips of at least 16 frames.
    """

    def __init__(self, model: HD2S) -> None:
        self._model = model
        blocks = model.encoder.blocks
        self._conv_1a, self._conv_2b, self._conv_2c = blocks["conv_1a"], blocks["conv_2b"], blocks["conv_2c"]

    def start(self, frames: tf.Tensor) -> State:
        """The state after the frames before the last one of a run's first window.

        Args:
          frames: float32 [T-1,H,W,3] in [-1,1].

        Returns:
          Features [T-1,h,w,C] of the frames, [T-8,h,w,C] of the centres before the second convolution over time and
          [T-12,h,w,C] of those at endpoint 2.
        """
        spatial = self._spatial(frames)
        centres = self._positions(spatial[1:])
        return spatial, centres, self._over_positions(centres[:-4], centres[2:-2], centres[4:])[:, 0]

    def advance(self, state: State, frames: tf.Tensor, domain: tf.Tensor) -> tuple[dict[str, tf.Tensor], State]:
        """Predicts the windows that end with each of the next frames.

        Args:
          state: after the frames before, from `start` or from here.
          frames: float32 [N,H,W,3] in [-1,1].
          domain: int32 [N]; its values matter to domain-specific models only.

        Returns:
          The maps of the N windows, as the model returns them for clips, and the state after the frames.
        """
        endpoint2, state = self._endpoint2(state, frames)
        endpoints = self._model.encoder.after("pool_2", endpoint2)
        return self._model.decode(self._model.reduce_time(endpoints), domain), state

    def _endpoint2(self, state: State, frames: tf.Tensor) -> tuple[tf.Tensor, State]:
        """Endpoint 2 of the windows, [N,T/2,h,w,C], and the state after them."""
        before, centres_before, shared_before = state
        length = self._model.clip_frames
        spatial = tf.concat([before, self._spatial(frames)], 0)
        # Instead of padding, the kernel without the frames that would be zeros.
        first = self._positions(spatial[: 4 - length], 3)
        second = self._positions(spatial[: 6 - length], 1)
        last = self._positions(spatial[length - 5 :], 0, 5)
        centres = tf.concat([centres_before, self._positions(spatial[length - 7 :])], 0)

        newest = length // 2 - 2

        def centre(position: int) -> tf.Tensor:
            return _delayed(centres, 2 * (newest - position), length - 8)

        zeros = tf.zeros_like(first)
        beginning = self._over_positions(zeros, first, second, centre(2), centre(3))
        end = self._over_positions(centre(newest - 2), centre(newest - 1), centre(newest), last, zeros)
        # The first of the end is the newest position that sees no zeros.
        shared = tf.concat([shared_before, end[:, 0]], 0)
        middle = tf.stack(
            [_delayed(shared, 2 * (newest - 1 - position), length - 12) for position in range(3, newest - 1)], 1
        )
        state = (spatial[1 - length :], centres[8 - length :], shared[12 - length :])
        return tf.concat([beginning, middle, end], 1), state

    def _spatial(self, frames: tf.Tensor) -> tf.Tensor:
        """The first convolution over space: features [N,h,w,C] of frames [N,H,W,3]."""
        return self._conv_1a.spatial(frames[tf.newaxis])[0]

    def _positions(self, spatial: tf.Tensor, first: int = 0, last: int = 7) -> tf.Tensor:
        """Positions [M,h,w,C] up to the second convolution over time, each of `last - first` neighbouring frames."""
        features = self._conv_1a.temporal.over_taps(spatial[tf.newaxis], first, last)
        features = self._conv_2b(max_pool(features, *_SIZES["pool_1"]))
        return self._conv_2c.spatial(features)[0]

    def _over_positions(self, *positions: tf.Tensor) -> tf.Tensor:
        """Endpoint 2, [N,K-2,h,w,C], at all but the outermost of K positions [N,h,w,C]."""
        return max_pool(self._conv_2c.temporal.over_taps(tf.stack(positions, 1)), *_SIZES["pool_2"])


def _delayed(features: tf.Tensor, delay: int, longest: int) -> tf.Tensor:
    """What each of N frames needs, [N,...], of features [longest+N,...] of successive frames: those `delay` earlier."""
    return features[longest - delay : -delay or None]
