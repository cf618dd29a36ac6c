"""An adapter is taken from its policy's folder alone."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Samples
from looptool_kit.policy.policy import policy_of
from looptool_kit.report.summary import history
from looptool_kit.run.folder import Run
from looptool_kit.stages.train.stage import stage

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


@pytest.mark.parametrize(
    "name", ["../../../../outside", "..", ".", "", "sft/../../../../../outside", "/{}", "link"]
)
def test_no_adapter_is_taken_from_outside_of_the_policy(tmp_path: Path, name: Any) -> None:
    (tmp_path / "outside" / "adapter").mkdir(parents=True)
    (tmp_path / "outside" / "adapter" / "private").touch()
    folder = tmp_path / "run"
    shutil.copytree(RECORDED, folder)
    (folder / "iterations/01/policy").mkdir(exist_ok=True)
    (folder / "iterations/01/policy/link").symlink_to(tmp_path / "outside")
    manifest = folder / "iterations/01/policy.json"
    facts = json.loads(manifest.read_text())
    facts["trainings"][-1]["folder"] = f"{tmp_path}/outside" if name == "/{}" else name
    manifest.write_text(json.dumps(facts))
    run = Run.open(folder, read_only=True)
    for use in (
        lambda: policy_of(run, 1),
        lambda: history(run, 1),
        lambda: stage(run, run.table(Samples, "samples", 1), 1),
    ):
        with pytest.raises(RunError, match=r"policy\.json says that a training lies in"):
            use()
    said = CliRunner().invoke(
        app, ["export", str(folder), str(tmp_path / "out"), "--form", "adapter", "--iteration", "1"]
    )
    assert said.exit_code and not (tmp_path / "out").exists()
