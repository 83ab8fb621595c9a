import numpy as np
import pytest

from hd2s_tf.inference.graph import MapGraph
from hd2s_tf.models import folding
from hd2s_tf.models.hd2s import HD2S

RNG = np.random.default_rng(6)


@pytest.fixture(scope="module")
def model():
    return HD2S.from_preset("hd2s_tiny", weights=None, width_multiplier=0.0625, levels=(1, 2), clip_frames=8)


def test_pixels_become_the_models_maps(model):
    clips = RNG.integers(0, 256, (2, 8, 32, 64, 3), np.uint8)
    expected = model({"clip": clips.astype(np.float32) * (2 / 255) - 1}, training=False)
    saliency_maps, conspicuity_maps = MapGraph(folding.for_inference(model)).maps(clips, np.zeros(2, np.int32))
    assert {saliency_maps.dtype.name, conspicuity_maps.dtype.name} == {"float32"}
    np.testing.assert_allclose(saliency_maps, expected["saliency_map"], rtol=0, atol=1e-5)
    np.testing.assert_allclose(conspicuity_maps, expected["conspicuity_maps"], rtol=0, atol=1e-5)
