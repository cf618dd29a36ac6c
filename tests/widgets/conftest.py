"""What the tests of several views share."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from speaker import Speaker

from looptool_kit.policy.policy import policy_of
from looptool_kit.run.folder import Run

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


@pytest.fixture
def run(tmp_path: Path) -> Run:
    """A copy of the recorded run, open for writing."""
    return Run.open(shutil.copytree(RECORDED, tmp_path / "run"))


@pytest.fixture
def speaker(run: Run, monkeypatch: pytest.MonkeyPatch) -> Speaker:
    """Stands in for every policy of the run, whose weights seem to be there."""
    for j in (1, 2, 3):
        folder = Path(str(policy_of(run, j).adapter))
        folder.mkdir(parents=True, exist_ok=True)
        (folder / "adapter_config.json").write_text("{}")
    engine = Speaker()
    monkeypatch.setattr("looptool_kit.widgets.trial.open_engine", lambda policy, batch: engine)
    return engine
