"""Where the points of a table lie on the stimulus: pixels and shares, of the stimulus and of the screen."""

import numpy as np

from hd2s_tf.data.gaze import exports
from hd2s_tf.data.gaze.settings import USUAL_WIDTH, GazeSettings
from hd2s_tf.errors import BadInputError


def letterbox(stimulus: tuple[int, int], screen: tuple[int, int]) -> tuple[float, tuple[float, float]]:
    """How a stimulus fills a screen as far as its aspect allows, in the middle.

    Args:
      stimulus, screen: (height, width) in pixels.

    Returns:
      Pixels of the screen for a pixel of the stimulus, and where its upper left corner is, (y, x) on the screen.
    """
    scale = min(shown / side for shown, side in zip(screen, stimulus, strict=True))
    top, left = ((shown - scale * side) / 2 for shown, side in zip(screen, stimulus, strict=True))
    return scale, (top, left)


def shares(
    points: np.ndarray, coordinates: str, stimulus: tuple[int, int], screen: tuple[int, int] | None
) -> np.ndarray:
    """Points as fractions of the stimulus.

    Args:
      points: float [N,2], (y, x) as the table has them.
      coordinates: what they count, of `exports`.
      stimulus: its (height, width) in pixels.
      screen: its (height, width) in pixels; without it the stimulus is taken to fill the screen.

    Returns:
      float64 [N,2], (y, x), from 0 to below 1 on the stimulus.

    Raises:
      BadInputError: the coordinates need the screen.
    """
    if coordinates == exports.RELATIVE:
        return points
    if coordinates == exports.RELATIVE_UP:
        return points * (-1, 1) + (1, 0)
    if coordinates == exports.STIMULUS:
        return points / stimulus
    if screen is None:
        if coordinates == exports.RELATIVE_SCREEN:
            return points
        raise BadInputError(f"the table has {coordinates}, and the size of the screen is not known")
    if coordinates == exports.CENTRED:
        points = points * (-1, 1) + np.divide(screen, 2)
    elif coordinates == exports.RELATIVE_SCREEN:
        points = points * screen
    scale, corner = letterbox(stimulus, screen)
    return (points - corner) / np.multiply(scale, stimulus)


def stimulus_pixels_per_degree(settings: GazeSettings, stimulus: tuple[int, int]) -> float:
    """Pixels of the stimulus in a degree of visual angle; `USUAL_WIDTH` degrees for its width where nothing tells."""
    if settings.pixels_per_degree is None:
        return stimulus[1] / USUAL_WIDTH
    if settings.screen is None:
        return settings.pixels_per_degree
    return settings.pixels_per_degree / letterbox(stimulus, settings.screen)[0]
