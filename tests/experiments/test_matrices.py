import importlib.util
import pathlib

import pytest

from hd2s_tf.errors import BadInputError
from hd2s_tf.experiments import bench, matrices
from hd2s_tf.training import settings

PATH = pathlib.Path(__file__).resolve().parents[2] / "configs" / "experiments.py"


def configuration(scale):
    specification = importlib.util.spec_from_file_location("experiments", PATH)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.get_config(scale)


@pytest.fixture(params=["gaze", "paper"])
def config(request):
    return configuration(request.param)


@pytest.mark.parametrize("name", matrices.TABLES)
def test_every_training_of_a_table_has_a_recipe(config, name):
    matrix = matrices.matrix(name, config)
    assert matrix.rows
    for row in matrix.rows:
        assert row.arm in matrix.rising
        assert row.domain in config.domains
        made = bench.recipe(config, row.training, 5, "data")
        assert made.seed == 5
        assert all(folder.startswith("data/") and folder.endswith(":train") for folder in made.data.train)


def test_a_training_is_known_by_its_name(config):
    """Two that differ must not share a folder, two that are the same must."""
    trainings = [row.training for name in matrices.TABLES for row in matrices.matrix(name, config).rows]
    assert len({training.name for training in trainings}) == len(set(trainings))


def test_table_3_and_4_of_real_gaze():
    config = configuration("gaze")
    rows = [row for row in matrices.matrix("table3", config).rows if row.group == "OSIE"]
    recipes = {row.arm: bench.recipe(config, row.training, 0, "data") for row in rows}
    levels = {arm: (settings.model_arguments(made)["levels"], made.loss.multi_level) for arm, made in recipes.items()}
    assert levels == {
        "4": ((4,), False),
        "4+3": ((3, 4), False),
        "4+3+2": ((2, 3, 4), False),
        "4+3+2+1": ((1, 2, 3, 4), False),
        "4+3+2+1, multi-level loss": ((1, 2, 3, 4), True),
    }
    rows = [row for row in matrices.matrix("table4", config).rows if row.group == "FIND"]
    assert [row.arm for row in rows] == ["level 1", "level 2", "level 3", "level 4", "all"]


def test_table_5_of_real_gaze():
    config = configuration("gaze")
    rows = {row.arm: row for row in matrices.matrix("table5", config).rows if row.group == "FIND -> OSIE"}
    assert {row.domain for row in rows.values()} == {"OSIE"}
    made = {arm: bench.recipe(config, row.training, 0, "data") for arm, row in rows.items()}
    assert made["generalisation"].data.train == ("data/find:train",)
    adaptation = made["adaptation"]
    assert (adaptation.data.train, adaptation.data.target) == (("data/find:train",), ("data/osie:train",))
    assert adaptation.model.preset == "hd2s_da"
    assert made["transfer"].data.train == ("data/osie:train",)
    assert rows["transfer"].training.start == rows["generalisation"].training


def test_table_6_tests_on_data_that_no_training_has_seen(config):
    for row in matrices.matrix("table6", config).rows:
        made = bench.recipe(config, row.training, 0, "data")
        seen = {*made.data.train, *made.data.target}
        assert f"data/{config.domains[row.domain][0]}" not in seen


def test_the_papers_values_stand_beside_the_same_experiment_only():
    matrix = matrices.matrix("table5", configuration("paper"))
    known = {row.group: matrix.published(row)["nss"] for row in matrix.rows if matrix.published(row)}
    assert known == {"DHF1K -> Hollywood2": 3.352, "DHF1K -> UCFSports": 3.114}
    matrix = matrices.matrix("table5", configuration("gaze"))
    assert not any(matrix.published(row) for row in matrix.rows)


def test_unknown_names_are_refused():
    with pytest.raises(BadInputError, match="table9"):
        matrices.matrix("table9", configuration("gaze"))
    with pytest.raises(ValueError, match="nothing"):
        configuration("nothing")
    with pytest.raises(BadInputError, match="MIT300"):
        bench.recipe(configuration("gaze"), matrices.base("MIT300"), 0, "data")
