"""Prediction as the published code does it, for weights that were converted from a published file.

By default frames are resized by pixel areas, nothing is rounded on the way, and maps are filtered with sigma 5. The
published test code resizes frames bicubically without antialiasing, cuts maps off to 8 bits, filters them with sigma 7
and cuts off again; its domain-specific models cut off to 8 bits before their learned smoothing and are not filtered
after it.
"""

import dataclasses
from collections.abc import Callable
from typing import NamedTuple

import cv2
import numpy as np
from scipy import ndimage

from hd2s_tf.data import preprocessing
from hd2s_tf.errors import BadInputError
from hd2s_tf.inference import postprocessing
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.serving.signatures import ModelInfo

PUBLISHED = "published"
SMOOTHING_SIGMA = 7.0


class Treatment(NamedTuple):
    """What happens to pixels before the network and to maps after it.

    Attributes:
      resize: a frame uint8 [H,W,3] to (height, width).
      finish: maps float32 [...,H,W] of the network, filtered with sigma in pixels, to float32 in 0..255.
    """

    resize: Callable[[np.ndarray, tuple[int, int]], np.ndarray]
    finish: Callable[[np.ndarray, float], np.ndarray]


def resize_without_antialiasing(frame: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes a frame uint8 [H,W,3] to (height, width) bicubically."""
    return cv2.resize(frame, size[::-1], interpolation=cv2.INTER_CUBIC)


def finish_in_8_bits(maps: np.ndarray, sigma: float) -> np.ndarray:
    """Cuts maps in 0..1 off to 8 bits, filters them, scales each one's peak to 255 and cuts off again.

    Args:
      maps: float32 [...,H,W].
      sigma: of the filter in pixels; with 0 the network has smoothed by itself, and maps are only scaled and cut off.

    Returns:
      float32 [...,H,W] of whole numbers; a map of zeros stays one.
    """
    finished = [_finish(single, sigma) for single in maps.reshape(-1, *maps.shape[-2:])]
    return np.stack(finished).reshape(maps.shape)


def _finish(saliency_map: np.ndarray, sigma: float) -> np.ndarray:
    if not np.isfinite(saliency_map).all():
        return saliency_map
    if sigma > 0:
        levels = np.floor(saliency_map * np.float32(255)).astype(np.float64)
        saliency_map = ndimage.gaussian_filter(levels / 255, sigma)
    peak = saliency_map.max()
    return np.floor(saliency_map / (peak if peak > 0 else 1) * postprocessing.PEAK).astype(np.float32)


def _finish_by_default(maps: np.ndarray, sigma: float) -> np.ndarray:
    return postprocessing.finish(maps, sigma).numpy()


TREATMENTS = {
    None: Treatment(preprocessing.resize, _finish_by_default),
    PUBLISHED: Treatment(resize_without_antialiasing, finish_in_8_bits),
}


def adapt_model(model: HD2S, compat: str | None) -> None:
    """Lets a model made for inference round where the published one does."""
    if compat == PUBLISHED and model.smoothing is not None:
        model.smoothing.cuts_off = True


def adapt_info(info: ModelInfo, compat: str | None, exported: bool = False) -> ModelInfo:
    """The description of a model that predicts so.

    Args:
      info: of the model.
      compat: a key of `TREATMENTS`.
      exported: whether its graph cannot be changed any more.

    Raises:
      BadInputError: an unknown `compat`, or a graph that would have to change.
    """
    if compat not in TREATMENTS:
        raise BadInputError(f"compat is {compat!r}: it is {' or '.join(filter(None, TREATMENTS))}")
    if compat is None:
        return info
    smooths_by_itself = info.smoothing_sigma == 0
    if exported and smooths_by_itself and info.domains:
        raise BadInputError(f"{info.weights}: an exported domain-specific model cannot round as the published one does")
    return dataclasses.replace(info, compat=compat, smoothing_sigma=0.0 if smooths_by_itself else SMOOTHING_SIGMA)
