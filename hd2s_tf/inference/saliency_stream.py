"""Saliency of a camera's frames, each as soon as it arrives."""

import numpy as np

from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.inference import postprocessing
from hd2s_tf.inference.compatibility import TREATMENTS
from hd2s_tf.inference.predict_fn import PredictFn
from hd2s_tf.inference.streams import Stream


class SaliencyStream:
    """Predicts frame by frame from what has been seen so far, with memory that does not grow.

    The network sees T frames (16). The first T-1 have no map: `predict_video` predicts theirs from frames that come
    after them, which a camera has not taken yet. From then on the maps are those of `predict_video`, and each takes
    what its frame adds to the windows before.

    Args:
      predict_fn: see `hd2s_tf.inference.predict_fn.PredictFn`; one of weights computes what windows share once.
      frame_size: (height, width) at which the network sees the frames; None for what `predict_fn` says.
      smoothing_sigma: of the Gaussian filter, in pixels of its maps; None for what `predict_fn` says.

    Raises:
      BadInputError: a sigma that makes no sense.
    """

    def __init__(
        self,
        predict_fn: PredictFn,
        frame_size: tuple[int, int] | None = None,
        smoothing_sigma: float | None = None,
    ) -> None:
        postprocessing.check_sigma(smoothing_sigma)
        self._predict_fn, info = predict_fn, predict_fn.info
        self._frame_size = frame_size or info.frame_size
        self._smoothing_sigma = info.smoothing_sigma if smoothing_sigma is None else smoothing_sigma
        self._treatment = TREATMENTS[info.compat]
        self._context_frames = info.clip_frames - 1
        self._opening: list[np.ndarray] = []
        self._stream: Stream | None = None

    def push(self, frame: np.ndarray) -> np.ndarray | None:
        """Predicts where people look in the next frame.

        Args:
          frame: uint8 RGB [H,W,3].

        Returns:
          Its saliency map, uint8 [H,W]; None for the first T-1 frames.

        Raises:
          BadInputError: a frame of another shape or type.
          RunError: the network's answer is not finite.
        """
        if frame.ndim != 3 or frame.shape[2] != 3 or frame.dtype != np.uint8:
            raise BadInputError(f"the frame is {frame.dtype} {list(frame.shape)}: it must be uint8 [H,W,3]")
        resized = self._treatment.resize(frame, self._frame_size)
        if self._stream is None:
            self._opening.append(resized)
            if len(self._opening) == self._context_frames:
                self._stream = self._predict_fn.open_stream(np.stack(self._opening))
                self._opening.clear()
            return None
        network_map = self._stream(resized[np.newaxis]).saliency
        if not np.isfinite(network_map).all():
            raise RunError("the network's map is not finite")
        finished = self._treatment.finish(network_map.astype(np.float32), self._smoothing_sigma)
        return postprocessing.to_pixels(finished[0], frame.shape[:2])
