import json
import pathlib

import ml_collections
import numpy as np
import pytest

from hd2s_tf.data import layouts, preparation, synthetic
from hd2s_tf.errors import BadInputError
from hd2s_tf.evaluation import plots
from hd2s_tf.experiments import bench, matrices
from hd2s_tf.training import loop, settings


@pytest.fixture(scope="module")
def data_root(tmp_path_factory) -> str:
    folder = tmp_path_factory.mktemp("data")
    synthetic.write_videos(folder / "discs", videos=3, frames=18, size=(64, 96))
    validation = layouts.ValidationSplit(names=("0003",))
    preparation.prepare(
        "dhf1k", str(folder / "discs"), str(folder / "prepared/discs"), validation=validation, workers=1
    )
    return str(folder / "prepared")


@pytest.fixture
def config() -> ml_collections.ConfigDict:
    """Two updates of the narrowest model; only its deepest conspicuity network is ever trained for real."""
    recipe = settings.paper()
    recipe.model.overrides.width_multiplier = 0.0625
    recipe.model.overrides.momentum = 0.5
    recipe.data.batch_size = 1
    recipe.data.frame_size = (32, 64)
    recipe.optimizer.accumulation = 1
    recipe.optimizer.updates = 2
    return ml_collections.ConfigDict(
        {
            "recipe": recipe,
            "domains": {"DISCS": ("discs:train", "discs:validation", "discs:validation")},
            "protocol": "videos",
            "test_every": 6,
            "ablated": ("DISCS",),
        }
    )


def test_a_row_is_trained_and_tested_once(config, data_root, tmp_path, monkeypatch):
    for name in ("draw_histograms", "draw_bars"):
        monkeypatch.setattr(plots, name, lambda *_: b"")
    runs = bench._Bench(config, data_root, str(tmp_path))
    row = matrices.make_matrix("table4", config).rows[0]
    one = matrices.Matrix("4", "One row", (row,))
    (result,) = runs.results(one, (3,))
    assert np.isfinite(result.mean("nss"))
    folder = tmp_path / "seed3" / row.training.name
    made = json.loads((folder / "config.json").read_text())
    assert (made["seed"], made["model"]["overrides"]["levels"], made["loss"]["multi_level"]) == (3, [1], False)
    tested = json.loads((folder / "tests/DISCS/metrics.json").read_text())
    assert (tested["frames"], tested["stride"]) == (3, 6)

    written = {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()}
    assert runs.results(one, (3,))[0].mean("nss") == result.mean("nss")
    assert {path: path.stat().st_mtime_ns for path in tmp_path.rglob("*") if path.is_file()} == written

    # As written before a setting existed.
    del made["model"]["overrides"]["recompute"]
    (folder / "config.json").write_text(json.dumps(made))
    assert runs.results(one, (3,))[0].mean("nss") == result.mean("nss")

    config.recipe.optimizer.updates = 3
    with pytest.raises(BadInputError, match="other settings of optimizer"):
        runs.results(one, (3,))


def test_a_transfer_starts_from_the_best_weights_of_its_source(config, data_root, tmp_path, monkeypatch):
    trained = []

    def train(recipe, workdir):
        trained.append((pathlib.Path(workdir).name, recipe.init.weights))
        path = pathlib.Path(workdir)
        path.mkdir(parents=True)
        (path / loop.CONFIG).write_text(recipe.to_json_best_effort())
        for name in (loop.LAST, loop.BEST):
            (path / name).write_bytes(b"weights")

    monkeypatch.setattr(loop, "train", train)
    runs = bench._Bench(config, data_root, str(tmp_path))
    training = matrices.Training("transferred", (("data.train", ("DISCS",)),), matrices.base("DISCS"))
    runs.weights(training, 0)
    source = str(tmp_path / "seed0/base_DISCS/best.weights.h5")
    assert trained == [("base_DISCS", ""), ("transferred", source)]
    # Without validation data there is no best.
    config.domains.DISCS = ("discs:train", "", "discs:validation")
    assert runs.weights(matrices.base("DISCS"), 1) == str(tmp_path / "seed1/base_DISCS/last.weights.h5")


def test_bad_arguments(config, data_root, tmp_path):
    with pytest.raises(BadInputError, match="table8"):
        bench.run("table8", config, data_root, str(tmp_path / "out"))
    with pytest.raises(BadInputError, match="seeds"):
        bench.run("table4", config, data_root, str(tmp_path / "out"), ())
    assert not (tmp_path / "out").exists()
