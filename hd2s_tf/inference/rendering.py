"""Saliency maps as pictures: a heat map over the frame, conspicuity maps side by side."""

import cv2
import numpy as np

_STRENGTH = 0.65


def overlay(frame: np.ndarray, saliency_map: np.ndarray) -> np.ndarray:
    """Lays a heat map over a frame, the stronger the more salient, so that the rest stays as it is.

    Args:
      frame: uint8 RGB [H,W,3].
      saliency_map: uint8 [H,W].

    Returns:
      uint8 RGB [H,W,3].
    """
    heat = cv2.cvtColor(cv2.applyColorMap(saliency_map, cv2.COLORMAP_JET), cv2.COLOR_BGR2RGB)
    share = cv2.merge([cv2.convertScaleAbs(saliency_map, alpha=_STRENGTH)] * 3)
    kept = cv2.multiply(frame, cv2.bitwise_not(share), scale=1 / 255)
    return cv2.add(kept, cv2.multiply(heat, share, scale=1 / 255))


def conspicuity_strip(saliency_map: np.ndarray, conspicuity_maps: np.ndarray) -> np.ndarray:
    """Puts the saliency map and the conspicuity maps, shallow to deep, side by side.

    Args:
      saliency_map: uint8 [H,W].
      conspicuity_maps: uint8 [L,H,W].

    Returns:
      uint8 [H,(1+L) W].
    """
    return np.hstack([saliency_map, *conspicuity_maps])
