import csv
import gzip
import json

import cv2
import numpy as np
import pytest

from hd2s_tf.data import synthetic
from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation import job
from hd2s_tf.evaluation.protocol import METRICS


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")
    synthetic.write_videos(folder, videos=3, frames=5, size=(48, 64))
    return folder


@pytest.fixture
def perfect(dataset, tmp_path):
    """The ground truth as someone's predictions, with shorter names."""
    for video in (dataset / "annotation").iterdir():
        (tmp_path / "maps" / video.name).mkdir(parents=True)
        for path in (video / "maps").iterdir():
            (tmp_path / "maps" / video.name / f"{int(path.stem)}.png").write_bytes(path.read_bytes())
    return tmp_path / "maps"


def _evaluate(dataset, output, **arguments):
    return job.evaluate(job.Request(**arguments), str(dataset), "train", str(output))


def test_perfect_predictions_score_perfectly(dataset, perfect, tmp_path):
    scores = _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect))
    means = scores["mean_over_videos"]
    assert means["cc"] == pytest.approx(1)
    assert means["sim"] == pytest.approx(1)
    assert means["kl_divergence"] == pytest.approx(0, abs=1e-6)
    assert means["auc_judd"] > 0.99
    stored = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert stored["mean_over_frames"] == scores["mean_over_frames"]
    assert stored["protocol"]["other_frames"] == 10
    with gzip.open(tmp_path / "out" / "per_frame.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    assert len(rows) == 15
    assert set(rows[0]) == {"video", "frame", *METRICS}
    assert len((tmp_path / "out" / "per_video.csv").read_text().splitlines()) == 1 + 3
    report = (tmp_path / "out" / "report.html").read_text()
    assert "Worst frames" in report
    assert "http" not in report.replace("data:image", "")
    assert not (tmp_path / "out" / "progress").exists()


def test_baselines_and_the_model_in_the_box(dataset, tmp_path):
    uniform = _evaluate(dataset, tmp_path / "uniform", target="baseline:uniform")["mean_over_videos"]
    assert uniform["auc_judd"] == 0.5
    assert uniform["nss"] == 0
    centre = _evaluate(dataset, tmp_path / "centre", target="baseline:centre")["mean_over_videos"]
    assert np.isfinite(centre["nss"])
    model = _evaluate(dataset, tmp_path / "model", target="auto")
    assert model["preset"] == "hd2s_tiny"
    assert model["frames"] == 15
    with pytest.raises(BadInputError, match="training videos beside"):
        _evaluate(dataset, tmp_path / "mean", target="baseline:mean_map")


def test_missing_predictions_are_named_and_counted(dataset, perfect, tmp_path):
    (perfect / "0002" / "3.png").unlink()
    with pytest.raises(BadInputError, match="no prediction for 0002/0003.png"):
        _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect))
    scores = _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect), allow_missing=True)
    assert scores["missing_predictions"] == 1
    assert scores["frames"] == 14


def test_predictions_that_do_not_fit(dataset, perfect, tmp_path):
    (perfect / "0001" / "99.png").write_bytes((perfect / "0001" / "1.png").read_bytes())
    with pytest.raises(BadInputError, match="99.png: no frame of 0001"):
        _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect))
    (perfect / "0001" / "99.png").unlink()
    cv2.imwrite(str(perfect / "0001" / "1.png"), np.zeros((64, 64), np.uint8))
    with pytest.raises(BadInputError, match="0001, frame 0001: a prediction of 64x64 for a ground truth of 64x48"):
        _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect))
    (perfect / "0001" / "1.png").write_bytes(b"broken")
    with pytest.raises(BadInputError, match="1.png: not an image"):
        _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect))


def test_an_interrupted_evaluation_goes_on(dataset, perfect, tmp_path, monkeypatch):
    whole = _evaluate(dataset, tmp_path / "whole", predictions_dir=str(perfect))
    scored = []
    score = job._Video.score

    def fail_at_the_last(self, predictor):
        scored.append(self._scored.name)
        if self._scored.name == "0003" and len(scored) == 3:
            raise KeyboardInterrupt
        return score(self, predictor)

    monkeypatch.setattr(job._Video, "score", fail_at_the_last)
    with pytest.raises(KeyboardInterrupt):
        _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect))
    resumed = _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect))
    assert scored == ["0001", "0002", "0003", "0003"]
    assert resumed["mean_over_frames"] == whole["mean_over_frames"]


def test_a_submission_holds_every_frame(dataset, tmp_path):
    _evaluate(dataset, tmp_path / "out", target="auto", submission_dir=str(tmp_path / "HD2S"))
    names = sorted(str(path.relative_to(tmp_path / "HD2S")) for path in (tmp_path / "HD2S").rglob("*.png"))
    assert names == [f"{video:04d}/{frame:04d}.png" for video in (1, 2, 3) for frame in range(1, 6)]
    assert cv2.imread(str(tmp_path / "HD2S" / names[0]), cv2.IMREAD_UNCHANGED).shape == (48, 64)


def test_data_that_cannot_be_scored(dataset, tmp_path):
    for arguments, message in (
        ((tmp_path / "nothing", "train"), "no such folder"),
        ((tmp_path, "train"), "neither prepared data nor a layout"),
        ((dataset, "test"), "no videos with ground truth in the split test"),
        ((dataset, "tset"), "no split 'tset'"),
    ):
        with pytest.raises(BadInputError, match=message):
            job.evaluate(job.Request("baseline:uniform"), str(arguments[0]), arguments[1], str(tmp_path / "out"))
