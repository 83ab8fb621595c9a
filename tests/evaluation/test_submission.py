import cv2
import numpy as np
import pytest

from hd2s_tf.errors import RunError
from hd2s_tf.evaluation.ground_truth import ScoredVideo
from hd2s_tf.evaluation.predictions import PredictedFrame
from hd2s_tf.evaluation.submission import Submission

VIDEO = ScoredVideo("0701", False, ("0001", "0002"), list, lambda index: None, lambda index: np.zeros((0, 2)))


def _predicted(value):
    return PredictedFrame(np.full((2, 3), value, np.float32), pixels=np.full((4, 6), 7, np.uint8))


def test_a_submission_is_complete_with_a_map_for_each_frame(tmp_path):
    submission = Submission(str(tmp_path / "HD2S"))
    assert not submission.has(VIDEO)
    submission.write(VIDEO, 0, _predicted(1.0))
    submission.write(VIDEO, 1, _predicted(np.nan))
    with pytest.raises(RunError, match="0701/0002.png is missing"):
        submission.check([VIDEO])
    submission.write(VIDEO, 1, _predicted(2.0))
    submission.check([VIDEO])
    assert submission.has(VIDEO)
    written = cv2.imread(str(tmp_path / "HD2S/0701/0002.png"), cv2.IMREAD_UNCHANGED)
    assert (written == 7).all() and written.shape == (4, 6)


def test_what_belongs_to_no_frame_is_named(tmp_path):
    submission = Submission(str(tmp_path))
    for index in range(2):
        submission.write(VIDEO, index, _predicted(1.0))
    (tmp_path / "0701" / "0003.png").touch()
    (tmp_path / "0702").mkdir()
    with pytest.raises(RunError, match="0702, which is no video, 0701/0003.png, which is no frame"):
        submission.check([VIDEO])
