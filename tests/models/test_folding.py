import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.models import folding
from hd2s_tf.models.hd2s import HD2S

RNG = np.random.default_rng(11)


@pytest.fixture(scope="module", params=[{}, {"domains": ("a", "b")}], ids=["plain", "domains"])
def trained(request):
    """A narrow model with normalisation statistics other than the initial ones."""
    model = HD2S(0.125, **request.param)
    model.create_variables()
    for variable in model.variables:
        if variable.path.endswith(("moving_variance", "gamma")):
            variable.assign(RNG.uniform(0.5, 1.5, variable.shape))
        elif variable.path.endswith(("moving_mean", "beta")):
            variable.assign(RNG.normal(0, 0.2, variable.shape))
    return model


@pytest.fixture(scope="module")
def inputs():
    clip = RNG.uniform(-1, 1, (2, 16, 128, 192, 3)).astype(np.float32)
    return {"clip": tf.constant(clip), "domain": tf.constant([0, 1])}


def test_folded_models_answer_the_same(trained, inputs):
    outputs, fast = trained(inputs), folding.for_inference(trained)
    if not trained.domains:
        assert not any("moving_mean" in variable.path for variable in fast.variables)
    for name, values in fast(inputs).items():
        np.testing.assert_allclose(values, outputs[name], atol=1e-5)


def test_bfloat16_comes_close_and_answers_in_float32(trained, inputs):
    outputs, fast = trained(inputs), folding.for_inference(trained, "bfloat16")(inputs)
    assert fast["saliency_map"].dtype == tf.float32
    difference = np.abs(fast["saliency_map"] - outputs["saliency_map"])
    assert 0 < difference.max() < 0.05


def test_an_unknown_precision_is_refused(trained):
    with pytest.raises(ValueError, match="float32, bfloat16 or auto"):
        folding.for_inference(trained, "int8")


def test_weights_of_small_models_are_constants(trained, inputs, monkeypatch):
    fast = folding.for_inference(trained)

    def maps(clip, domain):
        return fast({"clip": clip, "domain": domain})["saliency_map"]

    constants = tf.function(folding.with_constant_weights(fast, maps))
    graph = constants.get_concrete_function(*inputs.values()).graph
    assert not any(operation.type == "ReadVariableOp" for operation in graph.get_operations())
    np.testing.assert_allclose(constants(*inputs.values()), maps(*inputs.values()), atol=1e-6)
    # The constants keep the variables' values of that time.
    before = constants(*inputs.values()).numpy()
    fast.variables[0].assign(fast.variables[0] + 1.0)
    np.testing.assert_array_equal(constants(*inputs.values()), before)

    monkeypatch.setattr(folding, "_LARGEST_CONSTANTS", 1000)
    assert folding.with_constant_weights(fast, maps) is maps
