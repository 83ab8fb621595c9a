"""Reads tables of gaze into rows by video: finds columns, settles units, drops and counts what is no gaze."""

import collections
import dataclasses
import pathlib
from collections.abc import Sequence

import numpy as np
import tqdm

from hd2s_tf.data.gaze import exports, tables, units
from hd2s_tf.data.gaze.names import Names
from hd2s_tf.data.gaze.rows import ROW, Rows
from hd2s_tf.data.gaze.settings import COORDINATES, GazeSettings
from hd2s_tf.errors import BadInputError

_TRUE = frozenset({"1", "1.0", "true", "valid", "yes"})
# Endings of file names that say what a table is, not whose.
_TABLE_WORDS = ("_all_gaze", "_fixations", "_fixation", "_gaze", "_samples")
# Seconds before a progress bar shows.
_BAR_DELAY = 3


@dataclasses.dataclass
class TableReading:
    """A table with its columns and what its values are.

    Attributes:
      number: of the table.
      table: opened.
      columns: found.
      coordinates: what x and y count.
      time_unit: of onset.
      duration_unit: of durations; ends have the unit of onsets.
      first_frame: the number of a video's first frame where times are frames, 0 if any row has that.
    """

    number: int
    table: tables.Table
    columns: exports.Columns
    coordinates: str
    time_unit: str
    duration_unit: str
    first_frame: int = 1

    @property
    def holds_samples(self) -> bool:
        """Whether its rows are samples, not fixations."""
        return self.columns.export.about == exports.SAMPLES

    @property
    def description(self) -> str:
        """How the table was understood, in words."""
        columns = ", ".join(f"{role}={self.table.headers[index].strip()}" for role, index in self.columns.index.items())
        notes = "".join(f", {note}" for note in self.table.notes)
        clock = "" if self.columns.export.clock == exports.STIMULUS_CLOCK else " from an observer's first row of it"
        return (
            f"{self.columns.export.about} of {self.columns.export.name}{notes}: {columns}; x and y are "
            f"{self.coordinates}, times {self.time_unit}{clock}, durations {self.duration_unit}"
        )

    def place(self, line: int, *roles: str) -> str:
        """Where a value stands: file, line and columns."""
        headers = [self.table.headers[self.columns.index[role]].strip() for role in roles if role in self.columns.index]
        columns = f", column{'s' * (len(headers) > 1)} {' and '.join(headers)}" if headers else ""
        return f"{self.table.path}, line {line}{columns}"


@dataclasses.dataclass
class Reading:
    """What the tables hold.

    Attributes:
      rows: by video.
      tables: as they were read.
      observers: names, in order of appearance; rows count them.
      counts: rows that were read, and those that were dropped by reason.
      places: by reason, where the first such row stands.
      unknown: names of videos that no file has, with the place where each stands first.
      starts: by video and observer, when the recording of it began.
    """

    rows: Rows
    tables: list[TableReading]
    observers: list[str]
    counts: collections.Counter
    places: dict[str, str]
    unknown: dict[str, str]
    starts: dict[tuple[int, int], float]

    def count(self, reason: str, rows: np.ndarray, dropped: np.ndarray, *roles: str) -> None:
        """Counts rows that are dropped.

        Args:
          reason: why.
          rows: `ROW` [N].
          dropped: bool [N], which of them.
          roles: of the columns that are to blame.
        """
        if dropped.any():
            first = rows[int(np.argmax(dropped))]
            self.places.setdefault(reason, self.tables[first["table"]].place(first["line"], *roles))
            self.counts[reason] += int(dropped.sum())


def read_tables(paths: Sequence[str], videos: Sequence[str], settings: GazeSettings) -> Reading:
    """Reads tables.

    Args:
      paths: of the tables.
      videos: paths of the videos and images, relative to the data set's folder.
      settings: what is known of the tables.

    Raises:
      BadInputError: a table that cannot be used; the message names file, line and column.
    """
    reader = _Reader(videos, settings)
    for path in tqdm.tqdm(paths, unit="table", desc="reading gaze", delay=_BAR_DELAY, disable=None):
        reader.read(path)
    return reader.reading


