"""One update: gradients of several batches summed, then applied once; the same on one device, several or many machines.

Keras' own accumulation does not run under MirroredStrategy, so the sums are variables of each replica, filled by
`accumulate` and emptied by `apply`. Each batch adds its mean gradient over the number of batches, so that an update
of 25 batches of 8 clips follows the mean gradient of 200. The optimizer adds the replicas' sums up. What follows it is
done outside the replicas, once for all of them.
"""

import contextlib
import dataclasses
from collections.abc import Iterator

import keras
import tensorflow as tf

from hd2s_tf.models.domain_specific import DomainFusion, GaussianPriors, GaussianSmoothing
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.normalization import DomainBatchNormalization
from hd2s_tf.training.objectives import Objective

_DOMAIN_LAYERS = (DomainBatchNormalization, DomainFusion, GaussianPriors, GaussianSmoothing)


@dataclasses.dataclass(frozen=True)
class Rule:
    """How gradients become an update.

    Attributes:
      updates: updates in the whole run, by which progress is measured.
      accumulation: batches whose gradients an update averages.
      weight_decay: coupled L2 factor: this times the variable is added to its gradient.
      gradient_clip: largest norm of the whole gradient; 0 for no limit.
      average_momentum: share that the running average of the weights keeps at an update; 0 for no average.
      jit_compile: whether XLA compiles loss and gradient; on a single device only.
    """

    updates: int
    accumulation: int = 1
    weight_decay: float = 0.0
    gradient_clip: float = 0.0
    average_momentum: float = 0.0
    jit_compile: bool = False


