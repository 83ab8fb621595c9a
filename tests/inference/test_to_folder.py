"""A client's run that is interrupted and resumed: every map once, byte for byte those of an uninterrupted run."""

import itertools
import json
import shutil

import cv2
import pytest

from hd2s_tf.data import synthetic
from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.inference import output as layout
from hd2s_tf.inference import remote, to_folder
from hd2s_tf.serving.client import ServedModel
from hd2s_tf.serving.connection import Connection

FRAMES = 70


@pytest.fixture(scope="module")
def videos(tmp_path_factory):
    """Two short videos of one size."""
    folder = tmp_path_factory.mktemp("videos")
    synthetic.write_videos(folder, videos=2, frames=FRAMES, size=(48, 64))
    return folder / "video"


@pytest.fixture
def port(serve):
    return serve().port


def _run(port, source, output, name="m", version=None, **arguments):
    with ServedModel(f"127.0.0.1:{port}/{name}", Connection(deadline=60.0), version) as model:
        return to_folder.predict_remotely(str(source), str(output), model, **arguments)


def _interrupt(monkeypatch, after):
    """Interrupts the next run as Ctrl-C does, once so many frames are answered."""
    answers = remote.predict_frames

    def some(*arguments, **options):
        monkeypatch.setattr(remote, "predict_frames", answers)
        yield from itertools.islice(answers(*arguments, **options), after)
        raise KeyboardInterrupt

    monkeypatch.setattr(remote, "predict_frames", some)


def _written(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@pytest.fixture
def half(videos, port, tmp_path, monkeypatch):
    """The folder of a run of the first video that was interrupted after 40 frames."""
    _interrupt(monkeypatch, 40)
    with pytest.raises(KeyboardInterrupt):
        _run(port, videos / "001.AVI", tmp_path / "half", overlay=False)
    return tmp_path / "half"


def test_what_an_interrupted_run_leaves_is_kept(videos, port, tmp_path, monkeypatch):
    whole = _run(port, videos / "001.AVI", tmp_path / "whole")
    assert whole["frames"] == FRAMES
    expected = _written(tmp_path / "whole")
    assert len(expected) == FRAMES + 2
    for after in (0, 1, 40, FRAMES - 1):
        output = tmp_path / str(after)
        _interrupt(monkeypatch, after)
        with pytest.raises(KeyboardInterrupt):
            _run(port, videos / "001.AVI", output)
        assert not (output / layout.SUMMARY).exists()
        # Nothing is written before the first answer.
        assert output.exists() == (after > 0)
        if after:
            # A file half-written at the kill does not count as a map.
            (output / layout.MAPS / "0099.png.1a2b3c4d.tmp").write_bytes(b"half")
        kept = {path: path.stat().st_mtime_ns for path in (output / layout.MAPS).glob("*.png")}
        finished = next(
            number for number in itertools.count(1) if output / layout.MAPS / f"{number:04d}.png" not in kept
        )
        summary = _run(port, videos / "001.AVI", output, resume=True)
        found = _written(output)
        assert {**summary, "seconds": 0, "frames_per_second": 0} == {**whole, "seconds": 0, "frames_per_second": 0}
        del found[layout.SUMMARY]
        assert found == {name: data for name, data in expected.items() if name != layout.SUMMARY}
        for number, (path, written) in enumerate(sorted(kept.items()), 1):
            if number < finished:
                assert path.stat().st_mtime_ns == written


def test_a_server_that_fails_leaves_a_run_to_resume(videos, serve, tmp_path):
    server = serve()
    with ServedModel(f"127.0.0.1:{server.port}/m", Connection(deadline=60.0)) as model:
        predict = model.predict

        def predict_or_stop(signature, *arguments, **inputs):
            if signature == "predict_frames" and int(inputs["skip"][0]):
                # As at the deadline, but without the wait.
                server.stop(0)
                model.__exit__()
            return predict(signature, *arguments, **inputs)

        model.predict = predict_or_stop
        with pytest.raises(RunError, match="the connection is closed"):
            to_folder.predict_remotely(str(videos / "001.AVI"), str(tmp_path / "out"), model, in_flight=1)
    assert json.loads((tmp_path / "out" / "run.json").read_text())["model"] == "m"
    summary = _run(serve().port, videos / "001.AVI", tmp_path / "out", resume=True)
    assert summary["frames"] == FRAMES == len(list((tmp_path / "out" / layout.MAPS).iterdir()))


def test_a_run_of_something_else_is_not_resumed(videos, half, port, tmp_path):
    other = tmp_path / "replaced.AVI"
    shutil.copy(videos / "001.AVI", other)
    maps = _written(half)
    with pytest.raises(BadInputError, match="interrupted run of something else: input .*001.AVI instead of .*002.AVI"):
        _run(port, videos / "002.AVI", half, resume=True)
    record = json.loads((half / "run.json").read_text())
    (half / "run.json").write_text(json.dumps({**record, "input": str(other)}))
    shutil.copy(videos / "002.AVI", other)
    with pytest.raises(BadInputError, match="something else: first_frame"):
        _run(port, other, half, resume=True)
    for name, value in (("model", "x"), ("version", 7), ("weights_sha256", "1a2b"), ("precision", "bfloat16")):
        (half / "run.json").write_text(json.dumps({**record, name: value}))
        with pytest.raises(BadInputError, match=f"something else: {name} {value} instead of [^,]*$"):
            _run(port, videos / "001.AVI", half, resume=True)
    (half / "run.json").write_text("{")
    with pytest.raises(BadInputError, match=r"run\.json: not the record of a run"):
        _run(port, videos / "001.AVI", half, resume=True)
    assert {**_written(half), "run.json": maps["run.json"]} == maps


def test_an_input_that_has_become_shorter_is_not_resumed(videos, half, port):
    folder = half.parent / "frames"
    folder.mkdir()
    capture = cv2.VideoCapture(str(videos / "001.AVI"))
    for number in range(3):
        cv2.imwrite(str(folder / f"{number}.png"), capture.read()[1])
    _run(port, folder, half, overwrite=True)
    (half / layout.SUMMARY).unlink()
    # A finished output without the record of a run is no interrupted run.
    with pytest.raises(BadInputError, match="holds an earlier output"):
        _run(port, folder, half, resume=True)


def test_a_version_that_was_asked_for_before_must_be_there(videos, half, port):
    with pytest.raises(BadInputError, match=r"NOT_FOUND: .*Specific\(m, 2\)"):
        _run(port, videos / "001.AVI", half, version=2, resume=True)
    assert (half / "run.json").exists()
