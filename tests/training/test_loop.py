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
from hd2s_tf.models import weight_files
from hd2s_tf.training import loop, validation

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
    assert scores.keys() == {"loss", "kl_divergence", "nss", "cc"}
    lines = metrics(tmp_path)
    assert lines[-1] == {"update": 6, **{f"validation/{name}": value for name, value in scores.items()}}
    assert all(np.isfinite(list(line.values())).all() for line in lines)
    record = json.loads((tmp_path / "config.json").read_text())
    assert record["optimizer"]["updates"] == 6
    assert record["trained_on"][0]["videos"] == ["0001", "0002", "0003"]
    assert tf.io.decode_png((tmp_path / "curves.png").read_bytes()).shape[0] > 100
    assert {(3, "validation"), (6, "validation"), (6, "validation/nss"), (1, "loss")} <= set(events(tmp_path))
    name = "validation/kl_divergence"
    best = min((line for line in lines if name in line), key=lambda line: line[name])
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


def test_bad_settings_leave_nothing_behind(config, tmp_path):
    config.model.preset = "x"
    with pytest.raises(BadInputError, match="model.preset is 'x'"):
        loop.train(config, str(tmp_path / "run"))
    assert not (tmp_path / "run").exists()


def test_an_older_versions_run_is_refused_and_stays(config, tmp_path):
    record = json.dumps({"model": {"preset": "hd2s_tiny", "width_multiplier": 0.25}})
    (tmp_path / "config.json").write_text(record)
    with pytest.raises(BadInputError, match=r"config.json: an older version's run, which cannot be resumed"):
        loop.train(config, str(tmp_path))
    assert (tmp_path / "config.json").read_text() == record


@pytest.mark.parametrize("clip_frames", [8, 32])
def test_clips_of_other_lengths_are_trained_and_validated(config, tmp_path, clip_frames):
    """The videos have 18 frames: 32 are made by reflection."""
    config.model.overrides.clip_frames = clip_frames
    config.optimizer.updates = 1
    assert np.isfinite(loop.train(config, str(tmp_path))["kl_divergence"])
    assert weight_files.settings(tmp_path / "last.weights.h5")["clip_frames"] == clip_frames


@pytest.mark.parametrize(
    ("name", "values", "best"),
    [("kl_divergence", [1.0, 0.5, 0.7], 2), ("nss", [1.0, 0.5, 0.7], 1), ("cc", [0.1, 0.1, 0.3], 3)],
)
def test_the_best_weights_are_chosen_by_the_setting(config, tmp_path, monkeypatch, name, values, best):
    config.selected_by = name
    run = loop._Run(config, str(tmp_path), tf.distribute.get_strategy())
    scores = ({**dict.fromkeys(validation.VALUES, 0.2), name: value} for value in values)
    monkeypatch.setattr(validation.Validation, "run", lambda self, model: (next(scores), np.zeros((8, 8, 3), np.uint8)))
    # Tells which weights a file holds.
    marked = run._model.trainable_variables[0]
    for number in range(1, len(values) + 1):
        marked.assign(np.full(marked.shape, number))
        run._updater.restart_averages()
        run._evaluate(number, None)
    weight_files.load(run._model, tmp_path / "best.weights.h5")
    assert (marked.numpy() == best).all()


def test_a_value_to_choose_by_that_is_undefined_ends_the_run(config, tmp_path, monkeypatch):
    config.selected_by = "nss"
    run = loop._Run(config, str(tmp_path), tf.distribute.get_strategy())
    scores = {**dict.fromkeys(validation.VALUES, 0.2), "nss": float("nan")}
    monkeypatch.setattr(validation.Validation, "run", lambda self, model: (scores, np.zeros((8, 8, 3), np.uint8)))
    with pytest.raises(RunError, match="validation's nss is nan"):
        run._evaluate(1, None)


def test_determinism_is_asked_for_by_the_setting(config, monkeypatch):
    asked = []
    monkeypatch.setattr(tf.config.experimental, "enable_op_determinism", lambda: asked.append(True))
    for deterministic in (False, True):
        config.run.deterministic = deterministic
        loop._Run(config, "nowhere", tf.distribute.get_strategy())
        assert asked == [True] * deterministic


def test_a_bfloat16_run_has_float32_weights(config, tmp_path):
    config.run.precision = "mixed_bfloat16"
    config.optimizer.updates = 1
    assert np.isfinite(loop.train(config, str(tmp_path))["nss"])
    assert {value.dtype for value in weights(tmp_path / "last.weights.h5").values()} <= {
        np.dtype("float32"),
        np.dtype("uint32"),
    }
