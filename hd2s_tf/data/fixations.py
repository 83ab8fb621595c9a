"""Where people looked: fixation maps on disk (PNG, MATLAB v5 and v7.3) as points."""

import io

import h5py
import numpy as np
import scipy.io

from hd2s_tf import files
from hd2s_tf.data import images
from hd2s_tf.errors import BadInputError

# The variable that holds the map in DHF1K's .mat files.
_MATLAB_VARIABLE = "I"
_HDF5_SIGNATURE = b"\x89HDF\r\n\x1a\n"


def read_fixation_map(path: str) -> np.ndarray:
    """Reads a fixation map, bool [H,W].

    Raises:
      BadInputError: the file cannot be read or holds no map.
    """
    return _read_matlab(path) > 0 if path.lower().endswith(".mat") else images.read_mask(path)


def _read_matlab(path: str) -> np.ndarray:
    data = files.read_bytes(path)
    try:
        # MATLAB v7.3 files are HDF5 behind a header of 512 bytes, and hold matrices transposed.
        if data[512:520] == _HDF5_SIGNATURE or data[:8] == _HDF5_SIGNATURE:
            with h5py.File(io.BytesIO(data), "r") as file:
                values = file[_MATLAB_VARIABLE][()].T
        else:
            values = scipy.io.loadmat(io.BytesIO(data), variable_names=[_MATLAB_VARIABLE])[_MATLAB_VARIABLE]
    # The readers raise many kinds for a damaged file.
    except Exception as error:
        raise BadInputError(f"{path}: not a MATLAB file with a map {_MATLAB_VARIABLE!r}: {error}") from error
    if values.ndim != 2:
        raise BadInputError(f"{path}: the map {_MATLAB_VARIABLE!r} has {values.ndim} axes, not 2")
    return values


def points(fixation_map: np.ndarray) -> np.ndarray:
    """The fixated pixels' centres, float32 [N,2], (y, x) as fractions of height and width."""
    height, width = fixation_map.shape
    return ((np.argwhere(fixation_map) + 0.5) / (height, width)).astype(np.float32)


def to_map(fixations: np.ndarray, size: tuple[int, int]) -> np.ndarray:
    """The inverse of `points` for any size (height, width): bool [H,W]; points outside 0..1 are left out."""
    inside = fixations[((fixations >= 0) & (fixations < 1)).all(1)]
    fixation_map = np.zeros(size, bool)
    rows, columns = (np.minimum(inside * size, np.array(size) - 1e-3)).astype(int).T
    fixation_map[rows, columns] = True
    return fixation_map
