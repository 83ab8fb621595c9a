import numpy as np
import pytest

from hd2s_tf.errors import BadInputError
from hd2s_tf.inference.predict_fn import FunctionPredictFn, ModelPredictFn
from hd2s_tf.inference.streams import Maps
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.serving.signatures import ModelInfo

CLIPS = np.random.default_rng(4).integers(0, 256, (3, 16, 32, 64, 3), np.uint8)
NARROW = {"width_multiplier": 0.0625, "levels": (1,), "weights": None}


def _bright(clips):
    return clips[:, -1].mean(-1)


def test_a_function_of_arrays_has_no_conspicuity_maps():
    predict_fn = FunctionPredictFn(_bright, ModelInfo("bright"))
    for conspicuity in (False, True):
        saliency_maps, conspicuity_maps = predict_fn(CLIPS, conspicuity)
        np.testing.assert_array_equal(saliency_maps, _bright(CLIPS))
        assert conspicuity_maps is None


def test_a_function_of_maps_gives_the_second_kind_when_asked():
    predict_fn = FunctionPredictFn(
        lambda clips: Maps(_bright(clips), _bright(clips)[:, np.newaxis]), ModelInfo("bright")
    )
    assert predict_fn(CLIPS).conspicuity is None
    assert predict_fn(CLIPS, conspicuity=True).conspicuity.shape == (3, 1, 32, 64)


def test_a_models_maps_are_the_models():
    model = HD2S.from_preset("hd2s_tiny", **NARROW)
    predict_fn = ModelPredictFn(model)
    outputs = model({"clip": CLIPS.astype(np.float32) * (2 / 255) - 1}, training=False)
    saliency_maps, conspicuity_maps = predict_fn(CLIPS, conspicuity=True)
    np.testing.assert_allclose(saliency_maps, outputs["saliency_map"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(conspicuity_maps, outputs["conspicuity_maps"], rtol=0, atol=1e-5)
    assert predict_fn(CLIPS).conspicuity is None
    assert predict_fn.info == ModelInfo("hd2s_tiny", smoothing_sigma=0.0)


def test_clips_of_several_sizes_and_numbers():
    predict_fn = ModelPredictFn(HD2S.from_preset("hd2s_tiny", **NARROW))
    alone = predict_fn(CLIPS[:1]).saliency
    np.testing.assert_allclose(predict_fn(CLIPS).saliency[:1], alone, rtol=0, atol=1e-6)
    assert predict_fn(CLIPS.repeat(2, 2)).saliency.shape == (3, 64, 64)
    np.testing.assert_array_equal(predict_fn(CLIPS[:1]).saliency, alone)


def test_a_domain_decides_the_maps():
    model = HD2S.from_preset("hd2s_dsl", domains=("A", "B"), **{**NARROW, "levels": (1, 2)})
    for variable in model.fusion.variables:
        variable.assign(np.arange(np.prod(variable.shape)).reshape(variable.shape))
    first, second = (ModelPredictFn(model, domain=domain) for domain in ("A", "b"))
    assert (second.info.domain, second.info.domains) == ("b", ("A", "B"))
    assert not np.allclose(first(CLIPS).saliency, second(CLIPS).saliency)
    with pytest.raises(BadInputError, match="this model has A, B"):
        ModelPredictFn(model)
