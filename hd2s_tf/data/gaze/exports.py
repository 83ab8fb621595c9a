"""Which column of a table is what: the names that eye trackers' programs give them, found by the header."""

import dataclasses
import re
from collections.abc import Mapping, Sequence

from hd2s_tf.errors import BadInputError

# What a table is about.
FIXATIONS, SAMPLES = "fixations", "samples"
# What a coordinate counts: pixels of the stimulus, pixels of the screen from its upper left corner or (y upwards) its
# centre, or shares of the stimulus or the screen, from the upper or (y upwards) the lower left corner.
STIMULUS, SCREEN, CENTRED = "stimulus pixels", "screen pixels", "screen pixels from the centre"
RELATIVE, RELATIVE_UP, RELATIVE_SCREEN = "shares of the stimulus", "shares from the lower left", "shares of the screen"
# Where time begins: as the stimulus appears, or some time before it, so that an observer's first row of it counts.
STIMULUS_CLOCK, RECORDING_CLOCK = "stimulus", "recording"
# Milliseconds in a unit of time; frames depend on the video.
TIME_UNITS = {"ns": 1e-6, "us": 1e-3, "ms": 1.0, "s": 1000.0, "frames": None}
ROLES = ("video", "observer", "x", "y", "time", "end", "duration", "kind", "event", "valid", "blink")

_UNIT_WORDS = {
    "ns": "ns", "us": "us", "μs": "us", "µs": "us", "usec": "us", "ms": "ms", "msec": "ms", "s": "s", "sec": "s",
    "secs": "s", "in secs": "s", "seconds": "s", "frame": "frames", "frames": "frames",
}  # fmt: skip
_COORDINATE_WORDS = {
    "px": None, "dacs px": SCREEN, "adcspx": SCREEN, "mcs px": STIMULUS, "mcspx": STIMULUS, "mcs norm": RELATIVE,
    "mcsnorm": RELATIVE, "normalized": RELATIVE, "norm": RELATIVE,
}  # fmt: skip
_VIDEO = (
    "video", "image", "stimulus", "stimulus name", "video name", "image name", "videoname", "imagename", "media name",
    "media", "movie", "clip", "picture", "file", "filename", "file name", "video file", "image file", "videofile",
    "imagefile", "stimulus file", "trial label",
)  # fmt: skip
_OBSERVER = (
    "observer", "participant", "subject", "observer id", "participant id", "subject id", "participant name", "subj",
    "recording session label", "recording id", "recording name", "session id", "user", "viewer",
)  # fmt: skip
_COMMON = {"video": _VIDEO, "observer": _OBSERVER}


@dataclasses.dataclass(frozen=True)
class Export:
    """A kind of table.

    Attributes:
      name: of the program that writes it.
      about: `FIXATIONS` or `SAMPLES`.
      columns: the names of a role's column, the first that is there being taken: lower case, spaces for underscores;
        "mark" is a column that is looked for and not read.
      required: the roles that must be there for a table to be of this kind.
      coordinates: what x and y count, None where the header or the values must tell.
      time_unit: of time and end where their headers do not tell; None where the values must.
      duration_unit: of durations likewise; None for `time_unit`.
      clock: `STIMULUS_CLOCK` or `RECORDING_CLOCK`.
      row: which row of successive ones with the same event counts, 0 for the first, -1 for the last.
    """

    name: str
    about: str
    columns: Mapping[str, Sequence[str]]
    required: frozenset[str]
    coordinates: str | None = None
    time_unit: str | None = None
    duration_unit: str | None = None
    clock: str = STIMULUS_CLOCK
    row: int = 0


def _export(name: str, about: str, required: str, columns: Mapping[str, Sequence[str]], **settings: object) -> Export:
    return Export(name, about, {**_COMMON, **columns}, frozenset(required.split()), **settings)


