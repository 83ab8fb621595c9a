import av
import numpy as np
import pytest

from hd2s_tf.data import frame_source, images, video
from hd2s_tf.inference import overlay
from hd2s_tf.inference.overlay import Overlay
from hd2s_tf.inference.predictor import Prediction

SIZE = (24, 32)


@pytest.fixture
def source(tmp_path):
    for number in range(1, 4):
        (tmp_path / "frames").mkdir(exist_ok=True)
        (tmp_path / "frames" / f"{number}.png").write_bytes(images.png(np.full((*SIZE, 3), 60 * number, np.uint8)))
    return frame_source.open_frames(tmp_path / "frames")


def _draw(written, source):
    for index, frame in enumerate(source):
        empty = np.zeros(SIZE, np.uint8)
        written.draw(Prediction(index, frame, empty, empty.astype(np.float32)), (0.5 * index, 0.5))


def test_frames_are_shown_when_they_were(tmp_path, source):
    with Overlay(str(tmp_path / "overlay.mp4"), source) as written:
        _draw(written, source)
    assert written.codec == "h264"
    with av.open(str(tmp_path / "overlay.mp4")) as container:
        assert [frame.time for frame in container.decode(video=0)] == [0.0, 0.5, 1.0]
        assert container.duration / 1e6 == pytest.approx(1.5, abs=0.01)
    # A map that is nowhere salient leaves the frames as they are.
    for frame, original in zip(frame_source.open_frames(tmp_path / "overlay.mp4"), source, strict=True):
        np.testing.assert_allclose(frame, original.astype(float), atol=4)


@pytest.mark.parametrize("method", ["__init__", "write", "__exit__"])
def test_a_failure_is_a_warning_and_leaves_nothing(tmp_path, source, monkeypatch, caplog, method):
    original = getattr(video.VideoWriter, method)

    def fail(self, *arguments):
        if method == "__exit__":
            original(self, OSError, OSError(), None)
        raise OSError(28, "no space left", "overlay.mp4")

    monkeypatch.setattr(overlay.VideoWriter, method, fail)
    with Overlay(str(tmp_path / "overlay.mp4"), source) as written:
        _draw(written, source)
    assert written.codec is None
    assert "no overlay: " in caplog.text
    assert "no space left" in caplog.text
    assert [path.name for path in tmp_path.iterdir()] == ["frames"]


def test_an_error_elsewhere_leaves_no_overlay(tmp_path, source):
    with pytest.raises(KeyError), Overlay(str(tmp_path / "overlay.mp4"), source) as written:
        _draw(written, source)
        raise KeyError
    assert not (tmp_path / "overlay.mp4").exists()
