"""What a training step minimises on a batch: supervised learning, or adaptation from source to target.

An objective is called with the model, a batch and the progress of training, and returns the loss of each example and
values to log. It is one replica's view; the loop owns distribution, accumulation and the optimizer.
"""

import dataclasses
from collections.abc import Callable, Mapping
from typing import Protocol

import tensorflow as tf

from hd2s_tf.models.domain_adaptation import reversal_schedule
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.training import losses

SOURCE, TARGET = 0, 1


class Objective(Protocol):
    """What a step minimises."""

    def __call__(self, model: HD2S, batch: dict, progress: tf.Tensor) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss float32 [B] and what to log, float32 scalars, of a batch at a progress from 0 to 1."""

    def domains(self, batch: dict) -> tf.Tensor:
        """The domains, int32 [B], whose modules the batch trains."""


@dataclasses.dataclass(frozen=True)
class Supervised:
    """Learning from clips with ground truth: single source, multi-source and domain-specific.

    Attributes:
      multi_level: whether the conspicuity maps are supervised too.
      terms: weights of `losses.TERMS` beside the divergence, by name; none in the paper.
    """

    multi_level: bool = True
    terms: Mapping[str, float] = dataclasses.field(default_factory=dict)

    def __call__(
        self, model: HD2S, batch: dict[str, tf.Tensor], progress: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss float32 [B] and what to log, float32 scalars, of a batch as `hd2s_tf.data.clips` makes it."""
        del progress
        outputs = model({"clip": batch["clip"], "domain": batch["domain"]}, training=True)
        return self.of_outputs(outputs, batch)

    def of_outputs(
        self, outputs: dict[str, tf.Tensor], batch: dict[str, tf.Tensor]
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The same from a model's answer."""
        saliency_map, ground_truth = outputs["saliency_map"], batch["saliency_map"]
        loss = losses.saliency_loss(outputs, ground_truth, self.multi_level)
        logs = {"saliency_loss": tf.reduce_mean(loss), **saliency_scores(saliency_map, batch)}
        for name, weight in self.terms.items():
            loss += weight * losses.TERMS[name](saliency_map, ground_truth, batch["fixation_map"])
        return loss, logs

    def domains(self, batch: dict[str, tf.Tensor]) -> tf.Tensor:
        """The domain of each clip."""
        return batch["domain"]


@dataclasses.dataclass(frozen=True)
class Adaptation:
    """Saliency on source clips while features of source and target are made alike (section 3.5, equations 2-5).

    A choice of this project: target clips pass encoder, temporal reduction and classifiers only, so that the decoders
    keep the running statistics of source clips. In the published training target clips move them too.

    Attributes:
      supervised: the loss on source clips.
      domain_weight: of the domain loss.
      reversal: lambda as a function of the progress.
    """

    supervised: Supervised = Supervised()
    domain_weight: float = 1.0
    reversal: Callable[[tf.Tensor], tf.Tensor] = reversal_schedule

    def __call__(
        self, model: HD2S, batch: dict[str, dict[str, tf.Tensor]], progress: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss float32 [B] and what to log of a source batch, then a target batch of the same size.

        The target batch neither trains the decoders nor moves their running statistics.
        """
        reversal = self.reversal(progress)
        source, target = batch["source"], batch["target"]

        features = model.level_features(source["clip"], training=True)
        outputs = model.decode(features, source["domain"], training=True)
        loss, logs = self.supervised.of_outputs(outputs, source)
        source_log_probs = model.classify(features, reversal, training=True)

        target_features = model.level_features(target["clip"], training=True)
        target_log_probs = model.classify(target_features, reversal, training=True)
        domain_loss = losses.domain_loss(source_log_probs, SOURCE) + losses.domain_loss(target_log_probs, TARGET)
        logs |= {"reversal": reversal, "domain_loss": tf.reduce_mean(domain_loss)}
        for index, level in enumerate(model.levels):
            probabilities = source_log_probs[:, index], target_log_probs[:, index]
            logs[f"domain_loss_level{level}"] = -tf.reduce_mean(
                probabilities[0][:, SOURCE] + probabilities[1][:, TARGET]
            )
            logs[f"domain_accuracy_level{level}"] = _accuracy(*probabilities)
        return loss + self.domain_weight * domain_loss, logs

    def domains(self, batch: dict[str, dict[str, tf.Tensor]]) -> tf.Tensor:
        """The domain of each source clip; target clips pass no module that belongs to a domain."""
        return batch["source"]["domain"]


def _accuracy(source_log_probs: tf.Tensor, target_log_probs: tf.Tensor) -> tf.Tensor:
    right_source = source_log_probs[:, SOURCE] > source_log_probs[:, TARGET]
    right_target = target_log_probs[:, TARGET] > target_log_probs[:, SOURCE]
    return tf.reduce_mean(tf.cast(tf.concat([right_source, right_target], 0), tf.float32))


def saliency_scores(saliency_map: tf.Tensor, batch: dict[str, tf.Tensor]) -> dict[str, tf.Tensor]:
    """CC and, where the batch has fixation maps, NSS, each the mean over the examples for which it is defined."""
    scores = {"cc": tf.reduce_mean(losses.correlation(saliency_map, batch["saliency_map"]))}
    if "fixation_map" in batch:
        nss = losses.nss(saliency_map, batch["fixation_map"])
        defined = tf.cast(tf.math.is_finite(nss), tf.float32)
        total = tf.reduce_sum(tf.math.multiply_no_nan(nss, defined))
        scores["nss"] = tf.math.divide_no_nan(total, tf.reduce_sum(defined))
    return scores
