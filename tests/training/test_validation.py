"""Scores between updates, of a stand-in whose answers are known."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.data import clips, records
from hd2s_tf.training import losses
from hd2s_tf.training.validation import VALUES, Validation


class Corner(keras.Model):
    """Sees saliency in the upper left quarter only; both of its conspicuity maps are flat."""

    def call(self, inputs):
        count, (height, width) = tf.shape(inputs["clip"])[0], inputs["clip"].shape[2:4]
        saliency_map = np.full((height, width), 0.1, np.float32)
        saliency_map[: height // 2, : width // 2] = 1.0
        flat = tf.ones((count, 2, height, width))
        return {"saliency_map": tf.repeat(saliency_map[np.newaxis], count, 0), "conspicuity_maps": flat}


def by_hand(prepared, split, every):
    """The mean over videos of the mean over their frames, frame by frame."""
    dataset = records.load_dataset(prepared, split)
    videos = {}
    for batch in clips.evaluation_clips(dataset, batch_size=1, every=every, size=(32, 64)):
        outputs, truth = Corner()({"clip": batch["clip"]}), batch["saliency_map"]
        saliency_map, fixation_map = outputs["saliency_map"], batch["fixation_map"]
        flat = losses.kl_divergence(truth, tf.ones_like(truth))
        divergence = losses.kl_divergence(truth, saliency_map)
        scores = divergence + 2 * flat, divergence, losses.nss(saliency_map, fixation_map)
        scores = [float(score[0]) for score in (*scores, losses.correlation(saliency_map, truth))]
        videos.setdefault(batch["video"].numpy()[0], []).append(scores)
    return np.mean([np.mean(scores, 0) for scores in videos.values()], 0)


@pytest.mark.parametrize("multi_level", [True, False])
def test_scores_are_means_over_videos(config, prepared, multi_level):
    config.data.validation = (f"{prepared}:train",)
    config.loss.multi_level = multi_level
    scores, picture = Validation(config).run(Corner())
    expected = dict(zip(VALUES, by_hand(prepared, "train", config.every.validation_frame), strict=True))
    if not multi_level:
        expected["loss"] = expected["kl_divergence"]
    assert scores == pytest.approx(expected, rel=1e-4)
    # Frame, ground truth and prediction beside each other, a row for each of the first batch's clips.
    assert picture.shape == (2 * 32, 3 * 64, 3)
    assert picture.dtype == np.uint8


def test_several_sets_count_alike_and_are_named(config, prepared, monkeypatch):
    config.data.validation = (f"{prepared}:train", f"{prepared}:validation")
    monkeypatch.setattr(records.Dataset, "name", property(lambda self: "one" if len(self.videos) == 1 else "three"))
    scores, _ = Validation(config).run(Corner())
    assert set(scores) == {*VALUES, *(f"{name}/{value}" for name in ("one", "three") for value in VALUES)}
    for value in VALUES:
        assert scores[value] == pytest.approx((scores[f"one/{value}"] + scores[f"three/{value}"]) / 2)


def test_a_frame_without_fixations_is_left_out_of_nss(config, prepared, monkeypatch):
    whole = clips.evaluation_clips

    def without_the_first(*arguments, **options):
        def change(batch):
            first = tf.reshape(batch["frame"] == 15, (-1, 1, 1))
            return {**batch, "fixation_map": batch["fixation_map"] & ~first}

        return whole(*arguments, **options).map(change)

    # Frames 15 and 17 of a video of 18.
    config.every.validation_frame = 2
    monkeypatch.setattr(clips, "evaluation_clips", without_the_first)
    scores, _ = Validation(config).run(Corner())
    dataset = records.load_dataset(prepared, "validation")
    (batch,) = [batch for batch in whole(dataset, batch_size=1, size=(32, 64)) if batch["frame"].numpy()[0] == 17]
    expected = losses.nss(Corner()({"clip": batch["clip"]})["saliency_map"], batch["fixation_map"])
    assert scores["nss"] == pytest.approx(float(expected[0]), rel=1e-4)
