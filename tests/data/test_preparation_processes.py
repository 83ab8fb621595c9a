"""Preparation as processes that are killed, run out of space and write to a remote file system."""

import hashlib
import importlib.util
import os
import pathlib
import resource
import signal
import socket
import subprocess
import sys
import time

import pytest

from hd2s_tf.data import synthetic

ROOT = pathlib.Path(__file__).resolve().parents[2]
_SMALL = ["--height=32", "--width=48", "--validation_fraction=0"]


@pytest.fixture(scope="module")
def source(tmp_path_factory):
    folder = tmp_path_factory.mktemp("source") / "discs"
    synthetic.write_videos(folder, videos=6, frames=20, size=(64, 96))
    # Without their annotation, each becomes a shard.
    return folder / "video"


def _command(source, output, *arguments):
    tool = [sys.executable, str(ROOT / "tools" / "prepare_dataset.py")]
    return [*tool, "--layout=ledov", f"--input_dir={source}", f"--output_dir={output}", *_SMALL, *arguments]


def _run(command, env=os.environ, **arguments):
    # The tools set TensorFlow's log level themselves.
    env = {name: value for name, value in env.items() if name != "TF_CPP_MIN_LOG_LEVEL"}
    return subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT, env=env, **arguments)


def _files(folder):
    return {path.name: hashlib.sha256(path.read_bytes()).hexdigest() for path in (folder / "train").iterdir()}


def test_a_killed_preparation_goes_on_and_ends_like_a_whole_one(source, tmp_path):
    whole, killed = tmp_path / "whole", tmp_path / "killed"
    assert _run(_command(source, whole, "--workers=2")).returncode == 0
    assert len(_files(whole)) == 13
    process = subprocess.Popen(_command(source, killed, "--workers=2"), cwd=ROOT, stderr=subprocess.DEVNULL)
    deadline = time.monotonic() + 120
    while not list(killed.glob("train/*.index.json")):
        assert process.poll() is None and time.monotonic() < deadline
        time.sleep(0.002)
    workers = _children(process.pid)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert not (killed / "train" / "dataset.json").exists()
    while any(_runs(worker) for worker in workers):
        assert time.monotonic() < deadline, "a worker outlives its parent"
        time.sleep(0.05)
    kept = {path.name: path.stat().st_mtime_ns for path in killed.glob("train/*.index.json")}
    assert _run(_command(source, killed, "--workers=2")).returncode == 0
    assert _files(killed) == _files(whole)
    for name, written in kept.items():
        assert (killed / "train" / name).stat().st_mtime_ns == written


def _children(parent):
    found = []
    for path in pathlib.Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        if int(fields[1]) == parent:
            found.append(int(path.parent.name))
    return found


def _runs(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def test_no_space_left_is_one_line_and_leaves_nothing(source, tmp_path):
    limit = 4096
    result = _run(
        _command(source, tmp_path / "out", "--workers=1"),
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (limit, limit)),
    )
    assert result.returncode == 1
    errors = result.stderr.splitlines()
    assert len(errors) == 1
    assert "shard-00000.tfrecord: cannot be written: File too large" in errors[0]
    assert not list((tmp_path / "out" / "train").iterdir())


@pytest.fixture(scope="module")
def s3():
    """A server of the S3 protocol on loopback, with a bucket; yields the environment that finds it."""
    boto3 = pytest.importorskip("boto3")
    pytest.importorskip("moto")
    # Not imported here: it would abort this process at its end.
    if importlib.util.find_spec("tensorflow_io") is None:
        pytest.skip("tensorflow-io is not installed")
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        deadline = time.monotonic() + 60
        while True:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                assert server.poll() is None and time.monotonic() < deadline
                time.sleep(0.1)
        endpoint = f"http://127.0.0.1:{port}"
        keys = {"aws_access_key_id": "x", "aws_secret_access_key": "y", "region_name": "us-east-1"}
        boto3.client("s3", endpoint_url=endpoint, **keys).create_bucket(Bucket="bucket")
        settings = {"S3_ENDPOINT": endpoint, "S3_USE_HTTPS": "0", "S3_VERIFY_SSL": "0", "AWS_REGION": "us-east-1"}
        yield {**os.environ, **settings, **{name.upper(): keys[name] for name in list(keys)[:2]}}
    finally:
        server.terminate()
        server.wait()


_READ = """
import hashlib
from hd2s_tf import command_line

def main():
    from hd2s_tf.data import clips, records
    from hd2s_tf import files
    from hd2s_tf.models import weight_files
    from hd2s_tf.training.checkpoints import Checkpoints
    import tensorflow as tf

    loaded = records.load_dataset("s3://bucket/discs", "train")
    batch = next(iter(clips.training_batches([loaded], clips.Sampling(2, size=(32, 48)), labelled=False)))
    print(hashlib.sha256(batch["clip"].numpy().tobytes()).hexdigest())
    value = tf.Variable(3.0)
    Checkpoints("s3://bucket/run/checkpoints", value=value).save(7)
    value.assign(0.0)
    assert Checkpoints("s3://bucket/run/checkpoints", value=value).restore() == 7
    assert value.numpy() == 3.0
    bundled = weight_files.bundled("hd2s_tiny")
    files.copy(bundled, "s3://bucket/run/best.weights.h5")
    assert weight_files.settings("s3://bucket/run/best.weights.h5") == weight_files.settings(bundled)
    assert files.list_folder("s3://bucket") == ["discs", "run"]

command_line.run(main)
"""


def test_shards_checkpoints_and_weights_on_s3(source, s3, tmp_path):
    """What is written to S3 is what is written to disk, and every process ends well."""
    result = _run(_command(source, "s3://bucket/discs", "--workers=2"), env=s3)
    assert result.returncode == 0, result.stderr
    assert "terminate" not in result.stderr
    assert "train: 6 videos, 120 frames" in result.stdout
    result = _run([sys.executable, "-c", _READ], env=s3)
    assert result.returncode == 0, result.stderr
    assert "terminate" not in result.stderr

    from hd2s_tf.data import clips, layouts, preparation, records

    options, validation = preparation.Options(32, 48), layouts.ValidationSplit(fraction=0)
    preparation.prepare("ledov", str(source), str(tmp_path), options=options, validation=validation, workers=1)
    local = records.load_dataset(tmp_path, "train")
    batch = next(iter(clips.training_batches([local], clips.Sampling(2, size=(32, 48)), labelled=False)))
    assert hashlib.sha256(batch["clip"].numpy().tobytes()).hexdigest() == result.stdout.strip()


@pytest.mark.parametrize("server_there, message", [(True, "no such bucket"), (False, "its server does not answer")])
def test_a_missing_bucket_or_server_is_one_line(source, s3, server_there, message):
    env = s3 if server_there else {**s3, "S3_ENDPOINT": "http://127.0.0.1:1"}
    result = _run(_command(source, "s3://missing/discs", "--workers=1"), env=env)
    assert result.returncode == 2
    assert len(result.stderr.splitlines()) == 1
    assert result.stderr.startswith("error: s3://missing/discs/train: ")
    assert message in result.stderr
