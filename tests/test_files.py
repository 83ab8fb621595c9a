import pathlib

import pytest

from hd2s_tf import files
from hd2s_tf.errors import BadInputError


def test_a_local_file_needs_no_copy(tmp_path):
    (tmp_path / "a.mp4").write_bytes(b"x")
    with files.local_copy(tmp_path / "a.mp4") as local:
        assert local == str(tmp_path / "a.mp4")
    assert (tmp_path / "a.mp4").exists()


def test_a_remote_file_is_copied_and_the_copy_removed(tmp_path, monkeypatch):
    (tmp_path / "a.mp4").write_bytes(b"x")
    monkeypatch.setattr(files, "is_remote", lambda path: str(path).startswith("file://"))
    with files.local_copy(f"file://{tmp_path}/a.mp4") as local:
        assert pathlib.Path(local).read_bytes() == b"x"
        assert local.endswith("a.mp4")
    assert not pathlib.Path(local).exists()
    assert (tmp_path / "a.mp4").exists()


def test_files_appear_whole(tmp_path):
    files.write_bytes(tmp_path / "a", b"new")
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    files.copy(tmp_path / "a", tmp_path / "b")
    assert files.read_bytes(tmp_path / "b") == b"new"
    with pytest.raises(OSError, match="No such file"):
        files.write_bytes(tmp_path / "missing" / "a", b"new")


def test_what_is_not_there_is_named(tmp_path):
    for read in (files.read_bytes, files.file_size, files.list_folder):
        with pytest.raises(BadInputError, match="missing: cannot be read"):
            read(tmp_path / "missing")
