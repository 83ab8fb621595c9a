import itertools
import math

import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.models import domain_adaptation
from tests.models.layer_checks import check_layer


@pytest.mark.parametrize("reversal", [0.0, 0.3, 1.0])
def test_reversal_passes_values_and_returns_minus_lambda_times_the_gradient(reversal):
    features, upstream = (tf.random.stateless_normal((2, 3, 4), seed=(seed, 0)) for seed in (1, 2))
    with tf.GradientTape() as tape:
        tape.watch(features)
        passed = domain_adaptation.reverse_gradient(features, tf.constant(reversal))
        loss = tf.reduce_sum(passed * upstream)
    np.testing.assert_array_equal(passed, features)
    np.testing.assert_allclose(tape.gradient(loss, features), -reversal * upstream, rtol=1e-6)


def test_lambda_may_change_without_tracing_again():
    @tf.function
    def gradient(value, reversal):
        with tf.GradientTape() as tape:
            tape.watch(value)
            loss = domain_adaptation.reverse_gradient(value, reversal) ** 2
        return tape.gradient(loss, value)

    answers = [float(gradient(tf.constant(3.0), tf.constant(reversal))) for reversal in (0.0, 0.5, 1.0)]
    assert answers == [0.0, -3.0, -6.0]
    assert gradient.experimental_get_tracing_count() == 1


@pytest.mark.parametrize(("progress", "expected"), [(0.0, 0.0), (0.1, (math.e - 1) / (math.e + 1)), (1.0, 0.9999092)])
def test_schedule_is_equation_4(progress, expected):
    assert float(domain_adaptation.reversal_schedule(progress)) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("level", [1, 2, 3, 4])
def test_classifier_answers_log_probabilities(level):
    size = {1: (16, 24), 2: (8, 12), 3: (4, 6), 4: (4, 6)}[level]
    features = tf.random.stateless_normal((3, *size, 5), seed=(level, 0))
    check_layer(
        lambda: domain_adaptation.DomainClassifier(level, seed=4),
        features,
        tf.constant(1.0),
        shape=(3, 2),
        mixed="float32",
    )
    classifier = domain_adaptation.DomainClassifier(level)
    log_probs = classifier(features, tf.constant(1.0))
    np.testing.assert_allclose(tf.reduce_sum(tf.exp(log_probs), -1), np.ones(3), rtol=1e-5)


def test_dropout_follows_every_hidden_layer_but_the_first():
    classifier = domain_adaptation.DomainClassifier(1)
    assert [dropout.rate for dropout in classifier.dropouts] == [0.0, 0.5, 0.5]


def test_every_level_layer_and_seed_drops_other_values():
    masks = set()
    for level, seed in itertools.product((1, 2, 3, 4), (0, 1, 2)):
        for dropout in domain_adaptation.DomainClassifier(level, seed=seed).dropouts[1:]:
            masks.add(dropout(tf.ones((1, 64)), training=True).numpy().tobytes())
    assert len(masks) == 3 * (2 + 1 + 1 + 1)
