"""Bicubic resizing as the benchmark's evaluation function does it: that of MATLAB's `imresize`."""

import functools

import numpy as np

# Keys' cubic convolution, with MATLAB's parameter.
_A = -0.5


def resize_bicubic(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes a map with cubic convolution; where it shrinks, the kernel is widened (antialiasing).

    Args:
      image: real [H,W].
      size: (height, width) of the result.

    Returns:
      float64 of that size, which may overshoot the range of the image; the image itself if it has the size already.
    """
    if image.shape == tuple(size):
        return image
    vertical, horizontal = (_matrix(before, after) for before, after in zip(image.shape, size, strict=True))
    return vertical @ image.astype(np.float64) @ horizontal.T


@functools.lru_cache(maxsize=32)
def _matrix(before: int, after: int) -> np.ndarray:
    """The matrix [after, before] that resizes an axis; beyond its ends the signal is its mirror image."""
    scale = after / before
    widening = min(scale, 1.0)
    centres = (np.arange(after) + 0.5) / scale - 0.5
    reach = int(np.ceil(2 / widening)) + 1
    taps = np.floor(centres).astype(int)[:, np.newaxis] + np.arange(-reach, reach + 1)
    weights = _cubic(widening * (centres[:, np.newaxis] - taps))
    weights /= weights.sum(1, keepdims=True)
    inside = taps % (2 * before)
    inside = np.minimum(inside, 2 * before - 1 - inside)
    matrix = np.zeros((after, before))
    np.add.at(matrix, (np.arange(after)[:, np.newaxis], inside), weights)
    return matrix


def _cubic(distance: np.ndarray) -> np.ndarray:
    x = np.abs(distance)
    near = (_A + 2) * x**3 - (_A + 3) * x**2 + 1
    far = _A * x**3 - 5 * _A * x**2 + 8 * _A * x - 4 * _A
    return np.where(x <= 1, near, np.where(x < 2, far, 0.0))
