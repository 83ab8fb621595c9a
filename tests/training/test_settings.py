import ast
import importlib.util
import pathlib

import ml_collections
import pytest

from hd2s_tf.training import settings

CONFIGS = sorted((pathlib.Path(__file__).resolve().parents[2] / "configs").glob("*.py"))


def _config(path, *argument):
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    config = module.get_config(*argument)
    return config.get("recipe", config)


def _names(config, prefix=""):
    for name, value in config.items():
        if isinstance(value, ml_collections.ConfigDict):
            yield from _names(value, f"{prefix}{name}.")
        else:
            yield prefix + name


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_configuration_has_every_setting_and_says_where_it_comes_from(path):
    assert set(_names(_config(path))) == set(_names(settings.paper()))
    documentation = ast.get_docstring(ast.parse(path.read_text()))
    assert f"--config=configs/{path.name}" in documentation
    assert "cost" in documentation.lower()
    assert "score" in documentation.lower()


def test_the_papers_values():
    config = settings.paper()
    optimizer = config.optimizer
    assert config.data.batch_size * optimizer.accumulation == 200
    assert (optimizer.updates, optimizer.learning_rate, optimizer.weight_decay) == (2500, 1e-3, 2e-7)
    assert (config.loss.multi_level, config.loss.cc_weight, config.loss.nss_weight) == (True, 0.0, 0.0)


@pytest.mark.parametrize("name", ["hd2s_dhf1k", "hd2s_ucf_sports", "hd2s_hollywood2"])
def test_the_papers_runs_start_from_encoder_weights(name):
    path = next(path for path in CONFIGS if path.stem == name)
    config = _config(path)
    assert (config.model.preset, config.init.encoder) == ("hd2s", settings.REQUIRED)
    config.lock()
    with pytest.raises((AttributeError, KeyError)):
        config.optimizer.nonsense = 1


@pytest.mark.parametrize("pair", ["DHF1K-LEDOV", "Hollywood2-UCFSports"])
def test_adaptation_takes_its_pair_by_name(pair):
    path = next(path for path in CONFIGS if path.stem == "hd2s_da")
    config = _config(path, pair)
    source, target = pair.split("-")
    assert config.data.train == (f"prepared/{source}:train",)
    assert config.data.target == (f"prepared/{target}:train",)


@pytest.mark.parametrize(("levels", "expected"), [("4", (4,)), ("4+3+2", (2, 3, 4)), ("4+3+2+1", (1, 2, 3, 4))])
def test_ablations_take_their_levels_by_name(levels, expected):
    config = _config(next(path for path in CONFIGS if path.stem == "ablation"), levels)
    assert (config.model.levels, config.loss.multi_level) == (expected, False)


@pytest.mark.parametrize(
    ("name", "argument"),
    [("hd2s_da", "LEDOV-DHF1K"), ("hd2s_da", "DHF1K-DHF1K"), ("ablation", "5"), ("ablation", "4+4"), ("ablation", "")],
)
def test_arguments_that_make_no_sense_are_refused(name, argument):
    with pytest.raises(ValueError):
        _config(next(path for path in CONFIGS if path.stem == name), argument)
