"""The layout `gaze`: videos and images in any folders, and tables of recorded gaze."""

import collections
import pathlib
from collections.abc import Iterator

import numpy as np
import tensorflow as tf
import tqdm
from absl import logging

from hd2s_tf import files
from hd2s_tf.data import frame_source, images, video
from hd2s_tf.data.gaze import names, observers, stimulus, tables, viewing
from hd2s_tf.data.gaze.labels import GazeLabels
from hd2s_tf.data.gaze.reading import Reading, read_tables
from hd2s_tf.data.gaze.settings import GazeSettings
from hd2s_tf.data.layouts.base import SPLITS, TEST, TRAIN, VALIDATION, Layout, Problem, VideoRecord, attempt
from hd2s_tf.errors import BadInputError

_MEDIA_SUFFIXES = images.IMAGE_SUFFIXES | video.VIDEO_SUFFIXES
# Folders of these names are splits.
_SPLIT_FOLDERS = {
    "train": TRAIN, "training": TRAIN, "validation": VALIDATION, "val": VALIDATION, "test": TEST, "testing": TEST,
}  # fmt: skip
_BAR_DELAY = 3


def gaze_layout(settings: GazeSettings = GazeSettings()) -> Layout:  # noqa: B008
    """The layout with these settings."""
    reader = _Reader(settings)
    return Layout(
        "videos or images in any folders, and tables (CSV, TSV, Parquet) of fixations or samples of gaze; folders "
        "called training, validation or testing are splits",
        reader.read,
        lambda input_dir: False,
        report=lambda: reader.report,
    )


