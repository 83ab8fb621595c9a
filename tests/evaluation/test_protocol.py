import numpy as np
import pytest

from hd2s_tf.evaluation import protocol
from hd2s_tf.evaluation.ground_truth import FrameTruth, ScoredVideo
from hd2s_tf.evaluation.protocol import METRICS, Protocol


def _video(name, points):
    return ScoredVideo(name, True, ("1", "2"), list, lambda index: None, lambda index: np.array([points], np.float32))


def test_other_fixations_are_of_other_videos_and_of_the_seed():
    videos = [_video("a", (0.1, 0.1)), _video("b", (0.95, 0.95))]
    others = protocol.OtherFixations(videos, Protocol())
    drawn = others.draw("a", np.random.default_rng(0), (10, 10))
    assert drawn[9, 9]
    assert drawn.sum() == 1
    alone = protocol.OtherFixations(videos[:1], Protocol())
    assert not alone.draw("a", np.random.default_rng(0), (10, 10)).any()


def test_predictions_are_resized_and_rounded():
    truth = FrameTruth(np.uint8([[0, 255], [0, 0]]).repeat(4, 0).repeat(4, 1), np.zeros((8, 8), bool))
    truth.fixation_map[1, 6] = True
    small = np.array([[0.4, 200.4], [0.0, 0.3]], np.float32)
    generator = np.random.default_rng(0)
    rounded = protocol.score_frame(small, truth, truth.fixation_map, generator, Protocol())
    exact = protocol.score_frame(small, truth, truth.fixation_map, generator, Protocol(round_to_8_bits=False))
    assert rounded["cc"] != exact["cc"]
    assert rounded["cc"] == pytest.approx(exact["cc"], abs=0.01)
    assert set(rounded) == set(METRICS)
