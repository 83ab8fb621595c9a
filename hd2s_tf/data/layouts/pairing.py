"""Which files belong together: frames, maps and fixations of one video, told by the numbers in their names."""

import pathlib
import re
from collections.abc import Callable, Sequence

from absl import logging

from hd2s_tf import files
from hd2s_tf.data import images
from hd2s_tf.data.labels import LabelFiles
from hd2s_tf.errors import BadInputError

# Of the files that an error lists.
_SHOWN = 3


def image_files(folder: str) -> tuple[str, ...]:
    """The images in a folder, in the order of the numbers in their names.

    Raises:
      BadInputError: no such folder, or none in it.
    """
    return _files(folder, images.IMAGE_SUFFIXES)


def label_files(folder: str, frames: Sequence[str] | None = None) -> LabelFiles:
    """The maps in `maps`, with the fixations in `fixation/maps/*.mat`, else in `fixation/*.png`.

    Args:
      folder: of a video's ground truth.
      frames: image paths that maps belong to; None for a video file, whose first frame has map 1 (or 0).

    Returns:
      Maps of the first frames; frames or maps at the end that lack the other are left out with a warning.

    Raises:
      BadInputError: files are missing between others, or two of them have the same number.
    """
    maps = image_files(files.join(folder, "maps"))
    if frames is None:
        _check_numbers(maps)
    else:
        maps = _belonging(maps, frames, "maps", "frames")
    folder = files.join(folder, "fixation")
    matlab_folder = files.join(folder, "maps")
    if files.is_folder(matlab_folder):
        fixations = _files(matlab_folder, frozenset({".mat"}))
    elif files.is_folder(folder):
        fixations = image_files(folder)
    else:
        return LabelFiles(maps)
    fixations = _belonging(fixations, maps, "fixation maps", "maps")
    return LabelFiles(maps[: len(fixations)], fixations)


def _files(folder: str, suffixes: frozenset[str]) -> tuple[str, ...]:
    if not files.is_folder(folder):
        raise BadInputError(f"{folder}: no such folder")
    names = [name for name in files.list_folder(folder) if pathlib.PurePath(name).suffix.lower() in suffixes]
    if not names:
        raise BadInputError(f"{folder}: holds none of {', '.join(sorted(suffixes))}")
    return tuple(files.join(folder, name) for name in files.by_number(names))


def _belonging(paths: Sequence[str], others: Sequence[str], what: str, whose: str) -> tuple[str, ...]:
    """The paths that belong to the first of the others, in their order.

    Names that differ in leading zeros alone are the same; where no names are, their last numbers are compared.
    """
    own, wanted = _by_key(paths, files.number_key), _by_key(others, files.number_key)
    if not own.keys() & wanted.keys() and all(map(_last_number, (*paths, *others))):
        own, wanted = _by_key(paths, _last_number), _by_key(others, _last_number)
    common = own.keys() & wanted.keys()
    if not common:
        raise BadInputError(f"{paths[0]}: none of the {len(paths)} {what} has the name or number of {others[0]}")
    alone = {key: path for key, path in (*wanted.items(), *own.items()) if key not in common}
    inside = [path for key, path in sorted(alone.items()) if key < max(common)]
    if inside:
        listed = ", ".join(pathlib.PurePath(path).name for path in inside[:_SHOWN])
        raise BadInputError(f"{inside[0]}: {what} or {whose} are missing beside {listed} ({len(inside)} such files)")
    if list(wanted) != sorted(wanted):
        raise BadInputError(f"{others[0]}: the numbers in names of {whose} do not tell their order")
    if alone:
        logging.warning("%s: %d %s for %d %s, paired by number", paths[0], len(paths), what, len(others), whose)
    return tuple(own[key] for key in wanted if key in common)


def _by_key(paths: Sequence[str], key: Callable[[str], tuple]) -> dict[tuple, str]:
    found: dict[tuple, str] = {}
    for path in paths:
        number = key(pathlib.PurePath(path).stem)
        if number in found:
            raise BadInputError(f"{path}: the same number as {pathlib.PurePath(found[number]).name}")
        found[number] = path
    return found


def _last_number(stem: str) -> tuple[int, ...]:
    """The last number in a name; empty if it has none."""
    return tuple(int(number) for number in re.findall(r"\d+", pathlib.PurePath(stem).stem)[-1:])


def _check_numbers(maps: Sequence[str]) -> None:
    """Raises BadInputError unless the maps of a video file are numbered from 0 or 1 on, none missing between them."""
    numbered = [(key[0] if key else -1, path) for key, path in sorted(_by_key(maps, _last_number).items())]
    if numbered[0][0] not in (0, 1):
        raise BadInputError(f"{numbered[0][1]}: the first map is number {numbered[0][0]}, not 1")
    for (number, path), (following, _) in zip(numbered, numbered[1:], strict=False):
        if following != number + 1:
            raise BadInputError(f"{path}: the next map is number {following}, not {number + 1}")
