import copy
import os
import pickle
import subprocess
import sys

import keras
import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.errors import BadInputError
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import DOMAIN_MODULES, PRESETS

NARROW = 0.125


def _clip(batch=2, frames=16, height=32, width=64, seed=0):
    return tf.random.stateless_uniform((batch, frames, height, width, 3), seed=(seed, 1), minval=-1.0)


def _parameters(model):
    return sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)


@pytest.fixture(scope="module")
def specific():
    model = HD2S(NARROW, domains=("a", "b", "c"))
    inputs = {"clip": _clip(), "domain": tf.constant([0, 2])}
    model(inputs)
    generator = np.random.default_rng(0)
    for variable in model.variables:
        if len(variable.shape) and variable.shape[0] == 3 and variable.dtype == "float32":
            variable.assign(np.abs(variable.numpy() + generator.normal(0, 0.2, variable.shape)))
    return model


@pytest.mark.parametrize(("height", "width"), [(32, 32), (64, 32), (32, 96)])
def test_any_size_divisible_by_32_works(height, width):
    outputs = HD2S(NARROW)({"clip": _clip(1, 16, height, width)})
    assert outputs["saliency_map"].shape == (1, height, width)
    assert outputs["conspicuity_maps"].shape == (1, 4, height, width)
    assert set(outputs) == {"saliency_map", "conspicuity_maps"}


@pytest.mark.parametrize("frames", [8, 16, 32])
def test_other_powers_of_two_frames_work(frames):
    outputs = HD2S(NARROW, clip_frames=frames)({"clip": _clip(1, frames, 32, 32)})
    assert outputs["saliency_map"].shape == (1, 32, 32)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"clip_frames": 12}, "8, 16, 32 or a higher power of two"),
        ({"clip_frames": 4}, "8, 16, 32"),
        ({"levels": (2, 1)}, "in rising order"),
        ({"levels": ()}, "must be some of"),
        ({"levels": (5,)}, "must be some of"),
        ({"domains": ("a", "a")}, "names must differ"),
        ({"domain_modules": ("fusion", "priors")}, "in order"),
        ({"domain_modules": ("prior",)}, "must be some of .'priors', 'normalization'"),
        ({"domains": ("a",), "adaptation": True}, "either the adaptation branch or domains"),
    ],
)
def test_arguments_that_do_not_fit_say_what_would(arguments, message):
    with pytest.raises(ValueError, match=message):
        HD2S(NARROW, **arguments)


@pytest.mark.parametrize(
    ("shape", "message"),
    [
        ((1, 16, 33, 64, 3), "33x64: height and width must be multiples of 32"),
        ((1, 8, 32, 64, 3), r"takes \[B,16,H,W,3\]"),
        ((1, 16, 32, 64, 1), r"takes \[B,16,H,W,3\]"),
        ((16, 32, 64, 3), r"takes \[B,16,H,W,3\]"),
    ],
)
def test_clips_that_do_not_fit_say_what_would(shape, message):
    with pytest.raises(ValueError, match=message):
        HD2S(NARROW)({"clip": tf.zeros(shape)})


def test_adaptation_takes_one_size_only():
    with pytest.raises(ValueError, match="take 128x192 only"):
        HD2S(NARROW, adaptation=True)({"clip": tf.zeros((1, 16, 64, 64, 3))})


def test_what_is_returned_does_not_depend_on_training():
    for arguments, inputs in (
        ({}, {"clip": _clip()}),
        ({"adaptation": True}, {"clip": _clip(2, 16, 128, 192), "reversal": tf.constant(0.5)}),
        ({"domains": ("a", "b")}, {"clip": _clip(), "domain": tf.constant([1, 1])}),
    ):
        model = HD2S(NARROW, levels=(1, 2), **arguments)
        shapes = [
            {name: value.shape for name, value in model(inputs, training=training).items()}
            for training in (False, True)
        ]
        assert shapes[0] == shapes[1]
        assert ("domain_log_probs" in shapes[0]) == ("adaptation" in arguments)


def test_a_domain_specific_model_asks_for_the_domain(specific):
    with pytest.raises(ValueError, match="needs 'domain'"):
        specific({"clip": _clip()})


