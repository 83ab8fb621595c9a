import html

import numpy as np
import pytest

from hd2s_tf.evaluation import report
from hd2s_tf.evaluation.ground_truth import FrameTruth, ScoredVideo
from hd2s_tf.evaluation.protocol import METRICS, PROTOCOLS
from hd2s_tf.evaluation.results import Evaluation, Subject


def _evaluation(scores_of_videos, stills=False, **settings):
    subject = Subject({"weights": "<b>.weights.h5"}, "data", "OSIE", "test", (), PROTOCOLS["videos"], True, stills)
    rows = {
        name: [{"frame": f"{number}", **dict.fromkeys(METRICS, score)} for number, score in enumerate(scores)]
        for name, scores in scores_of_videos.items()
    }
    return Evaluation(subject, rows, **settings)


class _Maps:
    """A predictor of a saliency map and four conspicuity maps."""

    def example(self, scored, index):
        return [np.full((4, 6), float(number)) for number in range(5)]


def _video(name, frames):
    truth = FrameTruth(np.full((8, 12), 9, np.uint8), np.zeros((8, 12), bool))
    names = tuple(str(number) for number in range(frames))
    pictures = [np.zeros((8, 12, 3), np.uint8)] * frames
    return ScoredVideo(name, True, names, lambda: pictures, lambda index: truth, lambda index: np.zeros((0, 2)))


def test_frames_of_different_videos_are_chosen():
    scores = {"a": [0.9, 0.8, 0.7, 0.95, 0.1], "b": [0.2, 0.5], "c": [0.3], "d": [np.nan]}
    choices = report.choose(_evaluation(scores))
    best = [(choice.video, choice.row["cc"]) for choice in choices if choice.group == "Best"]
    # One of each video first, then the second best of the best.
    assert best == [("a", 0.95), ("b", 0.5), ("c", 0.3), ("a", 0.9)]
    worst = [choice.video for choice in choices if choice.group == "Worst"]
    assert worst[:3] == ["a", "b", "c"]
    assert not report.choose(_evaluation({"d": [np.nan]}))


def test_a_report_of_videos():
    evaluation = _evaluation({"a": [0.1, 0.2], "b": [0.4, 0.9]}, missing_predictions=3, problems=("b: x",))
    examples = report.draw_examples(report.choose(evaluation), [_video("a", 2), _video("b", 2)], _Maps())
    assert len(examples) == 12
    assert all(len(example.pictures) == 7 for example in examples)
    page = report.render_html(evaluation, examples)
    assert page.count("image/jpeg") == 12 * 7
    assert "2 videos, 4 frames" in page and "Worst frames" in page and "conspicuity 4 of 4" in page
    assert "3 frames without a prediction" in page and "b: x" in page
    # Nothing is loaded from elsewhere, and names cannot be markup.
    assert "http" not in page and "<b>" not in page
    for metric in METRICS.values():
        assert metric.title in page and html.escape(metric.meaning) in page


def test_stills_are_not_called_videos():
    evaluation = _evaluation({"a": [0.1], "b": [0.4]}, stills=True)
    examples = report.draw_examples(report.choose(evaluation), [_video("a", 1), _video("b", 1)], _Maps())
    page = report.render_html(evaluation, examples)
    assert "2 pictures" in page and "Best pictures" in page and "a: CC 0.100" in page
    # How it was measured says what is done with videos.
    assert "video" not in page.split("How it was measured")[0]


def test_nothing_to_rank_by():
    page = report.render_html(_evaluation({"a": [np.nan]}), [])
    assert "No frame has a CC" in page


@pytest.mark.parametrize("stills", [False, True])
def test_no_picture_is_wider_than_the_page(stills):
    evaluation = _evaluation({"a": [0.1]}, stills=stills)
    examples = report.draw_examples(report.choose(evaluation), [_video("a", 1)], _Maps())
    page = report.render_html(evaluation, examples)
    assert "style=" not in page
    assert "auto-fit" in page
