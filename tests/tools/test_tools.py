"""The tools as a user starts them: contracts, exit statuses, one line for an error."""

import json
import os
import pathlib
import shutil
import subprocess
import sys

import cv2
import numpy as np
import pytest

ROOT = pathlib.Path(__file__).resolve().parents[2]
DEMO = ROOT / "docs" / "media" / "bigbuckbunny.mp4"


def _environment():
    """Without what the tests set for themselves."""
    return {name: value for name, value in os.environ.items() if name != "TF_CPP_MIN_LOG_LEVEL"}


@pytest.fixture(scope="module")
def run():
    """Starts a tool; returns its standard output, or the one line it says on standard error if it must fail."""
    server = subprocess.Popen(
        [sys.executable, "-m", "tests.tools.started_tools"],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        cwd=ROOT,
        env=_environment(),
    )

    def start(tool, *arguments, status=0):
        server.stdin.write(json.dumps([str(ROOT / tool), *map(str, arguments)]) + "\n")
        server.stdin.flush()
        ended, output, errors = json.loads(server.stdout.readline())
        assert ended == status, errors[-2000:]
        if status == 0:
            return output
        lines = [line for line in errors.splitlines() if line.strip()]
        assert len(lines) == 1, errors[-2000:]
        return lines[0]

    yield start
    server.stdin.close()
    server.wait()


@pytest.fixture(scope="module")
def clip(tmp_path_factory):
    """The first frames of the bundled video."""
    path = tmp_path_factory.mktemp("clip") / "clip.avi"
    capture = cv2.VideoCapture(str(DEMO))
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter_fourcc(*"MJPG"), 25, (160, 96))
    for _ in range(18):
        writer.write(cv2.resize(capture.read()[1], (160, 96)))
    writer.release()
    return path


def test_predict_writes_what_it_promises(run, clip, tmp_path):
    run("tools/predict.py", f"--input={clip}", f"--output_dir={tmp_path / 'out'}", "--conspicuity")
    names = sorted(path.name for path in (tmp_path / "out" / "maps").iterdir())
    assert names == [f"{number:04d}.png" for number in range(1, 19)]
    saliency_map = cv2.imread(str(tmp_path / "out" / "maps" / "0001.png"), cv2.IMREAD_UNCHANGED)
    assert (saliency_map.shape, saliency_map.dtype) == ((96, 160), np.uint8)
    # The peak is 255 before the map gets the frame's size.
    assert saliency_map.max() > 240
    summary = json.loads((tmp_path / "out" / "summary.json").read_text())
    assert summary["frames"] == 18
    assert summary["preset"] == "hd2s_tiny"
    assert len(summary["weights_sha256"]) == 64
    assert cv2.VideoCapture(str(tmp_path / "out" / "overlay.mp4")).get(cv2.CAP_PROP_FRAME_COUNT) == 18
    assert len(list((tmp_path / "out" / "conspicuity").iterdir())) == 18
    message = run("tools/predict.py", f"--input={clip}", f"--output_dir={tmp_path / 'out'}", status=2)
    assert "--overwrite" in message


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--input=missing.mp4"], "missing.mp4: no such file"),
        (["--input=LICENSE"], "LICENSE: not a video"),
        (["--preset=x"], "no preset 'x'"),
        (["--weights=missing.weights.h5"], "missing.weights.h5: no such weight file"),
        (["--preset=hd2s", "--weights=hd2s_tf/weights/hd2s_tiny.weights.h5"], "weights of another model"),
        (["--preset=hd2s"], "no bundled weights for hd2s"),
        (["--domain=find"], "takes no domain"),
        (["--weights=random", "--preset=hd2s_dsl", "--domain=x"], "this model has DHF1K"),
        (["--smoothing_sigma=-1"], "smoothing_sigma is -1"),
        (["--stride=0"], "stride"),
        (["--nonsense"], "nonsense"),
    ],
)
def test_predict_refuses_bad_input_in_one_line(run, clip, tmp_path, arguments, message):
    given = [f"--input={clip}", f"--output_dir={tmp_path / 'out'}", *arguments]
    assert message in run("tools/predict.py", *given, status=2)
    assert not (tmp_path / "out" / "summary.json").exists()


