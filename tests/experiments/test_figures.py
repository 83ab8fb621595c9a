import math

from hd2s_tf.evaluation.protocol import METRICS
from hd2s_tf.experiments import figures
from hd2s_tf.experiments.matrices import Matrix, Row, base
from hd2s_tf.experiments.tables import Result


def test_a_table_as_a_picture(tmp_path):
    rows = tuple(Row("A -> B", arm, base("A"), "B") for arm in ("without", "with"))
    scores = dict.fromkeys(METRICS, 0.5)
    results = [Result(rows[0], [scores, {**scores, "nss": math.nan}]), Result(rows[1], [scores, scores])]
    path = tmp_path / "table5.png"
    figures.draw_table(str(path), Matrix("5", "Title", rows), results)
    assert path.read_bytes().startswith(b"\x89PNG")
