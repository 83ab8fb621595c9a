"""Which frames make up the window that predicts each frame (section 4.2).

From frame T-1 on, a window holds the frame and the T-1 before it. The first T-1 frames have too few before them:
theirs hold the T-1 frames *after* them, in reversed time. A video that ends too early is continued by its mirror image.
"""

import collections
import dataclasses
import itertools
from collections.abc import Iterable, Iterator

import numpy as np

from hd2s_tf.data import preprocessing


def window_indices(frame: int, frame_count: int, clip_frames: int) -> np.ndarray:
    """The frames of a window, int64 [clip_frames], in the order in which the network sees them.

    Args:
      frame: the frame to predict, from 0; it comes last.
      frame_count: length of the video.
      clip_frames: length of a window.
    """
    backwards = np.arange(clip_frames - 1, -1, -1)
    indices = frame - backwards if frame >= clip_frames - 1 else frame + backwards
    return preprocessing.reflected(indices, frame_count)


@dataclasses.dataclass(frozen=True)
class Window:
    """A window and the frame that it predicts.

    Attributes:
      frame: index of the predicted frame.
      clip: uint8 [T,H,W,3].
    """

    frame: int
    clip: np.ndarray


def windows(frames: Iterable[np.ndarray], clip_frames: int, stride: int = 1) -> Iterator[Window]:
    """Yields the windows of every `stride`-th frame, and of the last one, in order.

    No more than 2 T frames are held, however long the video.

    Args:
      frames: uint8 [H,W,3] each, all of one size.
      clip_frames: T.
      stride: distance between predicted frames.
    """
    held: collections.deque[np.ndarray] = collections.deque(maxlen=2 * clip_frames)
    count = predicted = 0

    def ready(frame: int, ended: bool) -> bool:
        reach = frame if frame >= clip_frames - 1 else frame + clip_frames - 1
        return reach < count or ended

    def window(frame: int, length: int) -> Window:
        first = count - len(held)
        return Window(frame, np.stack([held[index - first] for index in window_indices(frame, length, clip_frames)]))

    for image in frames:
        held.append(image)
        count += 1
        while predicted < count and ready(predicted, ended=False):
            # The window lies within the frames read so far, so nothing is reflected.
            yield window(predicted, max(count, predicted + clip_frames))
            predicted += stride
    if not count:
        return
    while predicted < count:
        yield window(predicted, count)
        predicted += stride
    if predicted - stride < count - 1:
        yield window(count - 1, count)


@dataclasses.dataclass(frozen=True)
class Segment:
    """Windows whose frames follow each other, in the network's order of time: each ends one frame after the one before.

    Attributes:
      context: uint8 [T-1,H,W,3], the frames of the first window before its last one.
      batches: the numbers of the next frames, which are also the ones predicted, and the frames, uint8 [N,H,W,3].
      backwards: whether the numbers fall.
    """

    context: np.ndarray
    batches: Iterator[tuple[list[int], np.ndarray]]
    backwards: bool


def segments(frames: Iterable[np.ndarray], clip_frames: int, batch_size: int) -> Iterator[Segment]:
    """Yields a video's windows as segments: the reversed ones, the last of them first, and all others.

    The batches of a segment must be taken before the next segment. Those of the second end before multiples of
    `batch_size`, so that a part of a video that begins at one has the same batches.

    Args:
      frames: uint8 [H,W,3] each, all of one size.
      clip_frames: T.
      batch_size: the most frames of a batch.
    """
    frames = iter(frames)
    opening = list(itertools.islice(frames, 2 * clip_frames - 2))
    if not opening:
        return
    context = clip_frames - 1
    reversed_count = min(len(opening), context)
    order = preprocessing.reflected(np.arange(reversed_count + context)[::-1], len(opening))
    first, rest = order[:context], order[context:]
    batches = _batches(((int(index), opening[index]) for index in rest), batch_size, batch_size)
    yield Segment(np.stack([opening[index] for index in first]), batches, backwards=True)
    if len(opening) > context:
        following = enumerate(itertools.chain(opening[context:], frames), context)
        batches = _batches(following, batch_size, batch_size - context % batch_size)
        yield Segment(np.stack(opening[:context]), batches, backwards=False)


def _batches(
    numbered: Iterator[tuple[int, np.ndarray]], batch_size: int, first_size: int
) -> Iterator[tuple[list[int], np.ndarray]]:
    size = first_size
    while batch := list(itertools.islice(numbered, size)):
        numbers, images = zip(*batch, strict=True)
        yield list(numbers), np.stack(images)
        size = batch_size