class Updater:
    """Trains a model by one objective.

    Args:
      model: with its variables created under `strategy`.
      optimizer: created under `strategy`.
      objective: what a step minimises.
      strategy: of tf.distribute.
      rule: how gradients become an update.
    """

    def __init__(
        self,
        model: HD2S,
        optimizer: keras.optimizers.Optimizer,
        objective: Objective,
        strategy: tf.distribute.Strategy,
        rule: Rule,
    ) -> None:
        self.model, self.optimizer, self.objective, self.strategy = model, optimizer, objective, strategy
        self.rule = rule
        self._share = 1.0 / (rule.accumulation * strategy.num_replicas_in_sync)
        self._averaged = averaged_variables(model) if rule.average_momentum else []
        with strategy.scope():
            optimizer.build(model.trainable_variables)
            self._sums = [_replica_local(variable.shape) for variable in model.trainable_variables]
            self._domains_seen = _replica_local((max(1, len(model.domains)),))
        self.averages = [tf.Variable(variable.numpy(), trainable=False) for variable in self._averaged]
        self._domain_variables = _domain_variables(model, optimizer)
        # A function within the replicas' one cannot talk to other replicas, so there is none unless asked for.
        self._gradients = self._gradients_of_batch
        if rule.jit_compile:
            self._gradients = tf.function(self._gradients_of_batch, jit_compile=True)
        self._accumulate = tf.function(self._accumulate_everywhere)
        self._apply = tf.function(self._apply_everywhere)

    def accumulate(self, batch: dict, update: int) -> dict[str, tf.Tensor]:
        """Adds a batch's gradients, a distributed one's from every replica.

        Returns:
          Scalars to log, among them `loss`, averaged over the replicas.
        """
        return self._accumulate(batch, tf.constant(update / self.rule.updates, tf.float32))

    def apply(self) -> tf.Tensor:
        """Applies the sums in one step of the optimizer and starts new ones.

        Returns:
          The norm of the whole gradient before any clipping.
        """
        return self._apply()

    def restart_averages(self) -> None:
        """Starts the averages from the model's present weights."""
        for variable, average in zip(self._averaged, self.averages, strict=True):
            average.assign(variable.numpy())

    @contextlib.contextmanager
    def averaged(self) -> Iterator[None]:
        """A context in which the model has its averaged weights, if there are any."""
        trained = [variable.numpy() for variable in self._averaged]
        for variable, average in zip(self._averaged, self.averages, strict=True):
            variable.assign(average.numpy())
        try:
            yield
        finally:
            for variable, value in zip(self._averaged, trained, strict=True):
                variable.assign(value)

    def _accumulate_everywhere(self, batch: dict, progress: tf.Tensor) -> dict[str, tf.Tensor]:
        logs = self.strategy.run(self._accumulate_replica, (batch, progress))
        return {name: self.strategy.reduce("MEAN", value, axis=None) for name, value in logs.items()}

    def _accumulate_replica(self, batch: dict, progress: tf.Tensor) -> dict[str, tf.Tensor]:
        logs, gradients = self._gradients(batch, progress)
        for total, gradient in zip(self._sums, gradients, strict=True):
            if gradient is not None:
                total.assign_add(gradient)
        domains = self.objective.domains(batch)
        self._domains_seen.assign_add(tf.reduce_sum(tf.one_hot(domains, self._domains_seen.shape[0]), 0))
        return logs

    def _gradients_of_batch(
        self, batch: dict, progress: tf.Tensor
    ) -> tuple[dict[str, tf.Tensor], list[tf.Tensor | None]]:
        """What to log, and this batch's share of each trainable variable's gradient; None where it has none."""
        with tf.GradientTape() as tape:
            loss, logs = self.objective(self.model, batch, progress)
            mean = tf.reduce_mean(loss)
            share = mean * self._share
        variables = [variable.value for variable in self.model.trainable_variables]
        gradients = tape.gradient(share, variables)
        dense = [None if gradient is None else tf.convert_to_tensor(gradient) for gradient in gradients]
        return {"loss": mean, **logs}, dense

    def _apply_everywhere(self) -> tf.Tensor:
        before = [tf.identity(variable.value) for variable in self._domain_variables]
        results = self.strategy.run(self._apply_replica)
        # The same on every replica.
        norm, seen = (self.strategy.experimental_local_results(result)[0] for result in results)
        for variable, old in zip(self._domain_variables, before, strict=True):
            mask = tf.reshape(seen, [-1] + [1] * (len(old.shape) - 1))
            variable.assign(tf.where(mask, variable.value, old))
        self._move_averages()
        return norm

    def _apply_replica(self) -> tuple[tf.Tensor, tf.Tensor]:
        variables = self.model.trainable_variables
        context = tf.distribute.get_replica_context()
        decay = self.rule.weight_decay / self.strategy.num_replicas_in_sync
        gradients = [
            total.read_value() + decay * variable for total, variable in zip(self._sums, variables, strict=True)
        ]
        gradients = context.all_reduce(tf.distribute.ReduceOp.SUM, gradients)
        norm = tf.linalg.global_norm(gradients)
        if self.rule.gradient_clip:
            gradients, _ = tf.clip_by_global_norm(gradients, self.rule.gradient_clip, norm)
        # The optimizer sums over the replicas itself.
        self.optimizer.apply([gradient / self.strategy.num_replicas_in_sync for gradient in gradients], variables)
        seen = context.all_reduce(tf.distribute.ReduceOp.SUM, self._domains_seen.read_value()) > 0
        for total in (*self._sums, self._domains_seen):
            total.assign(tf.zeros_like(total))
        return norm, seen

    def _move_averages(self) -> None:
        """Moves the averages; over the first updates by larger steps, so that the start is soon forgotten."""
        count = tf.cast(self.optimizer.iterations.value, tf.float32)
        momentum = tf.minimum(self.rule.average_momentum, (1.0 + count) / (10.0 + count))
        for average, variable in zip(self.averages, self._averaged, strict=True):
            average.assign(momentum * average + (1.0 - momentum) * variable.value)


def averaged_variables(model: HD2S) -> list[keras.Variable]:
    """What is averaged: weights and running statistics, not the state of random generators."""
    return [variable for variable in model.variables if variable.dtype == "float32"]


def _replica_local(shape: tuple) -> tf.Variable:
    return tf.Variable(
        tf.zeros(shape),
        trainable=False,
        synchronization=tf.VariableSynchronization.ON_READ,
        aggregation=tf.VariableAggregation.SUM,
    )


def _domain_variables(model: HD2S, optimizer: keras.optimizers.Optimizer) -> list[keras.Variable]:
    """The trainable variables that hold a row for every domain, and what the optimizer keeps for each of them.

    A domain that an update has not seen must not be moved by weight decay or by momentum of earlier updates.
    """
    layers = [layer for layer in model._flatten_layers() if isinstance(layer, _DOMAIN_LAYERS) and layer.domains > 1]
    variables = [variable for layer in layers for variable in layer.trainable_variables]
    # Keras names a slot optimizer/variable_slot (`Optimizer.add_variable_from_reference`); the order of
    # `optimizer.variables` it promises nowhere.
    names = tuple(variable.path.replace("/", "_") + "_" for variable in variables)
    slots = [slot for slot in optimizer.variables if slot.path.split("/", 1)[-1].startswith(names)]
    return [*variables, *slots]
