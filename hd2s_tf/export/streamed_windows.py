"""`hd2s_tf.inference.windows.segments` and the streams that predict them, inside a graph."""

import tensorflow as tf

from hd2s_tf.data import preprocessing
from hd2s_tf.inference.graph import MapGraph
from hd2s_tf.inference.streams import DEFAULT_BATCH_SIZE
from hd2s_tf.models.shared_windows import State


def segment_indices(frame_count: tf.Tensor, skip: tf.Tensor, clip_frames: int) -> tuple[tf.Tensor, tf.Tensor]:
    """Which frames make up the segments of windows that predict the frames from `skip` on.

    Args:
      frame_count: int32 scalar, length of the video.
      skip: int32 scalar, at most `frame_count`.
      clip_frames: T.

    Returns:
      The frames of the reversed windows, from the last one on, and of the others, int32 each, in the order in which
      the network sees them: T-1 frames of context and one for each window. A segment without windows has less than T.
    """
    context = clip_frames - 1
    reversed_count = tf.minimum(frame_count, context)
    first = tf.minimum(skip, reversed_count)
    backwards = preprocessing.reflected(tf.range(reversed_count + context - 1, first - 1, -1), frame_count)
    return backwards, tf.range(tf.minimum(tf.maximum(skip - context, 0), frame_count), frame_count)


class StreamedWindows:
    """Predicts the saliency maps of frames uint8 [N,H,W,3], in batches as `predict_video` does, so that the maps agree.

    Args:
      graph: of the model.
      frame_size: (height, width) of the frames.
    """

    def __init__(self, graph: MapGraph, frame_size: tuple[int, int]) -> None:
        self._graph, self._clip_frames, self._size = graph, graph.model.clip_frames, frame_size

    def maps(self, frames: tf.Tensor, skip: tf.Tensor, domain: tf.Tensor) -> tf.Tensor:
        """The maps float32 [N-skip,H,W] of all but the first `skip` frames; skip and domain are int32 scalars."""
        count = tf.shape(frames)[0]
        skip = tf.clip_by_value(skip, 0, count)
        backwards, forwards = (
            tf.gather(frames, indices) for indices in segment_indices(count, skip, self._clip_frames)
        )
        # Where the batches of a whole video end, if this is a part of it that begins where a batch does.
        first_size = DEFAULT_BATCH_SIZE - tf.maximum(self._clip_frames - 1 - skip, 0) % DEFAULT_BATCH_SIZE
        backwards = self._stream(backwards, tf.constant(DEFAULT_BATCH_SIZE), domain)
        return tf.concat([backwards[::-1], self._stream(forwards, first_size, domain)], 0)

    def _stream(self, frames: tf.Tensor, first_size: tf.Tensor, domain: tf.Tensor) -> tf.Tensor:
        return tf.cond(
            tf.shape(frames)[0] >= self._clip_frames,
            lambda: self._batches(frames, first_size, domain),
            lambda: tf.zeros((0, *self._size)),
        )

    def _batches(self, frames: tf.Tensor, first_size: tf.Tensor, domain: tf.Tensor) -> tf.Tensor:
        count, context = tf.shape(frames)[0], self._clip_frames - 1

        def batch(start: tf.Tensor, size: tf.Tensor, state: State, maps: tf.TensorArray) -> tuple:
            images = frames[start : start + size]
            found, _, following = self._graph.advance(state, images, tf.fill([tf.shape(images)[0]], domain))
            following = tuple(tf.ensure_shape(new, old.shape) for new, old in zip(following, state, strict=True))
            return start + size, tf.constant(DEFAULT_BATCH_SIZE), following, maps.write(maps.size(), found)

        maps = tf.TensorArray(tf.float32, 0, dynamic_size=True, infer_shape=False, element_shape=(None, *self._size))
        state = self._graph.start(tf.ensure_shape(frames[:context], (context, *self._size, 3)))
        *_, maps = tf.while_loop(
            lambda start, *_: start < count,
            batch,
            (tf.constant(context), first_size, state, maps),
            # One after the other: each keeps all cores busy, and memory flat.
            parallel_iterations=1,
        )
        return maps.concat()
