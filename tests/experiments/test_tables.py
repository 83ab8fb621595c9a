import csv
import dataclasses
import math

import pytest

from hd2s_tf.evaluation.protocol import METRICS
from hd2s_tf.experiments import tables
from hd2s_tf.experiments.matrices import Matrix, Row, base
from hd2s_tf.experiments.tables import Result


def scores(nss, cc):
    return {**dict.fromkeys(METRICS, 0.5), "nss": nss, "cc": cc}


GROUP = "DHF1K -> UCFSports"
ROWS = tuple(Row(GROUP, arm, base("DHF1K"), "UCFSports") for arm in ("adaptation", "transfer"))
MATRIX = Matrix("5", "Title", ROWS)
RESULTS = [
    Result(ROWS[0], [scores(1.0, 0.2), scores(2.0, 0.4)]),
    Result(ROWS[1], [scores(3.0, 0.3), scores(5.0, 0.3)]),
]


def test_mean_and_spread_over_seeds():
    assert RESULTS[1].mean("nss") == 4.0
    assert RESULTS[1].spread("nss") == pytest.approx(math.sqrt(2))
    assert math.isnan(Result(ROWS[0], [scores(1.0, 0.2)]).spread("nss"))


def test_an_order_holds_if_every_seed_agrees():
    lines = tables.check_orders(MATRIX, RESULTS)
    assert "NSS as in the paper: transfer above adaptation yes" in lines
    assert "CC as in the paper: transfer above adaptation in 1 of 2 seeds" in lines
    # The paper has no KL divergence.
    assert len(lines) == 5
    swapped = [Result(ROWS[0], RESULTS[1].scores), Result(ROWS[1], RESULTS[0].scores)]
    assert "NSS as in the paper: transfer above adaptation no" in tables.check_orders(MATRIX, swapped)


def test_the_table_as_text():
    text = tables.format_table(MATRIX, RESULTS)
    assert "4.000 +-1.414" in text
    assert "undefined" in tables.format_table(MATRIX, [Result(row, [scores(math.nan, 0.1)]) for row in ROWS])
    assert all(metric.title in text for metric in METRICS.values())


def test_the_papers_values_stand_beside_comparable_ones_only(tmp_path):
    assert "3.001" not in tables.format_table(MATRIX, RESULTS)
    comparable = [dataclasses.replace(result, comparable=True) for result in RESULTS]
    assert "3.001" in tables.format_table(MATRIX, comparable)
    tables.write(str(tmp_path), MATRIX, comparable)
    lines = list(csv.DictReader((tmp_path / "table5.csv").open()))
    assert [line["nss"] for line in lines if line["run"] == "paper"] == ["2.5140", "3.0010"]


def test_the_table_as_csv(tmp_path):
    tables.write(str(tmp_path), MATRIX, RESULTS)
    lines = list(csv.DictReader((tmp_path / "table5.csv").open()))
    assert [(line["arm"], line["run"], line["nss"]) for line in lines] == [
        ("adaptation", "0", "1.0000"),
        ("adaptation", "1", "2.0000"),
        ("transfer", "0", "3.0000"),
        ("transfer", "1", "5.0000"),
    ]
