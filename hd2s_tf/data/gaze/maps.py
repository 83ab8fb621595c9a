"""Saliency maps from fixations: a Gaussian around each, summed."""

import dataclasses
import re

import numpy as np

from hd2s_tf.errors import BadInputError

# DHF1K's Gaussian: 30 pixels full width at half maximum on frames 640 pixels wide.
_DHF1K_SIGMA = 30 / (2 * np.sqrt(2 * np.log(2))) / 640


def density(points: np.ndarray, size: tuple[int, int], sigma: tuple[float, float]) -> np.ndarray:
    """Sums a Gaussian of height one around each point, reflected at the borders so that none of it is lost.

    A Gaussian is the product of one along y and one along x, so the sum over all points is a product of two matrices:
    exact, without a cut, and at sub-pixel positions.

    Args:
      points: real [N,2], (y, x) as fractions of height and width.
      size: (height, width) of the map in pixels.
      sigma: standard deviations along y and x in pixels of the map.

    Returns:
      float32 [H,W].
    """
    along_y, along_x = (
        _reflected_gaussians(points[:, axis], side, deviation)
        for axis, (side, deviation) in enumerate(zip(size, sigma, strict=True))
    )
    return along_y.T @ along_x


def _reflected_gaussians(positions: np.ndarray, side: int, sigma: float) -> np.ndarray:
    """A Gaussian around each position, a fraction of the side: float32 [N,side]."""
    pixels = np.arange(side, dtype=np.float32) + 0.5
    positions = (positions * side).astype(np.float32)[:, np.newaxis]
    images = (positions, -positions, 2 * side - positions)
    return sum(np.exp(-0.5 * ((pixels - image) / np.float32(sigma)) ** 2) for image in images)


def saliency_map(points: np.ndarray, size: tuple[int, int], sigma: tuple[float, float]) -> np.ndarray:
    """`density` scaled to a peak of 255: uint8 [H,W], all zero without points."""
    if not len(points):
        return np.zeros(size, np.uint8)
    total = density(points, size, sigma)
    return np.rint(total * (255 / max(float(total.max()), 1e-12))).astype(np.uint8)


@dataclasses.dataclass(frozen=True)
class Sigma:
    """The standard deviation of the Gaussian around a fixation; DHF1K's by default.

    Attributes:
      value: in the unit.
      unit: "px" (pixels of the stimulus), "deg" (degrees of visual angle) or "w" (widths of the stimulus).
    """

    value: float = _DHF1K_SIGMA
    unit: str = "w"

    @classmethod
    def parse(cls, text: str) -> "Sigma":
        """Reads `12.74px` (or the number alone), `1deg` or `0.02w`.

        Raises:
          BadInputError: it is none of these, or not positive.
        """
        found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(px|deg|w|)\s*", text)
        if not found or not float(found[1]):
            raise BadInputError(
                f"sigma is {text!r}: it is a positive number of px, deg or w, as in 12.7px, 1deg, 0.02w"
            )
        return cls(float(found[1]), found[2] or "px")

    def in_map(self, stimulus: tuple[int, int], size: tuple[int, int], pixels_per_degree: float) -> tuple[float, float]:
        """Standard deviations along y and x in pixels of a map that has another size than its stimulus.

        Args:
          stimulus: its (height, width) in pixels.
          size: the map's.
          pixels_per_degree: pixels of the stimulus in a degree of visual angle.
        """
        pixels = self.value * {"px": 1.0, "deg": pixels_per_degree, "w": stimulus[1]}[self.unit]
        return pixels * size[0] / stimulus[0], pixels * size[1] / stimulus[1]
