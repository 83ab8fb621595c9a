"""Golden values are made from the published networks' answers (../shared/parity) by the published test code's rules."""

import importlib.util

import numpy as np
import pytest
from scipy import ndimage

from hd2s_tf.errors import BadInputError
from hd2s_tf.inference import compatibility
from hd2s_tf.inference.predict_fn import FunctionPredictFn, ModelPredictFn
from hd2s_tf.inference.predictor import predict_frame, predict_video
from hd2s_tf.models import torch_weights
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import PUBLISHED_DOMAINS
from hd2s_tf.serving.signatures import ModelInfo


def _golden_map(saliency_map):
    """What the published test code writes for a network's map."""
    rounded = (saliency_map * 255.0).astype(int) / 255.0
    smoothed = ndimage.gaussian_filter(rounded, sigma=7)
    return (smoothed / np.max(smoothed) * 255.0).astype(np.uint8)


@pytest.fixture(scope="module")
def stand_in(shared):
    specification = importlib.util.spec_from_file_location("stand_in", shared / "parity" / "make_state_dict.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.state_dict


@pytest.fixture(scope="module")
def frames(shared):
    return np.load(shared / "parity" / "clip.npz")["clip"]


def _converted(stand_in, preset):
    model = HD2S.from_preset(preset, weights=None)
    torch_weights.assign(model, {name.removeprefix("module."): value for name, value in stand_in(preset).items()})
    return model


def _predict_last(predict_fn, frames):
    return predict_frame(predict_fn, lambda indices: {index: frames[index] for index in indices}, len(frames), 15)


def test_maps_are_finished_as_the_published_code_does_it(shared):
    golden = np.load(shared / "parity" / "golden_hd2s.npz")
    maps = np.stack([golden["saliency"], golden["conspicuity2"]])[np.newaxis]
    finished = compatibility.finish_in_8_bits(maps, 7.0)
    assert finished.shape == maps.shape
    for ours, single in zip(finished[0], maps[0], strict=True):
        assert np.array_equal(ours, _golden_map(single))
    assert not compatibility.finish_in_8_bits(np.zeros((4, 6), np.float32), 7.0).any()


def test_a_converted_model(shared, stand_in, frames):
    predict_fn = ModelPredictFn(_converted(stand_in, "hd2s"), precision="float32", compat="published")
    assert (predict_fn.info.smoothing_sigma, predict_fn.info.to_summary()["compat"]) == (7.0, "published")
    ours = _predict_last(predict_fn, frames)
    golden = np.load(shared / "parity" / "golden_hd2s.npz")
    # Where the network's value is a whole number of levels but for its last bits, cutting off may go either way.
    assert np.abs(ours[0] - _golden_map(golden["saliency"])).max() <= 1
    assert (ours[0] == _golden_map(golden["saliency"])).mean() > 0.99


def test_a_converted_domain_specific_model(shared, stand_in, frames):
    checkpoint = stand_in("hd2s_dsl")
    golden = np.load(shared / "parity" / "golden_hd2s_dsl.npz")
    name = PUBLISHED_DOMAINS[1]
    prefix = name.lower()
    # The published fusion sees the maps deep to shallow; then its forward cuts off and smooths.
    maps = np.stack([golden[f"{name}/conspicuity{level}"] for level in (4, 3, 2, 1)])
    weights, bias = (checkpoint[f"last_block__{prefix}.0.{part}"] for part in ("weight", "bias"))
    fused = 1 / (1 + np.exp(-(np.tensordot(weights.ravel(), maps, 1) + bias)))
    offsets = np.arange(-30, 31)
    kernel = np.exp(-0.5 * (offsets / checkpoint[f"GL__{prefix}.sigma"]) ** 2)
    kernel /= kernel.sum()
    smoothed = np.floor(fused * 255) / 255
    for axis in (0, 1):
        smoothed = ndimage.convolve1d(smoothed, kernel, axis, mode="constant")
    predict_fn = ModelPredictFn(_converted(stand_in, "hd2s_dsl"), domain=name, precision="float32", compat="published")
    ours = _predict_last(predict_fn, frames)[0]
    expected = np.floor(smoothed / smoothed.max() * 255)
    assert np.abs(ours - expected).max() <= 1
    assert (ours == expected).mean() > 0.97
    # Without the cut it is another map: the rule is seen.
    uncut = fused
    for axis in (0, 1):
        uncut = ndimage.convolve1d(uncut, kernel, axis, mode="constant")
    assert (ours == np.floor(uncut / uncut.max() * 255)).mean() < 0.9


def test_frames_are_resized_bicubically_without_antialiasing():
    frame = np.zeros((256, 384, 3), np.uint8)
    frame[::4] = 255
    resized = compatibility.resize_without_antialiasing(frame, (128, 192))
    # Every second line is lost in part where areas would be averaged to a quarter.
    assert resized.shape == (128, 192, 3)
    assert len(np.unique(resized)) > 1 and resized.max() > 128

    seen = []
    info = compatibility.adapt_info(ModelInfo("x", clip_frames=2), "published")
    predict_fn = FunctionPredictFn(lambda clips: seen.append(clips) or clips[:, -1].mean(-1) / 255, info)
    prediction = next(iter(predict_video(predict_fn, [frame] * 2)))
    assert np.array_equal(seen[0][0, 0], resized)
    # Whole numbers, cut off.
    assert np.array_equal(prediction.network_map, np.floor(prediction.network_map))


def test_what_cannot_be_is_refused():
    with pytest.raises(BadInputError, match="compat is 'paper'"):
        compatibility.adapt_info(ModelInfo("x"), "paper")
    specific = ModelInfo("hd2s_dsl", weights="served", domains=("a", "b"), smoothing_sigma=0.0)
    with pytest.raises(BadInputError, match="served: an exported domain-specific model"):
        compatibility.adapt_info(specific, "published", exported=True)
    assert compatibility.adapt_info(specific, "published").smoothing_sigma == 0
    assert compatibility.adapt_info(ModelInfo("x"), None) == ModelInfo("x")
