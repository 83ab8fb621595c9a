"""How data sets lie on disk: each layout becomes a list of `VideoRecord`s, paths only, no pixels."""

import dataclasses
import os
import pathlib
import re
from collections.abc import Callable, Sequence

import numpy as np

from hd2s_tf import files
from hd2s_tf.data import video
from hd2s_tf.errors import BadInputError

TRAIN, VALIDATION, TEST = "train", "validation", "test"
SPLITS = (TRAIN, VALIDATION, TEST)
VALIDATION_FRACTION = 0.1
# DHF1K's numbers: 1-600 for training, 601-700 for validation, 701-1000 without annotation.
_DHF1K_RANGES = {TRAIN: range(1, 601), VALIDATION: range(601, 701), TEST: range(701, 1001)}


@dataclasses.dataclass(frozen=True)
class VideoRecord:
    """One video (or still image) of a data set.

    Attributes:
      name: unique in its split.
      split: one of `SPLITS`.
      frames: video file or image paths in order.
      map_paths: the ground truth of each frame in order; empty for unlabelled videos.
      fixation_paths: the fixations of each frame in order, PNG or .mat; empty where there are none.
    """

    name: str
    split: str
    frames: str | tuple[str, ...]
    map_paths: tuple[str, ...] = ()
    fixation_paths: tuple[str, ...] = ()

    def open(self) -> video.FrameSource:
        """The frames; see `FrameSource`. What a video's header says of their number is not relied on.

        Raises:
          BadInputError: they cannot be read.
        """
        return video.open_frames(self.frames) if isinstance(self.frames, str) else video.open_images(self.frames)


@dataclasses.dataclass(frozen=True)
class Problem:
    """A broken video that is left out: its split, and a line that names the file and says what is wrong."""

    split: str
    message: str

    def __str__(self) -> str:
        return self.message


@dataclasses.dataclass(frozen=True)
class Choice:
    """How training videos are divided where the data set itself has no validation split.

    Attributes:
      fraction: of whole training videos that become validation; at least one video unless 0.
      seed: of the choice.
      names: the validation videos by name, in place of a random choice.
    """

    fraction: float = VALIDATION_FRACTION
    seed: int = 0
    names: tuple[str, ...] = ()


def read_layout(
    layout: str,
    input_dir: str | os.PathLike,
    choice: Choice = Choice(),  # noqa: B008
) -> tuple[list[VideoRecord], list[Problem]]:
    """Reads a data set.

    Args:
      layout: a key of `LAYOUTS`.
      input_dir: its folder, local or remote.
      choice: of validation videos.

    Returns:
      The videos sorted by split and name, and a problem for each video that is broken and left out.

    Raises:
      BadInputError: no such layout or folder, or nothing in it that looks like this layout.
    """
    if layout not in LAYOUTS:
        raise BadInputError(f"no layout {layout!r}: the layouts are {', '.join(LAYOUTS)}")
    input_dir = os.fspath(input_dir)
    if not files.is_folder(input_dir):
        raise BadInputError(f"{input_dir}: no such folder")
    problems: list[Problem] = []
    records = LAYOUTS[layout](input_dir, choice, problems)
    if not records and not problems:
        raise BadInputError(f"{input_dir}: no videos in the layout {layout} ({LAYOUTS[layout].__doc__})")
    return sorted(records, key=lambda record: (SPLITS.index(record.split), record.name)), problems


def _dhf1k(input_dir: str, choice: Choice, problems: list[Problem]) -> list[VideoRecord]:
    """video/NNN.AVI or video/NNN/ of frames, annotation/NNNN/maps and fixation."""
    folder = files.join(input_dir, "video")
    if not files.is_folder(folder):
        raise BadInputError(f"{folder}: no such folder; the layout dhf1k has it")
    sources: dict[int, str] = {}
    for name in files.list_folder(folder):
        number = re.fullmatch(r"0*(\d+)(\.\w+)?", name)
        if number and (number[2] is None or number[2].lower() in video.VIDEO_SUFFIXES):
            sources[int(number[1])] = files.join(folder, name)
    split_of = {number: split for split, numbers in _DHF1K_RANGES.items() for number in numbers if number in sources}
    training = [f"{number:04d}" for number, split in split_of.items() if split == TRAIN]
    if choice.names or not any(split == VALIDATION for split in split_of.values()):
        for name in _validation_names(training, choice):
            split_of[int(name)] = VALIDATION
    records = []
    for number in sorted(split_of):
        name = f"{number:04d}"
        annotation = files.join(input_dir, "annotation", name)
        _try(problems, records, _dhf1k_video, name, split_of[number], sources[number], annotation)
    return records


