import csv
import gzip
import json
import shutil

import cv2
import numpy as np
import pytest

from hd2s_tf.data import layouts, preparation, synthetic
from hd2s_tf.errors import BadInputError, RunError
from hd2s_tf.evaluation import evaluate, scoring, tables
from hd2s_tf.evaluation.protocol import METRICS
from hd2s_tf.inference.predict_fn import FunctionPredictFn
from hd2s_tf.inference.streams import Maps
from hd2s_tf.serving.signatures import ModelInfo

pytestmark = pytest.mark.usefixtures("plots_are_not_drawn")


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


def _brightness(clips):
    """The brightness of the last frame, as maps of two levels too."""
    maps = clips[:, -1].mean(-1, dtype=np.float32) / 255
    return Maps(maps, np.stack([maps, maps**2], 1))


def _predict_fn(function):
    return FunctionPredictFn(function, ModelInfo("brightness", clip_frames=4, smoothing_sigma=0.0))


@pytest.fixture
def brightness(monkeypatch):
    monkeypatch.setattr(evaluate, "load_predict_fn", lambda *arguments: _predict_fn(_brightness))


def _evaluate(dataset, output, names=(), split="train", **arguments):
    return evaluate.evaluate(evaluate.Request(**arguments), str(dataset), split, str(output), names=names)


def test_perfect_predictions_score_perfectly(dataset, perfect, tmp_path):
    scores = _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect))
    means = scores.mean_over_videos
    assert means["cc"] == pytest.approx(1)
    assert means["sim"] == pytest.approx(1)
    assert means["kl_divergence"] == pytest.approx(0, abs=1e-6)
    assert means["auc_judd"] > 0.99
    stored = json.loads((tmp_path / "out" / "metrics.json").read_text())
    assert stored["mean_over_frames"] == scores.mean_over_frames
    assert stored["protocol"]["other_frames"] == 10
    assert "rounded to 8 bits" in stored["protocol"]["prediction"]
    with gzip.open(tmp_path / "out" / "per_frame.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    assert [(row["video"], row["frame"]) for row in rows] == [
        (f"{video:04d}", f"{frame:04d}") for video in (1, 2, 3) for frame in range(1, 6)
    ]
    assert set(rows[0]) == {"video", "frame", *METRICS}
    assert len((tmp_path / "out" / "per_video.csv").read_text().splitlines()) == 1 + 3
    report = (tmp_path / "out" / "report.html").read_text()
    assert "Worst frames" in report
    assert all(metric.title in report for metric in METRICS.values())
    assert "http" not in report
    assert not (tmp_path / "out" / "progress").exists()


def test_baselines(dataset, tmp_path):
    uniform = _evaluate(dataset, tmp_path / "uniform", target="baseline:uniform")
    assert uniform.mean_over_videos["auc_judd"] == 0.5
    assert uniform.mean_over_videos["nss"] == 0
    assert uniform.undefined["cc"] == 15
    # JSON has no NaN.
    stored = json.loads((tmp_path / "uniform" / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert stored["mean_over_videos"]["cc"] is None
    centre = _evaluate(dataset, tmp_path / "centre", target="baseline:centre").mean_over_videos
    assert np.isfinite(centre["nss"])
    with pytest.raises(BadInputError, match="training videos beside"):
        _evaluate(dataset, tmp_path / "mean", target="baseline:mean_map")
    # The mean of the two other videos' maps.
    mean = _evaluate(dataset, tmp_path / "mean", names=("0001",), target="baseline:mean_map")
    assert np.isfinite(mean.mean_over_videos["kl_divergence"])


def test_the_bundled_model_with_its_conspicuity_maps(dataset, tmp_path):
    scores = _evaluate(dataset, tmp_path / "out", names=("0001",), target="auto", batch_size=1)
    assert scores.subject.predictor["preset"] == "hd2s_tiny"
    assert len(scores.subject.predictor["weights_sha256"]) == 64
    assert scores.frames == 5
    report = (tmp_path / "out" / "report.html").read_text()
    assert "conspicuity 4 of 4" in report
    # Frame, ground truth, prediction and four conspicuity maps of four best, median and worst frames.
    assert report.count("image/jpeg") == 12 * 7


def test_a_network_scores_as_its_maps_in_files(dataset, tmp_path, brightness):
    network = _evaluate(dataset, tmp_path / "network", submission_dir=str(tmp_path / "Brightness"))
    names = sorted(str(path.relative_to(tmp_path / "Brightness")) for path in (tmp_path / "Brightness").rglob("*.png"))
    assert names == [f"{video:04d}/{frame:04d}.png" for video in (1, 2, 3) for frame in range(1, 6)]
    assert cv2.imread(str(tmp_path / "Brightness" / names[0]), cv2.IMREAD_UNCHANGED).shape == (48, 64)
    files = _evaluate(dataset, tmp_path / "files", predictions_dir=str(tmp_path / "Brightness"))
    assert files.mean_over_frames == network.mean_over_frames
    assert network.subject.protocol == files.subject.protocol


def test_missing_predictions_are_named_and_counted(dataset, perfect, tmp_path):
    for name in ("0002/3.png", "0002/4.png", "0003/1.png", "0003/2.png"):
        (perfect / name).unlink()
    message = r"no prediction for 0002/0003.png, 0002/0004.png, 0003/0001.png and 1 more \(4 in all\)$"
    with pytest.raises(BadInputError, match=message):
        _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect))
    assert not (tmp_path / "out").exists()
    scores = _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect), allow_missing=True)
    assert scores.missing_predictions == 4
    assert scores.frames == 11
    shutil.rmtree(perfect)
    perfect.mkdir()
    with pytest.raises(BadInputError, match="no prediction for any frame"):
        _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect), allow_missing=True)


