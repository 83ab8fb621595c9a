"""How well observers agree: how the gaze of each is predicted by that of all others."""

import numpy as np

from hd2s_tf.data.gaze import maps

_HEIGHT = 72


def agreement(points: np.ndarray, observers: np.ndarray, sigma: tuple[float, float]) -> float:
    """The mean over observers of the normalised scanpath saliency (NSS) of their fixations in the others' map.

    Args:
      points: float [N,2], fixations, (y, x) as fractions of height and width.
      observers: int [N], whose they are.
      sigma: of the map along y and x, as fractions.

    Returns:
      0 where people look as if by chance, more the better they agree; NaN for fewer than two observers.
    """
    numbers = np.unique(observers)
    if len(numbers) < 2:
        return float("nan")
    # As fine as the narrower Gaussian needs it.
    size = tuple(min(_HEIGHT, max(8, round(3 / deviation))) for deviation in sigma)
    in_pixels = tuple(deviation * side for deviation, side in zip(sigma, size, strict=True))
    everyone = maps.density(points, size, in_pixels)
    rows, columns = np.minimum((points * size).astype(int), np.array(size) - 1).T
    scores = []
    for number in numbers:
        own = observers == number
        others = everyone - maps.density(points[own], size, in_pixels)
        standardised = (others - others.mean()) / max(float(others.std()), 1e-9)
        scores.append(standardised[rows[own], columns[own]].mean())
    return float(np.mean(scores))
