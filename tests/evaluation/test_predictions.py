import cv2
import numpy as np
import pytest

from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation.ground_truth import FrameTruth, ScoredVideo
from hd2s_tf.evaluation.predictions import BaselinePredictor, FolderPredictor, NetworkPredictor, PredictedFrame
from hd2s_tf.inference.predict_fn import FunctionPredictFn
from hd2s_tf.inference.streams import Maps
from hd2s_tf.serving.signatures import ModelInfo


def _video(name="a", frames=3, truth=None):
    pictures = [np.full((36, 54, 3), 40 * number, np.uint8) for number in range(1, frames + 1)]
    names = tuple(f"{number:04d}" for number in range(1, frames + 1))
    return ScoredVideo(name, True, names, lambda: pictures, lambda index: truth, lambda index: np.zeros((0, 2)))


def _write(folder, *names, value=7):
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(folder / name), np.full((4, 6), value, np.uint8))


def _brightness(clips):
    maps = clips[:, -1].mean(-1, dtype=np.float32) / 255
    # Uneven, so that the peak says where it lies.
    maps = maps * np.linspace(0.5, 1, maps.shape[2], dtype=np.float32)
    return Maps(maps, np.stack([maps, maps**2], 1))


def test_a_networks_maps_at_its_size_and_at_the_frames():
    predictor = NetworkPredictor(FunctionPredictFn(_brightness, ModelInfo("brightness", clip_frames=2)), batch_size=2)
    first, *_, last = predictor.frames(_video())
    assert first.read().shape == (128, 192)
    assert first.read(as_file=True).shape == (36, 54)
    assert last.read(as_file=True).dtype == np.uint8
    assert last.read().max() == pytest.approx(255)
    maps = predictor.example(_video(), 1)
    assert [single.shape for single in maps] == [(128, 192)] * 3


def test_frames_of_a_folder_by_their_numbers(tmp_path):
    _write(tmp_path, "a/1.png", "a/02.png", "a/0003.png")
    predictor = FolderPredictor(str(tmp_path), [_video()], allow_missing=False)
    assert [frame.read()[0, 0] for frame in predictor.frames(_video())] == [7, 7, 7]
    assert predictor.example(_video(), 0)[0].shape == (4, 6)


def test_missing_and_unknown_predictions(tmp_path):
    _write(tmp_path, "a/1.png", "a/9.png")
    with pytest.raises(BadInputError, match=r"no prediction for a/0002.png, a/0003.png$") as error:
        FolderPredictor(str(tmp_path), [_video()], allow_missing=False)
    assert error.value.remedy == "allow_missing"
    frames = list(FolderPredictor(str(tmp_path), [_video()], allow_missing=True).frames(_video()))
    assert [frame.read() is None for frame in frames] == [False, True, True]
    _write(tmp_path, "a/2.png", "a/3.png")
    with pytest.raises(BadInputError, match="no frame has the name of .*9.png"):
        FolderPredictor(str(tmp_path), [_video()], allow_missing=False)
    with pytest.raises(BadInputError, match="no prediction for any frame"):
        FolderPredictor(str(tmp_path), [_video("b")], allow_missing=True)


def test_baselines():
    (centre,) = BaselinePredictor("centre", list).frames(_video(frames=1))
    assert np.unravel_index(centre.read().argmax(), (128, 192)) in [(63, 95), (63, 96), (64, 95), (64, 96)]
    assert BaselinePredictor("uniform", list).example(_video(), 0)[0].std() == 0
    truth = FrameTruth(np.uint8([[0, 9], [0, 0]]).repeat(64, 0).repeat(96, 1), np.zeros((128, 192), bool))
    mean = BaselinePredictor("mean_map", lambda: [_video(truth=truth)]).example(_video(), 0)[0]
    assert mean[:64, 96:].min() == 255 and mean[64:].max() == 0
    with pytest.raises(BadInputError, match="training videos beside"):
        BaselinePredictor("mean_map", list)
    with pytest.raises(BadInputError, match="no baseline 'center'"):
        BaselinePredictor("center", list)


def test_a_prediction_that_is_not_there():
    assert PredictedFrame().read() is None