@pytest.mark.parametrize("maps", [3, 7])
def test_fewer_or_more_maps_than_frames_are_paired_by_number(dataset, tmp_path, brightness, caplog, maps):
    shutil.copytree(dataset, tmp_path / "set")
    for kind in ("maps", "fixation"):
        folder = tmp_path / "set" / "annotation" / "0001" / kind
        for number in range(maps + 1, 6):
            (folder / f"{number:04d}.png").unlink()
        for number in range(6, maps + 1):
            shutil.copy(folder / "0005.png", folder / f"{number:04d}.png")
    scored = _evaluate(tmp_path / "set", tmp_path / "out", names=("0001",))
    expected = _evaluate(dataset, tmp_path / "expected", names=("0001",))
    count = min(maps, 5)
    assert [row["cc"] for row in scored.rows["0001"]] == [row["cc"] for row in expected.rows["0001"][:count]]
    assert f"0001: 5 frames for {maps} maps, paired by number" in caplog.text


def test_predictions_with_wrong_names(dataset, perfect, tmp_path):
    (perfect / "0001" / "99.png").write_bytes((perfect / "0001" / "1.png").read_bytes())
    with pytest.raises(BadInputError, match="no frame has the name of .*99.png"):
        _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect))
    assert _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect), allow_missing=True).frames == 15


def test_predictions_that_cannot_be_used(dataset, perfect, tmp_path):
    cv2.imwrite(str(perfect / "0001" / "1.png"), np.zeros((64, 64), np.uint8))
    (perfect / "0003" / "5.png").write_bytes(b"broken")
    message = "0001, frame 0001: a prediction of 64x64 for a ground truth of 64x48, .*5.png: not an image"
    with pytest.raises(BadInputError, match=message):
        _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect))
    assert not (tmp_path / "out" / "metrics.json").exists()
    scores = _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect), allow_missing=True)
    assert scores.frames == 13
    assert len(scores.problems) == 2
    # What has been mended is scored anew.
    for name in ("0001/1.png", "0003/5.png"):
        shutil.copy(perfect / "0002" / "2.png", perfect / name)
    assert _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect)).frames == 15


def test_maps_that_are_not_finite(dataset, tmp_path, brightness, monkeypatch):
    def sometimes_nan(clips):
        maps = _brightness(clips)
        # Of a video's five frames the first three are predicted together, backwards, then the last two.
        if len(clips) == 2:
            maps.saliency[-1, 0, 0] = np.nan
        return maps

    monkeypatch.setattr(evaluate, "load_predict_fn", lambda *arguments: _predict_fn(sometimes_nan))
    with pytest.raises(BadInputError, match="0001, frame 0005: the map has values that are not finite, 0002"):
        _evaluate(dataset, tmp_path / "out", batch_size=5)
    scores = _evaluate(dataset, tmp_path / "out", batch_size=5, allow_missing=True)
    assert scores.frames == 12
    assert len(scores.problems) == 3
    with pytest.raises(RunError, match="0001/0005.png is missing"):
        _evaluate(dataset, tmp_path / "out", batch_size=5, submission_dir=str(tmp_path / "Method"), allow_missing=True)


