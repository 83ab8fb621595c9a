import numpy as np
import pytest

from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.inference.loading import load_predict_fn
from hd2s_tf.inference.predict_fn import FunctionPredictFn, ModelPredictFn
from hd2s_tf.inference.predictor import predict_frame, predict_video
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.serving.signatures import ModelInfo


def _of(function):
    return FunctionPredictFn(function, ModelInfo("test"))


@_of
def _last_pixel(clips):
    """The map is bright in the row that is the number of the window's last frame."""
    maps = np.zeros((len(clips), 128, 192), np.float32)
    for saliency_map, clip in zip(maps, clips, strict=True):
        saliency_map[clip[-1, 0, 0, 0]] = 0.5
    return maps


def _frames(count, size=(128, 192)):
    return [np.full((*size, 3), index, np.uint8) for index in range(count)]


@pytest.mark.parametrize("count", [1, 2, 15, 16, 17, 30, 31, 100])
@pytest.mark.parametrize("batch_size", [1, 4])
def test_one_map_a_frame_in_order(count, batch_size):
    predictions = list(predict_video(_last_pixel, _frames(count), batch_size=batch_size, smoothing_sigma=0))
    assert [prediction.index for prediction in predictions] == list(range(count))
    for prediction in predictions:
        assert prediction.saliency_map.argmax() // 192 == prediction.index
        assert prediction.saliency_map.max() == 255
        assert (prediction.frame == prediction.index).all()


@pytest.fixture(scope="module")
def random_predict_fn():
    """Of a narrow model with random weights."""
    return ModelPredictFn(HD2S.from_preset("hd2s_tiny", weights=None, width_multiplier=0.125, levels=(1, 2)))


@pytest.mark.parametrize("count", [1, 2, 7, 14, 15, 16, 17, 23, 29, 30, 31, 32, 33, 41, 50])
def test_a_videos_maps_are_those_of_its_windows_one_by_one(random_predict_fn, count):
    frames = np.random.default_rng(count).integers(0, 256, (count, 32, 64, 3), np.uint8)
    options = {"frame_size": (32, 64), "smoothing_sigma": 0, "conspicuity": True}
    found = list(predict_video(random_predict_fn, frames, **options))
    # A function has no stream of its own, so that every window is predicted whole.
    expected = predict_video(_of(lambda clips: random_predict_fn(clips, conspicuity=True)), frames, **options)
    for prediction, other in zip(found, expected, strict=True):
        assert prediction.index == other.index
        np.testing.assert_allclose(prediction.network_map, other.network_map, rtol=0, atol=255e-5)
        assert np.abs(prediction.conspicuity_maps.astype(int) - other.conspicuity_maps).max() <= 1


def test_a_long_video_is_read_no_further_than_needed():
    read = []

    def frames():
        for frame in _frames(100):
            read.append(frame)
            yield frame

    for prediction in predict_video(_last_pixel, frames(), batch_size=4, smoothing_sigma=0):
        # The reversed windows need 30 frames; a batch is predicted and another one read ahead.
        assert len(read) <= max(30, prediction.index + 4) + 4 + 1


def test_a_stride_interpolates_between_predicted_maps():
    predictions = list(predict_video(_last_pixel, _frames(5), stride=4, smoothing_sigma=0))
    assert len(predictions) == 5
    middle = predictions[2].network_map
    assert middle[0, 0] == pytest.approx(127.5)
    assert middle[4, 0] == pytest.approx(127.5)
    assert predictions[4].network_map[4, 0] == 255


def test_maps_have_the_frames_size():
    prediction = next(predict_video(_last_pixel, _frames(3, (90, 70))))
    assert prediction.saliency_map.shape == (90, 70)
    assert prediction.saliency_map.dtype == np.uint8


def test_maps_that_are_not_finite_stop_the_run():
    with pytest.raises(RunError, match="frames 0 to 1: .* not finite"):
        list(predict_video(_of(lambda clips: np.full((len(clips), 128, 192), np.nan)), _frames(2)))


@pytest.mark.parametrize("arguments", [{"batch_size": 0}, {"stride": 0}])
def test_settings_that_make_no_sense(arguments):
    with pytest.raises(BadInputError, match="at least 1"):
        next(predict_video(_last_pixel, _frames(1), **arguments))


def test_the_bundled_model_sees_a_bright_disc():
    frames = _frames(1, (128, 192))
    frames[0][:] = 60
    rows, columns = np.mgrid[:128, :192]
    frames[0][(rows - 40) ** 2 + (columns - 130) ** 2 < 144] = (250, 220, 200)
    predict_fn = load_predict_fn("auto")
    assert predict_fn.info.smoothing_sigma == 0
    prediction = next(predict_video(predict_fn, frames))
    peak = np.unravel_index(prediction.saliency_map.argmax(), (128, 192))
    assert np.hypot(peak[0] - 40, peak[1] - 130) < 24


@pytest.mark.parametrize("index", [0, 7, 14, 15, 21])
def test_one_frame_alone_has_the_maps_that_it_has_in_its_video(random_predict_fn, index):
    frames = np.random.default_rng(index).integers(0, 256, (22, 128, 192, 3), np.uint8)
    whole = list(predict_video(random_predict_fn, frames, smoothing_sigma=2.0, conspicuity=True))[index]
    read = []

    def read_frames(indices):
        read.append(indices)
        return {position: frames[position] for position in indices}

    saliency_map, *conspicuity_maps = predict_frame(random_predict_fn, read_frames, 22, index, smoothing_sigma=2.0)
    np.testing.assert_allclose(saliency_map, whole.network_map, rtol=0, atol=1e-2)
    assert len(conspicuity_maps) == len(whole.conspicuity_maps) == 2
    (indices,) = read
    assert len(indices) <= 16


def test_frames_far_apart_wait_for_no_more_than_two_windows():
    read = []

    def frames():
        for frame in _frames(120):
            read.append(frame)
            yield frame

    for prediction in predict_video(_last_pixel, frames(), batch_size=8, stride=50, smoothing_sigma=0):
        # A batch of eight windows would need 400 frames.
        assert len(read) <= prediction.index + 50 + 8 + 1
