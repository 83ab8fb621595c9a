import pytest

from hd2s_tf.data.gaze import names

_PATHS = ["clips/walk.v2.mp4", "clips/Run.mp4", "a/twice.mp4", "b/twice.mp4", "007.jpg", "1001.png"]


@pytest.mark.parametrize(
    "name, place",
    [
        ("walk.v2", 0), ("walk.v2.mp4", 0), ("clips/walk.v2.mp4", 0), ("clips/walk.v2", 0), ("clips\\walk.v2.mp4", 0),
        ("D:\\study\\walk.v2.avi", 0), ("Run", 1), ("twice", None), ("a/twice", 2), ("b/twice.mp4", 3), ("7", 4),
        ("007", 4), ("7.jpg", 4), ("01001", 5), ("walk", None), ("nothing", None), ("", None),
    ],
)  # fmt: skip
def test_tables_call_files_by_path_name_or_stem(name, place):
    assert names.Names(_PATHS)[name] == place


def test_videos_are_called_by_their_stems_unless_several_have_one():
    assert list(names.video_names(_PATHS).values()) == ["walk.v2", "Run", "a-twice", "b-twice", "007", "1001"]
