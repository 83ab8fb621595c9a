import json

import h5py
import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.errors import BadInputError
from hd2s_tf.models import weight_files
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import DOMAIN_MODULES


def _model(**arguments):
    model = HD2S(0.125, **arguments)
    model.create_variables()
    return model


@pytest.fixture(scope="module")
def saved(tmp_path_factory):
    model = _model()
    path = tmp_path_factory.mktemp("weights") / "narrow.weights.h5"
    weight_files.save(model, path)
    return model, path


@pytest.fixture(scope="module")
def other():
    """Another model of the same shape, which tests may change."""
    return _model()


def test_round_trip(saved, other):
    model, path = saved
    other.variables[0].assign(tf.zeros_like(other.variables[0]))
    weight_files.load(other, path)
    for first, second in zip(model.variables, other.variables, strict=True):
        np.testing.assert_array_equal(first, second)


def test_a_file_says_what_it_fits(saved):
    assert weight_files.settings(saved[1])["width_multiplier"] == 0.125
    assert weight_files.settings(saved[1])["levels"] == [1, 2, 3, 4]


def test_a_file_of_an_earlier_version_states_every_domain_specific_module_by_itself(tmp_path):
    arguments = {"domains": ("a", "b"), "levels": (1, 2)}
    model = _model(**arguments, domain_modules=("priors", "fusion"))
    path = tmp_path / "earlier.weights.h5"
    weight_files.save(model, path)
    with h5py.File(path, "a") as file:
        stored = json.loads(file.attrs["hd2s_settings"])
        del stored["domain_modules"]
        stored |= {f"domain_{name}": name in ("priors", "fusion") for name in DOMAIN_MODULES}
        file.attrs["hd2s_settings"] = json.dumps(stored)
    assert weight_files.settings(path)["domain_modules"] == ["priors", "fusion"]
    weight_files.load(model, path)
    with pytest.raises(BadInputError, match="domain_modules"):
        weight_files.load(_model(**arguments), path)


@pytest.mark.parametrize("arguments", [{"levels": (3, 4)}, {"clip_frames": 8}])
def test_weights_of_another_model_are_refused(saved, arguments):
    with pytest.raises(BadInputError, match="weights of another model"):
        weight_files.load(_model(**arguments), saved[1])


def test_a_fusion_of_one_map_is_refused(tmp_path):
    model = _model(levels=(1,))
    path = tmp_path / "level1.weights.h5"
    weight_files.save(model, path)
    weight_files.load(model, path)
    with h5py.File(path, "a") as file:
        file["fusion/vars/0"] = np.ones((1, 1))
    with pytest.raises(BadInputError, match="level1.weights.h5: an earlier version's model of one level"):
        weight_files.load(model, path)


def test_weights_that_are_not_finite_are_refused(other, tmp_path):
    other.fusion.kernel.assign([[1.0, np.nan, 1.0, 1.0]])
    path = tmp_path / "nan.weights.h5"
    weight_files.save(other, path)
    with pytest.raises(BadInputError, match="not finite in 1 variables, the first is .*fusion/kernel"):
        weight_files.load(other, path)


def test_files_that_are_no_weights_are_refused(other, tmp_path):
    for name, content in (("empty.weights.h5", b""), ("text.weights.h5", b"hello" * 100)):
        (tmp_path / name).write_bytes(content)
        with pytest.raises(BadInputError, match=name):
            weight_files.load(other, tmp_path / name)
    with pytest.raises(BadInputError, match="no such weight file"):
        weight_files.load(other, tmp_path / "missing.weights.h5")
    with h5py.File(tmp_path / "other.weights.h5", "w") as file:
        file["x"] = np.zeros(3)
    with pytest.raises(BadInputError, match="other.weights.h5"):
        weight_files.load(other, tmp_path / "other.weights.h5")


def test_truncated_weights_are_refused(saved, other, tmp_path):
    data = saved[1].read_bytes()
    path = tmp_path / "half.weights.h5"
    path.write_bytes(data[: len(data) // 2])
    with pytest.raises(BadInputError, match="half.weights.h5"):
        weight_files.load(other, path)


def test_the_name_must_say_what_the_file_is(saved, tmp_path):
    with pytest.raises(BadInputError, match="ends in .weights.h5"):
        weight_files.save(saved[0], tmp_path / "model.h5")


def test_an_encoder_round_trip_even_into_a_shallower_one(saved, tmp_path):
    model = saved[0]
    path = tmp_path / "encoder.weights.h5"
    weight_files.save_encoder(model, path)
    shallow = _model(levels=(1, 2))
    weight_files.load_encoder(shallow, path)
    ours = {v.path.split("encoder/")[1]: v for v in model.encoder.variables}
    for variable in shallow.encoder.variables:
        np.testing.assert_array_equal(variable, ours[variable.path.split("encoder/")[1]])
    with pytest.raises(BadInputError, match="encoder alone"):
        weight_files.load(model, path)


def test_a_whole_models_file_is_no_encoder(saved):
    with pytest.raises(BadInputError, match="not the weights of an encoder"):
        weight_files.load_encoder(saved[0], saved[1])


def test_presets_without_bundled_weights_say_so():
    with pytest.raises(BadInputError, match="no bundled weights for hd2s"):
        weight_files.bundled("hd2s")
