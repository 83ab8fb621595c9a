"""What settings make: model, learning rate, objective, updater."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.errors import BadInputError
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.training import settings, setup
from hd2s_tf.training.objectives import Adaptation, Supervised
from hd2s_tf.training.optimizers import Adam
from hd2s_tf.training.updater import Rule


@pytest.fixture
def paper():
    config = settings.paper()
    config.model.overrides.levels = (1,)
    return config


def test_a_presets_own_arguments_are_trained(paper):
    """Whatever configuration the preset is set in: its widths, and the filter that its maps need."""
    paper.model.preset = "hd2s_tiny"
    model = setup.create_model(paper)
    expected = HD2S.from_preset("hd2s_tiny", weights=None, levels=(1,))
    assert (model.width_multiplier, model.smoothing_sigma) == (0.25, 0.0)
    assert [variable.shape for variable in model.variables] == [variable.shape for variable in expected.variables]


def test_overrides_replace_the_presets_arguments(paper):
    paper.model.overrides.update({"width_multiplier": 0.125, "momentum": 0.9, "domains": ("x", "y")})
    model = setup.create_model(paper)
    assert (model.width_multiplier, model.momentum, model.domains) == (0.125, 0.9, ("x", "y"))


def test_dropout_draws_by_the_runs_seed(paper):
    paper.model.overrides.update({"width_multiplier": 0.0625, "dropout": 0.5})
    masks = []
    for seed in (1, 1, 2):
        paper.seed = seed
        masks.append(setup.create_model(paper).feature_dropout(tf.ones((1, 1, 1, 64)), training=True).numpy())
    np.testing.assert_array_equal(masks[0], masks[1])
    assert (masks[0] != masks[2]).any()


def test_arguments_that_the_model_refuses_are_bad_input(paper):
    paper.model.overrides.clip_frames = 12
    with pytest.raises(BadInputError, match="model: clip_frames is 12"):
        setup.create_model(paper)


def test_the_precision_is_the_models_alone(paper):
    paper.model.overrides.width_multiplier = 0.0625
    paper.run.precision = "mixed_bfloat16"
    model = setup.create_model(paper)
    assert model.dtype_policy.name == "mixed_bfloat16"
    assert {variable.dtype for variable in model.trainable_variables} == {"float32"}
    assert keras.config.dtype_policy().name == "float32"


@pytest.mark.parametrize(
    "schedule, warmup, expected",
    [
        ("constant", 0, {0: 1.0, 50: 1.0}),
        ("constant", 10, {0: 0.01, 5: 0.505, 10: 1.0, 50: 1.0}),
        ("cosine", 0, {0: 1.0, 50: 0.505, 100: 0.01}),
        ("cosine", 10, {0: 0.01, 10: 1.0, 55: 0.505, 100: 0.01}),
    ],
)
def test_learning_rate(paper, schedule, warmup, expected):
    paper.optimizer.update({"learning_rate": 2.0, "schedule": schedule, "warmup": warmup, "updates": 100})
    rate = setup.create_schedule(paper)
    for update, factor in expected.items():
        value = rate if isinstance(rate, float) else float(rate(update))
        assert value == pytest.approx(2.0 * factor, rel=1e-5)


def test_the_objective_follows_target_and_loss_terms(paper):
    assert setup.create_objective(paper) == Supervised(multi_level=True, terms={})
    paper.loss.multi_level = False
    paper.loss.terms.cc = 0.5
    assert setup.create_objective(paper) == Supervised(multi_level=False, terms={"cc": 0.5})
    paper.data.target = ("prepared/LEDOV:train",)
    paper.loss.domain_weight = 0.3
    assert setup.create_objective(paper) == Adaptation(Supervised(False, {"cc": 0.5}), domain_weight=0.3)


def test_the_updaters_rule_is_the_configurations(paper):
    paper.model.overrides.width_multiplier = 0.0625
    updater = setup.create_updater(paper, tf.distribute.get_strategy())
    assert updater.rule == Rule(updates=2500, accumulation=25, weight_decay=2e-7)
    assert isinstance(updater.optimizer, Adam)
    assert (updater.optimizer.epsilon, updater.optimizer.weight_decay) == (1e-8, None)
    assert float(updater.optimizer.learning_rate) == pytest.approx(1e-3)
