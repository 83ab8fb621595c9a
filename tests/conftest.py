"""Shared fixtures: the reference data, and a skip where it is missing."""

import importlib.util
import os
import pathlib
from collections.abc import Callable

import pytest

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
# As the tools do.
os.environ.setdefault("TF_ENABLE_ONEDNN_OPTS", "1")
pytest_plugins = ["tests.exported_model", "tests.serving.scripted_service"]
SHARED = pathlib.Path(__file__).resolve().parents[2] / "shared"


@pytest.fixture(scope="session")
def shared() -> pathlib.Path:
    """The folder of reference data beside the project; tests that need it are skipped where it is missing."""
    if not SHARED.is_dir():
        pytest.skip("the reference data (../shared) is not on this machine")
    return SHARED


@pytest.fixture(scope="session")
def stand_in(shared: pathlib.Path) -> Callable:
    """`state_dict(variant, seed)`, which makes a checkpoint with the published names and shapes."""
    specification = importlib.util.spec_from_file_location("stand_in", shared / "parity" / "make_state_dict.py")
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module.state_dict
