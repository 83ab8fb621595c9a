"""From the network's map to the published one: smoothing, scaling to 255, resizing to the frame (section 4.2)."""

import functools

import numpy as np
from scipy import ndimage

from hd2s_tf.data import preprocessing

PEAK = 255.0


@functools.cache
def smoothing_matrix(length: int, sigma: float) -> np.ndarray:
    """The matrix [length, length], float32, that applies a Gaussian filter along an axis.

    It is SciPy's `gaussian_filter1d`: cut off at 4 sigma, the signal continued by its mirror image.
    """
    return ndimage.gaussian_filter1d(np.eye(length), sigma, axis=0).astype(np.float32)


def smooth(saliency_maps: np.ndarray, sigma: float) -> np.ndarray:
    """Gaussian filter of maps float32 [...,H,W] with sigma in pixels; 0 leaves them as they are."""
    if sigma <= 0:
        return saliency_maps
    vertical, horizontal = (smoothing_matrix(length, sigma) for length in saliency_maps.shape[-2:])
    return vertical @ saliency_maps @ horizontal.T


def scale_peak(saliency_maps: np.ndarray) -> np.ndarray:
    """Scales each map float32 [...,H,W] so that its largest value is 255; a map of zeros stays one."""
    peak = saliency_maps.max((-2, -1), keepdims=True)
    return saliency_maps * (PEAK / np.where(peak > 0, peak, 1.0))


def finish(saliency_map: np.ndarray, size: tuple[int, int], sigma: float) -> np.ndarray:
    """Smooths, scales, resizes and rounds a map.

    Args:
      saliency_map: float32 [h,w], as the network gives it.
      size: (height, width) of the result, the frame's.
      sigma: of the filter, in pixels of the network's map.

    Returns:
      uint8 [H,W].
    """
    return to_pixels(scale_peak(smooth(saliency_map, sigma)), size)


def to_pixels(saliency_map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes a map float32 [h,w] in 0..255 to (height, width) and rounds it to uint8."""
    resized = preprocessing.resize(np.ascontiguousarray(saliency_map, np.float32), size)
    return np.clip(np.rint(resized), 0, PEAK).astype(np.uint8)
