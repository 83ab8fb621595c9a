"""It runs, and its numbers are consistent."""

import pytest

from hd2s_tf.benchmark import serving


def test_serving(narrow, monkeypatch):
    monkeypatch.setattr(serving, "_SIZE", (48, 64))
    result = serving.measured({}, 20, (2,), 0.5)["results"]
    load, local = result["2 clients"], result["in process"]["frames_a_second"]
    assert load["errors"] == 0
    assert load["share_of_in_process"] == pytest.approx(load["frames_a_second"] / local, abs=1e-2)
    assert 0 < load["p50_seconds_a_request"] <= load["p99_seconds_a_request"]
    sizes = result["bytes a frame"]
    assert sizes["answered"] == 128 * 192 * 4
    assert sizes["times_less"] == pytest.approx(
        (16 * 128 * 192 * 3 * 4 + sizes["answered"]) / (sizes["sent"] + sizes["answered"]), abs=0.1
    )


def test_a_server_that_cannot_be_reached_is_an_error_of_every_client(monkeypatch):
    monkeypatch.setattr(serving, "_DEADLINE", 0.2)
    result = serving._load("127.0.0.1:1/m", [], 2, 0.1, 1, 1.0)
    assert result["errors"] == 2
    assert "UNAVAILABLE" in result["error"]
