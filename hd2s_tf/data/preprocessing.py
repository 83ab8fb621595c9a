"""The one resize, the one scaling and the one reflection between a video and the network."""

import cv2
import numpy as np
import tensorflow as tf


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes a frame or a map: pixel areas are averaged where it shrinks, bilinear where it grows.

    Args:
      image: [H,W] or [H,W,3], uint8 or float32.
      size: (height, width) of the result in pixels.

    Returns:
      The resized image, of the same type; the image itself when it has the size already.
    """
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def scale(clip: tf.Tensor) -> tf.Tensor:
    """Scales pixels 0..255 to float32 in [-1,1] as the published network does: 2x/255 - 1."""
    return tf.cast(clip, tf.float32) * (2.0 / 255.0) - 1.0


def reflected(indices: np.ndarray, frame_count: int) -> np.ndarray:
    """Frame indices beyond the end of a video mirrored at it, symmetrically: the last frame comes twice."""
    position = indices % (2 * frame_count)
    return np.minimum(position, 2 * frame_count - 1 - position)
