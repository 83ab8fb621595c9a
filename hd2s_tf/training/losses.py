"""The training losses; each returns one value per example."""

import tensorflow as tf

# Keeps the logarithm finite where a map is zero; far below 1 / pixels, the value of a uniform map.
_EPSILON = 1e-12


def kl_divergence(ground_truth: tf.Tensor, saliency_map: tf.Tensor) -> tf.Tensor:
    """KL(G || S) of maps as probability distributions (equation 1).

    Args:
      ground_truth: [B,H,W], not negative; any scale.
      saliency_map: [B,H,W], not negative; any scale.

    Returns:
      float32 [B], in nats. 0 where the ground truth is zero everywhere: such a map says nothing.
    """
    ground_truth, saliency_map = (_distribution(values) for values in (ground_truth, saliency_map))
    ratio = tf.math.log(ground_truth + _EPSILON) - tf.math.log(saliency_map + _EPSILON)
    return tf.reduce_sum(ground_truth * ratio, (1, 2))


def _distribution(values: tf.Tensor) -> tf.Tensor:
    values = tf.cast(values, tf.float32)
    return tf.math.divide_no_nan(values, tf.reduce_sum(values, (1, 2), keepdims=True))


def saliency_loss(outputs: dict[str, tf.Tensor], ground_truth: tf.Tensor, multi_level: bool = True) -> tf.Tensor:
    """The loss of a model's answer: of its saliency map and, unless `multi_level` is off, of every conspicuity map.

    Args:
      outputs: of `HD2S`.
      ground_truth: [B,H,W].
      multi_level: whether the conspicuity maps are supervised too (section 3.4). The map of a model with one level is
        its saliency map and counts once.

    Returns:
      float32 [B], in nats.
    """
    loss = kl_divergence(ground_truth, outputs["saliency_map"])
    conspicuity_maps = tf.unstack(outputs["conspicuity_maps"], axis=1)
    if multi_level and len(conspicuity_maps) > 1:
        for conspicuity_map in conspicuity_maps:
            loss += kl_divergence(ground_truth, conspicuity_map)
    return loss


def domain_loss(domain_log_probs: tf.Tensor, domain: int) -> tf.Tensor:
    """Negative log-likelihood of the true domain, summed over the levels (equation 3).

    The sum, not the mean: how much of it reaches the encoder is up to lambda alone, which ends at 1 for every level.

    Args:
      domain_log_probs: float32 [B,L,2], of source and target.
      domain: 0 for source, 1 for target.

    Returns:
      float32 [B], in nats.
    """
    return -tf.reduce_sum(domain_log_probs[:, :, domain], 1)


def nss(saliency_map: tf.Tensor, fixation_map: tf.Tensor) -> tf.Tensor:
    """Mean of the standardised map at the fixations, float32 [B]; NaN without fixations.

    A cheap relative of `hd2s_tf.evaluation.metrics.nss` at the network's size, to monitor training.

    Args:
      saliency_map: float32 [B,H,W].
      fixation_map: bool [B,H,W].
    """
    mean, variance = tf.nn.moments(saliency_map, (1, 2), keepdims=True)
    standardised = (saliency_map - mean) * tf.math.rsqrt(variance + _EPSILON)
    fixations = tf.cast(fixation_map, tf.float32)
    count = tf.reduce_sum(fixations, (1, 2))
    # A count of at least one in the division keeps the gradient of an example without fixations finite.
    mean_at_fixations = tf.reduce_sum(standardised * fixations, (1, 2)) / tf.maximum(count, 1.0)
    return tf.where(count > 0, mean_at_fixations, float("nan"))


def correlation(saliency_map: tf.Tensor, ground_truth: tf.Tensor) -> tf.Tensor:
    """Pearson's correlation of two maps [B,H,W], float32 [B]; 0 where one of them is constant."""
    centred = []
    for values in (saliency_map, ground_truth):
        values = tf.cast(values, tf.float32)
        centred.append(values - tf.reduce_mean(values, (1, 2), keepdims=True))
    first, second = centred
    product = tf.reduce_sum(first * second, (1, 2))
    squares = tf.reduce_sum(first**2, (1, 2)) * tf.reduce_sum(second**2, (1, 2))
    # The square root has no finite gradient at zero.
    return tf.math.divide_no_nan(product, tf.sqrt(squares + _EPSILON))


def correlation_loss(saliency_map: tf.Tensor, ground_truth: tf.Tensor, fixation_map: tf.Tensor) -> tf.Tensor:
    """1 - CC, float32 [B], from 0 to 2."""
    del fixation_map
    return 1.0 - correlation(saliency_map, ground_truth)


def nss_loss(saliency_map: tf.Tensor, ground_truth: tf.Tensor, fixation_map: tf.Tensor) -> tf.Tensor:
    """-NSS, float32 [B]; 0 for an example without fixations."""
    del ground_truth
    return -tf.where(tf.reduce_any(fixation_map, (1, 2)), nss(saliency_map, fixation_map), 0.0)


# Terms that a configuration may weigh beside the divergence (not in the paper): what the benchmarks count, as losses.
# Each takes saliency map and ground truth, float32 [B,H,W], and fixation map, bool [B,H,W], and gives float32 [B].
TERMS = {"cc": correlation_loss, "nss": nss_loss}
