import dataclasses

import numpy as np
import pytest

from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation import metrics, protocol
from hd2s_tf.evaluation.bicubic import resize_bicubic
from hd2s_tf.evaluation.ground_truth import FrameTruth, ScoredVideo
from hd2s_tf.evaluation.protocol import METRICS, PROTOCOLS, Protocol


def _video(name, *points):
    return ScoredVideo(
        name,
        True,
        tuple(str(number) for number in range(len(points))),
        list,
        lambda index: None,
        lambda index: np.array([points[index]], np.float32),
    )


@pytest.fixture
def truth():
    saliency_map = np.uint8([[0, 255], [0, 0]]).repeat(4, 0).repeat(4, 1)
    fixation_map = np.zeros((8, 8), bool)
    fixation_map[1, 6] = True
    return FrameTruth(saliency_map, fixation_map)


def _score(prediction, truth, choices):
    return protocol.score_frame(prediction, truth, truth.fixation_map, np.random.default_rng(0), choices)


def test_other_fixations_are_of_other_videos_and_of_the_seed():
    videos = [_video("a", (0.1, 0.1), (0.1, 0.1)), _video("b", (0.95, 0.95), (0.95, 0.95))]
    others = protocol.OtherFixations(videos, Protocol())
    assert others.exist
    drawn = others.draw("a", np.random.default_rng(0), (10, 10))
    assert drawn[9, 9]
    assert drawn.sum() == 1
    alone = protocol.OtherFixations(videos[:1], Protocol())
    assert not alone.draw("a", np.random.default_rng(0), (10, 10)).any()


def test_the_official_function_draws_from_all_frames():
    videos = [_video("a", *((number / 20 + 0.01, 0.5) for number in range(20)))]
    others = protocol.OtherFixations(videos, PROTOCOLS["dhf1k"])
    drawn = [others.draw("a", np.random.default_rng(seed), (20, 20)) for seed in range(40)]
    assert {int(fixated.sum()) for fixated in drawn} == {10}
    # Every frame is drawn now and then, that of the scored video too.
    assert np.any(drawn, 0)[:, 10].all()
    assert protocol.OtherFixations([], PROTOCOLS["dhf1k"]).exist is False


def test_predictions_are_resized_and_rounded(truth):
    small = np.array([[0.4, 200.4], [0.0, 0.3]], np.float32)
    rounded = _score(small, truth, Protocol())
    exact = _score(small, truth, Protocol(round_to_8_bits=False))
    assert rounded["cc"] != exact["cc"]
    assert rounded["cc"] == pytest.approx(exact["cc"], abs=0.01)
    assert set(rounded) == set(METRICS)


def test_the_official_function_rounds_before_it_resizes_bicubically(truth):
    small = np.array([[0.4, 200.4], [0.0, 0.3]], np.float32)
    scores = _score(small, truth, PROTOCOLS["dhf1k"])
    by_hand = resize_bicubic(np.array([[0.0, 200.0], [0.0, 0.0]]), (8, 8))
    assert scores["cc"] == metrics.cc(by_hand, truth.saliency_map)
    assert scores["nss"] == metrics.nss(by_hand, truth.fixation_map)
    assert scores["auc_judd"] == metrics.auc_judd(by_hand, truth.fixation_map, ties="expected")
    # What overshoots below zero is nothing to a distribution.
    assert np.isfinite(scores["kl_divergence"])


def test_ties_count_as_jitter_orders_them(truth):
    black = np.zeros((8, 8), np.uint8)
    black[0, 0] = 255
    assert _score(black, truth, Protocol())["auc_judd"] == pytest.approx(0.5, abs=0.3)
    assert _score(black, truth, Protocol(ties="none"))["auc_judd"] == pytest.approx(0.5, abs=0.01)
    assert _score(black, truth, Protocol())["auc_judd"] != _score(black, truth, Protocol(ties="none"))["auc_judd"]


def test_a_black_prediction_counts(truth):
    for choices in PROTOCOLS.values():
        scores = _score(np.zeros((8, 8), np.float32), truth, choices)
        assert scores["sim"] == 0
        assert scores["kl_divergence"] > 20
        assert (scores["auc_judd"], scores["nss"]) == (0.5, 0)


def test_protocols_by_name():
    assert protocol.choose("auto", comparable=True).name == "dhf1k"
    assert protocol.choose("auto", comparable=False).name == "videos"
    chosen = protocol.choose("dhf1k", comparable=False, seed=4, every=10)
    assert (chosen.headline, chosen.seed, chosen.is_official) == ("mean_over_frames", 4, True)
    assert not protocol.choose("dhf1k", comparable=True, round_to_8_bits=False).is_official
    assert not Protocol().is_official
    with pytest.raises(BadInputError, match="no protocol 'mit300'"):
        protocol.choose("mit300", comparable=False)


def test_every_choice_is_described_in_words():
    ours, official = (PROTOCOLS[name].describe() for name in ("videos", "dhf1k"))
    assert "area average to shrink, bilinear to grow), rounded to 8 bits after" in ours["prediction"]
    assert "bicubic), rounded to 8 bits before" in official["prediction"]
    assert "other videos" in ours["s_auc"] and "frames of all videos" in official["s_auc"]
    assert ours["means"] != official["means"]
    assert "jitter orders them" in official["auc_judd"]
    assert "no jitter" in dataclasses.replace(PROTOCOLS["videos"], ties="none").describe()["auc_judd"]


def test_draws_of_a_frame_are_its_own():
    first, again, other = (protocol.frame_generator(Protocol(), *place).random() for place in ((0, 1), (0, 1), (1, 0)))
    assert first == again != other
