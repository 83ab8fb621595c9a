import numpy as np
import pytest

from hd2s_tf.evaluation.protocol import METRICS, PROTOCOLS
from hd2s_tf.evaluation.results import GROUND_TRUTH, PREDICTION, Evaluation, FrameResult, Subject, VideoResult


def _row(**values):
    return {metric: values.get(metric, np.nan) for metric in METRICS}


def _subject(protocol="videos", stills=False, **predictor):
    return Subject(predictor, "data", "OSIE", "test", (), PROTOCOLS[protocol], full_size=True, stills=stills)


def test_means_over_videos_and_frames_leave_undefined_frames_out():
    rows = {"a": [_row(nss=1.0), _row(nss=3.0), _row()], "b": [_row(nss=8.0)]}
    evaluation = Evaluation(_subject(), rows)
    assert evaluation.videos["a"]["nss"] == pytest.approx(2.0)
    assert evaluation.mean_over_videos["nss"] == evaluation.score["nss"] == pytest.approx(5.0)
    assert evaluation.mean_over_frames["nss"] == pytest.approx(4.0)
    assert evaluation.undefined["nss"] == 1
    assert evaluation.frames == 4
    assert np.isnan(evaluation.mean_over_videos["cc"])
    # The benchmark's function averages over frames.
    assert Evaluation(_subject("dhf1k"), rows).score["nss"] == pytest.approx(4.0)


def test_a_video_takes_in_its_frames():
    video = VideoResult()
    scores = {"frame": "0001", **_row(cc=0.5)}
    for frame in (
        FrameResult(scores),
        FrameResult(problem="broken"),
        FrameResult(missing=PREDICTION),
        FrameResult(missing=GROUND_TRUTH),
        FrameResult(missing=GROUND_TRUTH),
        FrameResult(),
    ):
        video.add(frame)
    assert video == VideoResult([scores], ["broken"], missing=1, without_truth=2)
    assert video.blind
    assert not VideoResult().blind


def test_an_evaluation_as_json_has_its_keys():
    written = Evaluation(_subject(weights="w", preset="hd2s"), {"a": [_row(nss=1.0)]}, problems=("p",)).to_json()
    assert set(written) >= {
        *("weights", "preset", "data_dir", "dataset", "split", "only_videos", "protocol", "missing_predictions"),
        *("frames_without_ground_truth", "problems", "frames", "mean_over_videos", "mean_over_frames", "undefined"),
    }
    assert written["protocol"]["splits"] == 100
    assert "area average" in written["protocol"]["prediction"]


def test_names_and_numbers_in_words():
    assert _subject(preset="hd2s", weights="x.weights.h5").name == "hd2s"
    assert _subject(predictions="/maps/Theirs/").name == "Theirs"
    assert _subject().count(2, 30) == "2 videos, 30 frames"
    assert _subject(stills=True).count(30, 30) == "30 pictures"
