"""Random changes of a training clip together with its ground truth."""

import dataclasses

import cv2
import numpy as np

from hd2s_tf.data import preprocessing

# A crop keeps at least this share of the ground truth; after so many tries any crop is taken.
_KEPT_TRUTH, _TRIES = 0.35, 5
_CROPPED, _PANNED, _COLOURLESS = 0.8, 0.35, 0.15
# Largest change of a single channel, as a share of the change of saturation.
_TINT = 0.3


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What may change. The published training flips only, which the paper does not mention.

    Attributes:
      flip: whether to mirror left and right with probability 1/2.
      zoom: smallest side of a random crop, as a share of the frame's; 1 for no crop.
      stretch: largest change of the crop's aspect, as a natural logarithm.
      pan: the farthest that a crop of a still image moves during the clip, as a share of the frame.
      brightness: largest shift of pixels, as a share of 255.
      contrast: largest change of contrast, as a share.
      saturation: largest change of saturation, as a share; beyond 0 some clips lose all colour.
      tempo: share of video clips that take one frame in two, are reversed or stand still.
    """

    flip: bool = True
    zoom: float = 1.0
    stretch: float = 0.0
    pan: float = 0.0
    brightness: float = 0.0
    contrast: float = 0.0
    saturation: float = 0.0
    tempo: float = 0.0


@dataclasses.dataclass(frozen=True)
class Crop:
    """A crop in whole pixels (y, x): the position of its corner at a clip's first and last frame, and its size."""

    first: tuple[int, int]
    last: tuple[int, int]
    size: tuple[int, int]


def draw_crop(settings: Augmentation, generator: np.random.Generator, truth: np.ndarray, still: bool) -> Crop:
    """Draws a crop that keeps enough of the ground truth [H,W]."""
    frame = np.array(truth.shape)
    if settings.zoom >= 1.0 or generator.random() >= _CROPPED:
        return Crop((0, 0), (0, 0), truth.shape)
    crop = None
    for _ in range(_TRIES):
        side = np.exp(generator.uniform(np.log(settings.zoom), 0.0))
        aspect = np.exp(generator.uniform(-settings.stretch, settings.stretch))
        size = np.maximum(np.rint(frame * np.minimum((side * aspect, side / aspect), 1.0)), 1).astype(int)
        last = generator.integers(frame - size, endpoint=True)
        first = last
        if still and settings.pan and generator.random() < _PANNED:
            way = np.rint(frame * generator.uniform(-settings.pan, settings.pan, 2)).astype(int)
            first = np.clip(last + way, 0, frame - size)
        crop = Crop(tuple(first.tolist()), tuple(last.tolist()), tuple(size.tolist()))
        (top, left), (bottom, right) = last, last + size
        if truth[top:bottom, left:right].sum() >= _KEPT_TRUTH * truth.sum():
            break
    return crop


def crop_frame(frame: np.ndarray, crop: Crop, progress: float, output: tuple[int, int]) -> np.ndarray:
    """Cuts a crop out of a frame and resizes it as everything is resized, by averaging areas where it shrinks.

    Args:
      frame: uint8 [H,W] or [H,W,3].
      crop: where, and how large.
      progress: from 0 at the crop's first position to 1 at its last. Between whole pixels the frame is interpolated
        at its own resolution.
      output: (height, width) of the result in pixels.
    """
    (y, x), (height, width) = np.array(crop.first) + np.subtract(crop.last, crop.first) * progress, crop.size
    if y % 1 or x % 1:
        cut = cv2.getRectSubPix(frame, (width, height), (x + (width - 1) / 2, y + (height - 1) / 2))
    else:
        top, left = int(y), int(x)
        cut = frame[top : top + height, left : left + width]
    return preprocessing.resize(cut, output)


def draw_colours(settings: Augmentation, generator: np.random.Generator, mean: float) -> np.ndarray | None:
    """Draws a change of brightness, contrast, saturation and tint.

    Args:
      settings: see `Augmentation`.
      generator: draws the change.
      mean: the clip's mean pixel, 0..255, which a change of contrast leaves where it is.

    Returns:
      An affine map of RGB pixels 0..255, float64 [3,4], for `change_colours`; None for no change.
    """
    if not (settings.brightness or settings.contrast or settings.saturation):
        return None
    contrast = 1.0 + generator.uniform(-settings.contrast, settings.contrast)
    shift = 255.0 * generator.uniform(-settings.brightness, settings.brightness)
    saturation = 1.0 + generator.uniform(-settings.saturation, settings.saturation)
    if settings.saturation and generator.random() < _COLOURLESS:
        saturation = 0.0
    tint = 1.0 + _TINT * settings.saturation * generator.uniform(-1.0, 1.0, 3) * (saturation > 0)
    colours = saturation * np.eye(3) + (1.0 - saturation) / 3.0
    matrix = tint[:, np.newaxis] * colours * contrast
    offset = tint * (mean * (1.0 - contrast) + shift)
    return np.hstack([matrix, offset[:, np.newaxis]])


def change_colours(frame: np.ndarray, colours: np.ndarray | None) -> np.ndarray:
    """Applies a change of colours to a frame uint8 RGB [H,W,3]."""
    return frame if colours is None else cv2.transform(frame, colours)


def draw_frames(
    settings: Augmentation, generator: np.random.Generator, last: int, count: int, clip_frames: int
) -> np.ndarray:
    """Frames of a window that ends at `last` (at least `clip_frames` - 1), int64 [clip_frames].

    With `tempo`, some windows take every second frame, some are reversed in time and some stand still.
    """
    backwards = np.arange(clip_frames - 1, -1, -1)
    kind = generator.random() if settings.tempo else 1.0
    if kind < 0.25 * settings.tempo:
        return np.full(clip_frames, last)
    if kind < 0.6 * settings.tempo and last >= 2 * (clip_frames - 1):
        return last - 2 * backwards
    if kind < settings.tempo and last + clip_frames <= count:
        return last + backwards
    return last - backwards
