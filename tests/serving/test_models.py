"""Versions as they lie in a folder: named in any way, damaged, or half there."""

import shutil

import pytest
from tensorflow_serving.config import model_server_config_pb2

from hd2s_tf.errors import BadInputError
from hd2s_tf.serving import models, signatures

State = models.State


def _config(base):
    return model_server_config_pb2.ModelConfig(name="m", base_path=str(base))


def _model(base, **arguments):
    return models.Model(_config(base), **arguments)


def test_a_version_is_any_folder_whose_name_is_a_number(cold, tmp_path):
    shutil.copytree(cold / "1", tmp_path / "0007")
    # Too large a number, other characters, no folder.
    for name in ("9" * 20, "8.tmp", "x", "\uff12", "-3", "+4"):
        (tmp_path / name).mkdir()
    (tmp_path / "99").write_text("a file")
    model = _model(tmp_path)
    assert model.states() == {7: (State.AVAILABLE, "")}
    assert model.acquire(7).version == 7


def test_nothing_to_serve(tmp_path):
    with pytest.raises(BadInputError, match="no version"):
        _model(tmp_path / "missing")
    (tmp_path / "1").mkdir()
    with pytest.raises(BadInputError, match="1: cannot be loaded"):
        _model(tmp_path)


@pytest.mark.parametrize("warmup", [b"broken", b"\0" * 40])
def test_a_damaged_version_is_tried_again_and_the_old_one_stays(cold, tmp_path, warmup):
    shutil.copytree(cold / "1", tmp_path / "1")
    model = _model(tmp_path, retry_seconds=0.0)
    (tmp_path / "2" / signatures.WARMUP.parent).mkdir(parents=True)
    (tmp_path / "2" / signatures.WARMUP).write_bytes(warmup)
    model.refresh()
    state, error = model.states()[2]
    assert (state, model.acquire().version) == (State.LOADING, 1)
    assert "2: cannot be loaded" in error
    # By now it is there.
    shutil.copytree(cold / "1", tmp_path / "2", dirs_exist_ok=True)
    (tmp_path / "2" / signatures.WARMUP).unlink()
    model.refresh()
    assert model.states()[2] == (State.AVAILABLE, "")
    assert model.acquire().version == 2


def test_a_version_that_never_loads_is_given_up(cold, tmp_path):
    shutil.copytree(cold / "1", tmp_path / "1")
    model = _model(tmp_path, retry_seconds=0.0)
    (tmp_path / "2").mkdir()
    for _ in range(5):
        model.refresh()
        assert model.states()[2][0] == State.LOADING
    for _ in range(2):
        model.refresh()
        assert model.states()[2][0] == State.END
    assert model.acquire().version == 1


def test_a_failed_load_waits_before_it_is_tried_again(cold, tmp_path, monkeypatch):
    shutil.copytree(cold / "1", tmp_path / "1")
    model = _model(tmp_path)
    (tmp_path / "2").mkdir()
    model.refresh()
    monkeypatch.setattr(models, "Servable", None)
    model.refresh()
    assert model.states()[2][0] == State.LOADING
