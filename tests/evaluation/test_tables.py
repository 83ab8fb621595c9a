import csv
import gzip
import json

import numpy as np
import pytest

from hd2s_tf.evaluation import tables
from hd2s_tf.evaluation.protocol import METRICS, PROTOCOLS
from hd2s_tf.evaluation.results import Evaluation, Subject


def _evaluation(protocol="videos", dataset="UCF Sports", full_size=True, stills=False):
    subject = Subject({"weights": "w"}, "data", dataset, "test", (), PROTOCOLS[protocol], full_size, stills)
    row = dict.fromkeys(METRICS, 0.25)
    return Evaluation(subject, {"a": [{"frame": "1", **row}, {"frame": "2", **row, "cc": np.nan}]})


def test_scores_as_files(tmp_path):
    tables.write(str(tmp_path), _evaluation())
    written = json.loads((tmp_path / "metrics.json").read_text(), parse_constant=pytest.fail)
    assert (written["frames"], written["undefined"]["cc"], written["mean_over_videos"]["cc"]) == (2, 1, 0.25)
    with gzip.open(tmp_path / "per_frame.csv.gz", "rt") as file:
        rows = list(csv.DictReader(file))
    assert [(row["video"], row["frame"], row["cc"]) for row in rows] == [("a", "1", "0.25"), ("a", "2", "nan")]
    (row,) = csv.DictReader((tmp_path / "per_video.csv").open())
    assert (row["video"], row["nss"]) == ("a", "0.25")


def test_published_rows_stand_beside_the_official_protocol_at_full_size_only():
    titles = [title for title, _ in tables.compare(_evaluation("dhf1k"))]
    assert titles[:2] == ["mean over frames", "mean over videos"]
    assert titles[-3:] == [f"{name} (table 2, UCF Sports test)" for name in ("HD2S", "HD2S_DA", "HD2S_DSL")]
    for evaluation in (
        _evaluation("videos"),
        _evaluation("dhf1k", full_size=False),
        _evaluation("dhf1k", dataset="ucf_sports_small"),
    ):
        assert len(tables.compare(evaluation)) == 2


def test_scores_as_text():
    text = tables.format_table(_evaluation("dhf1k"))
    assert text.splitlines()[1].startswith("mean over frames")
    assert "3.381" in text
    assert text.endswith("1 videos, 2 frames; undefined: CC in 1 frames")
    lines = tables.format_table(_evaluation(stills=True)).splitlines()
    assert lines[1].startswith("mean over pictures") and lines[2].startswith("2 pictures")


def test_a_score_as_text():
    assert [tables.format_score(value) for value in (None, np.nan, -1e-9, 1.23456)] == [
        "",
        "undefined",
        "0.000",
        "1.235",
    ]
