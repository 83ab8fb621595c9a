"""People as predictors of each other, where it is known how they must score."""

import numpy as np
import pytest

from hd2s_tf.data import fixations, preparation, synthetic
from hd2s_tf.data.gaze.settings import GazeSettings
from hd2s_tf.data.labels import Observed
from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation.between_observers import HALVES, LEAVE_ONE_OUT, REPEATS, DividedVideo, ObserversPredictor
from hd2s_tf.evaluation.evaluate import Request, evaluate
from hd2s_tf.evaluation.ground_truth import FrameTruth, ScoredVideo

_SIZE = (40, 60)
# Of each observer, who looks at the same place in all frames.
_PLACES = np.array([[0.25, 0.25], [0.25, 0.75], [0.75, 0.25], [0.75, 0.75]], np.float32)

pytestmark = pytest.mark.usefixtures("plots_are_not_drawn")


def _video(frames=3, observed=True):
    names = tuple(f"{number:04d}" for number in range(1, frames + 1))
    truth = FrameTruth(np.full(_SIZE, 255, np.uint8), fixations.to_map(_PLACES, _SIZE))
    return ScoredVideo(
        "v", True, names,
        lambda: (np.full((*_SIZE, 3), frame, np.uint8) for frame in range(frames)),
        lambda index: truth,
        lambda index: _PLACES,
        lambda index: np.arange(4, dtype=np.int32),
        Observed((0, 1, 2, 3), (0.05, 0.05), ()) if observed else None,
    )  # fmt: skip


def test_those_who_predict_are_not_those_who_are_predicted():
    divided = DividedVideo.of(_video(), HALVES, seed=0)
    assert len(divided.frame_names) == len(set(divided.frame_names)) == 3 * REPEATS
    for index in range(3 * REPEATS):
        truth, prediction = divided.read_truth(index), divided.predict(index)
        assert truth.fixation_map.sum() == 2
        places = (_PLACES * _SIZE).astype(int)
        peaks = [bool(prediction[y, x] > 100) for y, x in places]
        assert sum(peaks) == 2
        # Every place belongs to one side.
        assert [bool(truth.fixation_map[y, x]) for y, x in places] == [not peak for peak in peaks]
        assert (truth.saliency_map > 100)[truth.fixation_map].all()


def test_halves_differ_and_follow_the_seed():
    def predicting(seed):
        return [tuple(half) for half, _ in DividedVideo.of(_video(), HALVES, seed).divisions]

    assert predicting(1) == predicting(1)
    assert len({*predicting(0), *predicting(1)}) > 2


def test_each_one_from_all_others():
    divided = DividedVideo.of(_video(frames=2), LEAVE_ONE_OUT, seed=0)
    assert len(divided.frame_names) == 8
    for index in range(8):
        np.testing.assert_array_equal(divided.read_points(index), _PLACES[[index // 2]])
        assert (divided.predict(index) > 100).any()


def test_frames_come_again_with_each_division():
    divided = DividedVideo.of(_video(frames=2), LEAVE_ONE_OUT, seed=0)
    assert [int(frame[0, 0, 0]) for frame in divided.frames()] == [0, 1] * 4
    assert len(list(ObserversPredictor().frames(divided))) == 8


def test_videos_that_cannot_be_divided():
    with pytest.raises(BadInputError, match="v: it is not known which observer looked where"):
        DividedVideo.of(_video(observed=False), HALVES, seed=0)
    one = ScoredVideo(**{**vars(_video()), "observed": Observed((2,), (0.05, 0.05), ())})
    with pytest.raises(BadInputError, match="v: one observer cannot predict others"):
        DividedVideo.of(one, HALVES, seed=0)


def test_people_who_agree_predict_each_other_well(tmp_path):
    synthetic.write_gaze(tmp_path / "mine", videos=2, frames=2, observers=3)
    options = preparation.Options(32, 48, gaze=GazeSettings())
    preparation.prepare("gaze", str(tmp_path / "mine"), str(tmp_path / "prepared"), options=options, workers=1)
    evaluation = evaluate(Request("baseline:observers"), str(tmp_path / "prepared"), "train", str(tmp_path / "scores"))
    assert evaluation.score["nss"] > 2
    assert evaluation.score["auc_judd"] > 0.9
    assert (tmp_path / "scores" / "report.html").exists()
    with pytest.raises(BadInputError, match="not known which observer"):
        synthetic.write_videos(tmp_path / "plain", videos=1, frames=2, size=(48, 64))
        evaluate(Request("baseline:observers"), str(tmp_path / "plain"), "train", str(tmp_path / "none"))


def test_baselines_that_do_not_exist(tmp_path):
    with pytest.raises(BadInputError, match="no baseline 'others': the baselines are centre, .*, observers_leave"):
        evaluate(Request("baseline:others"), str(tmp_path), "train", str(tmp_path / "none"))
