"""Requests to stop: SIGTERM of a scheduler, or Ctrl-C."""

import signal
from types import FrameType, TracebackType


class Interruption:
    """A context in which a signal to stop is noted and obeyed later; a second one ends the process at once.

    Attributes:
      name: of the signal that came; empty if none has.
    """

    SIGNALS = (signal.SIGTERM, signal.SIGINT)

    def __init__(self) -> None:
        self.name = ""

    def __enter__(self) -> "Interruption":
        self._before = {number: signal.signal(number, self._note) for number in self.SIGNALS}
        return self

    def __exit__(self, kind: type | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self._restore()

    def _note(self, number: int, _: FrameType | None) -> None:
        self.name = signal.Signals(number).name
        self._restore()

    def _restore(self) -> None:
        for number, handler in self._before.items():
            signal.signal(number, handler)
