"""Ground truth to score against, at its full size: a data set's own files, or prepared data that keeps that size."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator

import numpy as np
from absl import logging

from hd2s_tf import files
from hd2s_tf.data import fixations, layouts, records
from hd2s_tf.data.labels import Observed
from hd2s_tf.errors import BadInputError


@dataclasses.dataclass(frozen=True)
class FrameTruth:
    """Ground truth of a frame.

    Attributes:
      saliency_map: uint8 [H,W].
      fixation_map: bool [H,W].
    """

    saliency_map: np.ndarray
    fixation_map: np.ndarray


@dataclasses.dataclass(frozen=True)
class ScoredVideo:
    """A video to predict, with its ground truth.

    Attributes:
      name: in its data set.
      labelled: whether it has ground truth.
      frame_names: of every labelled frame, without suffix, as prediction files are named; of a video without ground
        truth as many as its header claims.
      frames: opens the frames, uint8 RGB [H,W,3] each.
      read_truth: the ground truth of a frame by its index; None for a frame without one.
      read_points: the fixations of a frame by its index, float32 [N,2], (y, x) as fractions of height and width.
      read_observers: the observer of each of them, int32 [N]; empty where that is not known.
      observed: who looked at the video; None where that is not known.
    """

    name: str
    labelled: bool
    frame_names: tuple[str, ...]
    frames: Callable[[], Iterable[np.ndarray]]
    read_truth: Callable[[int], FrameTruth | None]
    read_points: Callable[[int], np.ndarray]
    read_observers: Callable[[int], np.ndarray] = lambda index: np.zeros(0, np.int32)
    observed: Observed | None = None

    def frame_name(self, index: int) -> str:
        """The name of a frame; a number where there are more frames than were expected."""
        return self.frame_names[index] if index < len(self.frame_names) else _number(index)

    def read_frames(self, indices: set[int]) -> dict[int, np.ndarray]:
        """Frames by their index; reads the video up to the last of them.

        Raises:
          BadInputError: the video ends before.
        """
        read = {}
        for index, frame in enumerate(self.frames()):
            if index in indices:
                read[index] = frame
            if len(read) == len(indices):
                return read
        raise BadInputError(f"{self.name}: the video has no frame {max(indices) + 1}")


def open_videos(
    data_dir: str | os.PathLike,
    split: str,
    layout: str | None = None,
    names: tuple[str, ...] = (),
    *,
    unlabelled: bool = False,
    allow_broken: bool = False,
) -> list[ScoredVideo]:
    """Opens the videos of a split, in order of their names.

    Args:
      data_dir: a folder of `tools/prepare_dataset.py`, or a data set's own.
      split: see `layouts.split_named`; a data set's own folder may be asked for "all" too, and its validation split is
        that of its authors.
      layout: of a data set's own folder; None to recognise it.
      names: the videos to open; empty for all.
      unlabelled: whether to open videos without ground truth, and only those where there are some.
      allow_broken: whether broken videos of a data set's own folder are left out with a warning.

    Raises:
      BadInputError: nothing there that can be opened, or broken videos.
    """
    if split != "all":
        split = layouts.split_named(split)
    if not files.is_folder(data_dir):
        raise BadInputError(f"{data_dir}: no such folder")
    if is_prepared(data_dir, split):
        videos = [_prepared(prepared) for prepared in _load(data_dir, split).videos]
    else:
        layout = layout or layouts.recognise(data_dir)
        # Validation videos are named when they matter here; nothing is chosen at random.
        read, problems = layouts.read_layout(layout, data_dir, layouts.ValidationSplit(fraction=0))
        if problems and not allow_broken:
            raise BadInputError(f"{problems[0]} ({len(problems)} such videos)", remedy="allow_missing")
        for problem in problems:
            logging.warning("left out: %s", problem)
        wanted = layouts.layout_named(layout).own_validation if split == layouts.VALIDATION else split
        videos = [_raw(record) for record in read if wanted in (record.split, "all")]
    if unlabelled and not all(opened.labelled for opened in videos):
        videos = [opened for opened in videos if not opened.labelled]
    else:
        videos = [opened for opened in videos if opened.labelled]
    missing = sorted(set(names) - {opened.name for opened in videos})
    if missing:
        raise BadInputError(f"{data_dir}: no videos {', '.join(missing)} in the split {split}")
    videos = [opened for opened in videos if not names or opened.name in names]
    if not videos:
        raise BadInputError(f"{data_dir}: no videos{'' if unlabelled else ' with ground truth'} in the split {split}")
    return sorted(videos, key=lambda opened: opened.name)


def is_prepared(data_dir: str | os.PathLike, split: str) -> bool:
    """Whether a split is prepared data, with frames at the network's size, rather than a data set's own files."""
    split = layouts.split_named(split) if split != "all" else split
    return files.exists(files.join(data_dir, split, records.DATASET))


def is_full_size(data_dir: str | os.PathLike, split: str) -> bool:
    """Whether the ground truth of a split has the size that its data set is distributed in."""
    return not is_prepared(data_dir, split) or _load(data_dir, split).full_size_truth


def has_authors_split(data_dir: str | os.PathLike, split: str) -> bool:
    """Whether the data set's authors chose a split's videos; prepared validation videos may come from training."""
    return not (is_prepared(data_dir, split) and layouts.split_named(split) == layouts.VALIDATION)


def dataset_name(data_dir: str | os.PathLike, split: str) -> str:
    """The name of a data set: the one it was prepared under, else its folder's."""
    if is_prepared(data_dir, split):
        return _load(data_dir, split).name
    return os.fspath(data_dir).rstrip("/").rsplit("/", 1)[-1]


def _load(data_dir: str | os.PathLike, split: str) -> records.Dataset:
    return records.load_dataset(data_dir, layouts.split_named(split))


def _prepared(prepared: records.Video) -> ScoredVideo:
    def record(index: int) -> records.FrameRecord:
        return prepared.read(np.array([index]))[0]

    def frames() -> Iterator[np.ndarray]:
        return (record(index).decode_image() for index in range(prepared.frame_count))

    def truth(index: int) -> FrameTruth | None:
        frame = record(index)
        saliency_map = frame.decode_largest_map()
        if saliency_map is None:
            return None
        return FrameTruth(saliency_map, fixations.to_map(frame.fixations, saliency_map.shape))

    def points(index: int) -> np.ndarray:
        return record(index).fixations

    def observers(index: int) -> np.ndarray:
        return record(index).observers

    names, labelled = _numbers(prepared.frame_count), bool(prepared.targets.any())
    return ScoredVideo(prepared.name, labelled, names, frames, truth, points, observers, prepared.observed)


def _raw(record: layouts.VideoRecord) -> ScoredVideo:
    labels = record.labels

    def truth(index: int) -> FrameTruth | None:
        if labels is None:
            return None
        read = labels.read(index)
        return FrameTruth(read.saliency_map, fixations.to_map(read.fixations, read.saliency_map.shape))

    def points(index: int) -> np.ndarray:
        return np.zeros((0, 2), np.float32) if labels is None else labels.read_fixations(index)

    def observers(index: int) -> np.ndarray:
        return np.zeros(0, np.int32) if labels is None else labels.read(index).observers

    names = _numbers(record.open().frame_count) if labels is None else labels.frame_names
    observed = labels.observed if labels else None
    frames = record.open if labels is None else record.read_whole
    return ScoredVideo(record.name, labels is not None, names, frames, truth, points, observers, observed)


def _numbers(frame_count: int) -> tuple[str, ...]:
    return tuple(map(_number, range(frame_count)))


def _number(index: int) -> str:
    return f"{index + 1:04d}"