_TOBII = {
    "video": ("presented stimulus name", "presented media name", "recording media name"),
    "observer": ("participant name", "recording name"),
    "time": ("recording timestamp", "eyetracker timestamp"),
}
# Columns that tell ioHub's tables, which PsychoPy keeps, from others with the same names.
_IOHUB = ("device time", "logged time", "event id", "experiment id")
_EYELINK = {"video": _VIDEO, "observer": ("recording session label", "data file", *_OBSERVER)}
# Of no program: the columns may have been given.
_ANY = "a table"
# Special ones first: a table is taken for the first whose required columns it has.
EXPORTS = (
    _export(
        "Tobii Pro Lab", FIXATIONS, "x y time duration kind event",
        {**_TOBII, "x": ("fixation point x",), "y": ("fixation point y",), "kind": ("eye movement type",),
         "event": ("eye movement type index",), "duration": ("gaze event duration", "eye movement event duration")},
        time_unit="ms", clock=RECORDING_CLOCK,
    ),
    _export(
        "Tobii Pro Lab", SAMPLES, "x y time",
        {**_TOBII, "x": ("gaze point x", "gazepointx"), "y": ("gaze point y", "gazepointy")},
        time_unit="ms", clock=RECORDING_CLOCK,
    ),
    _export(
        "EyeLink fixation report", FIXATIONS, "x y time duration",
        {**_EYELINK, "x": ("current fix x",), "y": ("current fix y",), "time": ("current fix start",),
         "end": ("current fix end",), "duration": ("current fix duration",)},
        coordinates=SCREEN, time_unit="ms",
    ),
    _export(
        "EyeLink sample report", SAMPLES, "x y time",
        {**_EYELINK, "x": ("average gaze x", "right gaze x", "left gaze x"),
         "y": ("average gaze y", "right gaze y", "left gaze y"), "time": ("timestamp",),
         "blink": ("average in blink", "right in blink", "left in blink")},
        coordinates=SCREEN, time_unit="ms", clock=RECORDING_CLOCK,
    ),
    _export(
        "Pupil Labs, mapped to a surface", FIXATIONS, "x y time end valid",
        {"x": ("fixation x",), "y": ("fixation y",), "time": ("start timestamp",), "end": ("end timestamp",),
         "valid": ("fixation detected on surface",)},
        coordinates=RELATIVE, time_unit="ns", clock=RECORDING_CLOCK,
    ),
    _export(
        "Pupil Labs, mapped to a surface", SAMPLES, "x y time valid",
        {"x": ("gaze position on surface x",), "y": ("gaze position on surface y",), "time": ("timestamp",),
         "valid": ("gaze detected on surface",)},
        coordinates=RELATIVE, time_unit="ns", clock=RECORDING_CLOCK,
    ),
    _export(
        "Pupil Core, mapped to a surface", FIXATIONS, "x y time duration event valid",
        {"x": ("norm pos x", "x"), "y": ("norm pos y", "y"), "time": ("start timestamp",), "duration": ("duration",),
         "event": ("fixation id",), "valid": ("on surf",)},
        coordinates=RELATIVE_UP, time_unit="s", duration_unit="ms", clock=RECORDING_CLOCK,
    ),
    _export(
        "Pupil Core, mapped to a surface", SAMPLES, "x y time valid",
        {"x": ("x",), "y": ("y",), "time": ("gaze timestamp",), "valid": ("on surf",)},
        coordinates=RELATIVE_UP, time_unit="s", clock=RECORDING_CLOCK,
    ),
    _export(
        "Gazepoint", FIXATIONS, "x y time duration event",
        {"video": ("media name", "media id"), "observer": ("user", "user id"), "x": ("fpogx",), "y": ("fpogy",),
         "time": ("fpogs",), "duration": ("fpogd",), "event": ("fpogid",), "valid": ("fpogv",)},
        coordinates=RELATIVE_SCREEN, time_unit="s", row=-1,
    ),
    _export(
        "Gazepoint", SAMPLES, "x y time",
        {"video": ("media name", "media id"), "observer": ("user", "user id"), "x": ("bpogx",), "y": ("bpogy",),
         "time": ("time",), "valid": ("bpogv",)},
        coordinates=RELATIVE_SCREEN, time_unit="s",
    ),
    _export(
        "PsychoPy", FIXATIONS, "x y end duration mark",
        {"x": ("average gaze x",), "y": ("average gaze y",), "end": ("time",), "duration": ("duration",),
         "mark": _IOHUB},
        coordinates=CENTRED, time_unit="s", clock=RECORDING_CLOCK,
    ),
    _export(
        "PsychoPy", SAMPLES, "x y time mark",
        {"x": ("gaze x", "right gaze x", "left gaze x"), "y": ("gaze y", "right gaze y", "left gaze y"),
         "time": ("time",), "mark": _IOHUB},
        coordinates=CENTRED, time_unit="s", clock=RECORDING_CLOCK,
    ),
    _export(
        "pymovements", FIXATIONS, "x y time kind",
        {"x": ("location x",), "y": ("location y",), "time": ("onset",), "end": ("offset",),
         "duration": ("duration",), "kind": ("name",)},
        coordinates=SCREEN, time_unit="ms", clock=RECORDING_CLOCK,
    ),
    _export(
        "pymovements", SAMPLES, "x y time", {"x": ("pixel x",), "y": ("pixel y",), "time": ("time",)},
        coordinates=SCREEN, time_unit="ms", clock=RECORDING_CLOCK,
    ),
    _export(
        _ANY, FIXATIONS, "x y time duration",
        {"x": ("x", "fix x", "fixation x"), "y": ("y", "fix y", "fixation y"),
         "time": ("onset", "start", "start time", "time", "timestamp"), "end": ("end", "offset", "end time"),
         "duration": ("duration", "fixation duration", "dur")},
    ),
    _export(
        _ANY, FIXATIONS, "x y time end",
        {"x": ("x", "fix x", "fixation x"), "y": ("y", "fix y", "fixation y"),
         "time": ("onset", "start", "start time", "time", "timestamp"), "end": ("end", "offset", "end time")},
    ),
    _export(
        _ANY, SAMPLES, "x y time",
        {"x": ("x", "gaze x"), "y": ("y", "gaze y"), "time": ("time", "timestamp", "t", "frame")},
    ),
)  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Columns:
    """A table's columns.

    Attributes:
      export: the kind of table.
      index: column of each role that is there.
      coordinates: what x and y count; None where the values must tell.
      time_units: by role, of "time", "end" and "duration"; None where the values must tell.
    """

    export: Export
    index: dict[str, int]
    coordinates: str | None
    time_units: dict[str, str | None]


