"""Turns the rows of one video or image into fixations: checks times and points, groups samples."""

import collections
import dataclasses

import numpy as np

from hd2s_tf.data.gaze import events, exports, viewing
from hd2s_tf.data.gaze.reading import Reading, TableReading
from hd2s_tf.data.gaze.settings import IDT, RAW, GazeSettings
from hd2s_tf.errors import BadInputError

# A fixation: ms from the appearance of the stimulus, (y, x) as fractions of its height and width.
FIXATION = np.dtype([("observer", "<i4"), ("onset", "<f8"), ("end", "<f8"), ("y", "<f4"), ("x", "<f4")])
# If more gaze than this lies beyond the stimulus or its end, a unit must be wrong.
_LARGEST_SHARE_BEYOND = 0.5


@dataclasses.dataclass(frozen=True)
class Stimulus:
    """What was shown.

    Attributes:
      path: of the file.
      size: (height, width) in pixels.
      times: float [frames + 1], ms, when each frame appears and when the last one ends; None for an image.
    """

    path: str
    size: tuple[int, int]
    times: np.ndarray | None


def fixations(stimulus: Stimulus, video: int, reading: Reading, settings: GazeSettings) -> np.ndarray:
    """The fixations of a stimulus.

    Args:
      stimulus: what was shown.
      video: its number in the reading.
      reading: of the tables; what is dropped is counted there.
      settings: of the layout.

    Returns:
      `FIXATION` [N], by observer and onset.

    Raises:
      BadInputError: no gaze, or most of it lies beside the stimulus or after its end.
    """
    rows = _without_duplicates(reading.rows.load(video), reading)
    if not len(rows):
        raise BadInputError(f"{stimulus.path}: no gaze")
    found = []
    for number in np.unique(rows["table"]):
        table = reading.tables[number]
        part = rows[rows["table"] == number]
        part = _on_clock(part, video, reading, table, stimulus)
        found.append(_on_stimulus(part, reading, stimulus, settings))
    rows, samples = np.concatenate(found), _are_samples(reading, settings)
    if samples:
        rows = _grouped(rows, stimulus, settings, reading.counts)
    if stimulus.times is not None:
        rows = _within_time(rows, reading, stimulus)
    kept = np.zeros(len(rows), FIXATION)
    for name in FIXATION.names:
        kept[name] = rows[name]
    return kept[np.lexsort((kept["onset"], kept["observer"]))]


def _are_samples(reading: Reading, settings: GazeSettings) -> bool:
    """Whether rows are samples to be grouped to fixations."""
    about = {table.columns.export.about for table in reading.tables}
    if len(about) > 1:
        raise BadInputError("some tables hold fixations and some samples: one of these kinds must be asked for")
    return about == {exports.SAMPLES} and settings.fixations != RAW


def _without_duplicates(rows: np.ndarray, reading: Reading) -> np.ndarray:
    identity = rows[["observer", "onset", "end", "y", "x"]]
    _, first = np.unique(identity, return_index=True)
    new = np.isin(np.arange(len(rows)), first)
    reading.count("duplicate rows", rows, ~new)
    return rows[new]


def _on_clock(rows: np.ndarray, video: int, reading: Reading, table: TableReading, stimulus: Stimulus) -> np.ndarray:
    """Times in ms from the appearance of the stimulus."""
    starts = np.array([reading.starts.get((video, observer), 0.0) for observer in rows["observer"].tolist()])
    for name in ("onset", "end"):
        rows[name] -= starts
    if table.time_unit == "frames" and stimulus.times is not None:
        # A frame lasts until the next one: a row of a frame and no duration is of the whole frame.
        frames = np.arange(len(stimulus.times))
        rows["onset"] -= table.first_frame
        rows["end"] -= table.first_frame
        rows["end"] = np.maximum(rows["end"], rows["onset"] + 1)
        late = rows["onset"] >= frames[-1]
        for name in ("onset", "end"):
            rows[name] = np.interp(rows[name], frames, stimulus.times) + late
    return rows


def _on_stimulus(rows: np.ndarray, reading: Reading, stimulus: Stimulus, settings: GazeSettings) -> np.ndarray:
    """Points of one table as fractions of the stimulus; those beside it are dropped."""
    table = reading.tables[rows["table"][0]]
    points = np.stack([rows["y"], rows["x"]], 1)
    points = viewing.shares(points, table.coordinates, stimulus.size, settings.screen)
    outside = ~((points >= 0) & (points < 1)).all(1)
    if outside.mean() > _LARGEST_SHARE_BEYOND:
        first = int(np.argmax(outside))
        raise BadInputError(
            f"{table.place(rows['line'][first], 'x', 'y')}: {rows['x'][first]:g} and {rows['y'][first]:g} lie beside "
            f"{stimulus.path}, as do {outside.sum()} of {len(rows)} rows: no {table.coordinates}"
        )
    reading.count("rows beside the stimulus", rows, outside, "x", "y")
    rows["y"], rows["x"] = points.T
    return rows[~outside]


def _grouped(rows: np.ndarray, stimulus: Stimulus, settings: GazeSettings, counts: collections.Counter) -> np.ndarray:
    """Samples as fixations, each at the mean of its samples."""
    pixels = viewing.stimulus_pixels_per_degree(settings, stimulus.size)
    detection = settings.detection
    if settings.fixations == IDT:
        detection = dataclasses.replace(detection, method=IDT)
    found = []
    for observer in np.unique(rows["observer"]):
        samples = rows[rows["observer"] == observer]
        samples = samples[np.argsort(samples["onset"], kind="stable")]
        degrees = np.stack([samples["y"], samples["x"]], 1) * stimulus.size / pixels
        spans, short = events.fixations(samples["onset"], degrees, detection)
        counts["fixations that are too short"] += short
        interval = events.sample_interval(samples["onset"])
        grouped = samples[spans[:, 0]]
        grouped["end"] = samples["onset"][spans[:, 1] - 1] + interval
        for name in ("y", "x"):
            grouped[name] = [samples[name][first:last].mean() for first, last in spans]
        found.append(grouped)
    return np.concatenate(found) if found else rows


def _within_time(rows: np.ndarray, reading: Reading, stimulus: Stimulus) -> np.ndarray:
    """Fixations that begin before the end of the video, the last ones cut there."""
    end = stimulus.times[-1]
    late, early = rows["onset"] >= end, rows["end"] < 0
    if len(rows) and late.mean() > _LARGEST_SHARE_BEYOND:
        first = rows[int(np.argmax(late))]
        table = reading.tables[first["table"]]
        raise BadInputError(
            f"{table.place(first['line'], 'time')}: {first['onset']:g} ms is after the end of {stimulus.path}, "
            f"{end:g} ms, as are {late.sum()} of {len(rows)} rows: they are no {table.time_unit} from its beginning"
        )
    reading.count("fixations after the end", rows, late, "time")
    reading.count("fixations before the beginning", rows, early, "time")
    rows = rows[~(late | early)]
    reading.count("fixations cut at the end", rows, rows["end"] > end, "time", "duration")
    rows["onset"], rows["end"] = np.maximum(rows["onset"], 0), np.minimum(rows["end"], end)
    return rows