def _dhf1k_video(name: str, split: str, source: str, annotation: str) -> VideoRecord:
    frames: str | tuple[str, ...] = source if not files.is_folder(source) else _images(source)
    if not files.is_folder(annotation):
        if split == TEST:
            return VideoRecord(name, split, frames)
        raise BadInputError(f"{annotation}: no such folder, but {source} is there")
    maps = _images(files.join(annotation, "maps"))
    _check_consecutive(maps)
    if not isinstance(frames, str):
        _check_count(frames, maps)
    return VideoRecord(name, split, frames, maps, _fixations(annotation, maps))


def _ucf(input_dir: str, choice: Choice, problems: list[Problem]) -> list[VideoRecord]:
    """training|testing/<video>/images, maps and fixation."""
    records: list[VideoRecord] = []
    for folder_name, split in (("training", TRAIN), ("testing", TEST)):
        folder = files.join(input_dir, folder_name)
        if not files.is_folder(folder):
            continue
        for name in files.list_folder(folder):
            if files.is_folder(files.join(folder, name)):
                _try(problems, records, _ucf_video, name, split, files.join(folder, name))
    return _with_validation(records, choice)


def _ucf_video(name: str, split: str, folder: str) -> VideoRecord:
    images = _images(files.join(folder, "images"))
    maps = _images(files.join(folder, "maps"))
    _check_stems(images, maps)
    return VideoRecord(name, split, images, maps, _fixations(folder, maps))


def _fixations(folder: str, maps: Sequence[str]) -> tuple[str, ...]:
    """The files fixation/maps/*.mat, else fixation/*.png, that belong to the maps; none without such a folder."""
    folder = files.join(folder, "fixation")
    matlab_folder = files.join(folder, "maps")
    if files.is_folder(matlab_folder):
        fixations = _files(matlab_folder, {".mat"})
    elif files.is_folder(folder):
        fixations = _images(folder)
    else:
        return ()
    _check_stems(maps, fixations)
    return fixations


def _ledov(input_dir: str, choice: Choice, problems: list[Problem]) -> list[VideoRecord]:
    """Videos in any folders, unlabelled; optional Training.txt, Validation.txt, Testing.txt with names."""
    found: dict[str, str] = {}
    for path in _video_files(input_dir):
        name = _video_name(path)
        if name in found:
            problems.append(Problem(TRAIN, f"{path}: another video has the same name, {found[name]}"))
        else:
            found[name] = path
    listed: dict[str, str] = {}
    for split, word in _LEDOV_LISTS.items():
        for name in _name_list(input_dir, word):
            if name not in found:
                problems.append(Problem(split, f"{input_dir}: a list names the video {name}, which is not there"))
            elif listed.setdefault(name, split) != split:
                problems.append(Problem(split, f"{found[name]}: listed for {listed[name]} and for {split}"))
    split_of = listed or dict.fromkeys(found, TRAIN)
    records = [VideoRecord(name, split, found[name]) for name, split in split_of.items()]
    return records if VALIDATION in split_of.values() else _with_validation(records, choice)


_LEDOV_LISTS = {TRAIN: "train", VALIDATION: "valid", TEST: "test"}


def _video_files(input_dir: str) -> list[str]:
    """Every video file in a folder and its subfolders, each folder once even where links lead back to it."""
    found, pending, seen = [], [input_dir], set()
    while pending:
        folder = pending.pop()
        identity = folder if files.is_remote(folder) else os.path.realpath(folder)
        if identity in seen:
            continue
        seen.add(identity)
        for name in files.list_folder(folder):
            path = files.join(folder, name)
            if pathlib.PurePath(name).suffix.lower() in video.VIDEO_SUFFIXES:
                found.append(path)
            elif files.is_folder(path):
                pending.append(path)
    return sorted(found)


