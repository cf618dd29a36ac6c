"""What the tests of several views share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from looptool_kit.run.folder import Run

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A copy of the recorded run, open for writing."""
    return Run.open(shutil.copytree(RECORDED, tmp_path / "run"))
