"""It runs, and its numbers are consistent."""

import pytest

from hd2s_tf.benchmark import predict


def test_prediction(narrow, fits, monkeypatch):
    monkeypatch.setattr(predict, "_VIDEO_FRAMES", 5)
    result = predict._one("hd2s_tiny", "float32")
    assert fits(result, "gflops_batch4", "share_of_matrix_products_batch4")
    assert 0 < result["gflop_a_window"] < 1
    assert result["gflops_batch1"] == pytest.approx(
        1000 * result["gflop_a_window"] / result["ms_a_window_batch1"], rel=0.3
    )
    assert result["frames_a_second_end_to_end"] > 0
