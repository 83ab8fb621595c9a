"""Each benchmark on tiny inputs: it runs, and its numbers are consistent."""

import functools

import pytest

from hd2s_tf.benchmark import data, measure, predict, serving, train
from hd2s_tf.models.hd2s import HD2S

NARROW = {"width_multiplier": 0.0625, "levels": (1,)}


@pytest.fixture
def narrow(monkeypatch):
    """Makes every model narrow, times everything once, and multiplies small matrices."""
    monkeypatch.setattr(HD2S, "from_preset", functools.partial(HD2S.from_preset, **NARROW))
    monkeypatch.setattr(measure, "_MATRIX_SIDES", {"CPU": 256, "GPU": 256})
    seconds, speed = measure.seconds, measure.speed
    monkeypatch.setattr(measure, "seconds", lambda function, *_, **__: seconds(function, 1, 1))
    monkeypatch.setattr(measure, "speed", lambda function, gflop, dtype, *_: speed(function, gflop, dtype, 1, 1))


def _fits(result, rate, share):
    """Checks that a share is the rate divided by the matrix products' rate, up to rounding."""
    return result[share] == pytest.approx(result[rate] / result["matrix_product_gflops"], rel=0.05, abs=2e-3)


def test_prediction(narrow, monkeypatch):
    monkeypatch.setattr(predict, "_VIDEO_FRAMES", 5)
    result = predict._one("hd2s_tiny", "float32")
    assert _fits(result, "gflops_batch4", "share_of_matrix_products_batch4")
    assert 0 < result["gflop_a_window"] < 1
    assert result["gflops_batch1"] == pytest.approx(
        1000 * result["gflop_a_window"] / result["ms_a_window_batch1"], rel=0.3
    )
    assert result["frames_a_second_end_to_end"] > 0


def test_training(narrow, monkeypatch):
    monkeypatch.setattr(train, "BATCHES", {"hd2s_tiny": 1})
    result = train._one("hd2s_tiny", "float32", {"model.overrides.recompute": True})
    assert result["batch"] == 1
    assert _fits(result, "gflops", "share_of_matrix_products")
    assert result["gflops"] == pytest.approx(result["clips_a_second"] * result["gflop_a_clip"], rel=0.3)


def test_input(narrow, monkeypatch):
    small = {"_FRAMES": 20, "_SIZE": (48, 64), "_BATCH": 2, "_BATCHES": 1, "_ORIGINALS": 2}
    for name, value in small.items():
        monkeypatch.setattr(data, name, value)
    result = data._all()
    assert result["records_against_hd2s_tiny"] == pytest.approx(
        result["from_records"] / result["consumed_by_hd2s_tiny"], rel=0.1
    )
    assert all(value > 0 for value in result.values())


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


def test_decoding(monkeypatch):
    for name, value in {"_FRAMES": 20, "_SIZE": (48, 64), "_TURNS": 2}.items():
        monkeypatch.setattr(data, name, value)
    result = data._decoded()
    assert result["package_against_opencv"] == pytest.approx(result["package"] / result["opencv"], abs=0.01)
