"""Prepared data as batches of clips: for training, a pure function of seed and step; for validation, in order."""

import os
import re
from collections.abc import Iterable, Iterator, Sequence

import cv2
import numpy as np
import tensorflow as tf

from hd2s_tf.data import augmentation as augmentations
from hd2s_tf.data import fixations, preprocessing, records
from hd2s_tf.data.augmentation import Augmentation
from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.models.presets import CLIP_FRAMES, FRAME_SIZE

SAMPLINGS = ("windows", "videos")


def clips(
    dataset: records.Dataset,
    *,
    batch_size: int,
    seed: int,
    start_step: int = 0,
    clip_frames: int = CLIP_FRAMES,
    size: tuple[int, int] = FRAME_SIZE,
    augmentation: Augmentation = Augmentation(),  # noqa: B008
    sampling: str = "windows",
    domain: int = 0,
    labelled: bool = True,
) -> tf.data.Dataset:
    """Endless training batches of one data set; see `in_turn`, of which this is the case of one."""
    return in_turn(
        [dataset],
        domains=[domain],
        batch_size=batch_size,
        seed=seed,
        start_step=start_step,
        clip_frames=clip_frames,
        size=size,
        augmentation=augmentation,
        sampling=sampling,
        labelled=labelled,
    )


def in_turn(
    datasets: Sequence[records.Dataset],
    *,
    domains: Sequence[int],
    batch_size: int,
    seed: int,
    start_step: int = 0,
    clip_frames: int = CLIP_FRAMES,
    size: tuple[int, int] = FRAME_SIZE,
    augmentation: Augmentation = Augmentation(),  # noqa: B008
    sampling: str = "windows",
    labelled: bool = True,
    share: tuple[int, int] = (0, 1),
) -> tf.data.Dataset:
    """Endless training batches: step n is of data set n modulo their number, so a batch holds one domain.

    A batch is a function of the seed and its step alone: started at step n, the batches are n, n + 1, ... of a pipeline
    started at 0. A window ends at any frame that has a ground truth and `clip_frames` - 1 frames before it; a shorter
    video is continued by its mirror image, a still image repeats.

    Args:
      datasets: at least one.
      domains: int for each.
      batch_size: clips in a batch.
      seed: of every choice.
      start_step: the first batch.
      clip_frames: T.
      size: (height, width) of clips and maps.
      augmentation: see `Augmentation`.
      sampling: "windows" if every window of a data set is equally likely, "videos" if every video is.
      labelled: whether windows must have a ground truth.
      share: (i, n) for the i-th of n equal parts of every batch, and only that is read; n must divide `batch_size`.

    Returns:
      A data set of dicts: clip float32 [B,T,H,W,3] in [-1,1], domain int32 [B] and, if labelled, saliency_map float32
      [B,H,W] in [0,1] and fixation_map bool [B,H,W].

    Raises:
      BadInputError: a data set without windows, or an unknown sampling.
    """
    samplers = [_Sampler(dataset, clip_frames, sampling, labelled) for dataset in datasets]

    def draw(example: np.ndarray) -> list[np.ndarray]:
        step = int(example) // batch_size
        generator = np.random.default_rng((seed, int(example)))
        turn = step % len(samplers)
        values = _example(samplers[turn].draw(generator, augmentation), size, augmentation, generator)
        return [*values, np.int32(domains[turn])]

    def load(example: tf.Tensor) -> dict[str, tf.Tensor]:
        types = (tf.uint8, tf.float32, tf.bool, tf.int32)
        clip, saliency_map, fixation_map, domain = tf.numpy_function(draw, [example], types)
        clip = preprocessing.scale(tf.ensure_shape(clip, (clip_frames, *size, 3)))
        batch = {"clip": clip, "domain": tf.ensure_shape(domain, ())}
        if labelled:
            batch["saliency_map"] = tf.ensure_shape(saliency_map, size)
            batch["fixation_map"] = tf.ensure_shape(fixation_map, size)
        return batch

    size_of_share = batch_size // share[1]

    def examples_of(step: tf.Tensor) -> tf.data.Dataset:
        first = step * batch_size + share[0] * size_of_share
        return tf.data.Dataset.range(first, first + size_of_share)

    examples = tf.data.Dataset.range(start_step, np.iinfo(np.int64).max // batch_size).flat_map(examples_of)
    loaded = examples.map(load, num_parallel_calls=os.cpu_count(), deterministic=True)
    return loaded.batch(size_of_share, drop_remainder=True)


def with_target(source: tf.data.Dataset, target: tf.data.Dataset) -> tf.data.Dataset:
    """Pairs the batches of labelled clips with those of unlabelled ones, step for step, for domain adaptation.

    Args:
      source, target: of `in_turn`, with `labelled` and without, from the same step on.

    Returns:
      A data set of dicts: source and target, a batch each.
    """
    return tf.data.Dataset.zip({"source": source, "target": target})


def checked(batches: Iterable[dict]) -> Iterator[dict]:
    """The batches of a data set above; where a shard is damaged, the `RunError` that names it.

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
      A data set of dicts as of `in_turn`, and video (its name) and frame (the window's last one, int64).
    """
    windows = [
        (index, frame)
        for index, video in enumerate(dataset.videos)
        for frame in _ends(video, clip_frames, labelled=True)[::every]
    ]
    names = [video.name for video in dataset.videos]

    def read(index: np.ndarray, frame: np.ndarray) -> list[np.ndarray]:
        video = dataset.videos[int(index)]
        frames = video.read(_indices(int(frame), video.frame_count, clip_frames))
        return _example(frames, size, Augmentation(flip=False), np.random.default_rng(0))

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


class _Sampler:
    """Draws windows of a data set."""

    def __init__(self, dataset: records.Dataset, clip_frames: int, sampling: str, labelled: bool) -> None:
        if sampling not in SAMPLINGS:
            raise BadInputError(f"sampling is {sampling!r}: it is one of {', '.join(SAMPLINGS)}")
        self._clip_frames, self._by_video = clip_frames, sampling == "videos"
        ends = ((video, _ends(video, clip_frames, labelled)) for video in dataset.videos)
        self._windows = [(video, frames) for video, frames in ends if len(frames)]
        if not self._windows:
            raise BadInputError(f"{dataset.folder}: no video has a {'labelled ' if labelled else ''}window")
        self._ends = np.cumsum([len(frames) for _, frames in self._windows])

    def draw(self, generator: np.random.Generator, augmentation: Augmentation) -> list[records.FrameRecord]:
        if self._by_video:
            video, frames = self._windows[generator.integers(len(self._windows))]
            last = int(frames[generator.integers(len(frames))])
        else:
            number = int(generator.integers(self._ends[-1]))
            position = int(np.searchsorted(self._ends, number, side="right"))
            video, frames = self._windows[position]
            # Counted from the end of this video's windows.
            last = int(frames[number - self._ends[position]])
        if video.frame_count < self._clip_frames:
            return video.read(_indices(last, video.frame_count, self._clip_frames))
        return video.read(
            augmentations.draw_frames(augmentation, generator, last, video.frame_count, self._clip_frames)
        )


def _example(
    frames: list[records.FrameRecord],
    size: tuple[int, int],
    augmentation: Augmentation,
    generator: np.random.Generator,
) -> list[np.ndarray]:
    """Clip, saliency map and fixation map of a window's records, augmented."""
    target = frames[-1]
    decoded: dict[int, np.ndarray] = {}
    for frame in frames:
        if id(frame) not in decoded:
            decoded[id(frame)] = cv2.imdecode(np.frombuffer(frame.image, np.uint8), cv2.IMREAD_COLOR)
    stored = next(iter(decoded.values())).shape[:2]
    truth = np.zeros(stored, np.uint8)
    if target.saliency_map:
        truth = cv2.imdecode(np.frombuffer(target.saliency_map, np.uint8), cv2.IMREAD_GRAYSCALE)
    crop = augmentations.draw_crop(augmentation, generator, truth, still=len(decoded) == 1)

    def cut(image: np.ndarray, progress: float) -> np.ndarray:
        if crop.size == (1.0, 1.0):
            return preprocessing.resize(image, size)
        position = np.array(crop.first) + (np.array(crop.last) - crop.first) * progress
        return augmentations.crop_frame(image, position, crop.size, size)

    colours = augmentations.draw_colours(augmentation, generator, float(next(iter(decoded.values())).mean()))
    clip = np.empty((len(frames), *size, 3), np.uint8)
    made: dict[int, int] = {}
    for index, frame in enumerate(frames):
        if crop.first == crop.last and id(frame) in made:
            clip[index] = clip[made[id(frame)]]
            continue
        made[id(frame)] = index
        image = cv2.cvtColor(cut(decoded[id(frame)], index / (len(frames) - 1)), cv2.COLOR_BGR2RGB)
        clip[index] = augmentations.change_colours(image, colours)
    saliency_map = cut(truth, 1.0)
    points = (target.fixations - np.array(crop.last, np.float32)) / np.array(crop.size, np.float32)
    fixation_map = fixations.to_map(points, size)
    if augmentation.flip and generator.random() < 0.5:
        clip, saliency_map, fixation_map = clip[:, :, ::-1], saliency_map[:, ::-1], fixation_map[:, ::-1]
    return [clip, np.float32(saliency_map) / np.float32(255), np.ascontiguousarray(fixation_map)]