def test_mixed_domains_equal_separate_ones(specific):
    clip = _clip(3)
    mixed = specific({"clip": clip, "domain": tf.constant([2, 0, 1])})["saliency_map"]
    for index, domain in enumerate((2, 0, 1)):
        alone = specific({"clip": clip[index : index + 1], "domain": tf.constant([domain])})["saliency_map"]
        np.testing.assert_allclose(mixed[index], alone[0], atol=1e-5)
    same = specific({"clip": clip, "domain": tf.constant([0, 0, 0])})["saliency_map"]
    assert np.abs(mixed - same)[[0, 2]].max() > 1e-3


@pytest.mark.parametrize("module", DOMAIN_MODULES)
def test_every_domain_specific_module_can_be_left_out(module):
    whole = HD2S(NARROW, levels=(1, 2), domains=("a", "b"))
    without = HD2S(
        NARROW, levels=(1, 2), domains=("a", "b"), domain_modules=[kept for kept in DOMAIN_MODULES if kept != module]
    )
    inputs = {"clip": _clip(1, 16, 32, 32), "domain": tf.constant([1])}
    assert without(inputs)["saliency_map"].shape == whole(inputs)["saliency_map"].shape
    assert _parameters(without) < _parameters(whole)


@pytest.mark.parametrize("levels", [(4,), (1,), (3, 4), (2, 3, 4), (1, 2, 3, 4)])
def test_any_subset_of_the_conspicuity_networks(levels):
    model = HD2S(NARROW, levels=levels)
    assert model({"clip": _clip(1, 16, 32, 32)})["conspicuity_maps"].shape == (1, len(levels), 32, 32)


@pytest.mark.parametrize("arguments", [{}, {"domains": ("a", "b"), "domain_modules": ("normalization", "fusion")}])
def test_one_level_alone_is_a_plain_encoder_and_decoder(arguments):
    model = HD2S(NARROW, levels=(1,), **arguments)
    outputs = model({"clip": _clip(1, 16, 32, 32), "domain": tf.constant([1])})
    np.testing.assert_array_equal(outputs["saliency_map"], outputs["conspicuity_maps"][:, 0])
    assert not any("fusion" in variable.path for variable in model.variables)


def test_fusion_weighs_the_maps_from_deep_to_shallow():
    model = HD2S(NARROW)
    inputs = {"clip": _clip(1, 16, 32, 32)}
    model(inputs)
    model.fusion.kernel.assign([[1.0, 2.0, 3.0, 4.0]])
    model.fusion.bias.assign([0.5])
    outputs = model(inputs)
    logits = np.tensordot(np.array([4.0, 3.0, 2.0, 1.0]), outputs["conspicuity_maps"][0], 1) + 0.5
    np.testing.assert_allclose(outputs["saliency_map"][0], 1 / (1 + np.exp(-logits)), rtol=1e-5)


def test_config_round_trip():
    arguments = {"levels": (1,), "domains": ("a", "b"), "domain_modules": ("priors",), "momentum": 0.9, "seed": 3}
    model = HD2S(NARROW, dropout=0.1, **arguments)
    revived = HD2S.from_config(model.get_config())
    assert revived.get_config() == model.get_config()


def _saved_and_loaded(model, folder):
    model.save(folder / "model.keras")
    return keras.models.load_model(folder / "model.keras")


def _cloned(model, _):
    clone = keras.models.clone_model(model)
    clone.set_weights(model.get_weights())
    return clone


COPIES = {
    "save": _saved_and_loaded,
    "clone": _cloned,
    "deepcopy": lambda model, _: copy.deepcopy(model),
    "pickle": lambda model, _: pickle.loads(pickle.dumps(model)),
}


