"""The records of a run, also of one that a kill cut short."""

import json
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.training.monitor import Monitor


def lines(workdir):
    return [json.loads(line) for line in (workdir / "metrics.jsonl").read_text().splitlines()]


def scalars(workdir):
    """(update, tag, value) of every scalar in TensorBoard's files."""
    found = []
    for path in sorted((workdir / "tensorboard").iterdir()):
        for event in tf.data.TFRecordDataset(str(path)).as_numpy_iterator():
            event = tf.compat.v1.Event.FromString(event)
            found += [(event.step, value.tag, float(tf.make_ndarray(value.tensor))) for value in event.summary.value]
    return sorted(found)


@pytest.fixture
def run(tmp_path):
    """A run's records of updates 1 to 4."""
    monitor = Monitor(str(tmp_path), 0)
    for update in range(1, 5):
        monitor.add(update, loss=update / 2)
    return tmp_path


def test_values_become_lines_and_events(run):
    assert lines(run) == [{"update": update, "loss": update / 2} for update in range(1, 5)]
    assert scalars(run) == [(update, "loss", update / 2) for update in range(1, 5)]


def test_a_resumed_run_drops_what_it_will_make_again(run):
    monitor = Monitor(str(run), 2)
    monitor.add(3, loss=9.0)
    expected = [(1, 0.5), (2, 1.0), (3, 9.0)]
    assert [(line["update"], line["loss"]) for line in lines(run)] == expected
    assert scalars(run) == [(update, "loss", loss) for update, loss in expected]
    assert not [path for path in (run / "tensorboard").iterdir() if path.suffix == ".tmp"]


@pytest.mark.parametrize("cut", [1, 20])
def test_an_event_that_a_kill_cut_short_is_dropped(run, cut):
    (path,) = (run / "tensorboard").iterdir()
    path.write_bytes(path.read_bytes()[:-cut])
    Monitor(str(run), 4)
    assert scalars(run) == [(update, "loss", update / 2) for update in range(1, 4)]


def test_pictures_are_recorded(tmp_path):
    Monitor(str(tmp_path), 0).add_image(3, "validation", np.zeros((8, 12, 3), np.uint8))
    (path,) = (tmp_path / "tensorboard").iterdir()
    events = map(tf.compat.v1.Event.FromString, tf.data.TFRecordDataset(str(path)).as_numpy_iterator())
    assert (3, "validation") in [(event.step, value.tag) for event in events for value in event.summary.value]


def test_curves_have_a_panel_for_each_value(tmp_path):
    monitor = Monitor(str(tmp_path), 0)
    monitor.draw()
    assert not (tmp_path / "curves.png").exists()
    monitor.add(1, loss=1.0, clips_per_second=3.0)
    monitor.draw()
    one = tf.io.decode_png(pathlib.Path(tmp_path / "curves.png").read_bytes()).shape
    monitor.add(2, nss=1.0, **{"validation/loss": 2.0})
    monitor.draw()
    two = tf.io.decode_png(pathlib.Path(tmp_path / "curves.png").read_bytes()).shape
    # Loss and NSS beside each other, in training and validation; the speed is not drawn.
    assert two[0] == one[0]
    assert two[1] == 2 * one[1]
