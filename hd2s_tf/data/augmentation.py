"""Random changes to a training clip and its ground truth alike."""

import dataclasses

import cv2
import numpy as np


@dataclasses.dataclass(frozen=True)
class Augmentation:
    """What may change; the paper flips only.

    Attributes:
      flip: whether to mirror left and right with probability 1/2.
      zoom: smallest side of a random crop, as a share of the frame's; 1 for no crop.
      stretch: largest change of the crop's aspect, as a natural logarithm.
      pan: largest way a crop of a still image moves during the clip, as a share of the frame.
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


# Of the ground truth at least this share stays inside a crop; after so many tries any crop is taken.
_KEPT_TRUTH, _TRIES = 0.35, 5
_CROPPED, _PANNED, _COLOURLESS = 0.8, 0.35, 0.15
# Largest change of a single channel, as a share of the change of saturation.
_TINT = 0.3


@dataclasses.dataclass(frozen=True)
class Crop:
    """A crop in fractions of the frame: its first position, its last, and its size."""

    first: tuple[float, float]
    last: tuple[float, float]
    size: tuple[float, float]


def draw_crop(settings: Augmentation, generator: np.random.Generator, truth: np.ndarray, still: bool) -> Crop:
    """Draws a crop that keeps enough of the ground truth [H,W]."""
    if settings.zoom >= 1.0 or generator.random() >= _CROPPED:
        return Crop((0.0, 0.0), (0.0, 0.0), (1.0, 1.0))
    crop = None
    for _ in range(_TRIES):
        side = np.exp(generator.uniform(np.log(settings.zoom), 0.0))
        aspect = np.exp(generator.uniform(-settings.stretch, settings.stretch))
        size = np.minimum((side * aspect, side / aspect), 1.0)
        last = generator.uniform(0.0, 1.0 - size)
        first = last
        if still and settings.pan and generator.random() < _PANNED:
            first = np.clip(last + generator.uniform(-settings.pan, settings.pan, 2), 0.0, 1.0 - size)
        crop = Crop(tuple(first), tuple(last), tuple(size))
        (top, left), (bottom, right) = ((np.array(corner) * truth.shape).astype(int) for corner in (last, last + size))
        if truth[top:bottom, left:right].sum() >= _KEPT_TRUTH * truth.sum():
            break
    return crop


def crop_frame(frame: np.ndarray, position: np.ndarray, size: np.ndarray, output: tuple[int, int]) -> np.ndarray:
    """Cuts [H,W(,3)] at a position (y, x) and size, in fractions, and scales it to `output` (height, width)."""
    scale_y, scale_x = np.array(size) * frame.shape[:2] / output
    offset_y, offset_x = np.array(position) * frame.shape[:2]
    # Pixel centres are at half positions.
    matrix = np.array(
        [
            [scale_x, 0.0, offset_x + 0.5 * (scale_x - 1.0)],
            [0.0, scale_y, offset_y + 0.5 * (scale_y - 1.0)],
        ]
    )
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(frame, matrix, output[::-1], flags=flags, borderMode=cv2.BORDER_REPLICATE)


def draw_colours(settings: Augmentation, generator: np.random.Generator, mean: float) -> np.ndarray | None:
    """Draws a change of brightness, contrast, saturation and tint.

    Args:
      settings: see `Augmentation`.
      generator: of the choice.
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
