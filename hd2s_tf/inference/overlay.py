"""The video with a heat map over it."""

from absl import logging

from hd2s_tf.data.frame_source import FrameSource
from hd2s_tf.data.video import VideoWriter
from hd2s_tf.inference import rendering
from hd2s_tf.inference.predictor import Prediction


class Overlay:
    """A context that writes the overlay video, with the source's sound; if it cannot be written, a warning says why.

    Args:
      path: of the video.
      source: of the frames that are drawn.

    Attributes:
      codec: FFmpeg's name of the codec; None once writing has failed.
    """

    def __init__(self, path: str, source: FrameSource) -> None:
        self._path, self._source = path, source
        self._writer: VideoWriter | None = None
        self.codec: str | None = VideoWriter.codec

    def __enter__(self) -> "Overlay":
        source = self._source
        sound = source.path if source.is_video else None
        try:
            self._writer = VideoWriter(self._path, source.size, source.frame_rate, sound)
        except OSError as error:
            self._give_up(error)
        return self

    def draw(self, prediction: Prediction, time: tuple[float, float]) -> None:
        """Appends a frame that is shown at a time, (start, duration) in seconds."""
        if self._writer is None:
            return
        try:
            self._writer.write(rendering.overlay(prediction.frame, prediction.saliency_map), *time)
        except OSError as error:
            self._give_up(error)

    def _give_up(self, error: OSError) -> None:
        logging.warning("no overlay: %s: %s", self._path, error.strerror or error)
        self.codec = None
        if self._writer is not None:
            self._writer.__exit__(type(error), error, error.__traceback__)
            self._writer = None

    def __exit__(self, error_type: type | None, error: BaseException | None, traceback: object) -> None:
        if self._writer is None:
            return
        try:
            self._writer.__exit__(error_type, error, traceback)
        except OSError as failure:
            self._writer = None
            self._give_up(failure)
