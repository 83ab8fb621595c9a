"""The smallest run that exercises everything: one conspicuity network, eight channels a layer, small frames."""

import ml_collections
import pytest

from hd2s_tf.data import layouts, preparation, synthetic
from hd2s_tf.training import settings


@pytest.fixture(scope="session")
def prepared(tmp_path_factory) -> str:
    """Generated videos, three to train on and one to validate on."""
    folder = tmp_path_factory.mktemp("generated")
    synthetic.write_videos(folder / "discs", videos=4, frames=18, size=(32, 64))
    validation = layouts.ValidationSplit(names=("0004",))
    preparation.prepare("dhf1k", str(folder / "discs"), str(folder / "prepared"), validation=validation, workers=1)
    return str(folder / "prepared")


@pytest.fixture
def config(prepared) -> ml_collections.ConfigDict:
    """Six updates of two batches of two clips."""
    config = settings.paper()
    config.model.preset = "hd2s_tiny"
    config.model.overrides.width_multiplier = 0.0625
    config.model.overrides.levels = (1,)
    config.model.overrides.momentum = 0.9
    config.model.overrides.dropout = 0.2
    config.data.train = (f"{prepared}:train",)
    config.data.validation = (f"{prepared}:validation",)
    config.data.batch_size = 2
    config.data.frame_size = (32, 64)
    config.optimizer.accumulation = 2
    config.optimizer.updates = 6
    config.optimizer.average_momentum = 0.9
    config.every.log = 1
    config.every.checkpoint = 2
    config.every.evaluation = 3
    config.every.validation_frame = 3
    return config
