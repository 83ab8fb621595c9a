"""DHF1K's layout; its splits are the paper's."""

import re
from collections.abc import Iterator

from hd2s_tf import files
from hd2s_tf.data import video
from hd2s_tf.data.layouts import pairing
from hd2s_tf.data.layouts.base import TEST, TRAIN, Layout, Problem, VideoRecord, attempt
from hd2s_tf.errors import BadInputError

_RANGES = {TRAIN: range(1, 601), TEST: range(601, 1001)}
# From here on the maps are not public.
_UNLABELLED = 701


def _recognises(input_dir: str) -> bool:
    return any(files.is_folder(files.join(input_dir, name)) for name in ("annotation", "video"))


def _read(input_dir: str) -> Iterator[VideoRecord | Problem]:
    folder = files.join(input_dir, "video")
    if not files.is_folder(folder):
        raise BadInputError(f"{folder}: no such folder; the layout dhf1k has it")
    sources: dict[int, str] = {}
    for name in files.list_folder(folder):
        number = re.fullmatch(r"0*(\d+)(\.\w+)?", name)
        if number and (number[2] is None or number[2].lower() in video.VIDEO_SUFFIXES):
            sources[int(number[1])] = files.join(folder, name)
    for split, numbers in _RANGES.items():
        for number in sorted(sources.keys() & set(numbers)):
            name = f"{number:04d}"
            annotation = files.join(input_dir, "annotation", name)
            may_lack_maps = number >= _UNLABELLED
            yield attempt(split, _video, name, split, sources[number], annotation, may_lack_maps)


def _video(name: str, split: str, source: str, annotation: str, may_lack_maps: bool) -> VideoRecord:
    frames: str | tuple[str, ...] = source if not files.is_folder(source) else pairing.image_files(source)
    if not files.is_folder(annotation):
        if may_lack_maps:
            return VideoRecord(name, split, frames)
        raise BadInputError(f"{annotation}: no such folder, but {source} is there")
    labels = pairing.label_files(annotation, None if isinstance(frames, str) else frames)
    return VideoRecord(name, split, frames, labels)


DHF1K = Layout(
    "video/NNN.AVI or video/NNN/ of frames, annotation/NNNN/maps and fixation; 601-700 are the test split, as are "
    "701-1000 where maps may be missing, and validation videos are taken from 1-600",
    _read,
    _recognises,
    own_validation=TEST,
)
