"""Which files of a folder belong together: frames, maps and fixations of one video."""

import pathlib
import re
from collections.abc import Sequence

from hd2s_tf import files
from hd2s_tf.data import images
from hd2s_tf.data.labels import LabelFiles
from hd2s_tf.errors import BadInputError


def image_files(folder: str) -> tuple[str, ...]:
    """The images in a folder, in order of their names.

    Raises:
      BadInputError: no such folder, or none in it.
    """
    return _files(folder, images.IMAGE_SUFFIXES)


def label_files(folder: str, maps: Sequence[str]) -> LabelFiles:
    """The maps with the files `fixation/maps/*.mat`, else `fixation/*.png`, that belong to them.

    Args:
      folder: of the video's ground truth.
      maps: paths in order.

    Raises:
      BadInputError: the folder of fixations has other files than the maps.
    """
    folder = files.join(folder, "fixation")
    matlab_folder = files.join(folder, "maps")
    if files.is_folder(matlab_folder):
        fixations = _files(matlab_folder, frozenset({".mat"}))
    elif files.is_folder(folder):
        fixations = image_files(folder)
    else:
        return LabelFiles(tuple(maps))
    check_stems(maps, fixations)
    return LabelFiles(tuple(maps), fixations)


def _files(folder: str, suffixes: frozenset[str]) -> tuple[str, ...]:
    if not files.is_folder(folder):
        raise BadInputError(f"{folder}: no such folder")
    names = [name for name in files.list_folder(folder) if pathlib.PurePath(name).suffix.lower() in suffixes]
    if not names:
        raise BadInputError(f"{folder}: holds none of {', '.join(sorted(suffixes))}")
    return tuple(files.join(folder, name) for name in names)


def check_stems(first: Sequence[str], second: Sequence[str]) -> None:
    """Raises BadInputError unless both have files of the same names."""
    stems = [{pathlib.PurePath(path).stem: path for path in group} for group in (first, second)]
    for one, other, folder in ((stems[0], stems[1], second[0]), (stems[1], stems[0], first[0])):
        alone = sorted(set(one) - set(other))
        if alone:
            raise BadInputError(f"{one[alone[0]]}: nothing of this name beside {folder} ({len(alone)} such files)")


def check_count(frames: Sequence[str], maps: Sequence[str]) -> None:
    """Raises BadInputError unless there are as many frames as maps."""
    if len(frames) != len(maps):
        raise BadInputError(f"{maps[0]}: {len(maps)} maps, but {len(frames)} frames beside {frames[0]}")


def check_consecutive(maps: Sequence[str]) -> None:
    """Raises BadInputError where a number is missing: maps of a video file are matched by number."""
    numbers = [int(digits[-1]) if (digits := re.findall(r"\d+", pathlib.PurePath(path).stem)) else -1 for path in maps]
    for path, number, following in zip(maps, numbers, numbers[1:], strict=False):
        if following != number + 1:
            raise BadInputError(f"{path}: the next map is number {following}, not {number + 1}")
