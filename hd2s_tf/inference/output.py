"""The folder of a video's predictions: a PNG map for each frame, an overlay video and a summary."""

import contextlib
import dataclasses
import itertools
import json
import os
import time
from collections.abc import Iterable, Iterator

import numpy as np
import tqdm

from hd2s_tf import files
from hd2s_tf.data import images
from hd2s_tf.data.frame_source import Reading
from hd2s_tf.errors import BadInputError
from hd2s_tf.inference import rendering
from hd2s_tf.inference.background import Background
from hd2s_tf.inference.overlay import Overlay
from hd2s_tf.inference.predictor import Prediction

MAPS, CONSPICUITY, OVERLAY, SUMMARY = "maps", "conspicuity", "overlay.mp4", "summary.json"
# The record of an interrupted run of a served model; removed at its end.
RUN = "run.json"
_PENDING_MAPS, _PENDING_FRAMES = 64, 16


@dataclasses.dataclass(frozen=True)
class Parts:
    """The parts of the predictions to write.

    Attributes:
      maps: the saliency maps.
      conspicuity: the conspicuity maps.
      overlay: the video with a heat map over it.
    """

    maps: bool = True
    conspicuity: bool = False
    overlay: bool = True


class OutputFolder:
    """A folder to write predictions to.

    Args:
      path: local or remote.
      overwrite: whether an earlier output may be replaced, which happens when the first new map is there.

    Raises:
      BadInputError: not a folder, one with an earlier output, or one without permission to write.
    """

    def __init__(self, path: str, overwrite: bool) -> None:
        self.path = path
        if files.exists(path) and not files.is_folder(path):
            raise BadInputError(f"{path}: not a folder")
        present = self._present()
        if present and not overwrite:
            raise BadInputError(f"{path}: holds an earlier output ({', '.join(present)})", "overwrite")

    def check_source(self, path: str) -> None:
        """Raises BadInputError if the folder is what is predicted, or holds it, so that an output may replace it."""
        if files.holds(self.path, path, (MAPS, CONSPICUITY, OVERLAY, SUMMARY)):
            raise BadInputError(f"{self.path}: the folder to write to is the input or holds it: {path}")

    def write(
        self,
        predictions: Iterator[Prediction],
        reading: Reading,
        about: dict,
        parts: Parts,
        *,
        run: dict | None = None,
        done: int = 0,
    ) -> dict:
        """Writes predictions as they come, and the summary at the end.

        Args:
          predictions: of every frame, in order.
          reading: of the frames.
          about: further entries of the summary.
          parts: what is written.
          run: the record of a run that can be resumed; removed at its end.
          done: so many maps are there from an interrupted run.

        Returns:
          The summary.

        Raises:
          BadInputError: no frames, or no permission to write.
        """
        started, source = time.perf_counter(), reading.source
        if not done:
            predictions = self._replaced(predictions, parts, run)
        progress = tqdm.tqdm(predictions, total=source.frame_count or None, unit="frame", desc="predicting")
        count, overlay_codec = self._write_pictures(progress, reading, parts, done)
        seconds = time.perf_counter() - started
        summary = {
            "input": source.path,
            "frames": count,
            "duration": round(sum(reading.times[-1]), 3),
            "codec": source.codec,
            "rotation": source.rotation,
            "seconds": round(seconds, 3),
            "frames_per_second": round(count / seconds, 3),
            "height": source.size[0],
            "width": source.size[1],
            **about,
            "damage": reading.damage,
            "overlay_codec": overlay_codec,
        }
        self._write_json(SUMMARY, summary)
        files.remove(files.join(self.path, RUN))
        return summary

    def _write_pictures(
        self, predictions: Iterable[Prediction], reading: Reading, parts: Parts, done: int
    ) -> tuple[int, str | None]:
        """Writes maps and overlay; returns the number of frames and the overlay's codec."""
        count = 0
        overlay = Overlay(files.join(self.path, OVERLAY), reading.source) if parts.overlay else contextlib.nullcontext()
        with (
            Background(os.cpu_count(), _PENDING_MAPS) as png,
            overlay as video,
            # The frames of a video are drawn and encoded one after the other.
            Background(1, _PENDING_FRAMES) as drawing,
        ):
            for prediction in predictions:
                count += 1
                if parts.maps and prediction.index >= done:
                    png.do(_write_png, self.map_path(prediction.index), prediction.saliency_map)
                if prediction.conspicuity_maps is not None:
                    strip = rendering.conspicuity_strip(prediction.saliency_map, prediction.conspicuity_maps)
                    png.do(_write_png, files.join(self.path, CONSPICUITY, _name(prediction.index)), strip)
                if video is not None:
                    drawing.do(video.draw, prediction, reading.times[prediction.index])
        return count, video.codec if video is not None else None

    def _replaced(self, predictions: Iterator[Prediction], parts: Parts, run: dict | None) -> Iterator[Prediction]:
        """Waits for the first prediction, then removes what an earlier run left and makes the folders for the new maps.

        So no map of the earlier run survives beside new ones, and none is lost to a run that fails at once.
        """
        first = next(predictions, None)
        if first is None:
            raise BadInputError(f"{self.path}: there is no frame to predict")
        files.make_folder(self.path)
        if not files.is_remote(self.path) and not os.access(self.path, os.W_OK):
            raise BadInputError(f"{self.path}: no right to write there")
        for name in (MAPS, CONSPICUITY, OVERLAY, SUMMARY, RUN):
            files.remove(files.join(self.path, name))
        for name, wanted in ((MAPS, parts.maps), (CONSPICUITY, parts.conspicuity)):
            if wanted:
                files.make_folder(files.join(self.path, name))
        if run is not None:
            self._write_json(RUN, run)
        return itertools.chain([first], predictions)

    def finished_maps(self, run: dict) -> int:
        """How many maps an interrupted run has left without a gap; each is written whole or not at all.

        Args:
          run: the record of the run to resume.

        Raises:
          BadInputError: an earlier output, or an interrupted run of something else.
        """
        record = files.join(self.path, RUN)
        if not files.exists(record):
            OutputFolder(self.path, overwrite=False)
            return 0
        try:
            earlier = json.loads(files.read_bytes(record))
        except ValueError as error:
            raise BadInputError(f"{record}: not the record of a run: {error}") from error
        differences = [name for name in run if earlier.get(name) != run[name]]
        if differences:
            listed = ", ".join(f"{name} {earlier.get(name)} instead of {run[name]}" for name in differences)
            raise BadInputError(f"{self.path}: an interrupted run of something else: {listed}")
        folder = files.join(self.path, MAPS)
        present = set(files.list_folder(folder))
        for name in present:
            if name.endswith(".tmp"):
                files.remove(files.join(folder, name))
        return next(index for index in itertools.count() if _name(index) not in present)

    def map_path(self, index: int) -> str:
        """The file of a frame's saliency map."""
        return files.join(self.path, MAPS, _name(index))

    def _present(self) -> list[str]:
        names = (MAPS, CONSPICUITY, OVERLAY, SUMMARY)
        return [name for name in names if files.exists(files.join(self.path, name))]

    def _write_json(self, name: str, values: dict) -> None:
        files.write_bytes(files.join(self.path, name), json.dumps(values, indent=2).encode() + b"\n")


def _name(index: int) -> str:
    return f"{index + 1:04d}.png"


def _write_png(path: str, image: np.ndarray) -> None:
    files.write_bytes(path, images.png(image))
