"""Where people looked: fixation maps on disk (PNG, MATLAB v5 and v7.3) as points."""

import io
from collections.abc import Mapping

import h5py
import numpy as np
import scipy.io
import scipy.sparse

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
        # MATLAB v7.3 files are HDF5 behind a header of 512 bytes.
        if data[512:520] == _HDF5_SIGNATURE or data[:8] == _HDF5_SIGNATURE:
            with h5py.File(io.BytesIO(data), "r") as file:
                values = _of_hdf5(file, _variable(file))
        else:
            variables = scipy.io.loadmat(io.BytesIO(data))
            values = variables[_variable(variables)]
    except Exception as error:
        # The readers raise many kinds for a damaged file.
        raise BadInputError(f"{path}: not a MATLAB file with a map {_MATLAB_VARIABLE!r}: {error}") from error
    while values.dtype == object and values.size == 1 and not scipy.sparse.issparse(values):
        # A cell.
        values = values.item()
    if scipy.sparse.issparse(values):
        values = values.toarray()
    if values.ndim != 2 or values.dtype.kind not in "biuf":
        raise BadInputError(f"{path}: the map {_MATLAB_VARIABLE!r} is no matrix: {values.dtype} {values.shape}")
    return values


def _variable(variables: Mapping) -> str:
    """The variable that holds the map: the one of DHF1K's name, or the only one."""
    names = [name for name in variables if not name.startswith(("__", "#"))]
    return names[0] if len(names) == 1 else _MATLAB_VARIABLE


def _of_hdf5(file: h5py.File, name: str | h5py.Reference) -> np.ndarray:
    """A matrix, a cell that holds one or a sparse matrix, as MATLAB v7.3 stores them: transposed."""
    stored = file[name]
    if isinstance(stored, h5py.Group):
        rows, starts = int(stored.attrs["MATLAB_sparse"]), stored["jc"][()]
        entries = (stored["data"][()], stored["ir"][()], starts) if "data" in stored else ([], [], starts)
        return scipy.sparse.csc_matrix(entries, shape=(rows, len(starts) - 1)).toarray()
    values = stored[()]
    return _of_hdf5(file, values.item()) if values.dtype == object else values.T


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