class _Reader:
    def __init__(self, videos: Sequence[str], settings: GazeSettings) -> None:
        self._names = Names(videos)
        self._only_video = 0 if len(videos) == 1 else None
        self._settings = settings
        self._observers: dict[str, int] = {}
        self._waiting: tuple[np.ndarray, np.ndarray, np.ndarray] | None = None
        self._last_event: tuple | None = None
        self.reading = Reading(Rows(), [], [], collections.Counter(), {}, {}, {})

    def read(self, path: str) -> None:
        """Reads one table."""
        table = tables.open_table(path)
        columns = exports.find_columns(path, table.headers, dict(self._settings.columns), self._settings.about)
        video, observer = self._from_path(path, columns)
        reading = None
        self._waiting = self._last_event = None
        for piece in table.pieces(sorted(set(columns.index.values()))):
            if reading is None:
                reading = self._settle(table, columns, piece)
            self._append(reading, piece, video, observer)
        if reading is None:
            raise BadInputError(f"{path}: a header and no rows")
        if self._waiting is not None:
            self._store(*self._waiting[:2])

    def _from_path(self, path: str, columns: exports.Columns) -> tuple[int | None, str]:
        """The video, where no column tells it, and the observer that the table's path stands for."""
        pure = pathlib.PurePath(path)
        stem = pure.stem
        for word in _TABLE_WORDS:
            stem = stem.removesuffix(word)
        if "video" in columns.index:
            return None, stem
        for name, observer in ((stem, pure.parent.name), (pure.parent.name, stem)):
            if self._names[name] is not None:
                return self._names[name], observer
        if self._only_video is None:
            raise BadInputError(
                f"{path}, line 1: no column for video, and the table is not called like one of the videos"
            )
        return self._only_video, stem

    def _settle(self, table: tables.Table, columns: exports.Columns, piece: tables.Piece) -> TableReading:
        """Settles units by what is given, the header, or the first piece."""
        settings, index = self._settings, columns.index
        points = np.stack([piece.numbers(index["y"]), piece.numbers(index["x"])], 1)
        coordinates = (
            COORDINATES[settings.coordinates]
            if settings.coordinates
            else columns.coordinates or units.coordinates(points, settings.screen)
        )
        time_unit, duration_unit = (settings.time_unit or columns.time_units.get(role) for role in ("time", "duration"))
        time_unit = time_unit or columns.time_units.get("end")
        if not (time_unit and duration_unit):
            guess = units.time_unit(self._durations(columns, piece), columns.export.about)
            time_unit, duration_unit = time_unit or duration_unit or guess, duration_unit or time_unit or guess
        if "duration" in index and (time_unit == "frames") != (duration_unit == "frames"):
            raise BadInputError(f"{table.path}: times are in {time_unit} and durations in {duration_unit}")
        settled = TableReading(len(self.reading.tables), table, columns, coordinates, time_unit, duration_unit)
        self._check_alike(settled)
        self.reading.tables.append(settled)
        return settled

    def _durations(self, columns: exports.Columns, piece: tables.Piece) -> np.ndarray:
        index = columns.index
        if "duration" in index:
            return piece.numbers(index["duration"])
        if "end" in index:
            return piece.numbers(index["end"]) - piece.numbers(index["time"])
        return np.diff(piece.numbers(index["time"]))

    def _check_alike(self, settled: TableReading) -> None:
        for other in self.reading.tables[:1]:
            if other.columns.export is settled.columns.export:
                for what in ("coordinates", "time_unit"):
                    values = [getattr(reading, what) for reading in (other, settled)]
                    if values[0] != values[1]:
                        raise BadInputError(
                            f"{settled.table.path}: units are mixed: its {what.replace('_', ' ')} is {values[1]} by "
                            f"its values, that of {other.table.path} {values[0]}"
                        )

    def _append(self, reading: TableReading, piece: tables.Piece, video: int | None, observer: str) -> None:
        index = reading.columns.index
        videos = self._videos(reading, piece, video)
        observers = self._observer_numbers(piece.texts(index["observer"])) if "observer" in index else np.full(
            len(videos), self._observer_numbers([observer])[0]
        )  # fmt: skip
        rows = self._rows(reading, piece, observers)
        if reading.time_unit == "frames" and np.nanmin(rows["onset"], initial=1) < 1:
            reading.first_frame = 0
        self.reading.counts["rows"] += len(rows)
        self._note_starts(reading, videos, rows)
        kept = videos >= 0
        self.reading.count("rows of no video", rows, ~kept)
        for reason, wrong in self._wrong(reading, piece, rows).items():
            self.reading.count(reason, rows, kept & wrong)
            kept &= ~wrong
        self._check_units(reading, rows[kept])
        if "event" in index and kept.any():
            events = np.array(piece.texts(index["event"]))[kept]
            self._store_events(videos[kept], rows[kept], events, reading.columns.export.row)
        else:
            self._store(videos[kept], rows[kept])

    def _videos(self, reading: TableReading, piece: tables.Piece, video: int | None) -> np.ndarray:
        """The video of each row: -1 where none is named, -2 where there is none of that name."""
        if video is not None:
            return np.full(len(piece.lines), video)
        column = reading.columns.index["video"]
        texts = piece.texts(column)
        places = {name: self._names[name] for name in set(texts) if name}
        for name, place in places.items():
            if place is None and name not in self.reading.unknown:
                line = piece.lines[texts.index(name)]
                header = reading.table.headers[column].strip()
                self.reading.unknown[name] = f"{reading.table.path}, line {line}, column {header}"
        numbers = {"": -1, **{name: -2 if place is None else place for name, place in places.items()}}
        return np.array([numbers[name] for name in texts], int)

    def _observer_numbers(self, names: Sequence[str]) -> np.ndarray:
        for name in dict.fromkeys(names):
            if name not in self._observers:
                self._observers[name] = len(self._observers)
                self.reading.observers.append(name)
        return np.array([self._observers[name] for name in names], int)

    def _rows(self, reading: TableReading, piece: tables.Piece, observers: np.ndarray) -> np.ndarray:
        index = reading.columns.index
        rows = np.zeros(len(observers), ROW)
        rows["observer"], rows["table"], rows["line"] = observers, reading.number, piece.lines
        rows["x"], rows["y"] = piece.numbers(index["x"]), piece.numbers(index["y"])
        scale, duration_scale = (exports.TIME_UNITS[unit] or 1.0 for unit in (reading.time_unit, reading.duration_unit))
        times = {role: piece.numbers(index[role]) * scale for role in ("time", "end") if role in index}
        duration = piece.numbers(index["duration"]) * duration_scale if "duration" in index else None
        rows["onset"] = times["time"] if "time" in times else times["end"] - duration
        if reading.columns.export.about == exports.SAMPLES:
            rows["end"] = rows["onset"]
        elif duration is not None:
            rows["end"] = rows["onset"] + duration
        else:
            rows["end"] = times["end"]
        return rows

    def _note_starts(self, reading: TableReading, videos: np.ndarray, rows: np.ndarray) -> None:
        if (self._settings.clock or reading.columns.export.clock) != exports.RECORDING_CLOCK:
            return
        timed = np.isfinite(rows["onset"]) & (videos >= 0)
        keys = np.stack([videos[timed], rows["observer"][timed]], 1)
        pairs, inverse = np.unique(keys, axis=0, return_inverse=True)
        first = np.full(len(pairs), np.inf)
        np.minimum.at(first, inverse.ravel(), rows["onset"][timed])
        for (video, observer), start in zip(pairs.tolist(), first.tolist(), strict=True):
            known = self.reading.starts.get((video, observer), np.inf)
            self.reading.starts[video, observer] = min(known, start)

    def _wrong(self, reading: TableReading, piece: tables.Piece, rows: np.ndarray) -> dict[str, np.ndarray]:
        """Which rows are no gaze, by reason; a row counts for the first."""
        index = reading.columns.index
        wrong = {}
        if "kind" in index:
            kinds = [kind.lower().startswith("fix") for kind in piece.texts(index["kind"])]
            wrong["rows that are no fixation"] = ~np.array(kinds, bool)
        for role, bad in (("valid", False), ("blink", True)):
            if role in index:
                true = np.array([text.lower() in _TRUE for text in piece.texts(index[role])], bool)
                wrong["blinks" if role == "blink" else "rows not valid"] = true == bad
        wrong["rows without coordinates"] = ~(np.isfinite(rows["x"]) & np.isfinite(rows["y"]))
        timed = np.isfinite(rows["onset"]) & np.isfinite(rows["end"])
        wrong["rows without a time"] = ~timed
        if reading.columns.export.about == exports.FIXATIONS:
            wrong["fixations of no duration"] = ~(rows["end"] > rows["onset"])
        return wrong

    def _check_units(self, reading: TableReading, rows: np.ndarray) -> None:
        """Refuses rows some of which must be in other units than the rest."""
        if not len(rows):
            return
        relative = reading.coordinates in (exports.RELATIVE, exports.RELATIVE_UP, exports.RELATIVE_SCREEN)
        first = units.mixed(np.stack([rows["y"], rows["x"]], 1), relative)
        if first is not None:
            raise BadInputError(
                f"{reading.place(rows['line'][first], 'x', 'y')}: units are mixed: "
                f"{rows['x'][first]:g} and {rows['y'][first]:g} among {reading.coordinates}"
            )
        if reading.holds_samples or reading.time_unit == "frames":
            return
        durations = rows["end"] - rows["onset"]
        first = units.mixed_durations(durations)
        if first is not None:
            raise BadInputError(
                f"{reading.place(rows['line'][first], 'duration', 'end')}: units are wrong or mixed: a fixation of "
                f"{durations[first]:g} ms, the durations being {reading.duration_unit}"
            )

    def _store_events(self, videos: np.ndarray, rows: np.ndarray, events: np.ndarray, row: int) -> None:
        """Stores one of the successive rows of an event, the first or the last."""
        if row == 0:
            keys = list(zip(videos.tolist(), rows["observer"].tolist(), events.tolist(), strict=True))
            before = [self._last_event, *keys[:-1]]
            new = np.array([key != other for key, other in zip(keys, before, strict=True)])
            self._last_event = keys[-1]
            self._store(videos[new], rows[new])
            return
        if self._waiting is not None:
            videos, rows, events = (
                np.concatenate([waiting, now])
                for waiting, now in zip(self._waiting, (videos, rows, events), strict=True)
            )
        ended = (
            (np.diff(videos) != 0) | (np.diff(rows["observer"]) != 0) | (events[1:] != events[:-1])
        )  # fmt: skip
        self._store(videos[:-1][ended], rows[:-1][ended])
        self._waiting = videos[-1:], rows[-1:], events[-1:]

    def _store(self, videos: np.ndarray, rows: np.ndarray) -> None:
        if len(rows):
            self.reading.rows.append(videos, rows)
