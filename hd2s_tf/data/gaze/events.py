"""Fixations in samples of gaze: I-VT and I-DT.

Salvucci and Goldberg, "Identifying fixations and saccades in eye-tracking protocols", ETRA 2000. The velocity is
measured over 20 ms, as in Olsen, "The Tobii I-VT fixation filter", 2012: from one sample to the next it would be mostly
noise in recordings of 250 Hz and more. A gap in the samples, as a blink leaves it, ends a fixation.
"""

import dataclasses

import numpy as np

from hd2s_tf.errors import BadInputError

IVT, IDT = "ivt", "idt"
_VELOCITY_WINDOW = 20.0  # ms
_LONGEST_GAP = 75.0  # ms


@dataclasses.dataclass(frozen=True)
class Detection:
    """How fixations are found.

    Attributes:
      method: "ivt" (by velocity) or "idt" (by dispersion).
      velocity: degrees a second from which a sample belongs to a saccade.
      dispersion: degrees, largest extent along x plus that along y of a fixation.
      shortest: ms, fixations that last less are dropped.
    """

    method: str = IVT
    velocity: float = 30.0
    dispersion: float = 1.0
    shortest: float = 60.0

    def check(self) -> None:
        """Raises BadInputError for a value out of range."""
        if self.method not in (IVT, IDT):
            raise BadInputError(f"no method {self.method!r} to find fixations: there are {IVT} and {IDT}")
        for name in ("velocity", "dispersion", "shortest"):
            if not 0 < getattr(self, name) < np.inf:
                raise BadInputError(f"{name} is {getattr(self, name)}: it must be positive")


def fixations(times: np.ndarray, positions: np.ndarray, detection: Detection) -> tuple[np.ndarray, int]:
    """Finds the fixations of one observer.

    Args:
      times: float [N], ms, ascending; lost samples are left out.
      positions: float [N,2], degrees of visual angle.
      detection: how.

    Returns:
      int [F,2], the first sample of each fixation and the one after its last; and how many were too short.
    """
    find = _by_velocity if detection.method == IVT else _by_dispersion
    found: list[tuple[int, int]] = []
    breaks = np.flatnonzero(np.diff(times) > _LONGEST_GAP) + 1
    for start, end in zip([0, *breaks], [*breaks, len(times)], strict=True):
        part = slice(start, end)
        found += [(start + first, start + last) for first, last in find(times[part], positions[part], detection)]
    spans = np.array(found, int).reshape(-1, 2)
    if not len(spans):
        return spans, 0
    interval = sample_interval(times)
    long_enough = times[spans[:, 1] - 1] - times[spans[:, 0]] + interval >= detection.shortest
    return spans[long_enough], int((~long_enough).sum())


def sample_interval(times: np.ndarray) -> float:
    """The usual time between samples in the unit of `times`; 0 for fewer than two."""
    return float(np.median(np.diff(times))) if len(times) > 1 else 0.0


def _by_velocity(times: np.ndarray, positions: np.ndarray, detection: Detection) -> list[tuple[int, int]]:
    """I-VT: successive samples below the velocity threshold are one fixation."""
    count = len(times)
    if count < 2:
        return [(0, count)] if count else []
    samples = max(1, round(_VELOCITY_WINDOW / max(sample_interval(times), 1e-6)))
    index = np.arange(count)
    before = np.maximum(index - (samples + 1) // 2, 0)
    after = np.minimum(index + samples // 2, count - 1)
    # The first sample has none before it.
    after[0] = max(after[0], 1)
    distance = np.linalg.norm(positions[after] - positions[before], axis=1)
    slow = distance < detection.velocity * np.maximum(times[after] - times[before], 1e-6) / 1000
    edges = np.flatnonzero(np.diff(np.concatenate([[False], slow, [False]]).astype(np.int8)))
    return [(int(first), int(last)) for first, last in edges.reshape(-1, 2)]


def _by_dispersion(times: np.ndarray, positions: np.ndarray, detection: Detection) -> list[tuple[int, int]]:
    """I-DT: a window of the shortest duration that is compact grows as long as it remains compact."""
    found, start, count = [], 0, len(times)
    while start < count:
        end = int(np.searchsorted(times, times[start] + detection.shortest, side="left")) + 1
        if end > count:
            break
        window = positions[start:end]
        low, high = window.min(0), window.max(0)
        if (high - low).sum() > detection.dispersion:
            start += 1
            continue
        while end < count:
            low, high = np.minimum(low, positions[end]), np.maximum(high, positions[end])
            if (high - low).sum() > detection.dispersion:
                break
            end += 1
        found.append((start, end))
        start = end
    return found
