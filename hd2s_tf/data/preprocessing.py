"""The resize, the scaling and the reflection between a video and the network; each is defined only here."""

import cv2
import numpy as np
import tensorflow as tf


def resize(image: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """Resizes a frame or a map: pixel areas are averaged where it shrinks, bilinear where it grows.

    Args:
      image: [H,W] or [H,W,3], uint8 or float32.
      size: (height, width) of the result in pixels.

    Returns:
      The resized image, of the same type; the image itself if it already has the size.
    """
    height, width = size
    if image.shape[:2] == (height, width):
        return image
    shrinks = height <= image.shape[0] and width <= image.shape[1]
    return cv2.resize(image, (width, height), interpolation=cv2.INTER_AREA if shrinks else cv2.INTER_LINEAR)


def resize_in_graph(image: tf.Tensor, size: tuple[int, int]) -> tf.Tensor:
    """Resizes a frame, uint8 [H,W,3] of any size, as `resize` does, inside a graph."""
    present = tf.shape(image)[:2]
    resized = tf.case(
        [
            (tf.reduce_all(present == size), lambda: tf.cast(image, tf.float32)),
            (tf.reduce_all(present >= size), lambda: tf.image.resize(image, size, tf.image.ResizeMethod.AREA)),
        ],
        lambda: tf.image.resize(image, size, tf.image.ResizeMethod.BILINEAR),
    )
    return tf.ensure_shape(tf.cast(tf.round(resized), tf.uint8), (*size, 3))


def scale(clip: tf.Tensor) -> tf.Tensor:
    """Scales pixels 0..255 to float32 in [-1,1] as the published network does: 2x/255 - 1."""
    return tf.cast(clip, tf.float32) * (2.0 / 255.0) - 1.0


def reflected(indices: np.ndarray | tf.Tensor, frame_count: int | tf.Tensor) -> np.ndarray | tf.Tensor:
    """Frame indices beyond the end of a video mirrored at it, symmetrically: the last frame comes twice.

    Args:
      indices: at least 0; an array, or a tensor inside a graph.
      frame_count: length of the video.
    """
    last = 2 * frame_count - 1
    return (last - abs(2 * (indices % (last + 1)) - last)) // 2
