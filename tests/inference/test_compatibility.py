"""Golden values are made from the published networks' answers (../shared/parity) by the published test code's rules."""

import numpy as np
import pytest
from scipy import ndimage

from hd2s_tf.errors import BadInputError
from hd2s_tf.inference import compatibility
from hd2s_tf.inference.predict_fn import FunctionPredictFn, ModelPredictFn
from hd2s_tf.inference.predictor import predict_frame, predict_video
from hd2s_tf.models.domain_specific import GaussianSmoothing
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import PUBLISHED_DOMAINS
from hd2s_tf.serving.signatures import ModelInfo


def _golden_map(saliency_map):
    """What the published test code writes for a network's map."""
    rounded = (saliency_map * 255.0).astype(int) / 255.0
    smoothed = ndimage.gaussian_filter(rounded, sigma=7)
    return (smoothed / np.max(smoothed) * 255.0).astype(np.uint8)


@pytest.fixture(scope="module")
def frames(shared):
    return np.load(shared / "parity" / "clip.npz")["clip"]


def test_maps_are_finished_as_the_published_code_does_it(shared):
    golden = np.load(shared / "parity" / "golden_hd2s.npz")
    maps = np.stack([golden["saliency"], golden["conspicuity2"]])[np.newaxis]
    finished = compatibility.finish_in_8_bits(maps, 7.0)
    assert finished.shape == maps.shape
    for ours, single in zip(finished[0], maps[0], strict=True):
        assert np.array_equal(ours, _golden_map(single))
    assert not compatibility.finish_in_8_bits(np.zeros((4, 6), np.float32), 7.0).any()


def test_a_networks_maps_become_the_published_ones(shared, frames):
    golden = np.load(shared / "parity" / "golden_hd2s.npz")
    info = compatibility.adapt_info(ModelInfo("hd2s"), "published")
    assert (info.smoothing_sigma, info.to_summary()["compat"]) == (7.0, "published")
    predict_fn = FunctionPredictFn(lambda clips: golden["saliency"][np.newaxis], info)
    read = lambda indices: {index: frames[index] for index in indices}  # noqa: E731
    assert np.array_equal(predict_frame(predict_fn, read, len(frames), 15)[0], _golden_map(golden["saliency"]))


@pytest.mark.parametrize("domain", PUBLISHED_DOMAINS)
def test_a_domain_specific_model_cuts_off_before_it_smooths(shared, stand_in, domain):
    checkpoint, prefix = stand_in("hd2s_dsl"), domain.lower()
    golden = np.load(shared / "parity" / "golden_hd2s_dsl.npz")
    # The published fusion sees the maps deep to shallow; then its forward cuts off and smooths.
    maps = np.stack([golden[f"{domain}/conspicuity{level}"] for level in (4, 3, 2, 1)])
    weights, bias = (checkpoint[f"last_block__{prefix}.0.{part}"] for part in ("weight", "bias"))
    fused = 1 / (1 + np.exp(-(np.tensordot(weights.ravel(), maps, 1) + bias)))
    sigma = checkpoint[f"GL__{prefix}.sigma"]
    offsets = np.arange(-30, 31)
    kernel = np.exp(-0.5 * (offsets / sigma) ** 2)
    kernel /= kernel.sum()

    def smooth(saliency_map):
        for axis in (0, 1):
            saliency_map = ndimage.convolve1d(saliency_map, kernel, axis, mode="constant")
        return saliency_map

    # Without the cut the layer gives what the published network answers; with it, what its test code sees.
    layer = GaussianSmoothing(1)
    layer.build()
    layer.sigma.assign([sigma])
    fused = fused[np.newaxis].astype(np.float32)
    np.testing.assert_allclose(layer(fused, np.zeros(1, np.int32))[0], golden[f"{domain}/saliency"], atol=1e-5)
    layer.cuts_off = True
    cut = smooth(np.floor(fused[0] * np.float32(255)) / 255)
    np.testing.assert_allclose(layer(fused, np.zeros(1, np.int32))[0], cut, atol=1e-5)
    assert np.abs(cut - golden[f"{domain}/saliency"]).max() > 1e-3


def test_a_model_is_told_to_cut_off():
    model = HD2S.from_preset("hd2s_dsl", weights=None, width_multiplier=0.0625, levels=(1,))
    predict_fn = ModelPredictFn(model, domain=model.domains[0], precision="float32", compat="published")
    assert predict_fn.model.smoothing.cuts_off
    assert not model.smoothing.cuts_off
    assert predict_fn.info.smoothing_sigma == 0


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
