import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.models.domain_adaptation import reverse_gradient
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import CLIP_FRAMES, FRAME_SIZE
from hd2s_tf.training import losses
from hd2s_tf.training.objectives import SOURCE, TARGET, Adaptation, Supervised

PROGRESS = tf.constant(0.5)
# Fewer leave batch normalisation of single values next to nothing to learn from.
EXAMPLES = 5


@pytest.fixture(scope="module")
def model() -> HD2S:
    keras.utils.set_random_seed(3)
    model = HD2S(width_multiplier=0.0625, levels=(1, 2), adaptation=True)
    model.create_variables()
    for classifier in model.classifiers:
        for dropout in classifier.dropouts:
            # So that two calls answer the same.
            dropout.rate = 0.0
    return model


def labelled(seed: int) -> dict[str, tf.Tensor]:
    return {
        "clip": tf.random.stateless_uniform((EXAMPLES, CLIP_FRAMES, *FRAME_SIZE, 3), (seed, 0), -1.0, 1.0),
        "domain": tf.zeros(EXAMPLES, tf.int32),
        "saliency_map": tf.random.stateless_uniform((EXAMPLES, *FRAME_SIZE), (seed, 1)),
    }


BATCH = {"source": labelled(1), "target": {"clip": labelled(2)["clip"]}}


def constantly(value: float):
    """A schedule of lambda that ignores the progress."""
    return lambda progress: tf.constant(value)


def gradients(model, objective, batch) -> dict[str, np.ndarray]:
    with tf.GradientTape() as tape:
        loss = tf.reduce_mean(objective(model, batch, PROGRESS)[0])
    values = tape.gradient(loss, [variable.value for variable in model.trainable_variables])
    pairs = zip(model.trainable_variables, values, strict=True)
    return {variable.path: 0.0 if value is None else tf.convert_to_tensor(value).numpy() for variable, value in pairs}


def part(values: dict, name: str) -> dict:
    return {path: value for path, value in values.items() if f"/{name}" in path}


@dataclasses.dataclass(frozen=True)
class NoSaliency(Supervised):
    """An adaptation with the domain loss only."""

    def of_outputs(self, outputs, batch):
        return tf.zeros(outputs["saliency_map"].shape[0]), {}


def test_with_lambda_0_the_encoder_learns_as_without_a_target(model):
    supervised = gradients(model, Supervised(), BATCH["source"])
    adapted = gradients(model, Adaptation(reversal=constantly(0.0)), BATCH)
    assert any(np.any(value) for value in part(adapted, "domain_classifier").values())
    for name in ("encoder", "temporal_reduction", "conspicuity", "fusion"):
        expected = part(supervised, name)
        assert expected
        for path, value in part(adapted, name).items():
            np.testing.assert_allclose(value, expected[path], rtol=1e-4, atol=1e-6, err_msg=path)


def test_encoder_and_classifiers_pull_the_domain_loss_in_opposite_directions(model):
    objective = Adaptation(NoSaliency(), reversal=constantly(1.0))

    def domain_loss() -> float:
        total = 0.0
        for clip, domain in ((BATCH["source"]["clip"], SOURCE), (BATCH["target"]["clip"], TARGET)):
            log_probs = model.classify(model.level_features(clip, training=True), tf.constant(1.0), training=True)
            total += float(tf.reduce_mean(losses.domain_loss(log_probs, domain)))
        return total

    found = gradients(model, objective, BATCH)
    before = domain_loss()
    for names, change in ((("encoder", "temporal_reduction"), 1), (("domain_classifier",), -1)):
        moved = [v for v in model.trainable_variables if any(f"/{name}" in v.path for name in names)]
        norm = np.sqrt(sum(np.sum(np.square(found[variable.path])) for variable in moved))
        assert norm > 0
        kept = [variable.numpy() for variable in moved]
        for variable in moved:
            # A step down the gradient that each of them is given.
            variable.assign(variable - 1e-3 / norm * found[variable.path])
        assert np.sign(domain_loss() - before) == change, names
        for variable, value in zip(moved, kept, strict=True):
            variable.assign(value)


class FourLevels:
    """One weight a level, which is its feature and the logit of "target" beside a logit of 0 of "source"."""

    levels = (1, 2, 3, 4)

    def __init__(self):
        self.weights = tf.Variable([0.0, np.log(3.0), -np.log(3.0), np.log(9.0)], dtype=tf.float32)

    def level_features(self, clip, training):
        return [tf.repeat(self.weights[level], len(clip)) for level in range(4)]

    def decode(self, features, domain, training):
        return {"saliency_map": tf.zeros((len(features[0]), 1, 1))}

    def classify(self, features, reversal, training):
        logits = [tf.stack([tf.zeros_like(f), reverse_gradient(f, reversal)], 1) for f in features]
        return tf.nn.log_softmax(tf.stack(logits, 1))


