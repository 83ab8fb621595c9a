"""Ground truth to score against: prepared data, or a data set as it lies on disk at its full size."""

import dataclasses
import os
from collections.abc import Callable, Iterable, Iterator

import cv2
import numpy as np

from hd2s_tf.data import fixations, layouts, paths, records, video
from hd2s_tf.errors import BadInputError

_SPLIT_NAMES = {"training": layouts.TRAIN, "testing": layouts.TEST}


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
    """A video with ground truth.

    Attributes:
      name: in its data set.
      frame_names: of every frame, without suffix, as prediction files are named.
      frames: opens the frames, uint8 RGB [H,W,3] each.
      read_truth: the ground truth of a frame by its index; None for a frame without one.
      read_points: the fixations of a frame by its index, float32 [N,2], (y, x) as fractions of height and width.
    """

    name: str
    frame_names: tuple[str, ...]
    frames: Callable[[], Iterable[np.ndarray]]
    read_truth: Callable[[int], FrameTruth | None]
    read_points: Callable[[int], np.ndarray]


def open_videos(
    data_dir: str | os.PathLike, split: str, layout: str | None = None, names: tuple[str, ...] = ()
) -> list[ScoredVideo]:
    """Opens the videos of a split, in order of their names.

    Args:
      data_dir: a folder of `tools/prepare_dataset.py`, or a data set's own.
      split: a name of `layouts.SPLITS`, or "training" or "testing"; a data set's own folder may be asked for "all".
      layout: of a data set's own folder; None to recognise it.
      names: the videos to score; empty for all.

    Raises:
      BadInputError: nothing there that can be scored.
    """
    split = _SPLIT_NAMES.get(split, split)
    if not paths.is_folder(data_dir):
        raise BadInputError(f"{data_dir}: no such folder")
    if paths.exists(paths.join(data_dir, split, records.DATASET)):
        videos = [_prepared(prepared) for prepared in records.load_dataset(data_dir, split).videos]
    else:
        layout = layout or _recognise(data_dir)
        # Validation videos are named when they matter here; nothing is chosen at random.
        read, problems = layouts.read_layout(layout, data_dir, layouts.Choice(fraction=0))
        if problems:
            raise BadInputError(f"{problems[0]} ({len(problems)} such videos)")
        if split not in (*layouts.SPLITS, "all"):
            raise BadInputError(f"no split {split!r}: the splits are {', '.join(layouts.SPLITS)} and all")
        videos = [_raw(record) for record in read if split in (record.split, "all") and record.map_paths]
    missing = sorted(set(names) - {opened.name for opened in videos})
    if missing:
        raise BadInputError(f"{data_dir}: no videos {', '.join(missing)} in the split {split}")
    videos = [opened for opened in videos if not names or opened.name in names]
    if not videos:
        raise BadInputError(f"{data_dir}: no videos with ground truth in the split {split}")
    return sorted(videos, key=lambda opened: opened.name)


def _recognise(data_dir: str | os.PathLike) -> str:
    if paths.is_folder(paths.join(data_dir, "annotation")):
        return "dhf1k"
    if any(paths.is_folder(paths.join(data_dir, name)) for name in _SPLIT_NAMES):
        return "ucf_sports"
    raise BadInputError(
        f"{data_dir}: neither prepared data nor a layout that is recognised; --layout is one of "
        f"{', '.join(layouts.LAYOUTS)}"
    )


def _prepared(prepared: records.Video) -> ScoredVideo:
    def record(index: int) -> records.FrameRecord:
        return prepared.read(np.array([index]))[0]

    def frames() -> Iterator[np.ndarray]:
        for index in range(prepared.frame_count):
            image = cv2.imdecode(np.frombuffer(record(index).image, np.uint8), cv2.IMREAD_COLOR)
            yield cv2.cvtColor(image, cv2.COLOR_BGR2RGB)

    def truth(index: int) -> FrameTruth | None:
        frame = record(index)
        if not frame.saliency_map:
            return None
        saliency_map = cv2.imdecode(np.frombuffer(frame.saliency_map, np.uint8), cv2.IMREAD_GRAYSCALE)
        return FrameTruth(saliency_map, fixations.to_map(frame.fixations, saliency_map.shape))

    names = tuple(f"{number:04d}" for number in range(1, prepared.frame_count + 1))
    return ScoredVideo(prepared.name, names, frames, truth, lambda index: record(index).fixations)


def _raw(record: layouts.VideoRecord) -> ScoredVideo:
    def points(index: int) -> np.ndarray:
        if not record.fixation_paths:
            return np.zeros((0, 2), np.float32)
        return fixations.points(fixations.read_fixation_map(record.fixation_paths[index]))

    def truth(index: int) -> FrameTruth:
        saliency_map = video.read_map(record.map_paths[index])
        if not record.fixation_paths:
            return FrameTruth(saliency_map, np.zeros(saliency_map.shape, bool))
        fixation_map = fixations.read_fixation_map(record.fixation_paths[index])
        if fixation_map.shape != saliency_map.shape:
            fixation_map = fixations.to_map(fixations.points(fixation_map), saliency_map.shape)
        return FrameTruth(saliency_map, fixation_map)

    stems = tuple(os.path.splitext(os.path.basename(path))[0] for path in record.map_paths)  # noqa: PTH119, PTH122
    return ScoredVideo(record.name, stems, record.open, truth, points)
