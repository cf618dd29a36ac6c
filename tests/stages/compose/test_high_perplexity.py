"""Part HPPL of a dataset: right answers at high perplexity, calls and replies each by their share."""

from __future__ import annotations

from pathlib import Path

import pytest
from scripted_runs import SMALL, Scripted, scripted

from looptool_kit.core.records import Members, Probes
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.loop import Loop
from looptool_kit.policy.engines import Completion
from looptool_kit.run.folder import Run


def test_replies_do_not_take_the_places_of_calls(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A sentence can be said in many ways, a call in one: every reply is less sure than every call here."""

    def answer(self: Scripted, sample: Sample) -> Completion:
        unsure = (0.1 if sample.label.calls else 1.0) + int(sample.id[:4], 16) / 16**5
        return Completion(render_answer(sample.label), (1, 2), (-unsure, -unsure), ("a", "b"), "stop")

    scripted(monkeypatch)
    monkeypatch.setattr(Scripted, "answer", answer)
    settings = SMALL | {"seeds__first": 40, "seeds__noise": 0.0, "compose__hppl": 12, "iterations": 1}
    run = Run.create(tmp_path / "run", "cpu", **settings)
    Loop(run).run()
    by_id = Samples.read(run.folder(1) / "samples.parquet").by_id()
    calls = {sample_id: bool(sample.label.calls) for sample_id, sample in by_id.items()}
    probes = Probes.read(run.folder(1) / "probes.parquet")
    high = {p.sample_id: p.perplexity for p in probes if p.state == "borderline"}
    kept = [m.sample_id for m in Members.read(run.folder(2) / "members.parquet") if m.part == "HPPL"]
    assert len(kept) == 12 < len(high)
    share = sum(calls[i] for i in high) / len(high)
    assert 0 < share < 1 and sum(calls[i] for i in kept) == pytest.approx(12 * share, abs=1)
    for kind in (True, False):
        most = sorted((i for i in high if calls[i] is kind), key=lambda i: -high[i])
        assert {i for i in kept if calls[i] is kind} == set(most[: sum(calls[i] is kind for i in kept)])
