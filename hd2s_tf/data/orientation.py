"""The orientation of stored pixels: the eight of EXIF, and a video's display matrix."""

import dataclasses
import struct

import numpy as np


@dataclasses.dataclass(frozen=True)
class Orientation:
    """Rows and columns exchanged or not, then mirrored or not.

    Attributes:
      transposes: whether rows become columns.
      flips_columns: whether left and right are exchanged, after that.
      flips_rows: whether top and bottom are exchanged, after that.
    """

    transposes: bool = False
    flips_columns: bool = False
    flips_rows: bool = False

    @property
    def rotation(self) -> int:
        """Degrees clockwise, 0 to 270; where the image is mirrored, left and right are exchanged after that."""
        if self.transposes:
            return 270 if self.flips_rows else 90
        return 180 if self.flips_rows else 0

    def apply(self, image: np.ndarray) -> np.ndarray:
        """Turns an image [H,W,...]; the result is contiguous."""
        if self.transposes:
            image = image.swapaxes(0, 1)
        columns, rows = (-1 if flips else 1 for flips in (self.flips_columns, self.flips_rows))
        return np.ascontiguousarray(image[::rows, ::columns])

    def size(self, size: tuple[int, int]) -> tuple[int, int]:
        """The (height, width) that an image of this size is turned to."""
        return size[::-1] if self.transposes else size


# Of the values 1 to 8 of EXIF's tag 0x0112.
_OF_EXIF = (
    Orientation(),
    Orientation(flips_columns=True),
    Orientation(flips_columns=True, flips_rows=True),
    Orientation(flips_rows=True),
    Orientation(transposes=True),
    Orientation(transposes=True, flips_columns=True),
    Orientation(transposes=True, flips_columns=True, flips_rows=True),
    Orientation(transposes=True, flips_rows=True),
)


def from_exif(value: object) -> Orientation:
    """The orientation that EXIF's tag 0x0112 names; upright where it is none of 1 to 8."""
    return _OF_EXIF[value - 1] if isinstance(value, int) and 1 <= value <= 8 else Orientation()


def from_display_matrix(matrix: bytes) -> Orientation:
    """The orientation nearest to a display matrix, int32 (a b u, c d v, x y w): x' = a x + c y, y' = b x + d y."""
    a, b, _, c, d = struct.unpack_from("<5i", matrix)
    if abs(b) + abs(c) > abs(a) + abs(d):
        return Orientation(True, flips_columns=c < 0, flips_rows=b < 0)
    return Orientation(False, flips_columns=a < 0, flips_rows=d < 0)
