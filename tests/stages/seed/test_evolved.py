"""The source `evolved`: the world's samples over changed tools; what cannot follow is rejected."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path

import pytest

from looptool_kit import world
from looptool_kit.checks.rules import passes
from looptool_kit.core.records import Truths
from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed.stage import seed

SMALL = {
    "seeds__first": 60,
    "iterations": 2,
    "seeds__fresh": [10, 6],
    "seeds__held_out": 6,
    "seeds__noise": 0.1,
}


def made(folder: Path, source: str = "evolved", **settings: object) -> tuple[Run, Samples]:
    run = Run.create(folder, "cpu-quick", seeds__source=source, **{**SMALL, **settings})  # type: ignore
    seed(run)
    return run, run.table(Samples, "pool", 0)


def test_a_pool_over_evolved_tools(tmp_path: Path) -> None:
    run, pool = made(tmp_path / "a")
    _, again = made(tmp_path / "b")
    assert pool == again and len(pool) == 76 and len({s.id for s in pool}) == 76
    known = {t.canonical for t in world.catalogue()}
    changed = [sum(t.canonical not in known for t in s.tools) for s in pool]
    assert all(changed) and {s.source for s in pool} == {"evolved"}
    errors = run.table(Truths, "truth", 0)
    wrong = {e.sample_id for e in errors}
    assert 6 <= len(wrong) <= 9 and all(passes(s) for s in pool if s.id not in wrong)
    operators = Counter(str(a).split()[0] for s in pool for a in s.meta.get("evolved", ()))  # type: ignore
    assert len(operators) > 8
    # Tool lists are shared as in the world, so that their tokens are paid once.
    assert len({tuple(t.canonical for t in s.tools) for s in pool[:60]}) < 30


def test_what_is_rejected_is_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run, _ = made(tmp_path / "a", seeds__first=300, seeds__noise=0)
    told = [line for line in capsys.readouterr().out.splitlines() if line.startswith("evolved")]
    rows = [json.loads(line) for line in (run.path / "rejected.jsonl").read_text().splitlines()]
    dropped = sum(int(line.split("samples; ")[1].split(" of ")[0]) for line in told)
    assert dropped == len(rows) > 0 and all(row["reason"] for row in rows)


def test_it_is_scored_on_the_worlds_held_out_samples(tmp_path: Path) -> None:
    held_out = [made(tmp_path / s, s)[0].table(Samples, "held_out", 0) for s in ("evolved", "world")]
    assert held_out[0] == held_out[1] and len(held_out[0]) == 18


def test_a_longer_pool_begins_with_the_shorter_one(tmp_path: Path) -> None:
    run, pool = made(tmp_path / "a")
    run.set(seeds__fresh=[10, 60])
    seed(run)
    longer = run.table(Samples, "pool", 0)
    assert len(longer) == 130 and list(longer[:76]) == list(pool)


def test_development_samples_are_evolved_and_apart(tmp_path: Path) -> None:
    run, pool = made(tmp_path / "a", seeds__development=12)
    development = run.table(Samples, "development", 0)
    assert 10 <= len(development) <= 12 and not {s.id for s in development} & {s.id for s in pool}
    assert {s.source for s in development} == {"evolved"}


def test_augmentation_has_development_samples_here_too(tmp_path: Path) -> None:
    run, _ = made(tmp_path / "a", augment__perturbations=["typos"])
    assert len(run.table(Samples, "development", 0)) == run.settings.development == 6


@pytest.mark.parametrize("steps", [[0, 2], [3, 1]])
def test_steps_out_of_order_are_an_error(steps: list[int], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="steps are the fewest"):
        Run.create(tmp_path / "a", "cpu-quick", evolve__steps=steps)
