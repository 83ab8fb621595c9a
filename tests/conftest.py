"""Shared fixtures: the reference data, and a skip where it is missing."""

import os
import pathlib

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
