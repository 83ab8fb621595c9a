"""Whole runs of the smallest model: what they write, and that they survive interruptions."""

import json
import multiprocessing
import random
import signal
import time

import h5py
import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.training import loop

KILLS, PATIENCE = 3, 300


def weights(path):
    """All arrays of a weight file by name."""
    arrays = {}
    with h5py.File(path) as file:
        file.visititems(lambda name, item: arrays.update({name: item[()]}) if isinstance(item, h5py.Dataset) else None)
    return arrays


def metrics(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def events(workdir):
    """(update, tag) of everything in TensorBoard's files, in order of updates."""
    found = []
    for path in (workdir / "tensorboard").iterdir():
        for event in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(event)
            found += [(event.step, value.tag) for value in event.summary.value]
    return sorted(found)


def same_values(first, second):
    """Whether two runs' lines agree in all but the speed."""
    kept = [
        [{name: line[name] for name in line if name != "clips_per_second"} for line in run] for run in (first, second)
    ]
    return kept[0] == kept[1]


@pytest.fixture
def start():
    """Starts a run in a process of its own that shares only the loaded library with this one."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["hd2s_tf.training.loop"])
    processes = []

    def begin(config, workdir):
        process = context.Process(target=loop.train, args=(config, str(workdir)))
        process.start()
        processes.append(process)
        return process

    yield begin
    for process in processes:
        process.kill()


def wait_for_update(workdir, update, process):
    """Waits until a run has recorded an update."""
    end = time.monotonic() + PATIENCE
    while time.monotonic() < end and process.is_alive():
        if (workdir / "metrics.jsonl").exists() and metrics(workdir)[-1]["update"] >= update:
            return
        process.join(0.05)
    raise AssertionError(f"no update {update}: the process ended with status {process.exitcode}")


def test_a_run_killed_three_times_equals_one_that_was_not(config, start, tmp_path):
    config.optimizer.updates = 30
    config.every.evaluation = 15
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    process = start(config, whole)
    process.join(PATIENCE)
    assert process.exitcode == 0
    generator = random.Random(0)
    for update in sorted(generator.sample(range(3, 26), KILLS)):
        process = start(config, killed)
        wait_for_update(killed, update, process)
        time.sleep(generator.uniform(0, 0.1))
        process.kill()
        process.join()
        assert process.exitcode == -signal.SIGKILL
    process = start(config, killed)
    wait_for_update(killed, 27, process)
    process.terminate()
    process.join(PATIENCE)
    # Ended by SIGTERM after an update, unless that was the last.
    assert process.exitcode in (0, 1)
    process = start(config, killed)
    process.join(PATIENCE)
    assert process.exitcode == 0

    for name in ("last.weights.h5", "best.weights.h5"):
        expected, found = weights(whole / name), weights(killed / name)
        assert expected.keys() == found.keys()
        for key, value in expected.items():
            np.testing.assert_array_equal(found[key], value, err_msg=key)
    # A line for every update, one more for either validation.
    assert [line["update"] for line in metrics(killed)] == sorted([*range(1, 31), 15, 30])
    assert same_values(metrics(whole), metrics(killed))
    assert events(killed) == events(whole)


def test_what_a_run_leaves_and_that_a_finished_one_stays(config, tmp_path, capfd):
    scores = loop.train(config, str(tmp_path))
    shown = capfd.readouterr().err
    for word in ("loss=", "nss=", "clips_per_second=", "6/6", "<00:00"):
        assert word in shown
    assert scores.keys() == {"loss", "nss", "cc"}
    lines = metrics(tmp_path)
    assert lines[-1] == {"update": 6, **{f"validation/{name}": value for name, value in scores.items()}}
    assert all(np.isfinite(list(line.values())).all() for line in lines)
    record = json.loads((tmp_path / "config.json").read_text())
    assert record["optimizer"]["updates"] == 6
    assert record["trained_on"][0]["videos"] == ["0001", "0002", "0003"]
    assert tf.io.decode_png((tmp_path / "curves.png").read_bytes()).shape[0] > 100
    assert {(3, "validation"), (6, "validation"), (6, "validation/nss"), (1, "loss")} <= set(events(tmp_path))
    best = max((line for line in lines if "validation/nss" in line), key=lambda line: line["validation/nss"])
    best_is_last = best["update"] == 6
    assert best_is_last == all(
        np.array_equal(value, weights(tmp_path / "best.weights.h5")[key])
        for key, value in weights(tmp_path / "last.weights.h5").items()
    )

    before, shown = weights(tmp_path / "last.weights.h5"), events(tmp_path)
    loop.train(config, str(tmp_path))
    assert metrics(tmp_path) == lines
    assert events(tmp_path) == shown
    for key, value in weights(tmp_path / "last.weights.h5").items():
        np.testing.assert_array_equal(value, before[key])

    # Weights of the finished run are where another begins: without a step nothing but statistics may differ.
    config.init.weights = str(tmp_path / "last.weights.h5")
    config.optimizer.update({"updates": 1, "learning_rate": 0.0, "average_momentum": 0.0})
    loop.train(config, str(tmp_path / "tuned"))
    tuned = weights(tmp_path / "tuned" / "last.weights.h5")
    kernels = [key for key, value in before.items() if value.ndim > 1]
    assert kernels
    for key in kernels:
        np.testing.assert_array_equal(tuned[key], before[key])


def test_a_loss_that_is_not_finite_stops_the_run(config, tmp_path):
    config.optimizer.learning_rate = 1e30
    config.every.checkpoint = 1
    with pytest.raises(RunError, match=r"(loss|gradient's norm) is (nan|inf) in update \d"):
        loop.train(config, str(tmp_path))
    for path in (tmp_path / "checkpoints").glob("*.index"):
        reader = tf.train.load_checkpoint(str(path.with_suffix("")))
        for name, shape in reader.get_variable_to_shape_map().items():
            if "average" not in name and shape and "best" not in name and reader.get_tensor(name).dtype.kind == "f":
                assert np.isfinite(reader.get_tensor(name)).all(), name


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"init.weights": "missing.weights.h5"}, "missing.weights.h5: no such weight file"),
        ({"init.encoder": "missing.weights.h5"}, "missing.weights.h5: no such weight file"),
        ({"init.encoder": "required"}, "init.encoder"),
        ({"model.preset": "x"}, "model.preset is 'x'"),
        ({"model.precision": "float16"}, "model.precision"),
        ({"data.frame_size": (32, 40)}, "multiples of 32"),
        ({"data.train": ()}, "data.train is empty"),
        ({"data.train": ("folder",)}, "folder:split"),
        ({"data.batch_size": 0}, "data.batch_size is 0"),
        ({"every.checkpoint": 0}, "every.checkpoint is 0"),
    ],
)
def test_bad_settings_leave_nothing_behind(config, tmp_path, changes, message):
    config.update_from_flattened_dict(changes)
    with pytest.raises(BadInputError, match=message):
        loop.train(config, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


@pytest.mark.parametrize(
    "schedule, warmup, expected",
    [
        ("constant", 0, {0: 1.0, 50: 1.0}),
        ("constant", 10, {0: 0.01, 5: 0.505, 10: 1.0, 50: 1.0}),
        ("cosine", 0, {0: 1.0, 50: 0.505, 100: 0.01}),
        ("cosine", 10, {0: 0.01, 10: 1.0, 55: 0.505, 100: 0.01}),
    ],
)
def test_learning_rate(config, schedule, warmup, expected):
    config.optimizer.update({"learning_rate": 2.0, "schedule": schedule, "warmup": warmup, "updates": 100})
    rate = loop._schedule(config)
    for update, factor in expected.items():
        value = rate if isinstance(rate, float) else float(rate(update))
        assert value == pytest.approx(2.0 * factor, rel=1e-5)


def test_a_bfloat16_run_has_float32_weights(config, tmp_path):
    config.model.precision = "mixed_bfloat16"
    config.optimizer.updates = 1
    assert np.isfinite(loop.train(config, str(tmp_path))["nss"])
    assert {value.dtype for value in weights(tmp_path / "last.weights.h5").values()} <= {
        np.dtype("float32"),
        np.dtype("uint32"),
    }
