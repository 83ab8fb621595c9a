import functools

import numpy as np
import pytest

from hd2s_tf.benchmark import runtimes
from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import FRAME_SIZE


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
