"""Each benchmark on tiny inputs."""

import functools

import pytest

from hd2s_tf.benchmark import measure
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


@pytest.fixture
def fits():
    """Checks that a result's share is its rate divided by the matrix products' rate, up to rounding."""

    def check(result, rate, share):
        return result[share] == pytest.approx(result[rate] / result["matrix_product_gflops"], rel=0.05, abs=2e-3)

    return check
