"""Units that a table does not name, found out from its first rows."""

import numpy as np

from hd2s_tf.data.gaze import exports

# Durations of fixations (50 ms to some seconds) and times between samples (0.5 to 200 ms) lie so far from those in
# the next unit that the median tells them.
_LARGEST_DURATIONS = {"s": 20.0, "ms": 2e4, "us": 2e7}
_LARGEST_INTERVALS = {"s": 0.3, "ms": 300.0, "us": 3e5}
_RELATIVE_SHARE = 0.9
# Fixations are not shorter or longer, in ms; few rows may be.
_SHORTEST, _LONGEST = 5.0, 60_000.0
_FEW = 0.05


def time_unit(values: np.ndarray, about: str) -> str:
    """The unit of times.

    Args:
      values: float [N], durations of fixations, or times between successive samples.
      about: `exports.FIXATIONS` or `exports.SAMPLES`.
    """
    values = values[np.isfinite(values) & (values > 0)]
    if not len(values):
        return "ms"
    largest = _LARGEST_DURATIONS if about == exports.FIXATIONS else _LARGEST_INTERVALS
    return next((unit for unit, value in largest.items() if np.median(values) < value), "ns")


def coordinates(points: np.ndarray, screen: tuple[int, int] | None) -> str:
    """What points count: shares where nearly all lie about 0 to 1, else pixels, of the screen where its size is known.

    Args:
      points: float [N,2], NaN where they are missing.
      screen: its size, or None.
    """
    points = points[np.isfinite(points).all(1)]
    if len(points) and ((points > -0.5) & (points < 1.5)).all(1).mean() > _RELATIVE_SHARE:
        return exports.RELATIVE if screen is None else exports.RELATIVE_SCREEN
    return exports.STIMULUS if screen is None else exports.SCREEN


def mixed(points: np.ndarray, relative: bool) -> int | None:
    """Index of the first point that must be of another unit than the table's; None where few or none are.

    Args:
      points: float [N,2].
      relative: whether the table has shares, else pixels.
    """
    fractions = ((points > 0) & (points < 1) & (points % 1 != 0)).all(1)
    pixels = (points > 10).any(1)
    others = pixels if relative else fractions
    return int(np.argmax(others)) if others.mean() > _FEW else None


def mixed_durations(durations: np.ndarray) -> int | None:
    """Index of the first duration that no fixation has, so that its unit must be another; None where few or none are.

    Args:
      durations: float [N], ms.
    """
    others = (durations < _SHORTEST) | (durations > _LONGEST)
    return int(np.argmax(others)) if others.mean() > _FEW else None
