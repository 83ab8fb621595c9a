"""It runs, and its numbers are consistent."""

import pytest

from hd2s_tf.benchmark import train


def test_training(narrow, fits, monkeypatch):
    monkeypatch.setattr(train, "BATCHES", {"hd2s_tiny": 1})
    result = train._one("hd2s_tiny", "float32", {"model.overrides.recompute": True})
    assert result["batch"] == 1
    assert fits(result, "gflops", "share_of_matrix_products")
    assert result["gflops"] == pytest.approx(result["clips_a_second"] * result["gflop_a_clip"], rel=0.3)
