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
        model = HD2S(NARROW, **arguments)
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
    whole = HD2S(NARROW, domains=("a", "b"))
    without = HD2S(NARROW, domains=("a", "b"), domain_modules=[kept for kept in DOMAIN_MODULES if kept != module])
    inputs = {"clip": _clip(1, 16, 32, 32), "domain": tf.constant([1])}
    assert without(inputs)["saliency_map"].shape == whole(inputs)["saliency_map"].shape
    assert _parameters(without) < _parameters(whole)


@pytest.mark.parametrize("levels", [(4,), (1,), (3, 4), (2, 3, 4), (1, 2, 3, 4)])
def test_any_subset_of_the_conspicuity_networks(levels):
    model = HD2S(NARROW, levels=levels)
    assert model({"clip": _clip(1, 16, 32, 32)})["conspicuity_maps"].shape == (1, len(levels), 32, 32)


def test_fusion_weighs_the_maps_from_deep_to_shallow():
    model = HD2S(NARROW)
    inputs = {"clip": _clip(1, 16, 32, 32)}
    model(inputs)
    model.fusion.kernel.assign([[1.0, 2.0, 3.0, 4.0]])
    model.fusion.bias.assign([0.5])
    outputs = model(inputs)
    logits = np.tensordot(np.array([4.0, 3.0, 2.0, 1.0]), outputs["conspicuity_maps"][0], 1) + 0.5
    np.testing.assert_allclose(outputs["saliency_map"][0], 1 / (1 + np.exp(-logits)), rtol=1e-5)


@pytest.mark.parametrize(
    ("preset", "millions"), [("hd2s", 29.8), ("hd2s_da", 31.5), ("hd2s_dsl", 30.1), ("hd2s_tiny", 1.9)]
)
def test_presets_have_the_papers_size(preset, millions):
    model = HD2S.from_preset(preset, weights=None)
    assert _parameters(model) / 1e6 == pytest.approx(millions, abs=0.1)


def test_config_round_trip():
    model = HD2S(NARROW, levels=(1, 4), domains=("a", "b"), domain_modules=("priors",), momentum=0.9, dropout=0.1)
    revived = HD2S.from_config(model.get_config())
    assert revived.get_config() == model.get_config()


def test_unknown_preset_lists_the_presets():
    with pytest.raises(BadInputError, match=", ".join(PRESETS)):
        HD2S.from_preset("hd3s")


def test_presets_domains_can_be_replaced():
    model = HD2S.from_preset("hd2s_dsl", weights=None, domains=("x", "y"), width_multiplier=NARROW)
    assert model.domains == ("x", "y")
    assert model.smoothing.sigma.shape == (2,)