def test_predict_lists_domains(run, tmp_path):
    given = ["--input=x", f"--output_dir={tmp_path}", "--weights=random", "--preset=hd2s_dsl", "--domain=help"]
    assert run("tools/predict.py", *given).split() == ["DHF1K", "Hollywood", "UCFSports"]


def test_prepare_look_train_and_evaluate(run, tmp_path):
    """Takes generated videos through all the tools."""
    from hd2s_tf.data import synthetic

    synthetic.write_videos(tmp_path / "discs", videos=3, frames=18, size=(64, 96))
    prepared = tmp_path / "prepared"
    given = ["--layout=dhf1k", f"--input_dir={tmp_path / 'discs'}", f"--output_dir={prepared}", "--workers=1"]
    assert "train: 2 videos, 36 frames" in run("tools/prepare_dataset.py", *given)
    run("tools/dataset_stats.py", f"--data_dir={prepared}", f"--output_dir={tmp_path / 'stats'}")
    assert json.loads((tmp_path / "stats" / "stats.json").read_text())["discs/train"]["frames"] == 36
    assert (tmp_path / "stats" / "stats.png").exists()
    assert (tmp_path / "stats" / "clips.png").exists()
    run(
        "tools/train.py",
        "--config=configs/smoke.py",
        f"--workdir={tmp_path / 'run'}",
        f"--config.data.train=('{prepared}:train',)",
        f"--config.data.validation=('{prepared}:validation',)",
        "--config.model.overrides.levels=(1,)",
        "--config.optimizer.updates=2",
    )
    for name in ("best.weights.h5", "last.weights.h5", "config.json", "metrics.jsonl", "curves.png"):
        assert (tmp_path / "run" / name).exists()
    weights = tmp_path / "run" / "last.weights.h5"
    given = [f"--data_dir={prepared}", "--split=validation", f"--weights={weights}"]
    printed = run("tools/evaluate.py", *given, f"--output_dir={tmp_path / 'scores'}", "--protocol=dhf1k")
    assert printed.splitlines()[1].startswith("mean over frames")
    assert (tmp_path / "scores" / "report.html").exists()


def test_gaze_of_ones_own_to_scores_of_people(run, tmp_path):
    from hd2s_tf.data import synthetic

    synthetic.write_gaze(tmp_path / "study", videos=2, frames=18, observers=4)
    given = ["--layout=gaze", f"--input_dir={tmp_path / 'study'}", f"--output_dir={tmp_path / 'mine'}", "--workers=1"]
    output = run("tools/prepare_dataset.py", *given, "--validation_fraction=0.5", "--sigma=0.03w")
    assert "x=x, y=y, time=onset_ms, duration=duration_ms; x and y are stimulus pixels, times ms" in output
    assert "validation: 1 videos, 18 frames" in output
    given = [
        f"--data_dir={tmp_path / 'mine'}",
        "--split=validation",
        "--every=6",
        f"--output_dir={tmp_path / 'scores'}",
    ]
    assert "mean over videos" in run("tools/evaluate.py", *given, "--every=6", "--weights=baseline:observers")


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--layout=gaze", "--screen=big"], "the screen is 'big'"),
        (["--layout=gaze", "--sigma=1deg"], "how many pixels a degree has"),
        (["--layout=gaze", "--gaze=missing.csv"], "missing.csv: cannot be read"),
        (["--layout=gaze"], "no table of gaze"),
        (["--layout=ucf_sports", "--observers=odd"], "the layout ucf_sports takes no settings of gaze"),
    ],
)
def test_prepare_refuses_gaze_that_cannot_be_read_in_one_line(run, tmp_path, arguments, message):
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a.png").write_bytes(b"x")
    given = [f"--input_dir={tmp_path / 'data'}", f"--output_dir={tmp_path / 'out'}", *arguments]
    assert message in run("tools/prepare_dataset.py", *given, status=2)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "arguments, message",
    [
        (["--config=configs/missing.py"], "missing.py"),
        (["--config=configs/smoke.py", "--config.optimizer.nonsense=1"], "nonsense"),
        (["--config=configs/hd2s.py"], "init.encoder"),
        (["--config=configs/smoke.py", "--config.init.weights=missing.weights.h5"], "no such weight file"),
        (["--config=configs/smoke.py", "--config.data.train=('nowhere:train',)"], "nowhere/train/dataset.json"),
        (["--config=configs/smoke.py", "--config.model.preset=x"], "model.preset is 'x'"),
        (["--config=configs/smoke.py", "--strategy=x"], "'x'"),
    ],
)
def test_train_refuses_bad_input_in_one_line(run, tmp_path, arguments, message):
    assert message in run("tools/train.py", f"--workdir={tmp_path / 'run'}", *arguments, status=2)


