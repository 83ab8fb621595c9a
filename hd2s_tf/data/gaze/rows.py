"""Rows of gaze by video, kept in files, so that memory does not grow with their number."""

import atexit
import pathlib
import shutil
import tempfile

import numpy as np

# A fixation or a sample as a table has it: times in the unit of `onset` and `end` that the table's reader settled on
# (ms, or frames), coordinates as they are, `line` and `table` to name it.
ROW = np.dtype(
    [
        ("observer", "<i4"),
        ("table", "<i4"),
        ("line", "<i8"),
        ("onset", "<f8"),
        ("end", "<f8"),
        ("y", "<f8"),
        ("x", "<f8"),
    ]
)


class Rows:
    """A file of rows for each video, in a folder that is removed when the process ends."""

    def __init__(self) -> None:
        self.folder = pathlib.Path(tempfile.mkdtemp(prefix="gaze-"))
        atexit.register(shutil.rmtree, self.folder, ignore_errors=True)

    def append(self, videos: np.ndarray, rows: np.ndarray) -> None:
        """Appends rows.

        Args:
          videos: int [N], the video that each belongs to.
          rows: `ROW` [N].
        """
        order = np.argsort(videos, kind="stable")
        numbers, starts = np.unique(videos[order], return_index=True)
        for number, group in zip(numbers, np.split(rows[order], starts[1:]), strict=True):
            with self._path(number).open("ab") as file:
                file.write(group.tobytes())

    def load(self, video: int) -> np.ndarray:
        """The rows of a video in the order in which they came, `ROW` [N]."""
        path = self._path(video)
        return np.fromfile(path, ROW) if path.exists() else np.zeros(0, ROW)

    def discard(self, video: int) -> None:
        """Removes the rows of a video."""
        self._path(video).unlink(missing_ok=True)

    def _path(self, video: int) -> pathlib.Path:
        return self.folder / f"{video}.rows"
