import ast
import importlib.util
import pathlib

import ml_collections
import pytest

from hd2s_tf.errors import BadInputError
from hd2s_tf.models import presets
from hd2s_tf.training import settings

CONFIGS = sorted((pathlib.Path(__file__).resolve().parents[2] / "configs").glob("*.py"))


def _path(name):
    return next(path for path in CONFIGS if path.stem == name)


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
    assert optimizer.epsilon == 1e-8
    assert config.data.sampling == "videos"
    assert config.loss.multi_level
    assert not any(config.loss.terms.values())
    assert settings.overrides(config) == {}


@pytest.mark.parametrize("dataset", ["DHF1K", "UCFSports", "Hollywood2"])
def test_the_papers_runs_start_from_encoder_weights(dataset):
    config = _config(_path("hd2s"), dataset)
    assert config.data.train == (f"prepared/{dataset}:train",)
    assert (config.model.preset, config.init.encoder) == ("hd2s", settings.REQUIRED)
    config.lock()
    with pytest.raises((AttributeError, KeyError)):
        config.optimizer.nonsense = 1


@pytest.mark.parametrize("pair", ["DHF1K-LEDOV", "Hollywood2-UCFSports"])
def test_adaptation_takes_its_pair_by_name(pair):
    config = _config(_path("hd2s_da"), pair)
    source, target = pair.split("-")
    assert config.data.train == (f"prepared/{source}:train",)
    assert config.data.target == (f"prepared/{target}:train",)


@pytest.mark.parametrize(("levels", "expected"), [("4", (4,)), ("4+3+2", (2, 3, 4)), ("4+3+2+1", (1, 2, 3, 4))])
def test_ablations_take_their_levels_by_name(levels, expected):
    config = _config(_path("ablation"), levels)
    assert (config.model.overrides.levels, config.loss.multi_level) == (expected, False)


@pytest.mark.parametrize(
    ("name", "argument"),
    [
        ("hd2s", "LEDOV"),
        ("hd2s_da", "LEDOV-DHF1K"),
        ("hd2s_da", "DHF1K-DHF1K"),
        ("ablation", "5"),
        ("ablation", "4+4"),
        ("ablation", ""),
    ],
)
def test_arguments_that_make_no_sense_are_refused(name, argument):
    with pytest.raises(ValueError):
        _config(_path(name), argument)


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_a_preset_set_on_any_configuration_brings_its_own_widths(path):
    config = _config(path)
    given = settings.overrides(config)
    config.model.preset = "hd2s_tiny"
    assert settings.model_arguments(config)["width_multiplier"] == given.get("width_multiplier", 0.25)
    # Only the two that are meant to be tiny in themselves give a width.
    assert ("width_multiplier" in given) == (path.stem in ("smoke", "experiments"))


def test_every_argument_of_the_model_but_folding_and_seed_can_be_overridden():
    config = settings.paper().lock()
    assert set(config.model.overrides) == set(presets.ARGUMENTS) - {"folded", "seed"}
    config.model.overrides.update({"width_multiplier": 0.5, "levels": (1, 2), "momentum": 0.9, "adaptation": True})
    assert settings.overrides(config) == {
        "width_multiplier": 0.5,
        "levels": (1, 2),
        "momentum": 0.9,
        "adaptation": True,
    }
    with pytest.raises(TypeError):
        config.model.overrides.levels = "1"


def test_arguments_come_from_the_configuration_then_the_preset_then_the_network():
    config = settings.paper()
    config.model.preset = "hd2s_tiny"
    config.model.overrides.smoothing_sigma = 2.0
    arguments = settings.model_arguments(config)
    assert (arguments["smoothing_sigma"], arguments["width_multiplier"], arguments["clip_frames"]) == (2.0, 0.25, 16)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"init.weights": "missing.weights.h5"}, "missing.weights.h5: no such weight file"),
        ({"init.encoder": "missing.weights.h5"}, "missing.weights.h5: no such weight file"),
        ({"init.encoder": "required"}, "init.encoder: this configuration starts from S3D weights"),
        ({"model.preset": "x"}, "model.preset is 'x': the presets are hd2s"),
        ({"run.precision": "float16"}, "run.precision is 'float16': it is one of float32"),
        ({"selected_by": "auc"}, "selected_by is 'auc': it is one of kl_divergence, nss, cc"),
        ({"optimizer.schedule": "linear"}, "optimizer.schedule is 'linear': it is one of constant, cosine"),
        ({"data.sampling": "frames"}, "data.sampling is 'frames': it is one of windows, videos"),
        ({"data.frame_size": (32, 40)}, "multiples of 32"),
        ({"data.train": ()}, "data.train is empty"),
        ({"data.target": ("folder:train",)}, "the preset hd2s has no adaptation branch"),
        ({"model.preset": "hd2s_da", "data.frame_size": (64, 96)}, "the domain classifiers take"),
        ({"model.preset": "hd2s_dsl"}, "data.train_domains is .* for each of 1 folders"),
        ({"model.overrides.domains": ("a",), "data.train_domains": ("b",)}, "data.train_domains is .*'b'"),
        (
            {
                "model.overrides.domains": ("a",),
                "data.train_domains": ("a",),
                "data.validation": ("folder:validation",),
            },
            "data.validation_domains is",
        ),
        ({"data.batch_size": 0}, "data.batch_size is 0: it must be at least 1"),
        ({"every.checkpoint": 0}, "every.checkpoint is 0"),
    ],
)
def test_settings_that_cannot_be_used_are_named(changes, message):
    config = settings.paper()
    config.data.train = ("folder:train",)
    settings.check(config)
    config.update_from_flattened_dict(changes)
    with pytest.raises(BadInputError, match=message):
        settings.check(config)


@pytest.mark.parametrize(
    ("changes", "message"),
    [({"data.batch_size": 7}, "2 replicas"), ({"run.jit_compile": True}, "run.jit_compile is for a single device")],
)
def test_settings_that_several_replicas_cannot_share(changes, message):
    config = settings.paper()
    config.data.train = ("folder:train",)
    config.update_from_flattened_dict(changes)
    settings.check(config, replicas=1)
    with pytest.raises(BadInputError, match=message):
        settings.check(config, replicas=2)


def test_weights_to_fine_tune_stand_in_for_required_encoder_weights(tmp_path):
    config = settings.paper()
    config.data.train = ("folder:train",)
    config.init.encoder = settings.REQUIRED
    config.init.weights = str(tmp_path / "model.weights.h5")
    (tmp_path / "model.weights.h5").touch()
    settings.check(config)
