"""LEDOV's layout: videos without ground truth, as domain adaptation's target."""

import pathlib
from collections.abc import Iterator

from hd2s_tf import files
from hd2s_tf.data import video
from hd2s_tf.data.layouts.base import TEST, TRAIN, VALIDATION, Layout, Problem, VideoRecord

_LISTS = {TRAIN: "train", VALIDATION: "valid", TEST: "test"}


def _read(input_dir: str) -> Iterator[VideoRecord | Problem]:
    found: dict[str, str] = {}
    for path in files.walk(input_dir):
        if pathlib.PurePath(path).suffix.lower() not in video.VIDEO_SUFFIXES:
            continue
        name = _video_name(path)
        if name in found:
            yield Problem(TRAIN, f"{path}: another video has the same name, {found[name]}")
        else:
            found[name] = path
    listed: dict[str, str] = {}
    for split, word in _LISTS.items():
        for name in _name_list(input_dir, word):
            if name not in found:
                yield Problem(split, f"{input_dir}: a list names the video {name}, which is not there")
            elif listed.setdefault(name, split) != split:
                yield Problem(split, f"{found[name]}: listed for {listed[name]} and for {split}")
    for name, split in (listed or dict.fromkeys(found, TRAIN)).items():
        yield VideoRecord(name, split, found[name])


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


LEDOV = Layout(
    "videos in any folders, unlabelled; optional Training.txt, Validation.txt, Testing.txt with names",
    _read,
    lambda input_dir: False,
)