@pytest.mark.parametrize("reversal", [1.0, 0.25])
def test_every_level_gets_the_whole_reversed_gradient_of_its_own_loss(reversal):
    """By hand: with p the probability of "target", a level's loss is -ln(1 - p) of source and -ln p of target."""
    model = FourLevels()
    probabilities = np.array([1 / 2, 3 / 4, 1 / 4, 9 / 10])
    batch = {"source": {"clip": tf.zeros(3), "domain": tf.zeros(3, tf.int32)}, "target": {"clip": tf.zeros(3)}}
    with tf.GradientTape() as tape:
        loss, logs = Adaptation(NoSaliency(), reversal=constantly(reversal))(model, batch, PROGRESS)
        mean = tf.reduce_mean(loss)
    by_level = -np.log(1 - probabilities) - np.log(probabilities)
    np.testing.assert_allclose(loss, [by_level.sum()] * 3, rtol=1e-6)
    for level, expected in enumerate(by_level, 1):
        np.testing.assert_allclose(logs[f"domain_loss_level{level}"], expected, rtol=1e-6)
    # d/dw (-ln(1 - p) - ln p) = p + (p - 1), times minus lambda.
    gradient = tape.gradient(mean, model.weights)
    np.testing.assert_allclose(gradient, -reversal * (2 * probabilities - 1), rtol=1e-5, atol=1e-7)


def test_target_clips_leave_decoders_and_fusion_alone(model):
    """Neither their gradients nor their running statistics depend on the target batch."""
    start = [variable.numpy() for variable in model.variables]
    found, after = [], []
    for seed in (2, 5):
        batch = {"source": BATCH["source"], "target": {"clip": labelled(seed)["clip"]}}
        found.append(gradients(model, Adaptation(reversal=constantly(1.0)), batch))
        after.append({variable.path: variable.numpy() for variable in model.variables})
        for variable, value in zip(model.variables, start, strict=True):
            variable.assign(value)
    for name in ("conspicuity", "fusion"):
        for results in (found, after):
            first, second = (part(values, name) for values in results)
            assert first
            for path in first:
                np.testing.assert_array_equal(first[path], second[path], err_msg=path)
    first, second = (part(values, "encoder") for values in found)
    assert any(np.abs(first[path] - second[path]).max() > 0 for path in first)


def test_accuracy_and_loss_of_each_level_are_logged(model):
    _, logs = Adaptation(reversal=constantly(1.0))(model, BATCH, PROGRESS)
    for level in model.levels:
        assert 0.0 <= float(logs[f"domain_accuracy_level{level}"]) <= 1.0
    by_level = [float(logs[f"domain_loss_level{level}"]) for level in model.levels]
    np.testing.assert_allclose(logs["domain_loss"], sum(by_level), rtol=1e-5)
    assert float(logs["reversal"]) == 1.0


def test_lambda_follows_the_progress(model):
    _, logs = Adaptation()(model, BATCH, tf.constant(0.1))
    np.testing.assert_allclose(logs["reversal"], 2 / (1 + np.exp(-1.0)) - 1, rtol=1e-6)


def test_loss_terms_are_weighed_and_added(model):
    batch = {**BATCH["source"], "fixation_map": tf.random.stateless_uniform((EXAMPLES, *FRAME_SIZE), (1, 2)) > 0.99}
    outputs = model({"clip": batch["clip"]}, training=False)
    plain, _ = Supervised().of_outputs(outputs, batch)
    weighed, _ = Supervised(terms={"cc": 0.5, "nss": 0.1}).of_outputs(outputs, batch)
    saliency_map = outputs["saliency_map"]
    expected = plain + 0.5 * (1 - losses.correlation(saliency_map, batch["saliency_map"]))
    expected -= 0.1 * losses.nss(saliency_map, batch["fixation_map"])
    np.testing.assert_allclose(weighed, expected, rtol=1e-5)


def test_objectives_name_the_domains_that_a_batch_trains():
    domains = tf.constant([2, 2])
    assert Supervised().domains({"domain": domains}) is domains
    assert Adaptation().domains({"source": {"domain": domains}, "target": {}}) is domains
