"""One device, accumulated batches, several devices and several processes compute the same update."""

import json
import os
import pathlib
import socket
import subprocess
import sys

import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """By case, the weights after two updates on the same eight examples."""
    folder = tmp_path_factory.mktemp("weights")
    workers = [f"127.0.0.1:{_free_port()}" for _ in range(2)]
    configurations = [
        {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}} for index in range(len(workers))
    ]
    processes = [
        _start("multiworker", folder / f"{index}.npz", TF_CONFIG=json.dumps(configuration))
        for index, configuration in enumerate(configurations)
    ]
    for process in (*processes, _start("devices", folder / "devices.npz")):
        assert process.wait(timeout=400) == 0
    cases = {}
    for name, prefix in (("0.npz", ""), ("1.npz", "other_"), ("devices.npz", "")):
        with np.load(folder / name) as file:
            for key in file:
                case, variable = key.split("/", 1)
                cases.setdefault(prefix + case, {})[variable] = file[key]
    return cases


def _free_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return free.getsockname()[1]


def _start(*arguments, **environment):
    command = [sys.executable, str(ROOT / "tests" / "training" / "distributed_updates.py"), *map(str, arguments)]
    return subprocess.Popen(command, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT), **environment})


@pytest.mark.parametrize(
    "case, reference, tolerance",
    [
        ("accumulated", "whole", 1e-5),
        ("mirrored", "whole", 1e-5),
        ("multiworker", "whole", 1e-5),
        ("other_multiworker", "multiworker", 0.0),
        # The two compute variances in another order, and channels that hardly vary magnify the rounding.
        ("trained_mirrored", "trained", 5e-5),
    ],
)
def test_every_way_makes_the_same_update(weights, case, reference, tolerance):
    assert weights[case].keys() == weights[reference].keys()
    for name, value in weights[reference].items():
        np.testing.assert_allclose(weights[case][name], value, rtol=0, atol=tolerance, err_msg=name)


@pytest.mark.parametrize("case, other", [("whole", "trained")])
def test_the_updates_moved_the_weights(weights, case, other):
    """Checks what the comparisons would miss: no update at all, or statistics that never move."""
    kernels = [name for name in weights[case] if name.endswith("kernel")]
    assert all(np.abs(weights[case][name] - weights[other][name]).max() > 1e-4 for name in kernels)
    means = [name for name in weights[case] if name.endswith("moving_mean")]
    assert all(not weights[case][name].any() for name in means)
    assert any(weights[other][name].any() for name in means)


def test_processes_add_up_what_each_says(weights):
    assert weights["agreement"]["total"] == weights["other_agreement"]["total"] == 7
    assert weights["agreement"]["chief"]
    assert not weights["other_agreement"]["chief"]