@pytest.mark.parametrize(
    "arguments, status, message",
    [
        # Nothing listens on the first port.
        (["--server=127.0.0.1:1/hd2s", "--deadline=0.2"], 1, "127.0.0.1:1/hd2s: UNAVAILABLE"),
        (["--server=127.0.0.1:1/hd2s", "--tls_ca={tmp}/missing.pem"], 2, "missing.pem: cannot be read"),
        (["--server=127.0.0.1:1/hd2s", "--tls_key=key.pem"], 2, "needs both the certificate and the key"),
        (["--server=127.0.0.1/hd2s"], 2, "a served model is named as grpc://host:port/name"),
        (["--saved_model=missing"], 2, "missing: no such folder"),
        (["--saved_model=docs"], 2, "docs: not a version of a SavedModel of this project"),
        (["--saved_model={tmp}/damaged"], 2, "damaged: "),
        (["--saved_model=docs", "--weights=auto"], 2, "exclude each other"),
    ],
)
def test_evaluate_refuses_what_is_no_model_in_one_line(run, tmp_path, arguments, status, message):
    from hd2s_tf.data import synthetic

    synthetic.write_videos(tmp_path / "discs", videos=2, frames=2, size=(48, 64))
    (tmp_path / "damaged").mkdir()
    (tmp_path / "damaged" / "model_info.json").write_text("{}")
    (tmp_path / "damaged" / "saved_model.pb").write_bytes(b"damaged")
    given = [f"--data_dir={tmp_path / 'discs'}", "--split=train", f"--output_dir={tmp_path / 'out'}"]
    arguments = [argument.format(tmp=tmp_path) for argument in arguments]
    assert message in run("tools/evaluate.py", *given, *arguments, status=status)
    assert not (tmp_path / "out").exists()


def test_the_client_says_in_one_line_that_there_is_no_server(run, clip, tmp_path):
    given = ["--server=127.0.0.1:1", f"--input={clip}", f"--output_dir={tmp_path / 'out'}", "--deadline=0.2"]
    assert "127.0.0.1:1/hd2s: UNAVAILABLE" in run("serving/client.py", *given, status=1)
    assert not (tmp_path / "out").exists()


def test_convert_refuses_what_is_no_checkpoint(run, tmp_path):
    (tmp_path / "x.npz").write_bytes(b"x")
    given = [f"--checkpoint={tmp_path / 'x.npz'}", f"--output={tmp_path / 'x.weights.h5'}"]
    assert "x.npz" in run("tools/convert_weights.py", *given, status=2)
    assert not (tmp_path / "x.weights.h5").exists()


def test_convert_refuses_a_checkpoint_that_would_run_something(run, tmp_path):
    path = tmp_path / "i3d.ckpt"
    path.write_bytes(b"cos\nsystem\n(S'true'\ntR.")
    given = (f"--checkpoint={path}", "--clips=generated:train", f"--output={tmp_path / 'e.weights.h5'}")
    assert "refused: it names os.system" in run("tools/convert_weights.py", *given, status=2)
    assert not (tmp_path / "e.weights.h5").exists()


def test_a_tool_starts_as_a_program_of_its_own():
    """The other tests start tools in copies of one process; this one starts a new program."""
    command = [sys.executable, str(ROOT / "tools" / "predict.py"), "--input=missing.mp4", "--output_dir=out"]
    result = subprocess.run(command, capture_output=True, text=True, check=False, env=_environment())
    assert (result.returncode, result.stderr) == (2, "error: missing.mp4: no such file or folder\n")


def test_the_demo_video_is_in_the_project():
    assert DEMO.exists()
    assert shutil.which("make") is None or "docs/media/bigbuckbunny.mp4" in (ROOT / "Makefile").read_text()
