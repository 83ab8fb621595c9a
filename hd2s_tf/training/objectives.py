"""What a training step minimises on one batch: supervised learning, or adaptation from source to target.

An objective is called with the model, a batch and the progress of training, and returns the loss of each example and
values to log. It is one replica's view; the loop owns distribution, accumulation and the optimizer.
"""

import dataclasses

import tensorflow as tf

from hd2s_tf.models.domain_adaptation import reversal_schedule
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.training import losses

SOURCE, TARGET = 0, 1


@dataclasses.dataclass(frozen=True)
class Supervised:
    """Saliency maps from clips with ground truth; single source, multi-source and domain-specific learning alike.

    Attributes:
      multi_level: whether the conspicuity maps are supervised too.
      cc_weight, nss_weight: of `losses.metric_loss`; 0 in the paper.
    """

    multi_level: bool = True
    cc_weight: float = 0.0
    nss_weight: float = 0.0

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
        if self.cc_weight or self.nss_weight:
            fixation_map = batch["fixation_map"]
            loss += losses.metric_loss(saliency_map, ground_truth, fixation_map, self.cc_weight, self.nss_weight)
        return loss, logs


@dataclasses.dataclass(frozen=True)
class Adaptation:
    """Saliency on source clips while source and unlabelled target clips are made alike (equations 2-5).

    Attributes:
      supervised: the loss on source clips.
      domain_weight: of the domain loss.
      reversal: lambda; None for the schedule of equation 5.
    """

    supervised: Supervised = Supervised()
    domain_weight: float = 1.0
    reversal: float | None = None

    def __call__(
        self, model: HD2S, batch: dict[str, dict[str, tf.Tensor]], progress: tf.Tensor
    ) -> tuple[tf.Tensor, dict[str, tf.Tensor]]:
        """The loss float32 [B] and what to log of a source batch, then a target batch of the same size.

        The target batch passes encoder and classifiers only: it neither trains the decoders nor moves their running
        statistics.
        """
        reversal = reversal_schedule(progress) if self.reversal is None else tf.constant(self.reversal, tf.float32)
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
