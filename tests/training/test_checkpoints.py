import logging
import pathlib

import numpy as np
import pytest
import tensorflow as tf

from hd2s_tf.errors import RunError
from hd2s_tf.models.presets import CLIP_FRAMES, FRAME_SIZE
from hd2s_tf.training import settings, setup
from hd2s_tf.training.checkpoints import Checkpoints


@pytest.fixture
def run(tmp_path):
    """A folder with checkpoints after updates 1 to 5, each holding its number in every place."""
    values = tf.Variable(tf.zeros(100))
    checkpoints = Checkpoints(tmp_path / "checkpoints", values=values)
    for update in range(1, 6):
        values.assign(tf.fill(100, float(update)))
        checkpoints.save(update)
    return tmp_path / "checkpoints"


def restored(folder, shape=(100,)):
    values = tf.Variable(tf.zeros(shape))
    update = Checkpoints(folder, values=values).restore()
    return update, float(values.numpy().flat[0])


def data_file(folder, update):
    return next(pathlib.Path(folder).glob(f"ckpt-{update}.data-*"))


def test_the_newest_is_restored_and_three_are_kept(run):
    assert restored(run) == (5, 5.0)
    assert sorted(path.name for path in run.glob("*.index")) == ["ckpt-3.index", "ckpt-4.index", "ckpt-5.index"]


def test_nothing_to_restore(tmp_path):
    assert restored(tmp_path / "none") == (None, 0.0)
    assert not (tmp_path / "none").exists()


def _flip(path):
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)


def _truncate(path):
    path.write_bytes(path.read_bytes()[:-40])


@pytest.mark.parametrize("damage", [_flip, _truncate, pathlib.Path.unlink])
def test_a_damaged_one_falls_back_with_a_warning(run, caplog, damage):
    damage(data_file(run, 5))
    with caplog.at_level(logging.WARNING, logger="absl"):
        assert restored(run) == (4, 4.0)
    assert any("ckpt-5" in record.getMessage() for record in caplog.records)


def test_a_damaged_index_falls_back(run):
    (run / "ckpt-5.index").write_bytes(b"nothing")
    assert restored(run) == (4, 4.0)


def test_the_list_of_checkpoints_is_not_needed(run):
    (run / "checkpoint").unlink()
    assert restored(run) == (5, 5.0)


def test_all_damaged_is_an_error(run):
    for update in (3, 4, 5):
        _truncate(data_file(run, update))
    with pytest.raises(RunError, match="none of its 3 checkpoints can be read"):
        restored(run)


def test_those_of_another_model_are_an_error(run):
    with pytest.raises(RunError, match="none of its 3"):
        restored(run, shape=(7,))


def test_training_resumes_bit_for_bit_on_frames_of_full_size(tmp_path):
    """On all processors and with dropout; of one level, since tracing takes most of the time."""
    config = settings.paper()
    config.model.preset = "hd2s_tiny"
    config.model.overrides.update({"levels": (1,), "dropout": 0.2})
    config.optimizer.updates, config.optimizer.accumulation = 3, 1
    updater = setup.create_updater(config, tf.distribute.get_strategy())
    parts = {
        "model": [variable.value for variable in updater.model.variables],
        "optimizer": [variable.value for variable in updater.optimizer.variables],
    }
    checkpoints = Checkpoints(tmp_path, **parts)

    def train(update):
        generator = np.random.default_rng(update)
        batch = {
            "clip": tf.constant(generator.uniform(-1, 1, (2, CLIP_FRAMES, *FRAME_SIZE, 3)), tf.float32),
            "domain": tf.zeros(2, tf.int32),
            "saliency_map": tf.constant(generator.random((2, *FRAME_SIZE)) ** 4, tf.float32),
        }
        updater.accumulate(batch, update)
        updater.apply()

    def state():
        return [value.numpy() for part in parts.values() for value in part]

    train(0)
    checkpoints.save(1)
    start = state()
    ends = []
    for _ in range(2):
        assert checkpoints.restore() == 1
        assert all(map(np.array_equal, state(), start))
        for update in (1, 2):
            train(update)
        ends.append(state())
    assert sum(map(np.array_equal, ends[0], start)) < len(start) / 4
    for first, second in zip(*ends, strict=True):
        np.testing.assert_array_equal(first, second)
