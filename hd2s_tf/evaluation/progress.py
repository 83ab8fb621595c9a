"""The results of finished videos, kept until the evaluation ends, so that an interrupted one can be resumed."""

import dataclasses
import json

from hd2s_tf import files
from hd2s_tf.evaluation.results import Subject, VideoResult


class Progress:
    """A folder with a file for each finished video.

    Args:
      folder: made with the first video.
      subject: an evaluation resumes only what was scored in the same way.
    """

    def __init__(self, folder: str, subject: Subject) -> None:
        self._folder, self._settings = folder, json.loads(json.dumps(subject.to_json()))

    def read(self, name: str) -> VideoResult | None:
        """The result of a video; None if there is none, or one with problems, which may be mended by now."""
        path = self._path(name)
        if not files.exists(path):
            return None
        stored = json.loads(files.read_bytes(path))
        result = VideoResult(**stored["result"])
        return result if stored["settings"] == self._settings and not (result.problems or result.missing) else None

    def write(self, name: str, result: VideoResult) -> None:
        """Stores the result of a video."""
        files.make_folder(self._folder)
        stored = {"settings": self._settings, "result": dataclasses.asdict(result)}
        files.write_bytes(self._path(name), json.dumps(stored).encode())

    def remove(self) -> None:
        """Removes the folder."""
        files.remove(self._folder)

    def _path(self, name: str) -> str:
        return files.join(self._folder, f"{name}.json")
