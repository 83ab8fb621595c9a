import functools

import numpy as np
import pytest

from hd2s_tf.benchmark import growth, runtimes
from hd2s_tf.inference.predict_fn import ModelPredictFn
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import CLIP_FRAMES, FRAME_SIZE


def test_pytorch_answers_as_our_network():
    """It also checks our layers against an independent framework."""
    pytest.importorskip("torch", reason="PyTorch is optional")
    model = HD2S.from_preset("hd2s_tiny")
    clips = np.random.default_rng(1).integers(0, 256, (2, CLIP_FRAMES, 64, 96, 3), np.uint8)
    np.testing.assert_allclose(runtimes.create("torch", model)(clips), ModelPredictFn(model)(clips).saliency, atol=2e-5)


def test_ratios_by_hand():
    taken = {"ours": [2.0, 3.0, 8.0], "torch": [4.0, 3.0, 10.0], "a_frame_of_a_video": [8.0, 3.0, 10.0]}
    assert runtimes._compared(taken, {"ours": 1, "torch": 1, "a_frame_of_a_video": 4}) == {
        "ours": 3000.0,
        "torch": 4000.0,
        "a_frame_of_a_video": 2000.0,
        "times_torch": 0.8,  # of 0.5, 1 and 0.8
        "a_frame_of_a_video_times_torch": 0.25,  # of 0.5, 0.25 and 0.25
    }


def test_a_frame_of_a_video_is_a_call_too(monkeypatch):
    narrow = functools.partial(HD2S.from_preset, width_multiplier=0.0625, levels=(1,))
    monkeypatch.setattr(HD2S, "from_preset", narrow)
    assert np.shape(runtimes._frames("hd2s_tiny")()) == (runtimes.DEFAULT_BATCH_SIZE, *FRAME_SIZE)
    assert np.shape(runtimes._window("ours", "hd2s_tiny", 2)()) == (2, *FRAME_SIZE)


def test_a_runtime_that_answers_something_else_is_not_timed(monkeypatch):
    narrow = functools.partial(HD2S.from_preset, width_multiplier=0.0625, levels=(1,))
    monkeypatch.setattr(HD2S, "from_preset", narrow)
    monkeypatch.setattr(runtimes, "create", lambda name, model: lambda clips: np.full(1, 2.0, np.float32))
    with pytest.raises(RuntimeError, match="torch answers something else"):
        runtimes._window("torch", "hd2s_tiny", 1)


def test_growth_is_drawn(tmp_path):
    results = {f"{count} frames": {"seconds": count / 50, "peak_memory_mb": 800} for count in growth.FRAME_COUNTS}
    results |= {f"{height}x{width}": {"ms_a_window": height / 4} for height, width in growth.SIZES}
    results |= {f"{count} clients": {"frames_a_second": 30.0} for count in growth.CLIENTS}
    growth.draw(str(tmp_path / "growth.png"), results)
    assert (tmp_path / "growth.png").read_bytes().startswith(b"\x89PNG")
