"""The maps of a whole video from a `PredictFn`."""

import collections
import dataclasses
import itertools
from collections.abc import Callable, Iterable, Iterator, Mapping

import numpy as np

from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.inference import postprocessing, windows
from hd2s_tf.inference.background import prefetched
from hd2s_tf.inference.compatibility import TREATMENTS, Treatment
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

    Returns:
      An iterator of a `Prediction` for each frame, in order.

    Raises:
      BadInputError: a setting that makes no sense.
      RunError: the network's answer is not finite.
    """
    if batch_size < 1 or stride < 1:
        raise BadInputError(f"batch_size is {batch_size} and stride {stride}: both must be at least 1")
    info = predict_fn.info
    treatment = TREATMENTS[info.compat]
    video = _Video(frames, frame_size or info.frame_size, treatment, batch_size)
    network = _Network(predict_fn, conspicuity, _sigma(predict_fn, smoothing_sigma), treatment, check_finite)
    if stride == 1:
        numbered = network.of_segments(windows.segments(video.resized(), info.clip_frames, batch_size))
    else:
        # Frames between two windows wait for both, so that many far apart would fill the memory.
        count = max(1, min(batch_size, 2 * info.clip_frames // stride))
        numbered = network.of_windows(windows.windows(video.resized(), info.clip_frames, stride), count)
    return _predictions(video, numbered)


def _sigma(predict_fn: PredictFn, smoothing_sigma: float | None) -> float:
    postprocessing.check_sigma(smoothing_sigma)
    return predict_fn.info.smoothing_sigma if smoothing_sigma is None else smoothing_sigma


class _Video:
    """A video's frames, resized for the network as they are read and kept until their maps are there."""

    def __init__(self, frames: Iterable[np.ndarray], size: tuple[int, int], treatment: Treatment, ahead: int) -> None:
        self._frames, self._size, self._ahead = frames, size, ahead
        self._resize = treatment.resize
        self._waiting: collections.deque[np.ndarray] = collections.deque()

    def resized(self) -> Iterator[np.ndarray]:
        """Yields the frames at the network's size, read ahead by a thread."""
        pairs = ((frame, self._resize(frame, self._size)) for frame in self._frames)
        for frame, small in prefetched(pairs, self._ahead):
            self._waiting.append(frame)
            yield small

    def next_frame(self) -> np.ndarray:
        """The frame, at its own size, after the one that was taken last."""
        return self._waiting.popleft()


@dataclasses.dataclass(frozen=True)
class _Network:
    """Yields the numbers of predicted frames, in order, each with its finished maps, float32 [1+L,h,w]."""

    predict_fn: PredictFn
    conspicuity: bool
    smoothing_sigma: float
    treatment: Treatment
    check_finite: bool

    def of_segments(self, segments: Iterator[windows.Segment]) -> Iterator[tuple[int, np.ndarray]]:
        for segment in segments:
            predict = self.predict_fn.open_stream(segment.context)
            found = (pair for numbers, frames in segment.batches for pair in self._finished(predict, numbers, frames))
            yield from reversed(list(found)) if segment.backwards else found

    def of_windows(self, every: Iterator[windows.Window], count: int) -> Iterator[tuple[int, np.ndarray]]:
        while batch := list(itertools.islice(every, count)):
            clips = np.stack([window.clip for window in batch])
            yield from self._finished(self.predict_fn, [window.frame for window in batch], clips)

    def _finished(
        self, predict: Callable[[np.ndarray, bool], Maps], numbers: list[int], inputs: np.ndarray
    ) -> Iterator[tuple[int, np.ndarray]]:
        maps = _stacked(predict(inputs, self.conspicuity))
        if self.check_finite and not np.isfinite(maps).all():
            raise RunError(f"frames {min(numbers)} to {max(numbers)}: the network's maps are not finite")
        return zip(numbers, self.treatment.finish(maps, self.smoothing_sigma), strict=True)


def _predictions(video: _Video, numbered: Iterator[tuple[int, np.ndarray]]) -> Iterator[Prediction]:
    """Puts every frame and its maps together; those of frames between two predicted ones are interpolated."""
    previous: tuple[int, np.ndarray] | None = None
    for number, maps in numbered:
        first = number if previous is None else previous[0] + 1
        for index in range(first, number + 1):
            yield _prediction(index, video.next_frame(), _between(previous, (number, maps), index))
        previous = (number, maps)


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
    return treatment.finish(maps, _sigma(predict_fn, smoothing_sigma))


def _stacked(maps: Maps) -> np.ndarray:
    """Saliency and conspicuity maps as one array, float32 [B,1+L,h,w]."""
    parts = [maps.saliency[:, np.newaxis], *([] if maps.conspicuity is None else [maps.conspicuity])]
    return np.concatenate(parts, 1, dtype=np.float32, casting="same_kind")
