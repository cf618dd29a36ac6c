"""What is given wrongly, or lacks something, is said first and with what to do."""

from __future__ import annotations

from pathlib import Path

import pytest
from command_line import looptool
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run


def test_an_iteration_that_is_not_there_is_named_with_the_newest_one() -> None:
    run = Run.open(Path(__file__).parents[2] / "sample_data" / "run", read_only=True)
    with pytest.raises(RunError, match="has no D9 yet: the newest is D3"):
        run.table(Samples, "samples", 9)


def test_a_run_without_its_weights_is_planned_and_named_as_one_to_look_at() -> None:
    recorded = str(Path(__file__).parents[2] / "sample_data" / "run")
    said = looptool("plan", recorded).stdout
    assert "adapter is missing" in said and "A run that came without its weights can be looked at" in said


def test_an_import_of_a_run_names_the_export(tmp_path: Path) -> None:
    recorded, out = str(Path(__file__).parents[2] / "sample_data" / "run"), tmp_path / "rows.jsonl"
    done = CliRunner().invoke(app, ["import", recorded, str(out)])
    assert f"looptool export {recorded} {out}" in str(done.exception) and not out.exists()


def test_a_judge_without_its_model_is_said_before_a_loop_begins(tmp_path: Path) -> None:
    said = looptool("loop", str(tmp_path / "run"), "--preset", "cpu-quick", "--set", "verify.judge=llm")
    assert said.returncode == 1 and "the judge `llm` needs a model" in said.stderr
    assert not list((tmp_path / "run").glob("seed/*"))


def test_where_no_run_is_the_runs_within_or_beside_are_named(tmp_path: Path) -> None:
    Run.create(tmp_path / "runs" / "tiny").close()
    for path, words in (
        (tmp_path, f"Runs in it: {tmp_path / 'runs' / 'tiny'}."),
        (tmp_path / "runs", f"Runs in it: {tmp_path / 'runs' / 'tiny'}."),
        (tmp_path / "runs" / "tinny", "did you mean tiny?"),
        (tmp_path / "runs" / "other", f"Make one with `looptool init {tmp_path / 'runs' / 'other'}`."),
    ):
        assert words in looptool("plan", str(path)).stderr


def test_a_list_is_given_as_people_write_one(tmp_path: Path) -> None:
    sets = ("seeds.domains=music,weather", "seeds.fresh=[10, 5]", "expand.expanders=world", "sft.epochs=3")
    options = [part for one in sets for part in ("--set", one)]
    said = CliRunner().invoke(app, ["init", str(tmp_path / "run"), "--preset", "cpu-quick", *options])
    assert said.exit_code == 0, said.output
    made = Run.open(tmp_path / "run", read_only=True).settings
    assert made.seeds.domains == ("music", "weather") and made.seeds.fresh == (10, 5)
    assert made.expand.expanders == ("world",) and made.sft.epochs == 3
