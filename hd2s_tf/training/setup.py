"""Creates what a run trains with from its settings: model, schedule, objective, updater."""

import keras
import ml_collections
import tensorflow as tf

from hd2s_tf.errors import BadInputError
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.training import settings
from hd2s_tf.training.objectives import Adaptation, Objective, Supervised
from hd2s_tf.training.optimizers import Adam
from hd2s_tf.training.updater import Rule, Updater

# Shares of the learning rate from which a warm-up rises and at which the cosine ends.
_WARMUP_START, _COSINE_END = 0.01, 0.01


def create_updater(config: ml_collections.ConfigDict, strategy: tf.distribute.Strategy) -> Updater:
    """Creates the model, its optimizer and what applies the one to the other.

    Args:
      config: checked settings, see `hd2s_tf.training.settings`.
      strategy: of tf.distribute; all variables are created under it.

    Raises:
      BadInputError: arguments that the model does not take.
    """
    with strategy.scope():
        model = create_model(config)
        optimizer = Adam(create_schedule(config), epsilon=config.optimizer.epsilon)
    rule = Rule(
        accumulation=config.optimizer.accumulation,
        updates=config.optimizer.updates,
        weight_decay=config.optimizer.weight_decay,
        gradient_clip=config.optimizer.gradient_clip,
        average_momentum=config.optimizer.average_momentum,
        jit_compile=config.run.jit_compile,
    )
    return Updater(model, optimizer, create_objective(config), strategy, rule)


def create_model(config: ml_collections.ConfigDict) -> HD2S:
    """Creates the preset's model with the configuration's overrides, in its precision, with random weights.

    Raises:
      BadInputError: arguments that `HD2S` does not take.
    """
    try:
        arguments = {"seed": config.seed, "dtype": config.run.precision, **settings.overrides(config)}
        return HD2S.from_preset(config.model.preset, weights=None, **arguments)
    except ValueError as error:
        raise BadInputError(f"model: {error}") from error


def create_schedule(
    config: ml_collections.ConfigDict,
) -> float | keras.optimizers.schedules.LearningRateSchedule:
    """Creates the learning rate: constant or falling with a cosine, after a warm-up if there is one."""
    values = config.optimizer
    cosine = values.schedule == settings.COSINE
    if not cosine and not values.warmup:
        return values.learning_rate
    return keras.optimizers.schedules.CosineDecay(
        initial_learning_rate=values.learning_rate * (_WARMUP_START if values.warmup else 1.0),
        decay_steps=max(1, values.updates - values.warmup),
        alpha=_COSINE_END if cosine else 1.0,
        warmup_target=values.learning_rate if values.warmup else None,
        warmup_steps=values.warmup,
    )


def create_objective(config: ml_collections.ConfigDict) -> Objective:
    """Creates what a step minimises: adaptation where there is a target, else supervised learning."""
    terms = {name: weight for name, weight in config.loss.terms.items() if weight}
    supervised = Supervised(config.loss.multi_level, terms)
    return Adaptation(supervised, config.loss.domain_weight) if config.data.target else supervised