@pytest.fixture(scope="module", params=PRESETS)
def preset_with_weights(request):
    """A narrow model of each preset, computing in mixed precision, its inputs and its maps."""
    keras.utils.set_random_seed(1)
    model = HD2S.from_preset(
        request.param, weights=None, width_multiplier=0.0625, levels=(1, 2), dtype="mixed_bfloat16"
    )
    generator = np.random.default_rng(0)
    for variable in model.variables:
        if variable.path.endswith(("moving_variance", "gamma")):
            variable.assign(generator.uniform(0.8, 1.6, variable.shape))
        elif variable.path.endswith(("moving_mean", "beta")):
            variable.assign(generator.normal(0, 0.3, variable.shape))
    inputs = {"clip": _clip(1, 16, 128, 192)}
    if model.domains:
        inputs["domain"] = tf.constant([1])
    outputs = model(inputs)
    assert np.ptp(outputs["saliency_map"]) > 0.01
    return model, inputs, outputs


@pytest.mark.parametrize("way", COPIES)
def test_keras_copies_answer_the_same_in_the_same_precision(preset_with_weights, way, tmp_path):
    model, inputs, outputs = preset_with_weights
    revived = COPIES[way](model, tmp_path)
    assert revived.dtype_policy == model.dtype_policy
    assert revived.encoder.blocks["conv_1a"].spatial.convolution.compute_dtype == "bfloat16"
    for name, values in revived(inputs).items():
        np.testing.assert_array_equal(values, outputs[name])


def test_keras_exports_answer_the_same(preset_with_weights, tmp_path):
    model, inputs, outputs = preset_with_weights
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "exported")
    exported = loaded.serve(inputs)
    assert set(exported) == set(outputs)
    for name, values in exported.items():
        np.testing.assert_allclose(values, outputs[name], atol=0.1 * np.ptp(outputs[name]))


def test_a_keras_export_in_float32_answers_to_rounding(tmp_path):
    # In bfloat16, above, a graph rounds elsewhere than single operations do.
    keras.utils.set_random_seed(1)
    model = HD2S.from_preset("hd2s_tiny", weights=None, width_multiplier=0.0625, levels=(1, 2))
    inputs = {"clip": _clip(1, 16, 128, 192)}
    outputs = model(inputs)
    model.export(tmp_path / "exported", verbose=False)
    loaded = tf.saved_model.load(tmp_path / "exported")
    for name, values in loaded.serve(inputs).items():
        np.testing.assert_allclose(values, outputs[name], atol=1e-5)


def test_an_encoder_alone_is_revived_with_its_weights():
    encoder = HD2S(0.0625, levels=(1,)).encoder
    expected = encoder(_clip(1, 8, 32, 32))["endpoint2"]
    np.testing.assert_array_equal(copy.deepcopy(encoder)(_clip(1, 8, 32, 32))["endpoint2"], expected)


def test_keras_set_to_channels_first_changes_nothing():
    inputs = {"clip": _clip(1, 16, 32, 32)}
    keras.utils.set_random_seed(0)
    expected = HD2S(NARROW, levels=(1,))(inputs)["saliency_map"]
    keras.config.set_image_data_format("channels_first")
    try:
        keras.utils.set_random_seed(0)
        found = HD2S(NARROW, levels=(1,))(inputs)["saliency_map"]
    finally:
        keras.config.set_image_data_format("channels_last")
    np.testing.assert_array_equal(found, expected)


@pytest.mark.parametrize("dtype", ["float16", "float64"])
def test_numbers_that_the_network_cannot_compute_in_are_refused(dtype):
    with pytest.raises(BadInputError, match=f"set to {dtype} .* float32 or bfloat16"):
        HD2S.from_preset("hd2s_tiny", dtype=dtype)


def test_keras_on_another_framework_is_refused():
    pytest.importorskip("torch")
    program = "from hd2s_tf import HD2S; HD2S()"
    ended = subprocess.run(
        [sys.executable, "-c", program], env={**os.environ, "KERAS_BACKEND": "torch"}, capture_output=True, text=True
    )
    assert "BadInputError: Keras runs on torch: HD2S needs KERAS_BACKEND=tensorflow" in ended.stderr


def test_unknown_preset_lists_the_presets():
    with pytest.raises(BadInputError, match=", ".join(PRESETS)):
        HD2S.from_preset("hd3s")


def test_presets_domains_can_be_replaced():
    model = HD2S.from_preset("hd2s_dsl", weights=None, domains=("x", "y"), width_multiplier=NARROW)
    assert model.domains == ("x", "y")
    assert model.smoothing.sigma.shape == (2,)