def test_ground_truth_without_fixations(dataset, tmp_path):
    blind = tmp_path / "dataset"
    shutil.copytree(dataset, blind)
    empty = cv2.imencode(".png", np.zeros((48, 64), np.uint8))[1].tobytes()
    (blind / "annotation" / "0001" / "fixation" / "0002.png").write_bytes(empty)
    scores = _evaluate(blind, tmp_path / "out", target="baseline:centre")
    assert scores.undefined == {
        **dict.fromkeys(METRICS, 0),
        **dict.fromkeys(("nss", "auc_judd", "s_auc", "auc_borji", "information_gain"), 1),
    }
    for path in (blind / "annotation" / "0002" / "fixation").iterdir():
        path.write_bytes(empty)
    with pytest.raises(BadInputError, match="^0002: no frame has fixations$"):
        _evaluate(blind, tmp_path / "out", target="baseline:centre")
    scores = _evaluate(blind, tmp_path / "out", target="baseline:centre", allow_missing=True)
    assert scores.undefined["nss"] == 6
    assert scores.problems == ("0002: no frame has fixations",)
    for video in ("0001", "0003"):
        shutil.rmtree(blind / "annotation" / video / "fixation")
    with pytest.raises(BadInputError, match="no frame of the split train has fixations"):
        _evaluate(blind, tmp_path / "never", target="baseline:centre")
    assert not (tmp_path / "never").exists()


def test_an_interrupted_evaluation_resumes(dataset, perfect, tmp_path, monkeypatch):
    whole = _evaluate(dataset, tmp_path / "whole", predictions_dir=str(perfect))
    read = []
    frames = evaluate.FolderPredictor.frames

    def fail_at_the_last(self, scored):
        read.append(scored.name)
        if scored.name == "0003" and len(read) == 3:
            # Frames that are still waiting to be scored do not count as done.
            raise KeyboardInterrupt
        return frames(self, scored)

    monkeypatch.setattr(scoring, "_PENDING_FRAMES", 0)
    monkeypatch.setattr(evaluate.FolderPredictor, "frames", fail_at_the_last)
    with pytest.raises(KeyboardInterrupt):
        _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect))
    resumed = _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect))
    assert read == ["0001", "0002", "0003", "0002", "0003"]
    assert resumed.mean_over_frames == whole.mean_over_frames
    # Other settings do not resume it.
    monkeypatch.setattr(evaluate.FolderPredictor, "frames", frames)
    assert _evaluate(dataset, tmp_path / "out", predictions_dir=str(perfect), every=2).frames == 9


def test_a_submission_of_videos_without_ground_truth(dataset, tmp_path, brightness):
    unlabelled = tmp_path / "dataset"
    (unlabelled / "video").mkdir(parents=True)
    shutil.copy(dataset / "video" / "001.AVI", unlabelled / "video" / "701.AVI")
    with pytest.raises(BadInputError, match="no videos with ground truth in the split test"):
        _evaluate(unlabelled, tmp_path / "out", split="test")
    method = tmp_path / "Method"
    assert _evaluate(unlabelled, tmp_path / "out", split="test", submission_dir=str(method)).frames == 0
    assert sorted(path.name for path in (method / "0701").iterdir()) == [f"{frame:04d}.png" for frame in range(1, 6)]
    assert not (tmp_path / "out" / "metrics.json").exists()
    (method / "0701" / "0006.png").write_bytes(b"")
    (method / "0702").mkdir()
    with pytest.raises(RunError, match="0702, which is no video, 0701/0006.png, which is no frame"):
        _evaluate(unlabelled, tmp_path / "out", split="test", submission_dir=str(method))
    with pytest.raises(BadInputError, match="not of someone's predictions or a baseline"):
        _evaluate(unlabelled, tmp_path / "out", target="baseline:centre", submission_dir=str(method))


