"""Checkpoints in I3D's format with seeded weights, for tests."""

import pathlib
import pickle

import numpy as np

from hd2s_tf.models import i3d_weights
from tests.models.make_i3d_golden import seeded


def variables() -> dict:
    """The nested dictionaries of the published file, with the values of the golden answers."""
    nested: dict = {}
    for name, side, channels, filters in i3d_weights.unit_shapes():
        theirs = i3d_weights.published_name(name)
        for path, shape in {
            f"params/{theirs}/Conv_0/kernel": (side, side, side, channels, filters),
            f"params/{theirs}/BatchNorm_0/bias": (filters,),
            f"batch_stats/{theirs}/BatchNorm_0/mean": (filters,),
            f"batch_stats/{theirs}/BatchNorm_0/var": (filters,),
        }.items():
            _put(nested, path, seeded(path, shape))
    for path, shape in {"kernel": (1, 1, 1, 1024, 400), "bias": (400,)}.items():
        _put(nested, f"params/Logits/Conv3d_0c_1x1/Conv_0/{path}", seeded(f"logits/{path}", shape))
    return nested


def write(path: pathlib.Path, values: object) -> str:
    """Pickles values into a file and returns its path."""
    path.write_bytes(pickle.dumps(values))
    return str(path)


def _put(nested: dict, path: str, value: np.ndarray) -> None:
    *folders, name = path.split("/")
    for folder in folders:
        nested = nested.setdefault(folder, {})
    nested[name] = value