def parse_header(header: str) -> tuple[str, str]:
    """A column's name, lower case with single spaces, and the unit that it ends in, as it stands there or empty."""
    text = " ".join(header.strip().strip('"').replace("_", " ").lower().split())
    bracketed = re.fullmatch(r"(.*?)\s*[\[(]([^\])]*)[\])]?", text)
    if bracketed:
        return bracketed[1], bracketed[2].strip()
    name, _, last = text.rpartition(" ")
    if name and last in (*_UNIT_WORDS, *_COORDINATE_WORDS):
        return name, last
    return text, ""


def find_columns(path: str, headers: Sequence[str], given: Mapping[str, str], about: str | None = None) -> Columns:
    """Finds a table's columns.

    Args:
      path: of the table, for messages.
      headers: its first line.
      given: headers by role, before those that are known.
      about: `FIXATIONS` or `SAMPLES` to take only such a table; None for either.

    Raises:
      BadInputError: columns are missing, or a given one is not there.
    """
    named = _given_columns(path, headers, given)
    parsed = [parse_header(header) for header in headers]
    names = {name: index for index, (name, _) in reversed(list(enumerate(parsed)))}
    for export in EXPORTS:
        found = {
            role: next(names[name] for name in known if name in names)
            for role, known in export.columns.items()
            if any(name in names for name in known)
        }
        identifying = found.keys() | named.keys() if export.name == _ANY else found.keys()
        if about in (None, export.about) and export.required <= identifying:
            return _columns(export, found | named, parsed)
    raise BadInputError(
        f"{path}, line 1: no columns for {_missing(parsed, named)} among {', '.join(headers)}: "
        "they can be named by their role (x, y, time, duration, video, observer)"
    )


def _given_columns(path: str, headers: Sequence[str], given: Mapping[str, str]) -> dict[str, int]:
    stripped = [header.strip() for header in headers]
    for role, header in given.items():
        if role not in ROLES:
            raise BadInputError(f"no role {role!r} for a column: the roles are {', '.join(ROLES)}")
        if header not in stripped:
            raise BadInputError(f"{path}, line 1: no column {header!r} for {role} among {', '.join(stripped)}")
    return {role: stripped.index(header) for role, header in given.items()}


def _missing(parsed: Sequence[tuple[str, str]], found: Mapping[str, int]) -> str:
    names = {name for name, _ in parsed}
    known = {role: {name for export in EXPORTS for name in export.columns.get(role, ())} for role in ("x", "y", "time")}
    missing = [role for role in known if role not in found and not known[role] & names]
    return ", ".join(missing) or "x, y and time of one kind of table"


def _columns(export: Export, index: dict[str, int], parsed: Sequence[tuple[str, str]]) -> Columns:
    coordinates = export.coordinates
    unit = parsed[index["x"]][1]
    if coordinates is None or export.name == "Tobii Pro Lab":
        coordinates = _COORDINATE_WORDS.get(unit, coordinates)
    known = {"time": export.time_unit, "end": export.time_unit, "duration": export.duration_unit or export.time_unit}
    time_units = {role: _UNIT_WORDS.get(parsed[index[role]][1], unit) for role, unit in known.items() if role in index}
    if parsed[index.get("time", index.get("end"))][0] == "frame":
        time_units["time"] = "frames"
    read = {role: column for role, column in index.items() if role != "mark"}
    return Columns(export, read, coordinates, time_units)
