import numpy as np
import pytest

from hd2s_tf.benchmark import runtimes
from hd2s_tf.inference.predict_fn import ModelPredictFn
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import CLIP_FRAMES


def test_pytorch_answers_as_our_network():
    """It also checks our layers against an independent framework."""
    pytest.importorskip("torch", reason="PyTorch is optional")
    model = HD2S.from_preset("hd2s_tiny")
    clips = np.random.default_rng(1).integers(0, 256, (2, CLIP_FRAMES, 64, 96, 3), np.uint8)
    np.testing.assert_allclose(runtimes.create("torch", model)(clips), ModelPredictFn(model)(clips).saliency, atol=2e-5)