def test_the_papers_data_sets_are_scored_as_the_benchmark_does_beside_its_scores(dataset, tmp_path):
    dhf1k = tmp_path / "DHF1K"
    (dhf1k / "video").mkdir(parents=True)
    for number in (1, 2):
        shutil.copy(dataset / "video" / f"{number:03d}.AVI", dhf1k / "video" / f"{600 + number}.AVI")
        shutil.copytree(dataset / "annotation" / f"{number:04d}", dhf1k / "annotation" / f"{600 + number:04d}")
    scores = _evaluate(dhf1k, tmp_path / "out", split="test", target="baseline:centre")
    assert (scores.subject.protocol.name, scores.subject.comparable) == ("dhf1k", True)
    assert scores.score == scores.mean_over_frames
    titles = [title for title, _ in tables.compare(scores)]
    assert titles[0] == "mean over frames"
    assert {"HD2S, domain-specific (table 7, DHF1K)", "HD2S_DSL (table 1, DHF1K test)"} <= set(titles)
    assert "HD2S_DSL (table 1" in (tmp_path / "out" / "report.html").read_text()
    ours = _evaluate(dhf1k, tmp_path / "ours", split="test", target="baseline:centre", protocol="videos")
    assert not ours.subject.comparable
    assert ours.mean_over_frames["s_auc"] != scores.mean_over_frames["s_auc"]
    # Of another data set nothing is published, whichever protocol.
    assert _evaluate(dataset, tmp_path / "other", target="baseline:centre").subject.protocol.name == "videos"
    with pytest.raises(BadInputError, match="no protocol 'mit'"):
        _evaluate(dataset, tmp_path / "other", target="baseline:centre", protocol="mit")


def test_prepared_data_scores_as_the_data_sets_own(dataset, tmp_path):
    own, prepared = tmp_path / "DHF1K", tmp_path / "prepared"
    (own / "video").mkdir(parents=True)
    for number, place in ((1, 1), (2, 601), (3, 602)):
        shutil.copy(dataset / "video" / f"{number:03d}.AVI", own / "video" / f"{place:03d}.AVI")
        shutil.copytree(dataset / "annotation" / f"{number:04d}", own / "annotation" / f"{place:04d}")
    maps = tmp_path / "maps"
    for name in ("0601", "0602"):
        shutil.copytree(own / "annotation" / name / "fixation", maps / name)
    options, validation = preparation.Options(24, 32), layouts.ValidationSplit(fraction=0)
    preparation.prepare("dhf1k", str(own), str(prepared), options=options, validation=validation, workers=1)
    for request in ({"target": "baseline:centre"}, {"predictions_dir": str(maps)}):
        ours, theirs = (_evaluate(folder, tmp_path / "out", split="test", **request) for folder in (prepared, own))
        assert ours.subject.full_size and ours.subject.comparable
        assert ours.subject.protocol == theirs.subject.protocol
        for metric, value in theirs.mean_over_frames.items():
            assert ours.mean_over_frames[metric] == pytest.approx(value, abs=1e-9)


def test_validation_videos_chosen_here_have_no_published_rows(dataset, tmp_path):
    options, validation = preparation.Options(24, 32, name="DHF1K"), layouts.ValidationSplit(names=("0002", "0003"))
    preparation.prepare("dhf1k", str(dataset), str(tmp_path), options=options, validation=validation, workers=1)
    scores = _evaluate(tmp_path, tmp_path / "out", split="validation", target="baseline:centre")
    assert (scores.subject.full_size, scores.subject.comparable) == (True, False)
    assert scores.subject.protocol.name == "videos"


def test_data_that_cannot_be_scored(dataset, tmp_path):
    for arguments, message in (
        ((tmp_path / "nothing", "train"), "no such folder"),
        ((tmp_path, "train"), "no layout that can be recognised"),
        ((dataset, "test"), "no videos with ground truth in the split test"),
        ((dataset, "tset"), "no split 'tset'"),
    ):
        with pytest.raises(BadInputError, match=message):
            evaluate.evaluate(
                evaluate.Request("baseline:uniform"), str(arguments[0]), arguments[1], str(tmp_path / "out")
            )
    with pytest.raises(BadInputError, match="no videos 0009"):
        _evaluate(dataset, tmp_path / "out", names=("0001", "0009"), target="baseline:uniform")
    with pytest.raises(BadInputError, match="no baseline 'center'"):
        _evaluate(dataset, tmp_path / "out", target="baseline:center")
    with pytest.raises(BadInputError, match="smoothing_sigma is -1"):
        _evaluate(dataset, tmp_path / "out", smoothing_sigma=-1.0)
