"""The maps of a whole video from a `PredictFn`."""

import collections
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.inference import postprocessing, windows
from hd2s_tf.inference.background import prefetched
from hd2s_tf.inference.compatibility import TREATMENTS
from hd2s_tf.inference.predict_fn import PredictFn
from hd2s_tf.inference.streams import DEFAULT_BATCH_SIZE, Maps


@dataclasses.dataclass(frozen=True)
class Prediction:
    """What was predicted for a frame.

    Attributes:
      index: of the frame, from 0.
      frame: uint8 [H,W,3], as it came in.
      saliency_map: uint8 [H,W].
      network_map: float32 [h,w] in 0..255, the same at the network's size and not rounded.
      conspicuity_maps: uint8 [L,H,W], shallow to deep; None unless asked for.
    """

    index: int
    frame: np.ndarray
    saliency_map: np.ndarray
    network_map: np.ndarray
    conspicuity_maps: np.ndarray | None = None


def predict_video(
    predict_fn: PredictFn,
    frames: Iterable[np.ndarray],
    *,
    batch_size: int = DEFAULT_BATCH_SIZE,
    frame_size: tuple[int, int] | None = None,
    smoothing_sigma: float | None = None,
    stride: int = 1,
    conspicuity: bool = False,
    check_finite: bool = True,
) -> Iterator[Prediction]:
    """Predicts a video frame by frame, with memory that does not grow with its length.

    Args:
      predict_fn: see `PredictFn`.
      frames: uint8 RGB [H,W,3], all of one size.
      batch_size: windows given to `predict_fn` at a time.
      frame_size: (height, width) of its clips; None for what it says.
      smoothing_sigma: of the Gaussian filter, in pixels of its maps; None for what it says.
      stride: every `stride`-th frame is predicted, and the last; maps between them are interpolated.
      conspicuity: whether to return the conspicuity maps too.
      check_finite: whether to stop at a map that is not finite; else it is passed on.

    Yields:
      A `Prediction` for each frame, in order.

    Raises:
      BadInputError: a setting that makes no sense.
      RunError: the network's answer is not finite.
    """
    if batch_size < 1 or stride < 1:
        raise BadInputError(f"batch_size is {batch_size} and stride {stride}: both must be at least 1")
    if smoothing_sigma is None:
        smoothing_sigma = predict_fn.info.smoothing_sigma
    size = frame_size or predict_fn.info.frame_size
    resize = TREATMENTS[predict_fn.info.compat].resize
    clip_frames = predict_fn.info.clip_frames
    originals: collections.deque[np.ndarray] = collections.deque()

    def resized() -> Iterator[np.ndarray]:
        pairs = ((frame, resize(frame, size)) for frame in frames)
        for frame, small in prefetched(pairs, batch_size):
            originals.append(frame)
            yield small

    predicted = _Predicted(predict_fn, conspicuity, smoothing_sigma, check_finite)
    stream = (
        predicted.of_segments(windows.segments(resized(), clip_frames, batch_size))
        if stride == 1
        else predicted.of_windows(windows.windows(resized(), clip_frames, stride), batch_size)
    )
    previous: tuple[int, np.ndarray] | None = None
    for number, maps in stream:
        first = number if previous is None else previous[0] + 1
        for index in range(first, number + 1):
            yield _prediction(index, originals.popleft(), _between(previous, (number, maps), index))
        previous = (number, maps)


@dataclasses.dataclass(frozen=True)
class _Predicted:
    """Yields frames' numbers, in order, each with its finished maps, float32 [1+L,h,w]; see `predict_video`."""

    predict_fn: PredictFn
    conspicuity: bool
    smoothing_sigma: float
    check_finite: bool

    def of_segments(self, segments: Iterator[windows.Segment]) -> Iterator[tuple[int, np.ndarray]]:
        for segment in segments:
            predict = self.predict_fn.open_stream(segment.context)
            found = (pair for numbers, frames in segment.batches for pair in self._finished(predict, numbers, frames))
            yield from reversed(list(found)) if segment.backwards else found

    def of_windows(self, stream: Iterator[windows.Window], batch_size: int) -> Iterator[tuple[int, np.ndarray]]:
        while batch := list(itertools.islice(stream, batch_size)):
            clips = np.stack([window.clip for window in batch])
            yield from self._finished(self.predict_fn, [window.frame for window in batch], clips)

    def _finished(
        self, predict: Callable[[np.ndarray, bool], Maps], numbers: list[int], inputs: np.ndarray
    ) -> Iterator[tuple[int, np.ndarray]]:
        maps = _stacked(predict(inputs, self.conspicuity))
        if self.check_finite and not np.isfinite(maps).all():
            raise RunError(f"frames {min(numbers)} to {max(numbers)}: the network's maps are not finite")
        finish = TREATMENTS[self.predict_fn.info.compat].finish
        return zip(numbers, finish(maps.astype(np.float32), self.smoothing_sigma), strict=True)


def _between(previous: tuple[int, np.ndarray] | None, following: tuple[int, np.ndarray], index: int) -> np.ndarray:
    """Maps of a frame between two predicted ones, interpolated in time."""
    if previous is None or index == following[0]:
        return following[1]
    share = (index - previous[0]) / (following[0] - previous[0])
    return ((1 - share) * previous[1] + share * following[1]).astype(np.float32)


def _prediction(index: int, frame: np.ndarray, maps: np.ndarray) -> Prediction:
    pixels = [postprocessing.to_pixels(single, frame.shape[:2]) for single in maps]
    return Prediction(index, frame, pixels[0], maps[0], np.stack(pixels[1:]) if len(pixels) > 1 else None)


def predict_frame(
    predict_fn: PredictFn,
    read_frames: Callable[[set[int]], Mapping[int, np.ndarray]],
    frame_count: int,
    index: int,
    smoothing_sigma: float | None = None,
) -> np.ndarray:
    """Predicts one frame of a video from its window.

    Args:
      predict_fn: see `PredictFn`.
      read_frames: from the indices of frames to the frames, uint8 RGB [H,W,3].
      frame_count: length of the video.
      index: of the frame, from 0.
      smoothing_sigma: see `predict_video`.

    Returns:
      Its maps, float32 [1+L,h,w] in 0..255, at the network's size: saliency, then conspicuity, shallow to deep.
    """
    info = predict_fn.info
    indices = windows.window_indices(index, frame_count, info.clip_frames).tolist()
    frames = read_frames(set(indices))
    treatment = TREATMENTS[info.compat]
    clip = np.stack([treatment.resize(frames[position], info.frame_size) for position in indices])
    maps = _stacked(predict_fn(clip[np.newaxis], conspicuity=True))[0]
    sigma = info.smoothing_sigma if smoothing_sigma is None else smoothing_sigma
    return treatment.finish(maps.astype(np.float32), sigma)


def _stacked(maps: Maps) -> np.ndarray:
    """Saliency and conspicuity maps as one array [B,1+L,h,w]."""
    saliency_maps = maps.saliency[:, np.newaxis]
    return saliency_maps if maps.conspicuity is None else np.concatenate([saliency_maps, maps.conspicuity], 1)
