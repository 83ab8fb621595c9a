import numpy as np
import pytest

from hd2s_tf.benchmark import growth, runtimes
from hd2s_tf.inference.predictor import ModelPredictFn
from hd2s_tf.models.hd2s import CLIP_FRAMES, HD2S


def test_pytorch_answers_as_our_network():
    """Also a check of our layers by a framework that has nothing to do with ours."""
    pytest.importorskip("torch", reason="PyTorch is optional")
    model = HD2S.from_preset("hd2s_tiny")
    clips = np.random.default_rng(1).integers(0, 256, (2, CLIP_FRAMES, 64, 96, 3), np.uint8)
    np.testing.assert_allclose(runtimes.create("torch", model)(clips), ModelPredictFn(model)(clips), atol=2e-5)


def test_growth_is_drawn(tmp_path):
    results = {f"{count} frames": {"seconds": count / 50, "peak_memory_mb": 800} for count in growth.FRAME_COUNTS}
    results |= {f"{height}x{width}": {"ms_a_window": height / 4} for height, width in growth.SIZES}
    results |= {f"{count} clients": {"frames_a_second": 30.0} for count in growth.CLIENTS}
    growth.draw(str(tmp_path / "growth.png"), results)
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")
