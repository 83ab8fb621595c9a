"""It runs, and its numbers are consistent."""

import pytest

from hd2s_tf.benchmark import data


def test_input(narrow, monkeypatch):
    small = {"_FRAMES": 20, "_SIZE": (48, 64), "_BATCH": 2, "_BATCHES": 1, "_ORIGINALS": 2}
    for name, value in small.items():
        monkeypatch.setattr(data, name, value)
    result = data._all()
    assert result["records_against_hd2s_tiny"] == pytest.approx(
        result["from_records"] / result["consumed_by_hd2s_tiny"], rel=0.1
    )
    assert all(value > 0 for value in result.values())


def test_decoding(monkeypatch):
    for name, value in {"_FRAMES": 20, "_SIZE": (48, 64), "_TURNS": 2}.items():
        monkeypatch.setattr(data, name, value)
    result = data._decoded()
    assert result["package_against_opencv"] == pytest.approx(result["package"] / result["opencv"], abs=0.01)
