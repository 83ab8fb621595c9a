import numpy as np
import pytest

from hd2s_tf.evaluation.ground_truth import FrameTruth, ScoredVideo
from hd2s_tf.evaluation.predictions import PredictedFrame
from hd2s_tf.evaluation.progress import Progress
from hd2s_tf.evaluation.protocol import PROTOCOLS, OtherFixations, Protocol
from hd2s_tf.evaluation.results import Subject
from hd2s_tf.evaluation.scoring import Scorer

MAP = np.random.default_rng(0).integers(0, 256, (8, 12)).astype(np.uint8)


def _video(name, frames):
    fixated = np.zeros(MAP.shape, bool)
    fixated[2, 3] = True
    names = tuple(str(number) for number in range(frames))
    truth = FrameTruth(MAP, fixated)
    # The last frame of a video has no ground truth.
    read = lambda index: None if index == frames - 1 else truth  # noqa: E731
    return ScoredVideo(name, True, names, list, read, lambda index: np.float32([[0.3, 0.3]]))


class _Predictions:
    """Yields the given frames for every video."""

    def __init__(self, *frames):
        self._frames = frames

    def frames(self, scored):
        yield from self._frames


def _scorer(tmp_path, *frames, protocol=PROTOCOLS["videos"]):
    videos = [_video(name, 4) for name in ("a", "b")]
    subject = Subject({}, "data", "x", "test", (), protocol, full_size=True, stills=False)
    others = OtherFixations(videos, protocol)
    return Scorer(_Predictions(*frames), others, protocol, Progress(str(tmp_path), subject)), videos


def test_what_becomes_of_frames(tmp_path):
    good, wide = PredictedFrame(MAP), PredictedFrame(np.full((8, 12), np.nan, np.float32))
    scorer, videos = _scorer(tmp_path, good, PredictedFrame(), wide, good)
    results = scorer.run(videos)
    assert list(results) == ["a", "b"]
    result = results["b"]
    assert [row["frame"] for row in result.rows] == ["0"]
    assert result.rows[0]["cc"] == pytest.approx(1)
    assert (result.missing, result.without_truth) == (1, 1)
    assert result.problems == ["b, frame 2: the map has values that are not finite"]


def test_every_nth_frame_is_the_same_whoever_predicts(tmp_path):
    protocol = Protocol(every=2)
    frames = []
    for folder, value in (("x", MAP), ("y", 255 - MAP)):
        scorer, videos = _scorer(tmp_path / folder, *[PredictedFrame(value)] * 4, protocol=protocol)
        frames.append([(name, row["frame"]) for name, result in scorer.run(videos).items() for row in result.rows])
    assert frames[0] == frames[1] == [("a", "0"), ("a", "2"), ("b", "0"), ("b", "2")]


@pytest.mark.parametrize("count", [3, 5])
def test_a_video_of_another_length_is_paired_by_number(tmp_path, count):
    scorer, videos = _scorer(tmp_path, *[PredictedFrame(MAP)] * count)
    # The fourth frame has no ground truth, a fifth has no name.
    assert [row["frame"] for row in scorer.run(videos)["a"].rows] == ["0", "1", "2"]


def test_finished_videos_are_not_predicted_again(tmp_path):
    scorer, videos = _scorer(tmp_path, *[PredictedFrame(MAP)] * 4)
    first = scorer.run(videos)
    again, videos = _scorer(tmp_path, "nothing that could be scored")
    assert again.run(videos) == first
