"""From the network's map to the published one: smoothing, scaling to 255, resizing to the frame (section 4.2)."""

import functools
from collections.abc import Callable

import cv2
import numpy as np
import tensorflow as tf
from scipy import ndimage

from hd2s_tf.data import preprocessing
from hd2s_tf.errors import BadInputError

PEAK = 255.0
_LARGEST_SIGMA = 1000


def check_sigma(sigma: float | None) -> None:
    """Checks the sigma of a Gaussian filter in pixels; None stands for the model's own.

    Raises:
      BadInputError: not from 0 to 1000.
    """
    if sigma is not None and not 0 <= sigma < _LARGEST_SIGMA:
        raise BadInputError(f"smoothing_sigma is {sigma}: it must be from 0 to {_LARGEST_SIGMA} pixels")


@functools.cache
def smoothing_matrix(length: int, sigma: float) -> np.ndarray:
    """The matrix [length, length], float32, that applies a Gaussian filter along an axis.

    It is SciPy's `gaussian_filter1d`: cut off at 4 sigma, the signal continued by its mirror image.
    """
    return ndimage.gaussian_filter1d(np.eye(length), sigma, axis=0).astype(np.float32)


def smooth(saliency_maps: tf.Tensor, sigma: float) -> tf.Tensor:
    """Gaussian filter of maps float32 [...,H,W] with sigma in pixels; 0 leaves them as they are."""
    if sigma <= 0:
        return saliency_maps
    *_, height, width = saliency_maps.shape
    smoothed = _filter(height, width, sigma)(tf.reshape(saliency_maps, (-1, height, width)))
    return tf.reshape(smoothed, tf.shape(saliency_maps))


@functools.cache
def _filter(height: int, width: int, sigma: float) -> Callable[[tf.Tensor], tf.Tensor]:
    """The Gaussian filter of maps float32 [N,H,W], as a graph: outside of one, TensorFlow's loop costs more than it."""
    vertical, horizontal = smoothing_matrix(height, sigma), smoothing_matrix(width, sigma)

    def smoothed(saliency_map: tf.Tensor) -> tf.Tensor:
        return tf.matmul(vertical, tf.matmul(saliency_map, horizontal, transpose_b=True))

    # Map by map, since the last bits of a product of all maps depend on how many there are.
    return tf.function(
        lambda maps: tf.map_fn(smoothed, maps), input_signature=[tf.TensorSpec((None, height, width), tf.float32)]
    )


def scale_peak(saliency_maps: tf.Tensor) -> tf.Tensor:
    """Scales each map float32 [...,H,W] so that its largest value is 255; a map of zeros stays one."""
    peak = tf.reduce_max(saliency_maps, (-2, -1), keepdims=True)
    return saliency_maps * (PEAK / tf.where(peak > 0, peak, 1.0))


def finish(saliency_maps: tf.Tensor, sigma: float) -> tf.Tensor:
    """Smooths and scales maps float32 [...,H,W] to 0..255; the same here and in exported graphs, to the last bit."""
    return scale_peak(smooth(saliency_maps, sigma))


def to_pixels(saliency_map: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes a map float32 [h,w] in 0..255 to (height, width) and rounds it to uint8."""
    resized = preprocessing.resize(np.clip(saliency_map, 0, PEAK, dtype=np.float32), size)
    # Rounds, halves to even, and converts in one pass over the full size.
    return cv2.convertScaleAbs(resized)
