import json

import cv2
import numpy as np
import pytest

from hd2s_tf.data.frame_source import open_frames
from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.inference import to_folder
from hd2s_tf.inference.output import OutputFolder, Parts
from hd2s_tf.inference.predict_fn import FunctionPredictFn
from hd2s_tf.inference.streams import Maps
from hd2s_tf.serving.signatures import ModelInfo


@pytest.fixture
def source(tmp_path):
    (tmp_path / "frames").mkdir()
    for number in range(1, 4):
        cv2.imwrite(str(tmp_path / "frames" / f"{number}.png"), np.full((20, 30, 3), 50 * number, np.uint8))
    return open_frames(tmp_path / "frames")


def _bright(clips):
    maps = clips[:, -1].mean(-1, dtype=np.float32) / 255
    return Maps(maps, maps[:, np.newaxis])


def _predict(source, folder, function=_bright, overwrite=False, **parts):
    predict_fn = FunctionPredictFn(function, ModelInfo("bright", smoothing_sigma=0.0))
    output = OutputFolder(str(folder), overwrite)
    return to_folder.predict_source(predict_fn, source, output, parts=Parts(overlay=False, **parts))


def _names(folder):
    return sorted(str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file())


def test_what_is_written(source, tmp_path):
    summary = _predict(source, tmp_path / "out", conspicuity=True)
    maps = [f"{kind}/000{number}.png" for kind in ("conspicuity", "maps") for number in (1, 2, 3)]
    assert _names(tmp_path / "out") == [*maps, "summary.json"]
    assert json.loads((tmp_path / "out" / "summary.json").read_text()) == summary
    expected = {"frames": 3, "height": 20, "width": 30, "preset": "bright", "stride": 1, "overlay_codec": None}
    assert expected.items() <= summary.items()
    # The saliency map and one conspicuity map.
    assert cv2.imread(str(tmp_path / "out" / "conspicuity" / "0001.png")).shape == (20, 60, 3)


def test_an_earlier_output_is_replaced_as_a_whole_and_only_if_asked(source, tmp_path):
    _predict(source, tmp_path / "out", conspicuity=True)
    (tmp_path / "out" / "maps" / "0009.png").write_bytes(b"of a longer video")
    (tmp_path / "out" / "mine.txt").write_text("mine")
    with pytest.raises(BadInputError, match="holds an earlier output .conspicuity, maps, summary.json.|maps") as error:
        OutputFolder(str(tmp_path / "out"), overwrite=False)
    assert error.value.remedy == "overwrite"
    _predict(source, tmp_path / "out", overwrite=True)
    assert _names(tmp_path / "out") == ["maps/0001.png", "maps/0002.png", "maps/0003.png", "mine.txt", "summary.json"]


def test_a_run_that_fails_at_once_removes_nothing(source, tmp_path):
    _predict(source, tmp_path / "out")
    before = _names(tmp_path / "out")
    with pytest.raises(RunError, match="not finite"):
        _predict(source, tmp_path / "out", lambda clips: np.full(clips.shape[:1] + clips.shape[2:4], np.nan), True)
    assert _names(tmp_path / "out") == before


def test_no_frames_are_an_error(source, tmp_path):
    output = OutputFolder(str(tmp_path / "out"), overwrite=False)
    with pytest.raises(BadInputError, match="no frame to predict"):
        output.write(iter(()), source.read(), {}, Parts())
    assert not (tmp_path / "out").exists()


def test_a_file_is_no_folder(tmp_path):
    (tmp_path / "out").write_text("a file")
    with pytest.raises(BadInputError, match="out: not a folder"):
        OutputFolder(str(tmp_path / "out"), overwrite=True)
