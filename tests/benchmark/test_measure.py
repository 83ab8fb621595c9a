"""The benchmark's measuring: operations counted by hand, processes that end."""

import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest
import tensorflow as tf

from hd2s_tf.benchmark import measure


def _work(function, *shapes):
    return 1e9 * measure.gflop(tf.function(function).get_concrete_function(*(tf.TensorSpec(shape) for shape in shapes)))


def test_operations_counted_by_hand():
    # Every output takes as many products and as many sums as the kernel has values.
    assert _work(tf.matmul, (3, 5), (5, 7)) == 2 * 3 * 7 * 5
    assert _work(tf.matmul, (2, 3, 5), (2, 5, 7)) == 2 * 2 * 3 * 7 * 5
    assert _work(lambda x, k: tf.nn.conv2d(x, k, 1, "VALID"), (1, 10, 12, 3), (3, 3, 3, 8)) == 2 * (8 * 10 * 8) * 27
    assert _work(lambda x, k: tf.nn.conv2d(x, k, 2, "SAME"), (1, 10, 12, 3), (3, 3, 3, 8)) == 2 * (5 * 6 * 8) * 27
    strides = [1, 1, 1, 1, 1]
    assert _work(lambda x, k: tf.nn.conv3d(x, k, strides, "SAME"), (1, 4, 5, 6, 2), (3, 1, 1, 2, 7)) == (
        2 * (4 * 5 * 6 * 7) * 6
    )
    assert _work(lambda x, k: tf.nn.depthwise_conv2d(x, k, [1] * 4, "SAME"), (1, 5, 6, 4), (3, 3, 4, 1)) == (
        2 * (5 * 6 * 4) * 9
    )
    assert _work(lambda x: tf.nn.relu(x) + 1, (1, 5, 6, 4)) == 0


def test_the_median_of_calls_after_the_first_ones():
    slow = iter([0.2, 0.0, 0.0, 0.1])
    assert measure.seconds(lambda: time.sleep(next(slow)), repeats=3, warmups=1) < 0.05


def test_a_speed_beside_matrix_products(monkeypatch):
    calls = []
    seconds = {"call": iter([9.0, 2.0, 1.0, 4.0]), "product": iter([9.0, 0.5, 0.25, 1.0])}

    def taken(function, repeats, warmups):
        calls.append((repeats, warmups))
        return next(seconds["call" if function is call else "product"])

    def call():
        raise AssertionError("only timed")

    monkeypatch.setattr(measure, "_MATRIX_SIDES", {"CPU": 500, "GPU": 500})  # 0.25 GFLOP
    monkeypatch.setattr(measure, "seconds", taken)
    speed = measure.speed(call, 2.0, repeats=3, warmups=1)
    # Rates of the call: 1, 2, 0.5; of the products after each: 0.5, 1, 0.25. The first of both is not counted.
    assert speed == measure.Speed(2.0, 0.5, 2.0)
    assert len(calls) == 8


def _process(text):
    return {"process": os.getpid(), "text": text}


def _fail():
    raise ValueError("no")


def test_a_function_alone_in_a_process():
    result = measure.alone(_process, "x")
    assert result["text"] == "x"
    assert result["peak_memory_mb"] > 10
    assert not pathlib.Path(f"/proc/{result['process']}").exists()
    with pytest.raises(ValueError, match="no"):
        measure.alone(_fail)


def _creates(name):
    calls = iter([0.3, 0.0, 0.1, 0.2, 0.0, 0.0]) if name == "slow" else iter([0.0] * 6)
    return lambda: time.sleep(next(calls))


def test_functions_have_their_turns_in_processes_of_their_own():
    taken = measure.in_turn({name: (_creates, name) for name in ("slow", "fast")}, repeats=2, warmups=1)
    # Every second call is timed: of 0, 0.2 and 0 seconds the first is not counted.
    assert taken["slow"] == [pytest.approx(0.2, abs=0.1), pytest.approx(0, abs=0.1)]
    assert taken["fast"] == [pytest.approx(0, abs=0.1)] * 2


_PARENT = """
import time
from hd2s_tf.benchmark import measure

if __name__ == "__main__":
    measure.alone(time.sleep, 60)
"""


@pytest.mark.skipif(not pathlib.Path("/proc/self/task").exists(), reason="processes are found in /proc")
def test_a_measured_process_ends_with_a_killed_parent(tmp_path):
    (tmp_path / "parent.py").write_text(_PARENT)
    root = str(pathlib.Path(__file__).resolve().parents[2])
    parent = subprocess.Popen([sys.executable, str(tmp_path / "parent.py")], env={**os.environ, "PYTHONPATH": root})
    children = []
    deadline = time.monotonic() + 60
    # The resource tracker of multiprocessing is a child too, and ends by itself.
    while not any(_sleeps_in(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.1)
        children = pathlib.Path(f"/proc/{parent.pid}/task/{parent.pid}/children").read_text().split()
    time.sleep(0.5)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    while any(_sleeps_in(child) for child in children):
        assert time.monotonic() < deadline
        time.sleep(0.1)


def _sleeps_in(process):
    command = pathlib.Path(f"/proc/{process}/cmdline")
    return command.exists() and b"spawn_main" in command.read_bytes()
