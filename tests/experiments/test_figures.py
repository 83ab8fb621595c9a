import math

import ml_collections
import pytest

from hd2s_tf.data import synthetic
from hd2s_tf.evaluation.protocol import METRICS
from hd2s_tf.experiments import figures
from hd2s_tf.experiments.matrices import Matrix, Row, base
from hd2s_tf.experiments.tables import Result
from hd2s_tf.models import weight_files
from hd2s_tf.models.hd2s import HD2S


@pytest.fixture
def config(tmp_path):
    synthetic.write_videos(tmp_path / "data" / "DISCS", videos=1, frames=3, size=(48, 64))
    return ml_collections.ConfigDict(
        {
            "domains": {"DISCS": ("DISCS:train", "", "DISCS:train")},
            "pairs": (("DISCS", "DISCS"),),
            "specialised": ("DISCS",),
        }
    )


def test_figures_5_and_6(config, tmp_path):
    narrow = {"width_multiplier": 0.0625}
    paths = {}
    for preset, name, arguments in (
        ("hd2s", "base_DISCS", {}),
        ("hd2s_da", "adapted_DISCS_DISCS", {}),
        ("hd2s_dsl", "specific_DISCS", {"domains": ("DISCS",)}),
    ):
        paths[name] = str(tmp_path / f"{name}{weight_files.SUFFIX}")
        weight_files.save(HD2S.from_preset(preset, weights=None, **narrow, **arguments), paths[name])
    asked = []

    def weights(training, seed):
        asked.append((training.name, seed))
        return paths[training.name]

    drawn = figures.Figures(config, weights, str(tmp_path / "data"), str(tmp_path)).draw(7)
    assert [path.rsplit("/", 1)[-1] for path in drawn] == ["figure5.png", "figure6.png"]
    assert set(asked) == {(name, 7) for name in paths}
    for path in ("figure5.png", "figure6.png"):
        assert (tmp_path / path).read_bytes().startswith(b"\x89PNG")


def test_a_table_as_a_picture(tmp_path):
    rows = tuple(Row("A -> B", arm, base("A"), "B") for arm in ("without", "with"))
    scores = dict.fromkeys(METRICS, 0.5)
    results = [Result(rows[0], [scores, {**scores, "nss": math.nan}]), Result(rows[1], [scores, scores])]
    path = tmp_path / "table5.png"
    figures.draw_table(str(path), Matrix("5", "Title", rows), results)
    assert path.read_bytes().startswith(b"\x89PNG")
