"""Checkpoints that a killed run continues from."""

import os
import re

import tensorflow as tf
from absl import logging

from hd2s_tf import files
from hd2s_tf.errors import RunError

_KEPT = 3
_INDEX = re.compile(r"ckpt-(\d+)\.index")


class Checkpoints:
    """The newest few checkpoints of a run.

    TensorFlow writes a checkpoint's values under temporary names, renames them and writes its index last, and reads
    every tensor against its checksum, so that a checkpoint is either whole or known to be damaged.

    Args:
      folder: local or remote.
      **parts: what to save: variables, or lists of them.
    """

    def __init__(self, folder: str | os.PathLike, **parts: object) -> None:
        self._checkpoint = tf.train.Checkpoint(**parts)
        self._manager = tf.train.CheckpointManager(self._checkpoint, os.fspath(folder), max_to_keep=_KEPT)

    def save(self, update: int) -> None:
        """Saves the state after an update."""
        self._manager.save(checkpoint_number=update)

    def restore(self) -> int | None:
        """Restores the newest checkpoint that can be read.

        Returns:
          The update after which it was saved; None if there is no checkpoint.

        Raises:
          RunError: there are checkpoints and all are damaged.
        """
        found = self._found()
        for update in found:
            path = files.join(self._manager.directory, f"ckpt-{update}")
            try:
                self._checkpoint.restore(path).assert_existing_objects_matched()
            except (tf.errors.OpError, ValueError, LookupError, AssertionError) as error:
                logging.warning("%s: damaged or of another model, trying the one before: %s", path, _first_line(error))
                continue
            return update
        if found:
            raise RunError(f"{self._manager.directory}: none of its {len(found)} checkpoints can be read")
        return None

    def _found(self) -> list[int]:
        """Updates with a checkpoint, newest first, by the files themselves, which tell more than their list."""
        if not files.exists(self._manager.directory):
            return []
        matches = (_INDEX.fullmatch(name) for name in files.list_folder(self._manager.directory))
        return sorted((int(match[1]) for match in matches if match), reverse=True)


def _first_line(error: Exception) -> str:
    return str(error).strip().splitlines()[0] if str(error).strip() else type(error).__name__
