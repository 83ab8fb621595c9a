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


def test_names_that_are_no_utf8(tmp_path):
    name = b"\xff\xfe".decode(errors="surrogateescape")
    files.make_folder(tmp_path / name)
    files.write_bytes(tmp_path / name / "a", b"x")
    assert files.list_folder(tmp_path) == [name]
    assert files.is_folder(tmp_path / name)
    assert files.read_bytes(tmp_path / name / "a") == b"x"
    files.remove(tmp_path / name)
    assert not files.exists(tmp_path / name)


def test_what_a_link_leads_to_is_neither_removed_nor_written(tmp_path):
    (tmp_path / "kept").mkdir()
    (tmp_path / "kept" / "a").write_bytes(b"x")
    (tmp_path / "folder").symlink_to(tmp_path / "kept")
    (tmp_path / "file").symlink_to(tmp_path / "kept" / "a")
    files.remove(tmp_path / "folder")
    files.write_bytes(tmp_path / "file", b"new")
    (tmp_path / "copied").symlink_to(tmp_path / "kept" / "a")
    files.copy(tmp_path / "file", tmp_path / "copied")
    with files.appearing_whole(tmp_path / "kept" / "b") as unfinished:
        pathlib.Path(unfinished).write_bytes(b"b")
    assert (tmp_path / "kept" / "a").read_bytes() == b"x"
    assert (tmp_path / "kept" / "b").read_bytes() == b"b"
    assert not (tmp_path / "folder").exists()
    assert not (tmp_path / "file").is_symlink()


def test_a_file_that_fails_does_not_appear(tmp_path):
    with pytest.raises(KeyError), files.appearing_whole(tmp_path / "a.mp4") as unfinished:
        pathlib.Path(unfinished).write_bytes(b"half")
        assert unfinished.endswith(".mp4")
        raise KeyError
    assert not list(tmp_path.iterdir())


def test_names_are_ordered_by_their_numbers():
    names = ["10.png", "9.png", "1.png", "a2b10.png", "a2b9.png", "a10b1.png", "b.png", "01.png"]
    assert files.by_number(names) == [
        "01.png", "1.png", "9.png", "10.png", "a2b9.png", "a2b10.png", "a10b1.png", "b.png",
    ]  # fmt: skip
    assert files.number_key("0001") == files.number_key("1") != files.number_key("10")


def test_a_folder_that_is_or_holds_something(tmp_path):
    out, video = tmp_path / "out", tmp_path / "video.mp4"
    out.mkdir()
    video.write_bytes(b"x")
    names = ("maps", "overlay.mp4")
    assert not files.holds(out, video, names)
    assert not files.holds(tmp_path / "missing", video, names)
    assert files.holds(tmp_path, video, names)
    assert files.holds(out, out)
    (tmp_path / "link").symlink_to(tmp_path)
    assert files.holds(tmp_path / "link", video)
    (out / "inside.mp4").symlink_to(video)
    assert not files.holds(out, out / "inside.mp4", names), "a link there to a video elsewhere"
    (out / "overlay.mp4").hardlink_to(video)
    assert files.holds(out, video, names)
    frames = tmp_path / "frames"
    frames.mkdir()
    (frames / "1.png").write_bytes(b"y")
    assert not files.holds(out, frames, names)
    (out / "maps").symlink_to(frames)
    assert files.holds(out, frames, names)
    assert files.holds(out, frames / "1.png", names)
    (out / "maps").unlink()
    (out / "maps").mkdir()
    (out / "maps" / "0001.png").hardlink_to(frames / "1.png")
    assert files.holds(out, frames, names)
    assert files.holds("gs://bucket/a", "gs://bucket/a/b.mp4")
    assert not files.holds("gs://bucket/a", "gs://bucket/ab.mp4")
