import cv2
import numpy as np
import pytest
from PIL import Image

from hd2s_tf.data import frame_source, images
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
    source = frame_source.open_frames(clip)
    assert (source.size, source.frame_rate, source.frame_count) == ((24, 32), 10.0, 30)
    assert (source.codec, source.rotation, source.path) == ("mjpeg", 0, str(clip))
    for _ in range(2):
        values = [int(np.rint(frame.mean() / 8)) for frame in source]
        assert values == list(range(30))


def test_a_folder_is_read_in_name_order(tmp_path):
    for name, value in (("b.png", 2), ("a.png", 1), ("c.png", 3)):
        _image(tmp_path / name, value=value)
    (tmp_path / "notes.txt").write_text("x")
    source = frame_source.open_frames(tmp_path)
    reading = source.read()
    assert [frame[0, 0, 0] for frame in reading] == [1, 2, 3]
    assert reading.times == [(index / 25, 1 / 25) for index in range(3)]
    assert source.path == str(tmp_path)


def test_an_image_is_a_source_of_one_frame(tmp_path):
    _image(tmp_path / "a.png", value=7)
    source = frame_source.open_frames(tmp_path / "a.png")
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
            frame_source.open_frames(tmp_path / name)


def test_frames_of_different_sizes_are_refused(tmp_path):
    _image(tmp_path / "1.png")
    _image(tmp_path / "2.png", size=(21, 30))
    with pytest.raises(BadInputError, match="2.png: the frame is 30x21, the first one is 30x20"):
        list(frame_source.open_frames(tmp_path))


def test_a_truncated_video_gives_what_can_be_read(clip, caplog):
    data = clip.read_bytes()
    clip.write_bytes(data[: len(data) * 6 // 10])
    reading = frame_source.open_frames(clip).read()
    assert 0 < len(list(reading)) < 30
    assert "truncated or damaged at" in caplog.text
    assert "clip.avi" in caplog.text
    assert reading.damaged


@pytest.mark.parametrize("suffix", ["gif", "webp", "png", "tiff"])
def test_an_image_of_several_pictures_is_a_video(tmp_path, suffix):
    pictures = [Image.fromarray(np.full((20, 30, 3), 40 * number, np.uint8)) for number in range(1, 6)]
    times = {} if suffix == "tiff" else {"duration": [100, 300, 100, 50, 100]}
    pictures[0].save(tmp_path / f"a.{suffix}", save_all=True, append_images=pictures[1:], **times)
    source = frame_source.open_frames(tmp_path / f"a.{suffix}")
    assert (source.size, source.frame_count, source.codec) == ((20, 30), 5, suffix)
    reading = source.read()
    assert [round(frame.mean() / 40) for frame in reading] == [1, 2, 3, 4, 5]
    starts = [start for start, _ in reading.times]
    expected = [index / 25 for index in range(5)] if suffix == "tiff" else [0.0, 0.1, 0.4, 0.5, 0.55]
    np.testing.assert_allclose(starts, expected)


def test_pages_of_different_sizes_are_refused(tmp_path):
    pictures = [Image.fromarray(np.zeros(size, np.uint8)) for size in ((20, 30), (20, 31))]
    pictures[0].save(tmp_path / "a.tiff", save_all=True, append_images=pictures[1:])
    with pytest.raises(BadInputError, match="a.tiff: the frame is 31x20, the first one is 30x20"):
        list(frame_source.open_frames(tmp_path / "a.tiff"))
