import numpy as np
import pytest

from hd2s_tf import SaliencyStream, predict_video
from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.inference.predict_fn import FunctionPredictFn, ModelPredictFn
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.serving.signatures import ModelInfo

RNG = np.random.default_rng(6)
SIZE = (32, 64)


def test_a_stream_gives_the_videos_maps_once_a_window_is_full():
    predict_fn = ModelPredictFn(HD2S.from_preset("hd2s_tiny", weights=None, width_multiplier=0.125, levels=(1,)))
    frames = list(RNG.integers(0, 256, (40, 48, 80, 3), np.uint8))
    stream = SaliencyStream(predict_fn, frame_size=SIZE)
    maps = [stream.push(frame) for frame in frames]
    assert maps[:15] == [None] * 15
    predictions = list(predict_video(predict_fn, frames, frame_size=SIZE))
    for found, prediction in zip(maps[15:], predictions[15:], strict=True):
        assert found.shape == (48, 80)
        # A batch of another size may round the other way.
        assert np.abs(found.astype(int) - prediction.saliency_map).max() <= 1


def test_a_stream_of_any_predict_fn_holds_no_more_than_a_window():
    longest = []

    def predict_fn(clips):
        longest.append(clips.shape)
        return clips[:, -1, :, :, 0].astype(np.float32)

    stream = SaliencyStream(FunctionPredictFn(predict_fn, ModelInfo("test")), frame_size=SIZE, smoothing_sigma=0)
    for index in range(1, 60):
        saliency_map = stream.push(np.full((*SIZE, 3), index, np.uint8))
        assert (saliency_map is None) == (index < 16)
    assert set(longest) == {(1, 16, *SIZE, 3)}


def test_what_a_stream_refuses():
    predict_fn = FunctionPredictFn(lambda clips: np.full((1, *SIZE), np.nan), ModelInfo("test"))
    stream = SaliencyStream(predict_fn, frame_size=SIZE)
    with pytest.raises(BadInputError, match=r"the frame is float64 \[4, 4, 3\]: it must be uint8"):
        stream.push(np.zeros((4, 4, 3)))
    for _ in range(15):
        stream.push(np.zeros((4, 4, 3), np.uint8))
    with pytest.raises(RunError, match="not finite"):
        stream.push(np.zeros((4, 4, 3), np.uint8))
