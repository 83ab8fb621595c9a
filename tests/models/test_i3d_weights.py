import os
import pathlib

import numpy as np
import pytest

from hd2s_tf.errors import BadInputError
from hd2s_tf.models import i3d_weights
from tests.models import i3d_checkpoints


@pytest.fixture(scope="module")
def variables() -> dict:
    return i3d_checkpoints.variables()


def test_every_unit_is_read_under_the_name_of_its_place_in_s3d(tmp_path, variables):
    checkpoint = i3d_weights.load_checkpoint(i3d_checkpoints.write(tmp_path / "i3d.ckpt", variables))
    assert len(checkpoint.units) == 57
    unit = checkpoint.units["mixed_3b/branch1"]
    assert unit.kernel.shape == (3, 3, 3, 96, 128)
    published = variables["params"]["Mixed_3b"]["Branch_1"]["Conv3d_0b_3x3"]
    np.testing.assert_array_equal(unit.kernel, published["Conv_0"]["kernel"])
    np.testing.assert_array_equal(unit.beta, published["BatchNorm_0"]["bias"])
    assert checkpoint.logits[0].shape == (1024, 400)


def test_keys_may_hold_slashes_and_statistics_leading_axes_of_one_as_in_the_published_file(tmp_path, variables):
    changed = {"params": {**variables["params"]}, "batch_stats": {**variables["batch_stats"]}}
    logits = changed["params"].pop("Logits")
    changed["params"]["Logits/Conv3d_0c_1x1"] = logits["Conv3d_0c_1x1"]
    mean, var = (changed["batch_stats"]["Conv3d_1a_7x7"]["BatchNorm_0"][name] for name in ("mean", "var"))
    changed["batch_stats"]["Conv3d_1a_7x7"] = {"BatchNorm_0": {"mean": mean.reshape(1, 1, 1, 1, -1), "var": var}}
    checkpoint = i3d_weights.load_checkpoint(i3d_checkpoints.write(tmp_path / "i3d.ckpt", changed))
    np.testing.assert_array_equal(checkpoint.units["conv_1a"].mean, mean)


class _Hostile:
    """What a pickle can do: it calls a function when it is read."""

    def __init__(self, path: pathlib.Path) -> None:
        self._path = path

    def __reduce__(self) -> tuple:
        return os.mkdir, (str(self._path),)


def test_a_hostile_file_is_refused_and_runs_nothing(tmp_path):
    path = i3d_checkpoints.write(tmp_path / "i3d.ckpt", {"params": _Hostile(tmp_path / "made")})
    with pytest.raises(BadInputError, match=r"i3d.ckpt: refused: it names posix.mkdir") as error:
        i3d_weights.load_checkpoint(path)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "not a pickle"),
        (b"PK\x03\x04 something else", "not a pickle"),
        (b"\x80\x04cnumpy\nndarray\n.", "not nested dictionaries"),
        (b"\x80\x04}.", "Conv3d_1a_7x7/Conv_0/kernel is missing"),
    ],
    ids=["empty", "not a pickle", "a class", "nothing in it"],
)
def test_a_file_that_is_not_i3d_is_refused_in_one_line(tmp_path, content, message):
    path = tmp_path / "i3d.ckpt"
    path.write_bytes(content)
    with pytest.raises(BadInputError, match=message) as error:
        i3d_weights.load_checkpoint(path)
    assert "\n" not in str(error.value)


def test_a_missing_file_is_named(tmp_path):
    with pytest.raises(BadInputError, match="nowhere.ckpt: cannot be read: No such file"):
        i3d_weights.load_checkpoint(tmp_path / "nowhere.ckpt")


@pytest.mark.parametrize(
    "value", [np.zeros((7, 7, 7, 3, 32), "f4"), np.full((7, 7, 7, 3, 64), np.nan, "f4"), np.array("x")]
)
def test_a_value_of_another_shape_or_kind_or_that_is_not_finite_is_named(tmp_path, variables, value):
    changed = {**variables, "params": {**variables["params"], "Conv3d_1a_7x7": {"Conv_0": {"kernel": value}}}}
    with pytest.raises(BadInputError, match=r"params/Conv3d_1a_7x7/Conv_0/kernel should be \(7, 7, 7, 3, 64\)"):
        i3d_weights.load_checkpoint(i3d_checkpoints.write(tmp_path / "i3d.ckpt", changed))
