import cv2
import numpy as np
import pytest

from hd2s_tf.data import images, video
from hd2s_tf.errors import BadInputError


def _image(path, size=(20, 30), value=100):
    path.write_bytes(images.png(np.full((*size, 3), value, np.uint8)))


@pytest.fixture
def clip(tmp_path):
    path = tmp_path / "clip.avi"
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 10, (32, 24))
    for index in range(30):
        writer.write(np.full((24, 32, 3), 8 * index, np.uint8))
    writer.release()
    return path


def test_a_video_is_read_in_order_and_can_be_read_again(clip):
    source = video.open_frames(clip)
    assert (source.size, source.frame_rate, source.frame_count) == ((24, 32), 10.0, 30)
    for _ in range(2):
        values = [int(np.rint(frame.mean() / 8)) for frame in source]
        assert values == list(range(30))


def test_a_folder_is_read_in_name_order(tmp_path):
    for name, value in (("b.png", 2), ("a.png", 1), ("c.png", 3)):
        _image(tmp_path / name, value=value)
    (tmp_path / "notes.txt").write_text("x")
    source = video.open_frames(tmp_path)
    assert [frame[0, 0, 0] for frame in source] == [1, 2, 3]
    assert source.path == str(tmp_path)


def test_an_image_is_a_source_of_one_frame(tmp_path):
    _image(tmp_path / "a.png", value=7)
    source = video.open_frames(tmp_path / "a.png")
    assert (source.path, source.frame_count, len(list(source))) == (str(tmp_path / "a.png"), 1, 1)


def test_bad_inputs_are_named(tmp_path):
    (tmp_path / "empty.mp4").write_bytes(b"")
    (tmp_path / "text.mp4").write_bytes(b"no video" * 100)
    (tmp_path / "broken.png").write_bytes(b"no image")
    (tmp_path / "folder").mkdir()
    for name, message in (
        ("missing.mp4", "no such file"),
        ("empty.mp4", "the file is empty"),
        ("text.mp4", "not a video"),
        ("broken.png", "not an image"),
        ("folder", "holds no images"),
    ):
        with pytest.raises(BadInputError, match=f"{name}: .*{message}"):
            video.open_frames(tmp_path / name)


def test_frames_of_different_sizes_are_refused(tmp_path):
    _image(tmp_path / "1.png")
    _image(tmp_path / "2.png", size=(21, 30))
    with pytest.raises(BadInputError, match="2.png: the frame is 30x21, the first one is 30x20"):
        list(video.open_frames(tmp_path))


def test_a_truncated_video_gives_what_can_be_read(clip, caplog):
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) * 6 // 10])
    source = video.open_frames(clip)
    count = len(list(source))
    assert 0 < count < 30
    if source.frame_count:
        assert "truncated or damaged" in caplog.text


@pytest.mark.parametrize("size", [(24, 32), (25, 33), (1, 1)])
def test_written_videos_can_be_read(tmp_path, size):
    path = tmp_path / "out.mp4"
    with video.VideoWriter(path, size, 25) as writer:
        for value in (20, 200):
            writer.write(np.full((*size, 3), value, np.uint8))
    frames = list(video.open_frames(path))
    assert len(frames) == 2
    assert frames[0].mean() < 60 < 160 < frames[1].mean()


def test_a_video_that_fails_leaves_nothing(tmp_path):
    with pytest.raises(KeyError), video.VideoWriter(tmp_path / "out.mp4", (24, 32), 25):
        raise KeyError
    assert not list(tmp_path.iterdir())
