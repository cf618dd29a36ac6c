"""Runs that exist, side by side: arms by their settings, pairs by held-out samples, nothing run again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.core.errors import RunError
from looptool_kit.loop import Loop
from looptool_kit.run.folder import Run
from looptool_kit.studies.finished import compare_runs
from looptool_kit.studies.outcomes import summarise

SMALL: dict[str, Any] = {
    **{
        "seeds__first": 24,
        "iterations": 2,
        "seeds__fresh": [4, 2],
        "seeds__held_out": 4,
        "probe__quantile": 0.3,
    },
    **{"expand__children": 2, "expand__most": 30, "evaluate__base": False},
}


def ended(path: Path, seed: int = 0, **settings: Any) -> Path:
    with Run.create(path, "cpu-quick", seed=seed, **SMALL, **settings) as run:
        Loop(run, lambda line: None).run()
    return path


def test_finished_runs_are_paired_and_nothing_is_run_again(
    tmp_path: Path, trained: list[tuple[str, int]]
) -> None:
    plain = [ended(tmp_path / f"plain-{n}", n) for n in (0, 1)]
    # The scripted policy answers otherwise in a folder whose name has another length.
    graded = [ended(tmp_path / f"graded-{n}", n, reward__name="graded") for n in (0, 1)]
    trainings = len(trained)
    table, arms = compare_runs([*plain, *graded])
    assert len(trained) == trainings
    assert {name: arm.words for name, arm in arms.items()} == {
        "plain-0": "plain-0, plain-1",
        "graded-0": "graded-0, graded-1 (reward.name = 'graded')",
    }
    [row] = [r for r in summarise(table, arms=arms) if (r.arm, r.iteration) == ("graded-0", 3)]
    right = {
        arm: [sum(o.correct) for o in table if (o.arm, o.iteration) == (arm, 3)]
        for arm in ("plain-0", "graded-0")
    }
    assert row.difference is not None and row.seeds == (0, 1)
    assert row.difference.difference == pytest.approx((sum(right["graded-0"]) - sum(right["plain-0"])) / 24)
    result = CliRunner().invoke(app, ["compare", *map(str, [*plain, *graded])])
    assert result.exit_code == 0 and "graded-0, graded-1 (reward.name = 'graded') | D3" in result.output


def test_runs_that_cannot_be_compared_are_refused(tmp_path: Path, trained: list[tuple[str, int]]) -> None:
    one, other = ended(tmp_path / "a"), ended(tmp_path / "b", 1)
    with pytest.raises(RunError, match="a, b have the same settings but for the random seed"):
        compare_runs([one, other])
    far = ended(tmp_path / "far", 2, reward__name="graded")
    with pytest.raises(RunError, match="far and a share no held-out sample"):
        compare_runs([one, far])
    Run.create(tmp_path / "new", "cpu-quick", **SMALL).close()
    with pytest.raises(RunError, match="new has no held-out scores; looptool evaluate"):
        compare_runs([one, tmp_path / "new"])
    result = CliRunner().invoke(app, ["compare", str(one), str(other), "--budget", "5"])
    assert "--budget: runs that have finished are compared as they are" in str(result.exception)


def test_the_same_settings_and_seed_twice_are_two_arms(
    tmp_path: Path, trained: list[tuple[str, int]]
) -> None:
    one, longer = ended(tmp_path / "a"), ended(tmp_path / "again")
    _, arms = compare_runs([one, longer, one])
    assert [arm.words for arm in arms.values()] == ["a", "again"]
