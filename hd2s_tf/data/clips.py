"""Prepared data as batches of clips: for training, a pure function of seed and step; for validation, in order."""

import dataclasses
import os
import re
from collections.abc import Iterable, Iterator, Sequence

import numpy as np
import tensorflow as tf

from hd2s_tf.data import augmentation as augmentations
from hd2s_tf.data import fixations, preprocessing, records
from hd2s_tf.data.augmentation import Augmentation
from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.models.presets import CLIP_FRAMES, FRAME_SIZE

WINDOWS, VIDEOS = UNITS = ("windows", "videos")


@dataclasses.dataclass(frozen=True)
class Sampling:
    """How clips are drawn.

    Attributes:
      batch_size: clips in a batch.
      seed: of every choice.
      stream: of independent choices under the same seed, so that source and target clips do not flip alike.
      clip_frames: T.
      size: (height, width) of clips and maps.
      augmentation: see `Augmentation`.
      unit: what is equally likely within a data set: "windows", or "videos" and then every window of the drawn one.

    Raises:
      BadInputError: no such unit.
    """

    batch_size: int
    seed: int = 0
    stream: int = 0
    clip_frames: int = CLIP_FRAMES
    size: tuple[int, int] = FRAME_SIZE
    augmentation: Augmentation = Augmentation()
    unit: str = WINDOWS

    def __post_init__(self) -> None:
        if self.unit not in UNITS:
            raise BadInputError(f"sampling is {self.unit!r}: it is one of {', '.join(UNITS)}")


@dataclasses.dataclass(frozen=True)
class Share:
    """The part of every batch that one process reads.

    Attributes:
      index, count: it is the index-th of `count` equal parts; `count` divides the batch size.
      replicas: number of equal batches that the part arrives in.
    """

    index: int = 0
    count: int = 1
    replicas: int = 1


WHOLE = Share()