class _Reader:
    """Reads a data set; `report` tells afterwards how its tables were understood and what was dropped."""

    def __init__(self, settings: GazeSettings) -> None:
        settings.check()
        self._settings = settings
        self.report: dict = {}

    def read(self, input_dir: str) -> Iterator[VideoRecord | Problem]:
        """See `Layout`."""
        below = list(files.walk(input_dir))
        media = [path for path in below if pathlib.PurePath(path).suffix.lower() in _MEDIA_SUFFIXES]
        if not media:
            raise BadInputError(f"{input_dir}: no videos or images")
        relative = [path[len(input_dir) :].lstrip("/") for path in media]
        given = [path for path in below if path != self._settings.split_list]
        reading = read_tables(self._tables(input_dir, given), relative, self._settings)
        observers_kept = self._kept(reading)
        splits = self._splits(relative)
        named = names.video_names(relative)
        for name, place in reading.unknown.items():
            yield Problem(TRAIN, f"{place}: no video or image is called {name!r}")
        counts: collections.Counter = collections.Counter()
        bar = tqdm.tqdm(media, unit="file", desc="fixations", delay=_BAR_DELAY, disable=None)
        for number, path in enumerate(bar):
            name, split = named[relative[number]], splits[number]
            record = attempt(split, self._record, name, split, path, number, reading, observers_kept)
            if isinstance(record, VideoRecord):
                counts.update(record.labels.fixation_counts())
            yield record
        self._finish(reading, counts, list(observers_kept))

    def _tables(self, input_dir: str, below: list[str]) -> list[str]:
        """The tables that are given, else those in the folder."""
        found: list[str] = []
        for pattern in self._settings.tables:
            matching = sorted(tf.io.gfile.glob(files.ready(pattern))) if set(pattern) & set("*?[") else [pattern]
            if not matching:
                raise BadInputError(f"{pattern}: no such table")
            found += matching
        if not self._settings.tables:
            # Text files may be anything: they are read where they are named.
            suffixes = tables.SUFFIXES - {".txt"}
            found = [path for path in below if pathlib.PurePath(path).suffix.lower() in suffixes]
        if not found:
            raise BadInputError(f"{input_dir}: no table of gaze ({', '.join(sorted(tables.SUFFIXES))})")
        return found

    def _kept(self, reading: Reading) -> dict[str, int]:
        """Numbers of the observers in the reading by name, in order, of those who are kept."""
        numbers = {name: number for number, name in enumerate(reading.observers)}
        return {name: numbers[name] for name in observers.choose(sorted(numbers), self._settings.observers)}

    def _splits(self, relative: list[str]) -> list[str]:
        """Each file's split: as it is listed, else by the folder it is in, else training."""
        split_of = [
            next((_SPLIT_FOLDERS[part.lower()] for part in parts if part.lower() in _SPLIT_FOLDERS), TRAIN)
            for parts in (pathlib.PurePosixPath(path).parts[:-1] for path in relative)
        ]
        if self._settings.split_list:
            for number, split in _listed_splits(self._settings.split_list, names.Names(relative)):
                split_of[number] = split
        return split_of

    def _record(
        self, name: str, split: str, path: str, number: int, reading: Reading, observers_kept: dict[str, int]
    ) -> VideoRecord:
        source = frame_source.open_frames(path)
        times = None if source.image_paths else 1000 * video.frame_times(path)
        shown = stimulus.Stimulus(path, source.size, times)
        fixations = stimulus.fixations(shown, number, reading, self._settings)
        reading.rows.discard(number)
        renumbered = {old: new for new, old in enumerate(observers_kept.values())}
        numbers = np.array([renumbered.get(old, -1) for old in fixations["observer"].tolist()], np.int32)
        fixations["observer"] = numbers
        fixations = fixations[numbers >= 0]
        if not len(fixations):
            raise BadInputError(f"{path}: no gaze of the observers that are kept")
        pixels_per_degree = viewing.stimulus_pixels_per_degree(self._settings, source.size)
        sigma = self._settings.sigma.in_map(source.size, source.size, pixels_per_degree)
        saved = str(reading.rows.folder / f"{number}.npz")
        labels = GazeLabels.save(saved, fixations, times, source.size, sigma, tuple(observers_kept))
        return VideoRecord(name, split, path, labels)

    def _finish(self, reading: Reading, counts: collections.Counter, observer_names: list[str]) -> None:
        lonely = [name for number, name in enumerate(observer_names) if counts[number] == 1]
        silent = [name for number, name in enumerate(observer_names) if not counts[number]]
        for text, those in (("a single fixation", lonely), ("no fixation", silent)):
            if those:
                logging.warning("%d observers have %s: %s", len(those), text, ", ".join(those[:5]))
        for reason, place in reading.places.items():
            logging.warning("%d %s, the first at %s", reading.counts[reason], reason, place)
        understood = list(dict.fromkeys(table.description for table in reading.tables))
        if self._settings.pixels_per_degree is None and any(table.holds_samples for table in reading.tables):
            understood.append(f"the width of a stimulus is taken for {viewing.USUAL_WIDTH:g} degrees of visual angle")
        self.report = {
            "observers": observer_names,
            "gaze": {
                "understood": understood,
                "fixations": int(sum(counts.values())),
                "counts": dict(reading.counts),
                "observers_with_one_fixation": lonely,
                "settings": self._settings.description(),
            },
        }


def _listed_splits(path: str, known: names.Names) -> Iterator[tuple[int, str]]:
    """Numbers of files with their splits, from a table with the columns video (or image) and split."""
    table = tables.open_table(path)
    headers = [header.lower() for header in table.headers]
    column = next((headers.index(name) for name in ("video", "image", "name") if name in headers), None)
    if column is None or "split" not in headers:
        raise BadInputError(f"{path}, line 1: no columns video and split among {', '.join(table.headers)}")
    for piece in table.pieces([column, headers.index("split")]):
        for line, name, split in zip(
            piece.lines, piece.texts(column), piece.texts(headers.index("split")), strict=True
        ):
            if known[name] is None:
                raise BadInputError(f"{path}, line {line}, column {table.headers[column]}: no file is called {name!r}")
            if split.lower() not in _SPLIT_FOLDERS:
                raise BadInputError(f"{path}, line {line}, column split: {split!r} is none of {', '.join(SPLITS)}")
            yield known[name], _SPLIT_FOLDERS[split.lower()]


GAZE = gaze_layout()
