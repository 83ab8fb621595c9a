"""It runs, and its numbers are consistent."""

import pytest

from hd2s_tf.benchmark import metrics


def test_metrics(narrow, monkeypatch):
    small = {"_SIZE": (36, 64), "_FIXATIONS": 5, "_OTHER_FIXATIONS": 20, "_PRESET": "hd2s_tiny", "_BATCH": 1}
    for name, value in small.items():
        monkeypatch.setattr(metrics, name, value)
    results = metrics.run()
    five = results.pop("all five")
    assert set(results) == {"auc_judd", "sim", "s_auc", "cc", "nss"}
    assert all(value > 0 for result in results.values() for value in result.values())
    assert five["ms_a_frame"] == pytest.approx(sum(result["ms_a_frame"] for result in results.values()), abs=0.01)
    assert five["share_of_predicting"] == pytest.approx(five["ms_a_frame"] / five["hd2s_ms_a_window"], rel=0.1)
