import ast
import importlib.util
import pathlib

import ml_collections
import pytest

from hd2s_tf.training import settings

CONFIGS = sorted((pathlib.Path(__file__).resolve().parents[2] / "configs").glob("*.py"))


def _config(path):
    specification = importlib.util.spec_from_file_location(path.stem, path)
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.get_config()


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
