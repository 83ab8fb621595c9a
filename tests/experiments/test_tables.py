import csv
import math

import pytest

from hd2s_tf.evaluation.protocol import METRICS
from hd2s_tf.experiments import figures, tables
from hd2s_tf.experiments.matrices import Matrix, Row, base
from hd2s_tf.experiments.tables import Result


def scores(nss, cc):
    return {**dict.fromkeys(METRICS, 0.5), "nss": nss, "cc": cc}


ROWS = tuple(Row("A -> B", arm, base("A"), "B") for arm in ("without", "with"))
MATRIX = Matrix("table5", "Title", ROWS, ("without", "with"))
RESULTS = [
    Result(ROWS[0], [scores(1.0, 0.2), scores(2.0, 0.4)]),
    Result(ROWS[1], [scores(3.0, 0.3), scores(5.0, 0.3)]),
]


def test_mean_and_spread_over_seeds():
    assert RESULTS[1].mean("nss") == 4.0
    assert RESULTS[1].spread("nss") == pytest.approx(math.sqrt(2))
    assert math.isnan(Result(ROWS[0], [scores(1.0, 0.2)]).spread("nss"))


def test_an_ordering_holds_if_every_seed_agrees():
    assert tables.orderings(MATRIX, RESULTS) == ["with above without: NSS yes, CC in 1 of 2 seeds"]
    assert tables.orderings(MATRIX, [Result(ROWS[0], RESULTS[1].scores), Result(ROWS[1], RESULTS[0].scores)]) == [
        "with above without: NSS no, CC in 1 of 2 seeds"
    ]


def test_the_table_as_text():
    text = tables.terminal(MATRIX, RESULTS)
    assert "4.000 +-1.414" in text
    assert "undefined" in tables.terminal(MATRIX, [Result(ROWS[0], [scores(math.nan, 0.1)])])


def test_the_table_as_csv(tmp_path):
    tables.write(str(tmp_path), MATRIX, RESULTS)
    lines = list(csv.DictReader((tmp_path / "table5.csv").open()))
    assert [(line["arm"], line["run"], line["nss"]) for line in lines] == [
        ("without", "0", "1.0000"),
        ("without", "1", "2.0000"),
        ("with", "0", "3.0000"),
        ("with", "1", "5.0000"),
    ]


def test_the_table_as_a_picture(tmp_path):
    path = tmp_path / "table5.png"
    figures.draw_table(str(path), MATRIX, RESULTS)
    assert path.read_bytes().startswith(b"\x89PNG")