def _video_name(path: str) -> str:
    """A video's name, given with or without its folder and suffix."""
    name = pathlib.PurePath(path)
    return name.stem if name.suffix.lower() in video.VIDEO_SUFFIXES else name.name


def _name_list(input_dir: str, word: str) -> list[str]:
    """The names in the list file whose name starts with `word`, one a line."""
    for name in files.list_folder(input_dir):
        if name.lower().startswith(word) and name.lower().endswith(".txt"):
            text = files.read_bytes(files.join(input_dir, name)).decode(errors="replace")
            return [_video_name(line.strip()) for line in text.splitlines() if line.strip()]
    return []


LAYOUTS: dict[str, Callable[[str, Choice, list[Problem]], list[VideoRecord]]] = {
    "dhf1k": _dhf1k,
    "ucf_sports": _ucf,
    "hollywood2": _ucf,
    "stills": _ucf,
    "ledov": _ledov,
}


def _with_validation(records: list[VideoRecord], choice: Choice) -> list[VideoRecord]:
    training = [record.name for record in records if record.split == TRAIN]
    chosen = set(_validation_names(training, choice))
    return [
        dataclasses.replace(record, split=VALIDATION) if record.split == TRAIN and record.name in chosen else record
        for record in records
    ]


def _validation_names(training: Sequence[str], choice: Choice) -> list[str]:
    """The training videos that become validation, whole videos, by the names given or a seeded choice."""
    if choice.names:
        missing = sorted(set(choice.names) - set(training))
        if missing:
            raise BadInputError(f"validation videos that are not among the training videos: {', '.join(missing)}")
        return list(choice.names)
    if not 0 <= choice.fraction < 1:
        raise BadInputError(f"the validation fraction is {choice.fraction}: it must be from 0 to below 1")
    if not choice.fraction or len(training) < 2:
        return []
    count = max(1, round(choice.fraction * len(training)))
    return sorted(np.random.default_rng(choice.seed).permutation(sorted(training))[:count].tolist())


def _try(
    problems: list[Problem], records: list[VideoRecord], read: Callable, name: str, split: str, *arguments: str
) -> None:
    try:
        records.append(read(name, split, *arguments))
    except BadInputError as error:
        problems.append(Problem(split, str(error)))


def _images(folder: str) -> tuple[str, ...]:
    return _files(folder, video.IMAGE_SUFFIXES)


def _files(folder: str, suffixes: frozenset[str] | set[str]) -> tuple[str, ...]:
    if not files.is_folder(folder):
        raise BadInputError(f"{folder}: no such folder")
    names = [name for name in files.list_folder(folder) if pathlib.PurePath(name).suffix.lower() in suffixes]
    if not names:
        raise BadInputError(f"{folder}: holds none of {', '.join(sorted(suffixes))}")
    return tuple(files.join(folder, name) for name in names)


def _check_stems(first: Sequence[str], second: Sequence[str]) -> None:
    stems = [{pathlib.PurePath(path).stem: path for path in group} for group in (first, second)]
    for one, other, folder in ((stems[0], stems[1], second[0]), (stems[1], stems[0], first[0])):
        alone = sorted(set(one) - set(other))
        if alone:
            raise BadInputError(f"{one[alone[0]]}: nothing of this name beside {folder} ({len(alone)} such files)")


def _check_count(frames: Sequence[str], maps: Sequence[str]) -> None:
    if len(frames) != len(maps):
        raise BadInputError(f"{maps[0]}: {len(maps)} maps, but {len(frames)} frames beside {frames[0]}")


def _check_consecutive(maps: Sequence[str]) -> None:
    """Maps of a video file are matched by number, so that none may be missing between them."""
    numbers = [int(digits[-1]) if (digits := re.findall(r"\d+", pathlib.PurePath(path).stem)) else -1 for path in maps]
    for path, number, following in zip(maps, numbers, numbers[1:], strict=False):
        if following != number + 1:
            raise BadInputError(f"{path}: the next map is number {following}, not {number + 1}")
