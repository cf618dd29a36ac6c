"""A share of searches in a run of another source: they join later datasets as new samples."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripted_runs import files, finished_loop, go, scripted

import looptool_kit as lt
from looptool_kit.checks.rules import passes
from looptool_kit.core.records import Members
from looptool_kit.core.samples import Samples
from looptool_kit.lineage.fates import flows
from looptool_kit.stages.compose.searching import searches
from looptool_kit.stages.seed.stage import stage as seed_stage

SHARE = {"search__share": 0.5, "search__variants": 1}


def test_searches_join_later_datasets_and_d1_stays(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trained = scripted(monkeypatch)
    run = finished_loop(tmp_path / "run")
    before, count = files(run.path), len(trained)
    run.set(**SHARE)
    assert seed_stage(run).done, "arms of a comparison share D1 and its seed data"
    go(run)
    after = files(run.path)
    assert {n for n in before if n.startswith(("seed/", "iterations/01/policy"))} <= {
        n for n in after if after[n] == before.get(n)
    }
    assert trained[count:] == [2, 3]
    for j in (1, 2):
        rows = [s for s in run.table(Samples, "samples", j + 1) if s.source == "search"]
        new = {m.sample_id for m in run.table(Members, "members", j + 1) if m.why == "new from searches"}
        assert len(new) == 6 and new <= {s.id for s in rows} and all(map(passes, rows))
        assert new == {s.id for s in searches(run, j)}
    assert not {s.id for s in searches(run, 1)} & {s.id for s in searches(run, 2)}
    assert {s.target for s in flows(run) if s.sample_id in new} == {"D3/part/seed"}
    assert lt.composition(run)[1]["seed"] == 4 + 6
    # Finished is finished: nothing is composed again, nothing is rejected twice.
    again = files(run.path)
    go(run)
    assert files(run.path) == again


def test_what_does_not_fit_the_model_is_rejected_with_the_reason(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scripted(monkeypatch)
    run = finished_loop(tmp_path / "run")
    run.set(**SHARE)
    module = "looptool_kit.stages.compose.searching.too_long"
    monkeypatch.setattr(module, lambda model: lambda s: "too long" if s.kind == "finish" else "")
    kept = searches(run, 3)
    assert 0 < len(kept) < 6 and "finish" not in {s.kind for s in kept}
    said = (run.path / "rejected.jsonl").read_text()
    assert said.count('"too long"') == 6 - len(kept) and "searches D4" in said


def test_without_a_share_nothing_is_drawn(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch)
    run = finished_loop(tmp_path / "run")
    module = "looptool_kit.stages.compose.searching.drawn"
    monkeypatch.setattr(module, lambda *_: pytest.fail("drawn"))
    assert not searches(run, 1)
