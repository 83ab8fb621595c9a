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
    matrix = matrices.make_matrix(name, config)
    assert matrix.rows
    for row in matrix.rows:
        assert row.domain in config.domains
        made = bench.recipe(config, row.training, 5, "data")
        assert made.seed == 5
        assert all(folder.startswith("data/") and folder.endswith(":train") for folder in made.data.train)


def test_a_training_is_known_by_its_name(config):
    """Two that differ must not share a folder, two that are the same must."""
    trainings = [row.training for name in matrices.TABLES for row in matrices.make_matrix(name, config).rows]
    assert len({training.name for training in trainings}) == len(set(trainings))


def test_table_3_and_4_of_real_gaze():
    config = configuration("gaze")
    rows = [row for row in matrices.make_matrix("table3", config).rows if row.group == "OSIE"]
    recipes = {row.arm: bench.recipe(config, row.training, 0, "data") for row in rows}
    levels = {arm: (settings.model_arguments(made)["levels"], made.loss.multi_level) for arm, made in recipes.items()}
    assert levels == {
        "4": ((4,), False),
        "4+3": ((3, 4), False),
        "4+3+2": ((2, 3, 4), False),
        "4+3+2+1": ((1, 2, 3, 4), False),
        "4+3+2+1, multi-level loss": ((1, 2, 3, 4), True),
    }
    rows = [row for row in matrices.make_matrix("table4", config).rows if row.group == "FIND"]
    assert [row.arm for row in rows] == ["level 1", "level 2", "level 3", "level 4", "all"]


def test_table_5_of_real_gaze():
    config = configuration("gaze")
    rows = {row.arm: row for row in matrices.make_matrix("table5", config).rows if row.group == "FIND -> OSIE"}
    assert {row.domain for row in rows.values()} == {"OSIE"}
    made = {arm: bench.recipe(config, row.training, 0, "data") for arm, row in rows.items()}
    assert made["generalisation"].data.train == ("data/find:train",)
    adaptation = made["adaptation"]
    assert (adaptation.data.train, adaptation.data.target) == (("data/find:train",), ("data/osie:train",))
    assert adaptation.model.preset == "hd2s_da"
    assert made["transfer"].data.train == ("data/osie:train",)
    assert rows["transfer"].training.start == rows["generalisation"].training


def test_table_6_tests_on_data_that_no_training_has_seen(config):
    for row in matrices.make_matrix("table6", config).rows:
        made = bench.recipe(config, row.training, 0, "data")
        seen = {*made.data.train, *made.data.target}
        assert f"data/{config.domains[row.domain][0]}" not in seen


def test_weights_are_chosen_on_the_validation_split_of_the_source():
    config = configuration("paper")
    chosen = {}
    for name in matrices.TABLES:
        for row in matrices.make_matrix(name, config).rows:
            made = bench.recipe(config, row.training, 0, "data")
            chosen[row.training.name] = (made.data.validation, made.data.validation_domains)
    assert chosen["adapted_UCFSports_DHF1K"] == (("data/UCFSports:validation",), ())
    assert chosen["transferred_DHF1K_Hollywood2"] == (("data/Hollywood2:validation",), ())
    assert chosen["pooled_DHF1K_Hollywood2_UCFSports"] == (("data/DHF1K:validation",), ())
    assert chosen["specific_DHF1K_Hollywood2_UCFSports"] == (("data/DHF1K:validation",), ("DHF1K",))


def test_every_row_of_the_papers_tables_has_its_value():
    config = configuration("paper")
    for name in matrices.TABLES:
        matrix = matrices.make_matrix(name, config)
        assert all(matrix.published_scores(row) for row in matrix.rows)
    rows = {(row.group, row.arm): row for row in matrices.make_matrix("table5", config).rows}
    matrix = matrices.make_matrix("table5", config)
    assert matrix.published_scores(rows["DHF1K -> UCFSports", "generalisation"])["nss"] == 2.483
    assert matrix.published_scores(rows["DHF1K -> UCFSports", "transfer"])["nss"] == 3.001
    matrix = matrices.make_matrix("table5", configuration("gaze"))
    assert not any(matrix.published_scores(row) for row in matrix.rows)


def test_claims_are_those_of_the_papers_values():
    config = configuration("paper")
    table4 = matrices.make_matrix("table4", config)
    nss = [("level 1", "level 4"), ("level 2", "level 3"), ("level 3", "all"), ("level 4", "level 2")]
    assert table4.claims("DHF1K", "nss") == nss
    # Level 2 and 4 have one CC order, levels 3 and 4 one AUC-Judd.
    assert ("level 3", "level 4") not in table4.claims("DHF1K", "auc_judd")
    table3 = matrices.make_matrix("table3", config)
    assert ("4+3+2+1, multi-level loss", "4+3+2+1") in table3.claims("DHF1K", "cc")
    table5 = matrices.make_matrix("table5", config)
    assert ("generalisation", "adaptation") in table5.claims("DHF1K -> UCFSports", "nss")
    assert ("adaptation", "generalisation") in table5.claims("UCFSports -> DHF1K", "nss")
    assert table5.claims("Hollywood2 -> DHF1K", "sim") == [("adaptation", "transfer"), ("generalisation", "transfer")]
    assert not table5.claims("DHF1K -> UCFSports", "kl_divergence")
    table6 = matrices.make_matrix("table6", config)
    group = table6.rows[0].group
    assert table6.claims(group, "auc_judd") == [("generalisation", "adaptation")]
    assert not table6.claims(group, "nss")


def test_for_other_data_only_that_is_claimed_on_which_the_papers_data_sets_agree():
    config = configuration("gaze")
    table5 = matrices.make_matrix("table5", config)
    assert table5.claims("OSIE -> FIND", "nss") == [("adaptation", "transfer"), ("generalisation", "transfer")]
    table7 = matrices.make_matrix("table7", config)
    assert table7.claims("FIND", "nss") == [("multi-source", "domain-specific"), ("single source", "multi-source")]
    # On DHF1K the multi-source model has a lower AUC-Judd than the single-source one.
    assert ("single source", "multi-source") not in table7.claims("FIND", "auc_judd")


def test_unknown_names_are_refused():
    with pytest.raises(BadInputError, match="table9"):
        matrices.make_matrix("table9", configuration("gaze"))
    with pytest.raises(ValueError, match="nothing"):
        configuration("nothing")
    with pytest.raises(BadInputError, match="MIT300"):
        bench.recipe(configuration("gaze"), matrices.base("MIT300"), 0, "data")
