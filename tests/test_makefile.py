"""The Makefile's targets."""

import pathlib
import shutil
import subprocess

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]


@pytest.mark.skipif(not shutil.which("make"), reason="make is not installed")
def test_clean_keeps_results(tmp_path):
    shutil.copy(ROOT / "Makefile", tmp_path)
    results = [tmp_path / name / "result" for name in ("out", "runs", "models", "prepared")]
    for path in (*results, tmp_path / ".venv" / "made"):
        path.parent.mkdir()
        path.touch()
    subprocess.run(["make", "clean"], cwd=tmp_path, check=True, capture_output=True)
    assert all(path.exists() for path in results)
    assert not (tmp_path / ".venv").exists()
