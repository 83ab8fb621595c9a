"""How data sets lie on disk: each layout becomes a list of `VideoRecord`s, paths only, no pixels.

A new layout is a `Layout` and its entry in `LAYOUTS`.
"""

import dataclasses
import os
import urllib.parse
from collections.abc import Sequence

import numpy as np

from hd2s_tf import files
from hd2s_tf.data.gaze.settings import GazeSettings
from hd2s_tf.data.layouts.base import SPLITS, TEST, TRAIN, VALIDATION, Layout, Problem, VideoRecord
from hd2s_tf.data.layouts.dhf1k import DHF1K
from hd2s_tf.data.layouts.gaze import GAZE, gaze_layout
from hd2s_tf.data.layouts.ledov import LEDOV
from hd2s_tf.data.layouts.ucf import UCF
from hd2s_tf.errors import BadInputError

__all__ = [
    "LAYOUTS",
    "SPLITS",
    "TEST",
    "TRAIN",
    "VALIDATION",
    "Layout",
    "Problem",
    "ValidationSplit",
    "VideoRecord",
    "layout_named",
    "read_layout",
    "recognise",
    "split_named",
]

# If several layouts recognise a folder, the first wins.
LAYOUTS = {"dhf1k": DHF1K, "ucf_sports": UCF, "hollywood2": UCF, "stills": UCF, "ledov": LEDOV, "gaze": GAZE}
_OTHER_SPLIT_NAMES = {"training": TRAIN, "testing": TEST}


@dataclasses.dataclass(frozen=True)
class ValidationSplit:
    """Which training videos become the validation split; a data set's own validation videos always do.

    Attributes:
      fraction: of whole training videos, where the data set has no validation split; at least one video unless 0.
      seed: of that choice.
      names: the validation videos by name, in place of a random choice.
    """

    fraction: float = 0.1
    seed: int = 0
    names: tuple[str, ...] = ()


def layout_named(name: str, gaze: GazeSettings | None = None) -> Layout:
    """The layout of this name, a key of `LAYOUTS`; `gaze` are settings of that layout.

    Raises:
      BadInputError: there is none, or its settings make no sense.
    """
    if name not in LAYOUTS:
        raise BadInputError(f"no layout {name!r}: the layouts are {', '.join(LAYOUTS)}")
    if gaze is None:
        return LAYOUTS[name]
    if LAYOUTS[name] is not GAZE:
        raise BadInputError(f"the layout {name} takes no settings of gaze")
    return gaze_layout(gaze)


def read_layout(
    layout: str | Layout,
    input_dir: str | os.PathLike,
    validation: ValidationSplit = ValidationSplit(),
) -> tuple[list[VideoRecord], list[Problem]]:
    """Reads a data set.

    Args:
      layout: a key of `LAYOUTS`, or a layout.
      input_dir: its folder, local or remote.
      validation: which training videos become validation.

    Returns:
      The videos sorted by split and name, and a problem for each video that is broken and left out.

    Raises:
      BadInputError: no such layout or folder, or nothing in it that looks like this layout.
    """
    if isinstance(layout, str):
        layout = layout_named(layout)
    input_dir = os.fspath(input_dir)
    if not files.is_folder(input_dir):
        raise BadInputError(f"{input_dir}: no such folder")
    read = list(layout.read(input_dir))
    records = [_with_writable_name(record) for record in read if isinstance(record, VideoRecord)]
    problems = [problem for problem in read if isinstance(problem, Problem)]
    if not read:
        raise BadInputError(f"{input_dir}: no videos in this layout ({layout.description})")
    records = _with_validation(records, validation)
    return sorted(records, key=lambda record: (SPLITS.index(record.split), record.name)), problems


def recognise(input_dir: str | os.PathLike) -> str:
    """Recognises the layout of a folder.

    Raises:
      BadInputError: the folder's names match no layout.
    """
    input_dir = os.fspath(input_dir)
    for name, layout in LAYOUTS.items():
        if layout.recognises(input_dir):
            return name
    raise BadInputError(f"{input_dir}: no layout that can be recognised; the layouts are {', '.join(LAYOUTS)}")


def split_named(name: str) -> str:
    """The split of this name; "training" and "testing" are names too.

    Raises:
      BadInputError: there is none.
    """
    split = _OTHER_SPLIT_NAMES.get(name, name)
    if split not in SPLITS:
        raise BadInputError(f"no split {name!r}: the splits are {', '.join(SPLITS)} and all")
    return split


def _with_writable_name(record: VideoRecord) -> VideoRecord:
    """The record by a name that is UTF-8: where the file's name is none, its bytes as in a URL."""
    try:
        record.name.encode()
    except UnicodeEncodeError:
        return dataclasses.replace(record, name=urllib.parse.quote(os.fsencode(record.name)))
    return record


def _with_validation(records: list[VideoRecord], validation: ValidationSplit) -> list[VideoRecord]:
    if not validation.names and any(record.split == VALIDATION for record in records):
        return records
    chosen = _validation_names([record.name for record in records if record.split == TRAIN], validation)
    return [
        dataclasses.replace(record, split=VALIDATION) if record.split == TRAIN and record.name in chosen else record
        for record in records
    ]


def _validation_names(training: Sequence[str], validation: ValidationSplit) -> set[str]:
    """The training videos that become validation, whole videos, by the names given or a seeded choice."""
    if validation.names:
        missing = sorted(set(validation.names) - set(training))
        if missing:
            raise BadInputError(f"validation videos that are not among the training videos: {', '.join(missing)}")
        return set(validation.names)
    if not 0 <= validation.fraction < 1:
        raise BadInputError(f"the validation fraction is {validation.fraction}: it must be from 0 to below 1")
    if not validation.fraction or len(training) < 2:
        return set()
    count = max(1, round(validation.fraction * len(training)))
    return set(np.random.default_rng(validation.seed).permutation(sorted(training))[:count].tolist())
