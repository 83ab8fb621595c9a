"""The records of a run: metrics.jsonl, TensorBoard, curves.png."""

import json

import numpy as np
import tensorflow as tf
from absl import logging

from hd2s_tf import files, plotting

METRICS, CURVES, TENSORBOARD = "metrics.jsonl", "curves.png", "tensorboard"
# What is recorded but not drawn.
_HIDDEN = {"update", "clips_per_second"}


class Monitor:
    """Writes a run's records.

    `metrics.jsonl` is written whole each time, under a temporary name first, so that it never ends within a line.

    Args:
      workdir: local or remote.
      first_update: updates done before; what an earlier, interrupted run recorded of later ones is dropped, since this
        one makes them again.
    """

    def __init__(self, workdir: str, first_update: int) -> None:
        self._workdir = workdir
        self.records = [record for record in _read(workdir) if record["update"] <= first_update]
        folder = files.join(workdir, TENSORBOARD)
        _drop_events(folder, first_update)
        self._writer = tf.summary.create_file_writer(folder)

    def add(self, update: int, **values: float) -> None:
        """Adds the values measured after an update as one line and as TensorBoard scalars."""
        self.records.append({"update": update, **{name: float(value) for name, value in values.items()}})
        lines = "".join(json.dumps(record) + "\n" for record in self.records)
        files.write_bytes(files.join(self._workdir, METRICS), lines.encode())
        with self._writer.as_default(step=update):
            for name, value in values.items():
                tf.summary.scalar(name, float(value))
        self._writer.flush()

    def add_image(self, update: int, name: str, image: np.ndarray) -> None:
        """Adds a picture, uint8 RGB [H,W,3], to TensorBoard."""
        with self._writer.as_default(step=update):
            tf.summary.image(name, image[np.newaxis])
        self._writer.flush()

    def draw(self) -> None:
        """Draws every value against the update into curves.png, training and validation values in one panel."""
        names = list(dict.fromkeys(name for record in self.records for name in record if name not in _HIDDEN))
        panels = list(dict.fromkeys(name.rsplit("/", 1)[-1] for name in names))
        if not panels:
            return
        columns = min(3, len(panels))
        rows = -(-len(panels) // columns)
        figure = plotting.new_figure(5 * columns, 3.2 * rows)
        for axes, panel in zip(figure.subplots(rows, columns, squeeze=False).flat, panels, strict=False):
            for name in (name for name in names if name.rsplit("/", 1)[-1] == panel):
                points = [(record["update"], record[name]) for record in self.records if name in record]
                axes.plot(*zip(*points, strict=True), label=name, marker="." if "/" in name else "", linewidth=1)
            axes.set_title(panel)
            axes.set_xlabel("update")
            axes.legend(fontsize=8)
        files.write_bytes(files.join(self._workdir, CURVES), plotting.png_bytes(figure))


def _drop_events(folder: str, last_update: int) -> None:
    """Removes from TensorBoard's files what was recorded after an update, or half-written at a kill."""
    if not files.exists(folder):
        return
    for name in files.list_folder(folder):
        path = files.join(folder, name)
        # A hidden name, which `list_folder` leaves out should this process be killed too.
        unfinished = files.join(folder, f".{name}.tmp")
        with tf.io.TFRecordWriter(unfinished) as writer:
            try:
                for event in tf.data.TFRecordDataset(path).as_numpy_iterator():
                    if tf.compat.v1.Event.FromString(event).step <= last_update:
                        writer.write(event)
            except tf.errors.DataLossError:
                logging.info("%s: ends within an event", path)
        tf.io.gfile.rename(unfinished, path, overwrite=True)


def _read(workdir: str) -> list[dict]:
    path = files.join(workdir, METRICS)
    if not files.exists(path):
        return []
    return [json.loads(line) for line in files.read_bytes(path).decode().splitlines() if line.strip()]
