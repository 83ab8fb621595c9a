import inspect

import numpy as np
import pytest

from hd2s_tf.models.hd2s import HD2S
from hd2s_tf.models.presets import ARGUMENTS, DEFAULT_PRESET, PRESETS


def test_the_tables_name_the_networks_arguments():
    parameters = set(inspect.signature(HD2S).parameters) - {"kwargs"}
    assert set(ARGUMENTS) == parameters
    assert len(ARGUMENTS) == len(set(ARGUMENTS))
    assert all(set(arguments) <= parameters for arguments in PRESETS.values())
    assert DEFAULT_PRESET in PRESETS


@pytest.mark.parametrize(
    ("preset", "millions"), [("hd2s", 29.8), ("hd2s_da", 31.5), ("hd2s_dsl", 30.1), ("hd2s_tiny", 1.9)]
)
def test_presets_have_the_papers_size(preset, millions):
    model = HD2S.from_preset(preset, weights=None)
    parameters = sum(int(np.prod(variable.shape)) for variable in model.trainable_variables)
    assert parameters / 1e6 == pytest.approx(millions, abs=0.1)
