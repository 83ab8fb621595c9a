import pytest

from hd2s_tf.data import synthetic
from hd2s_tf.data.layouts.base import TRAIN, Problem, VideoRecord, attempt
from hd2s_tf.errors import BadInputError
from tests.data.layouts.folders import write_png


def _refuse(name):
    raise BadInputError(f"{name}: broken")


def test_bad_input_becomes_a_problem_and_no_other_error_does():
    assert attempt(TRAIN, lambda name: VideoRecord(name, TRAIN, "a.mp4"), "a") == VideoRecord("a", TRAIN, "a.mp4")
    assert attempt(TRAIN, _refuse, "a") == Problem(TRAIN, "a: broken")
    with pytest.raises(ZeroDivisionError):
        attempt(TRAIN, lambda: 1 / 0)


def test_pictures_are_read_in_the_order_given(tmp_path):
    for value in (1, 2, 3):
        write_png(tmp_path / f"{value}.png", value)
    record = VideoRecord("a", TRAIN, tuple(str(tmp_path / f"{value}.png") for value in (3, 1, 2)))
    assert [frame[0, 0].tolist() for frame in record.read_whole()] == [[3] * 3, [1] * 3, [2] * 3]


def test_frames_that_are_lost_are_an_error_of_whole_reading_alone(tmp_path):
    synthetic.write_videos(tmp_path, videos=1, frames=20, size=(48, 64))
    path = tmp_path / "video" / "001.AVI"
    record = VideoRecord("001", TRAIN, str(path))
    assert len(list(record.read_whole())) == 20
    path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])
    assert 0 < len(list(record.open())) < 20
    with pytest.raises(BadInputError, match="001.AVI"):
        list(record.read_whole())


def test_a_changed_file_changes_the_fingerprint(tmp_path):
    write_png(tmp_path / "1.png")
    record = VideoRecord("a", TRAIN, (str(tmp_path / "1.png"),))
    before = record.fingerprint()
    assert record.fingerprint() == before
    write_png(tmp_path / "1.png", size=(80, 120))
    assert record.fingerprint() != before
