"""Saliency maps as pictures: a heat map over the frame, conspicuity maps side by side."""

import cv2
import numpy as np

_STRENGTH = 0.65
# For each value of a saliency map: the share of the frame that is kept, 0..255, and the heat that is added to it.
_SHARES = cv2.convertScaleAbs(np.arange(256, dtype=np.uint8), alpha=_STRENGTH)
_KEPT = cv2.bitwise_not(_SHARES)
_HEAT = cv2.multiply(
    cv2.cvtColor(cv2.applyColorMap(np.arange(256, dtype=np.uint8), cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB),
    cv2.merge([_SHARES] * 3),
    scale=1 / 255,
)


def overlay(frame: np.ndarray, saliency_map: np.ndarray) -> np.ndarray:
    """Lays a heat map over a frame, the stronger the more salient, so that the rest stays as it is.

    Args:
      frame: uint8 RGB [H,W,3].
      saliency_map: uint8 [H,W].

    Returns:
      uint8 RGB [H,W,3].
    """
    kept = cv2.cvtColor(cv2.LUT(saliency_map, _KEPT), cv2.COLOR_GRAY2RGB)
    return cv2.add(cv2.multiply(frame, kept, scale=1 / 255), cv2.applyColorMap(saliency_map, _HEAT))


def conspicuity_strip(saliency_map: np.ndarray, conspicuity_maps: np.ndarray) -> np.ndarray:
    """Puts the saliency map and the conspicuity maps, shallow to deep, side by side.

    Args:
      saliency_map: uint8 [H,W].
      conspicuity_maps: uint8 [L,H,W].

    Returns:
      uint8 [H,(1+L) W].
    """
    return np.hstack([saliency_map, *conspicuity_maps])
