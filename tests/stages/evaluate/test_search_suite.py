"""The suite `search`: held-out records for any run, and the share that is right after a failed search."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripted_runs import scripted

from looptool_kit.core.samples import Samples
from looptool_kit.policy.policy import base_policy
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate import find_suite
from looptool_kit.stages.evaluate.stage import evaluate
from looptool_kit.stages.seed.stage import seed

SMALL = {"seeds__held_out": 16, "search__variants": 1, "seeds__first": 12, "seeds__fresh": [0]}


def test_any_run_is_scored_on_the_records_that_the_source_holds_out(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    scripted(monkeypatch)
    world = Run.create(tmp_path / "world", "cpu-quick", **SMALL)
    own = Run.create(tmp_path / "own", "cpu-quick", seeds__source="search", **SMALL)
    seed(own)
    policy = base_policy(world.settings.model)
    scores = evaluate(world, policy, suite="search")
    held_out = own.table(Samples, "held_out", 0)
    assert [s.sample_id for s in scores] == [s.id for s in held_out] and len(scores) == 32
    find_suite("search").print_scores(world, policy, scores)
    said = capsys.readouterr().out
    for split in ("unseen_records", "unseen_tools"):
        recoveries = [s.correct for s in scores if (s.split, s.kind) == (split, "recovery")]
        assert f"{split}, recovery: {sum(recoveries)} of {len(recoveries)} right" in said
        assert f"{split}, all: " in said and recoveries


def test_a_part_of_it_and_a_name_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch)
    run = Run.create(tmp_path / "run", "cpu-quick", **SMALL)
    policy = base_policy(run.settings.model)
    few = evaluate(run, policy, suite="search", categories=["unseen_tools"], per_category=5)
    assert len(few) == 5 and {s.split for s in few} == {"unseen_tools"}
    with pytest.raises(ValueError, match="choose from unseen_records, unseen_tools"):
        evaluate(run, policy, suite="search", categories=["music"])