def training_batches(
    datasets: Sequence[records.Dataset],
    sampling: Sampling,
    *,
    domains: Sequence[int] | None = None,
    start_step: int = 0,
    labelled: bool = True,
    share: Share = WHOLE,
) -> tf.data.Dataset:
    """Endless training batches: step n is of data set n modulo their number, so a batch holds one domain.

    A batch is a function of the seed and its step alone: started at step n, the batches are n, n + 1, ... of a pipeline
    started at 0. A window ends at any frame that has a ground truth and `clip_frames` - 1 frames before it; a shorter
    video is continued by its mirror image, a still image repeats.

    Args:
      datasets: at least one.
      sampling: how clips are drawn.
      domains: int for each data set; 0 for all of them if not given.
      start_step: the first batch.
      labelled: whether windows must have a ground truth.
      share: which part of every batch to make.

    Returns:
      A data set of dicts: clip float32 [B,T,H,W,3] in [-1,1], domain int32 [B] and, if labelled, saliency_map float32
      [B,H,W] in [0,1] and fixation_map bool [B,H,W].

    Raises:
      BadInputError: a data set without windows.
    """
    windows = [_Windows(dataset, sampling, labelled) for dataset in datasets]
    domains = [0] * len(datasets) if domains is None else domains
    batch_size, size = sampling.batch_size, sampling.size

    def draw(example: np.ndarray) -> list[np.ndarray]:
        turn = int(example) // batch_size % len(windows)
        generator = np.random.default_rng((sampling.seed, int(example), sampling.stream))
        video, indices = windows[turn].draw(generator)
        return [*_example(video, indices, size, sampling.augmentation, generator), np.int32(domains[turn])]

    def load(example: tf.Tensor) -> dict[str, tf.Tensor]:
        types = (tf.uint8, tf.float32, tf.bool, tf.int32)
        clip, saliency_map, fixation_map, domain = tf.numpy_function(draw, [example], types)
        clip = preprocessing.scale(tf.ensure_shape(clip, (sampling.clip_frames, *size, 3)))
        batch = {"clip": clip, "domain": tf.ensure_shape(domain, ())}
        if labelled:
            batch["saliency_map"] = tf.ensure_shape(saliency_map, size)
            batch["fixation_map"] = tf.ensure_shape(fixation_map, size)
        return batch

    part = batch_size // share.count

    def examples_of(step: tf.Tensor) -> tf.data.Dataset:
        first = step * batch_size + share.index * part
        return tf.data.Dataset.range(first, first + part)

    examples = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max // batch_size).flat_map(examples_of)
    loaded = examples.map(load, num_parallel_calls=os.cpu_count(), deterministic=True)
    return loaded.batch(part // share.replicas, drop_remainder=True)


def paired_with_target(source: tf.data.Dataset, target: tf.data.Dataset) -> tf.data.Dataset:
    """Pairs the batches of labelled clips with those of unlabelled ones, step for step, for domain adaptation.

    Args:
      source, target: of `training_batches`, with `labelled` and without, from the same step on.

    Returns:
      A data set of dicts: source and target, a batch each.
    """
    return tf.data.Dataset.zip({"source": source, "target": target})


def with_run_errors(batches: Iterable[dict]) -> Iterator[dict]:
    """Yields a data set's batches; if a shard is damaged, raises the `RunError` that names it.

    Raises:
      RunError: see `records.Video.read`; TensorFlow wraps it in an error with a traceback.
    """
    try:
        yield from batches
    except tf.errors.OpError as error:
        named = re.findall(rf"\b{RunError.__name__}: (.+)", error.message)
        if not named:
            raise
        raise RunError(named[-1]) from error


def evaluation_clips(
    dataset: records.Dataset,
    *,
    batch_size: int,
    every: int = 1,
    clip_frames: int = CLIP_FRAMES,
    size: tuple[int, int] = FRAME_SIZE,
    domain: int = 0,
) -> tf.data.Dataset:
    """Every n-th window of every video in order, once; the last batch may be smaller.

    Returns:
      A data set of dicts as of `training_batches`, and video (its name) and frame (the window's last one, int64).
    """
    windows = [
        (index, frame)
        for index, video in enumerate(dataset.videos)
        for frame in _ends(video, clip_frames, labelled=True)[::every]
    ]
    names = [video.name for video in dataset.videos]

    def read(index: np.ndarray, frame: np.ndarray) -> list[np.ndarray]:
        video = dataset.videos[int(index)]
        indices = _indices(int(frame), video.frame_count, clip_frames)
        return _example(video, indices, size, Augmentation(flip=False), np.random.default_rng(0))

    def load(index: tf.Tensor, frame: tf.Tensor) -> dict[str, tf.Tensor]:
        clip, saliency_map, fixation_map = tf.numpy_function(read, [index, frame], (tf.uint8, tf.float32, tf.bool))
        return {
            "clip": preprocessing.scale(tf.ensure_shape(clip, (clip_frames, *size, 3))),
            "saliency_map": tf.ensure_shape(saliency_map, size),
            "fixation_map": tf.ensure_shape(fixation_map, size),
            "domain": tf.constant(domain, tf.int32),
            "video": tf.constant(names)[index],
            "frame": frame,
        }

    pairs = tf.data.Dataset.from_tensor_slices(np.array(windows, np.int64).reshape(-1, 2))
    loaded = pairs.map(lambda pair: load(pair[0], pair[1]), num_parallel_calls=os.cpu_count(), deterministic=True)
    return loaded.batch(batch_size).prefetch(2)


def _ends(video: records.Video, clip_frames: int, labelled: bool) -> np.ndarray:
    """The last frames of a video's windows."""
    if video.frame_count < clip_frames:
        frames = np.array([_short_end(video.frame_count, clip_frames)])
    else:
        frames = np.arange(clip_frames - 1, video.frame_count)
    return frames[video.targets[frames]] if labelled else frames


def _short_end(frame_count: int, clip_frames: int) -> int:
    return int(preprocessing.reflected(np.array([clip_frames - 1]), frame_count)[0])


def _indices(last: int, frame_count: int, clip_frames: int) -> np.ndarray:
    if frame_count < clip_frames:
        return preprocessing.reflected(np.arange(clip_frames), frame_count)
    return np.arange(last - clip_frames + 1, last + 1)


class _Windows:
    """The windows of a data set, to draw from."""

    def __init__(self, dataset: records.Dataset, sampling: Sampling, labelled: bool) -> None:
        self._sampling = sampling
        ends = ((video, _ends(video, sampling.clip_frames, labelled)) for video in dataset.videos)
        self._ends_of_videos = [(video, frames) for video, frames in ends if len(frames)]
        if not self._ends_of_videos:
            raise BadInputError(f"{dataset.folder}: no video has a {'labelled ' if labelled else ''}window")
        self._counted = np.cumsum([len(frames) for _, frames in self._ends_of_videos])

    def draw(self, generator: np.random.Generator) -> tuple[records.Video, np.ndarray]:
        """Draws a window: its video and its frames' indices, int64 [T]."""
        if self._sampling.unit == VIDEOS:
            video, frames = self._ends_of_videos[generator.integers(len(self._ends_of_videos))]
            last = int(frames[generator.integers(len(frames))])
        else:
            number = int(generator.integers(self._counted[-1]))
            position = int(np.searchsorted(self._counted, number, side="right"))
            video, frames = self._ends_of_videos[position]
            # Counted from the end of this video's windows.
            last = int(frames[number - self._counted[position]])
        clip_frames = self._sampling.clip_frames
        if video.frame_count < clip_frames:
            return video, _indices(last, video.frame_count, clip_frames)
        augmentation = self._sampling.augmentation
        return video, augmentations.draw_frames(augmentation, generator, last, video.frame_count, clip_frames)


def _example(
    video: records.Video,
    indices: np.ndarray,
    size: tuple[int, int],
    augmentation: Augmentation,
    generator: np.random.Generator,
) -> list[np.ndarray]:
    """Reads a window and augments it: clip uint8 RGB [T,H,W,3], saliency map float32 [H,W], fixation map bool [H,W]."""
    # A frame that comes several times is read and decoded once.
    distinct, places = np.unique(indices, return_inverse=True)
    frames = video.read(distinct)
    target = frames[places[-1]]
    images, truth = [frame.decode_image() for frame in frames], target.decode_map()
    if truth is None:
        truth = np.zeros(images[0].shape[:2], np.uint8)
    crop = augmentations.draw_crop(augmentation, generator, truth, still=len(images) == 1)
    colours = augmentations.draw_colours(augmentation, generator, float(images[places[0]].mean()))

    def finish(image: np.ndarray, progress: float) -> np.ndarray:
        return augmentations.change_colours(augmentations.crop_frame(image, crop, progress, size), colours)

    if crop.first == crop.last:
        clip = np.stack([finish(image, 1.0) for image in images])[places]
    else:
        clip = np.stack([finish(images[place], index / (len(places) - 1)) for index, place in enumerate(places)])
    saliency_map = augmentations.crop_frame(truth, crop, 1.0, size)
    points = (target.fixations * np.float32(truth.shape) - np.float32(crop.last)) / np.float32(crop.size)
    fixation_map = fixations.to_map(points, size)
    if augmentation.flip and generator.random() < 0.5:
        clip, saliency_map, fixation_map = clip[:, :, ::-1], saliency_map[:, ::-1], fixation_map[:, ::-1]
    return [clip, np.float32(saliency_map) / np.float32(255), np.ascontiguousarray(fixation_map)]
