"""A metric is one function and one entry of `METRICS`; all that is shown follows from it."""

import csv
import gzip
import json

import numpy as np
import pytest

from hd2s_tf.data import synthetic
from hd2s_tf.evaluation import evaluate, protocol, tables
from hd2s_tf.evaluation.protocol import METRICS, Metric

pytestmark = pytest.mark.usefixtures("plots_are_not_drawn")


@pytest.fixture(scope="module")
def dataset(tmp_path_factory):
    folder = tmp_path_factory.mktemp("dataset")
    synthetic.write_videos(folder, videos=2, frames=3, size=(48, 64))
    return folder


def _everywhere(dataset, output):
    """What an evaluation shows: the table as text, the report, and the columns of both CSV files."""
    evaluation = evaluate.evaluate(evaluate.Request("baseline:centre"), str(dataset), "train", str(output))
    with gzip.open(output / "per_frame.csv.gz", "rt") as file:
        frames = next(csv.reader(file))
    videos = (output / "per_video.csv").read_text().splitlines()[0].split(",")
    return tables.format_table(evaluation), (output / "report.html").read_text(), frames, videos


@pytest.mark.parametrize("name", ["auc_borji", "information_gain"])
def test_an_entry_is_all_that_a_metric_needs(name, dataset, tmp_path, monkeypatch):
    entry = METRICS[name]
    text, report, frames, videos = _everywhere(dataset, tmp_path / "with")
    assert entry.title in text.split() and entry.title in report and entry.meaning in report
    assert name in frames and name in videos
    assert name in json.loads((tmp_path / "with" / "metrics.json").read_text())["mean_over_videos"]
    monkeypatch.delitem(METRICS, name)
    text, report, frames, videos = _everywhere(dataset, tmp_path / "without")
    assert entry.title not in text.split() and entry.meaning not in report
    assert name not in frames and name not in videos


def test_a_new_entry_appears_everywhere(dataset, tmp_path, monkeypatch):
    entry = Metric("mean", "Mean", "how bright the map is", True, lambda frame: float(np.mean(frame.saliency_map)))
    monkeypatch.setitem(METRICS, "mean", entry)
    text, report, frames, videos = _everywhere(dataset, tmp_path / "out")
    assert "Mean" in text and "how bright the map is" in report and "mean" in frames and "mean" in videos


def test_entries_are_named_as_they_are_found():
    assert all(name == metric.name for name, metric in METRICS.items())
    assert [metric.name for metric in METRICS.values() if not metric.higher_is_better] == ["kl_divergence"]


def test_the_baseline_of_information_gain_gains_nothing_over_itself(dataset, tmp_path):
    arguments = evaluate.Request("baseline:centre", round_to_8_bits=False)
    evaluation = evaluate.evaluate(arguments, str(dataset), "train", str(tmp_path / "out"))
    assert evaluation.score["information_gain"] == pytest.approx(0, abs=0.3)
    assert protocol.centre_map((3, 5))[1, 2] == 1
