"""The windows of a stream, each a frame later than the one before: what they share is computed once.

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

import abc

import tensorflow as tf

from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.layers import max_pool
from hd2s_tf.models.s3d import LAYERS

# What the windows of a stream need of the frames before, of a fixed size: a tuple of tensors, the newest frame's last.
State = tuple[tf.Tensor, ...]
# Shorter windows have no position in common.
_SHORTEST_CLIP = 16

_SIZES = {name: sizes for name, _, sizes in LAYERS}
# The first convolution over time: frames it sees, its stride, and the frames on each side of a centre.
_, _FIRST, _STRIDE = _SIZES["conv_1a"]
_REACH = _FIRST // 2
# The second one: positions on each side of a centre.
_SIDE = _SIZES["conv_2c"][1] // 2
# Frames that the first one sees at the positions where it sees zeros too, from the start of a window and at its end.
_SEEN_AT_START = range(_FIRST - _REACH, _FIRST, _STRIDE)
_SEEN_AT_END = range(_FIRST - _STRIDE, _REACH, -_STRIDE)


def windows_of(model: HD2S) -> "Windows":
    """The windows of a model's streams, which share what they can."""
    return SharedWindows(model) if model.clip_frames >= _SHORTEST_CLIP else WholeWindows(model)


class Windows(abc.ABC):
    """Predicts the windows of a stream as its frames come.

    Args:
      model: its variables created.
    """

    def __init__(self, model: HD2S) -> None:
        self._model = model

    @abc.abstractmethod
    def start(self, frames: tf.Tensor) -> State:
        """The state before the last frame of a stream's first window.

        Args:
          frames: the ones before it, float32 [T-1,H,W,3] in [-1,1].
        """

    @abc.abstractmethod
    def advance(self, state: State, frames: tf.Tensor, domain: tf.Tensor) -> tuple[dict[str, tf.Tensor], State]:
        """Predicts the windows that end with each of the next frames.

        Args:
          state: after the frames before, from `start` or from here.
          frames: float32 [N,H,W,3] in [-1,1].
          domain: int32 [N]; its values matter to domain-specific models only.

        Returns:
          The maps of the N windows, as the model returns them for clips, and the state after the frames.
        """


class WholeWindows(Windows):
    """Predicts them one by one; the state is the frames themselves."""

    def start(self, frames: tf.Tensor) -> State:
        return (frames,)

    def advance(self, state: State, frames: tf.Tensor, domain: tf.Tensor) -> tuple[dict[str, tf.Tensor], State]:
        known = tf.concat([*state, frames], 0)
        context = self._model.clip_frames - 1
        clips = tf.stack([_delayed(known, delay, context) for delay in range(context, -1, -1)], 1)
        return self._model({"clip": clips, "domain": domain}, training=False), (known[-context:],)


class SharedWindows(Windows):
    """Predicts what the model does window by window, equal but for the order in which it adds.

    The state is what neighbouring windows share: features of the T-1 frames before, of the centres before the second
    convolution over time, and of the centres at endpoint 2.

    Args:
      model: with clips of at least 16 frames.
    """

    def __init__(self, model: HD2S) -> None:
        super().__init__(model)
        blocks = model.encoder.blocks
        self._conv_1a, self._conv_2b, self._conv_2c = blocks["conv_1a"], blocks["conv_2b"], blocks["conv_2c"]
        # A window's positions without zeros: of the first convolution, then of the second. The newest one of the
        # first ends with the window, so that every frame brings one.
        self._oldest, self._newest = len(_SEEN_AT_START), model.clip_frames // _STRIDE - 1 - len(_SEEN_AT_END)
        self._oldest_shared, self._newest_shared = self._oldest + _SIDE, self._newest - _SIDE
        # Frames by which the oldest of them lies behind the newest.
        self._delay = _STRIDE * (self._newest - self._oldest)
        self._delay_shared = _STRIDE * (self._newest_shared - self._oldest_shared)

    def start(self, frames: tf.Tensor) -> State:
        spatial = self._spatial(frames)
        centres = self._positions(spatial[-self._delay - _FIRST + 1 :])
        neighbours = [centres[_STRIDE * index : _STRIDE * index + self._delay_shared] for index in range(2 * _SIDE + 1)]
        return spatial, centres, self._over_positions(*neighbours)[:, 0]

    def advance(self, state: State, frames: tf.Tensor, domain: tf.Tensor) -> tuple[dict[str, tf.Tensor], State]:
        endpoint2, state = self._endpoint2(state, frames)
        endpoints = self._model.encoder.after("pool_2", endpoint2)
        return self._model.decode(self._model.reduce_time(endpoints), domain), state

    def _endpoint2(self, state: State, frames: tf.Tensor) -> tuple[tf.Tensor, State]:
        """Endpoint 2 of the windows, [N,T/2,h,w,C], and the state after them."""
        before, centres_before, shared_before = state
        length = self._model.clip_frames
        spatial = tf.concat([before, self._spatial(frames)], 0)
        # Instead of padding, the kernel without the frames that would be zeros.
        first = [self._positions(spatial[: seen - length], _FIRST - seen, _FIRST) for seen in _SEEN_AT_START]
        last = [self._positions(spatial[length - seen :], 0, seen) for seen in _SEEN_AT_END]
        centres = tf.concat([centres_before, self._positions(spatial[length - _FIRST :])], 0)

        def between(oldest: int, newest: int) -> list[tf.Tensor]:
            """The centres at a window's positions from `oldest` to `newest`."""
            delays = (_STRIDE * (self._newest - position) for position in range(oldest, newest + 1))
            return [_delayed(centres, delay, self._delay) for delay in delays]

        zeros = [tf.zeros_like(first[0])] * _SIDE
        beginning = self._over_positions(*zeros, *first, *between(self._oldest, self._oldest + 2 * _SIDE - 1))
        end = self._over_positions(*between(self._newest - 2 * _SIDE, self._newest), *last, *zeros)
        # The first of the end is the newest position that sees no zeros.
        shared = tf.concat([shared_before, end[:, 0]], 0)
        delays = range(self._delay_shared, 0, -_STRIDE)
        middle = tf.stack([_delayed(shared, delay, self._delay_shared) for delay in delays], 1)
        state = (spatial[1 - length :], centres[-self._delay :], shared[-self._delay_shared :])
        return tf.concat([beginning, middle, end], 1), state

    def _spatial(self, frames: tf.Tensor) -> tf.Tensor:
        """The first convolution over space: features [N,h,w,C] of frames [N,H,W,3]."""
        return self._conv_1a.spatial(frames[tf.newaxis])[0]

    def _positions(self, spatial: tf.Tensor, first: int = 0, last: int = _FIRST) -> tf.Tensor:
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
