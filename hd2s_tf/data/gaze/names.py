"""Finds the file that a table means by the name of a video or an image."""

import pathlib
from collections.abc import Mapping, Sequence

from hd2s_tf.data import images, video

_SUFFIXES = images.IMAGE_SUFFIXES | video.VIDEO_SUFFIXES


def video_names(paths: Sequence[str]) -> dict[str, str]:
    """A name for each file: its stem, or where several have that, its path, with dashes and without suffix.

    Args:
      paths: relative to the data set's folder, with slashes.

    Returns:
      Names by path; two files may still have one where they differ in the suffix only.
    """
    stems = [pathlib.PurePosixPath(path).stem for path in paths]
    return {
        path: stem if stems.count(stem) == 1 else str(pathlib.PurePosixPath(path).with_suffix("")).replace("/", "-")
        for path, stem in zip(paths, stems, strict=True)
    }


class Names:
    """Looks files up by the names that tables use: path, file name or stem; numbers are compared as numbers.

    Args:
      paths: relative to the data set's folder, with slashes; a name stands for a path's place in it.
    """

    def __init__(self, paths: Sequence[str]) -> None:
        self._places: dict[str, int | None] = {}
        for keys in (self._spellings, self._number):
            ambiguous: dict[str, int | None] = {}
            for place, path in enumerate(paths):
                for key in keys(path):
                    # A name that fits several files names none of them.
                    ambiguous[key] = place if ambiguous.get(key, place) == place else None
            self._places = {**ambiguous, **self._places}

    def __getitem__(self, name: str) -> int | None:
        """The place of the file that a table calls so; None for none, or for several."""
        path = pathlib.PurePosixPath(name.replace("\\", "/"))
        known: Mapping[str, int | None] = self._places
        for key in (str(path), path.name, _stem(str(path)), _stem(path.name)):
            if key in known:
                return known[key]
        number = _stem(path.name).lstrip("0")
        return known.get(f"number {number}") if number.isdecimal() else None

    @staticmethod
    def _spellings(path: str) -> set[str]:
        return {path, _stem(path), pathlib.PurePosixPath(path).name, pathlib.PurePosixPath(path).stem}

    @staticmethod
    def _number(path: str) -> set[str]:
        """Reads a name as a number, since spreadsheet programs strip the zeros of 001."""
        number = pathlib.PurePosixPath(path).stem.lstrip("0")
        return {f"number {number}"} if number.isdecimal() else set()


def _stem(path: str) -> str:
    """A path without the suffix of a video or an image; other dots belong to the name."""
    suffix = pathlib.PurePosixPath(path).suffix
    return path.removesuffix(suffix) if suffix.lower() in _SUFFIXES else path
