"""What a command writes never replaces something that is there, and a stage never that of another
run's.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from scripted_runs import files, finished_loop
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.core.errors import RunError
from looptool_kit.loop import Loop
from looptool_kit.policy.policy import base_policy, policy_of
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate.stage import evaluate
from looptool_kit.studies.compare_page import is_page
from looptool_kit.tools.own_tools import init


def test_commands_write_neither_over_a_file_nor_into_a_run(run: Run, tmp_path: Path) -> None:
    data = tmp_path / "bench"
    data.mkdir()
    (data / "a.json").write_text(
        json.dumps([{"question": "Where can I rent a bicycle near the lake on Sunday?"}])
    )
    first = run.folder(1) / "samples.parquet"
    before = first.read_bytes()
    build = ["contamination", "build", "--from", str(data)]
    for command in (
        [*build, str(first)],
        [*build, str(run.path / "list.json")],
        ["export", str(run.path), str(first)],
        ["export", str(run.path), str(run.path / "decisions.jsonl")],
        ["import", str(first), str(run.path / "mine.parquet")],
    ):
        result = CliRunner().invoke(app, command)
        said = f"{result.output}{result.exception or ''}"
        assert result.exit_code != 0 and ("exists already" in said or "is inside the run" in said), command
    assert first.read_bytes() == before
    assert not list(run.path.glob("*.jsonl")) and not (run.path / "list.json").exists()


def test_a_comparison_writes_into_no_run_and_over_no_other_file(run: Run, tmp_path: Path) -> None:
    notes, before = tmp_path / "README.md", files(run.path)
    notes.write_text("# My notes\n")
    for command in (
        ["compare", str(run.path)],
        ["ablate", str(run.path / "iterations")],
        ["compare", str(run.path / "arms")],
        ["compare", str(tmp_path / "arms"), "--out", str(run.path / "run.toml")],
        ["compare", str(tmp_path / "arms"), "--out", str(run.path / "page.md")],
        ["compare", str(tmp_path / "arms"), "--out", str(notes)],
    ):
        result = CliRunner().invoke(app, command)
        said = f"{result.output}{result.exception or ''}"
        assert result.exit_code != 0 and re.search(
            "is a run|lies in the run|exists already|is inside the run", said
        ), said
    assert files(run.path) == before and notes.read_text() == "# My notes\n"
    assert not (tmp_path / "arms").exists()
    assert is_page(Path(__file__).parents[1] / "docs" / "compare.md"), "its own page it may write again"


def test_another_runs_policy_leaves_this_runs_scores_alone(run: Run, tmp_path: Path) -> None:
    other = finished_loop(tmp_path / "other", seed=5)
    path = run.folder(1) / "scores.parquet"
    before = path.read_bytes()
    for policy in (policy_of(other, 1), base_policy("embedded-base")):
        with pytest.raises(ValueError, match="is not that of"):
            evaluate(run, policy)
    assert path.read_bytes() == before and len(evaluate(run, policy_of(run, 1)))


def test_a_step_beyond_the_next_one_changes_nothing(run: Run) -> None:
    before = (run.path / "run.toml").read_bytes()
    with pytest.raises(RunError, match=r"D7 .* does not exist: the next iteration is"):
        Loop(run).step(7)
    assert (run.path / "run.toml").read_bytes() == before


def test_news_of_a_loop_is_never_a_control_sequence(run: Run, capsys: pytest.CaptureFixture[str]) -> None:
    path = run.folder(1) / "policy.json"
    manifest: dict[str, Any] = json.loads(path.read_text())
    for facts in manifest["trainings"]:
        facts["trainer"] = "\x1b]0;owned\x07sft"
    path.write_text(json.dumps(manifest))
    Loop(run).run()
    assert "\x1b" not in capsys.readouterr().out


def test_a_catalogue_that_was_edited_before_seeding_is_kept_aside(tmp_path: Path) -> None:
    def rent_bicycle(place: str, days: int) -> None:
        """Rent a bicycle.

        Args:
            place: Where it is taken.
            days: For how long.
        """

    def book_court(sport: str, hours: int) -> None:
        """Book a court.

        Args:
            sport: What is played.
            hours: For how long.
        """

    path = init(tmp_path / "run", [rent_bicycle], "cpu-quick").path
    edited = (path / "tools.json").read_text().replace("Rent a bicycle", "Rent a bicycle of the shop")
    (path / "tools.json").write_text(edited)
    init(path, [book_court], "cpu-quick")
    assert "book_court" in (path / "tools.json").read_text()
    assert [p.read_text() for p in path.glob("superseded/*/tools.json")] == [edited]


def test_a_manifest_without_trainings_is_no_policy(run: Run) -> None:
    (run.folder(1) / "policy.json").write_text('{"seconds": 1}')
    with pytest.raises(RunError, match="has no trained policy yet"):
        policy_of(run, 1)
