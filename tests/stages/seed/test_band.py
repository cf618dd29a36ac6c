"""The band of complexity: what lies outside does not join, drawing is steered, the estimate says so."""

from __future__ import annotations

import json
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path

import pytest
from scripted_runs import scripted

from looptool_kit import pilot, world
from looptool_kit.checks.rules import passes
from looptool_kit.config import Settings, deciding
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Sample, Samples, Tool
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed import _band
from looptool_kit.stages.seed._band import FILE, Complexities, Knobs, Sieve, knobs_at, steered, turned
from looptool_kit.stages.seed.stage import seed
from looptool_kit.stages.seed.templates import generate
from looptool_kit.stages.seed.trees.complexity import Band

SMALL = {
    "seeds__first": 20,
    "iterations": 2,
    "seeds__fresh": [6, 4],
    "seeds__held_out": 4,
    "seeds__noise": 0.1,
}
BAND = {"band__low": 0.2, "band__high": 1.0}


def by_requests(samples: Sequence[Sample]) -> list[float]:
    """A loss that tells by the id alone: of each five one too simple, one too hard."""
    return [(0.1, 0.5, 2.0, 0.5, 0.5)[int(s.id[:6], 16) % 5] for s in samples]


def create(folder: Path, monkeypatch: pytest.MonkeyPatch, **settings: object) -> Run:
    monkeypatch.setattr(_band, "under_base", lambda run: by_requests)
    return Run.create(folder, "cpu-quick", **{**SMALL, **settings})  # type: ignore[arg-type]


def test_simple_inside_hard() -> None:
    assert [Band(0.2, 1).place(x) for x in (0.1, 0.5, 2.0)] == ["simple", "inside", "hard"]


def test_six_of_ten_too_simple_take_one_distractor_more() -> None:
    places = ["simple"] * 6 + ["inside"] * 3 + ["hard"]
    assert knobs_at(steered(0, places)) == Knobs(distractors=1, wording=0)
    assert knobs_at(steered(steered(0, places), places)) == Knobs(distractors=1, wording=1)
    assert steered(0, ["simple"] * 5 + ["inside"] * 5) == 0
    hard = ["hard"] * 6 + ["inside"] * 4
    assert knobs_at(steered(0, hard)) == Knobs(distractors=-1, wording=0)
    assert steered(1, hard) == 0 and steered(-3, hard) == -3 and steered(4, places) == 4


def test_what_is_drawn_next_is_harder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sieve = Sieve(Run.create(tmp_path, "cpu-quick"), Band(0.2, 1), lambda rows: [0.1] * len(rows))
    asked: list[Knobs] = []

    def draw(number: int, size: int, knobs: Knobs) -> Samples:
        asked.append(knobs)
        return world.generate(10, seed=number)

    assert len(sieve.fill(draw, 5, fewer=True)) == 0
    assert asked[:4] == [Knobs(0, 0), Knobs(1, 0), Knobs(1, 1), Knobs(2, 1)]
    with pytest.raises(RunError, match="0 of 5 samples lie inside of the band 0.2 to 1"):
        sieve.fill(draw, 5)


@pytest.mark.parametrize("source", ["world", "evolved"])
def test_a_pool_lies_inside_and_grows(
    source: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = create(tmp_path / "run", monkeypatch, seeds__source=source, seeds__noise=0, **BAND)
    seed(run)
    pool = run.table(Samples, "pool", 0)
    assert len(pool) == 30 and set(by_requests(pool)) == {0.5} and all(passes(s) for s in pool)
    assert "band 0.2 to 1: of " in capsys.readouterr().out
    measured = Complexities.read(run.folder(0) / FILE)
    assert {r.place for r in measured} == {"simple", "inside", "hard"} and len(measured) > 30
    run.set(seeds__fresh=[6, 20])
    seed(run)
    longer = run.table(Samples, "pool", 0)
    assert len(longer) == 46 and list(longer[:30]) == list(pool) and set(by_requests(longer)) == {0.5}


def test_what_was_measured_is_not_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    run = create(tmp_path / "run", monkeypatch, **BAND)
    rows = list(world.generate(30, seed=1))
    count = 0

    def score(samples: Sequence[Sample]) -> list[float]:
        nonlocal count
        count += len(samples)
        return by_requests(samples)

    first = Sieve(run, Band(0.2, 1), score).places(rows[:20])
    assert {**Sieve(run, Band(0.2, 1), score).places(rows)}.items() >= {**first}.items() and count == 30
    assert Sieve(run, Band(0, 3), score).losses(rows) == dict(
        zip((s.id for s in rows), by_requests(rows), strict=True)
    )
    assert count == 30


def test_a_files_rows_outside_are_rejected_with_their_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = world.generate(40, seed=2).write(tmp_path / "rows.jsonl")
    run = create(tmp_path / "run", monkeypatch, seeds__source=str(path), **BAND)
    seed(run)
    assert set(by_requests(run.table(Samples, "pool", 0))) == {0.5}
    reasons = [json.loads(line)["reason"] for line in (run.path / "rejected.jsonl").read_text().splitlines()]
    assert "too simple: loss 0.100 is outside of 0.2 to 1" in reasons
    assert "too hard: loss 2.000 is outside of 0.2 to 1" in reasons


def test_off_it_decides_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert deciding(Settings(), ["band", "evolve"]) == {}
    run = create(tmp_path / "run", monkeypatch)
    seed(run)
    manifest = run.manifest("seed", 0)
    assert manifest and not {"band", "model", "band.low"} & set(manifest["made_from"])
    assert not (run.folder(0) / FILE).exists()


@pytest.mark.parametrize(
    "wrong", [{"band__low": 0.2}, {"band__low": 2, "band__high": 1}, {**BAND, "band__estimate": True}]
)
def test_half_a_band_is_an_error(wrong: dict[str, object], tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="band"):
        Run.create(tmp_path / "run", "cpu-quick", **wrong)


# ------------------------------------------------------------------------ the knobs


def names(samples: Sequence[Sample]) -> list[list[str]]:
    return [[t.name for t in s.tools] for s in samples]


def test_near_distractors_join_and_labels_stay() -> None:
    rows = list(world.generate(120, seed=3))
    made = turned(rows, Knobs(2, 0), world.catalogue("train"), 1)
    assert made == turned(rows, Knobs(2, 0), world.catalogue("train"), 1)
    homes = {tool: domain for domain, tools in world.domains().items() for tool in tools}
    near = []
    for before, after in zip(rows, made, strict=True):
        assert (after.messages, after.label) == (before.messages, before.label) and passes(after)
        more = {t.name for t in after.tools} - {t.name for t in before.tools}
        if before.kind in ("ask", "decline"):  # a tool more could do it, or find it out
            assert not more
        else:
            assert len(more) == 2
            near.append(bool({homes[m] for m in more} & {homes[t.name] for t in before.tools}))
    assert sum(near) > 0.8 * len(near)
    assert len({tuple(n) for n in names(made)}) <= 2 * len({tuple(n) for n in names(rows)})


def test_fewer_tools_are_those_that_are_not_called() -> None:
    rows = list(world.generate(120, seed=3))
    made = turned(rows, Knobs(-1, 0), world.catalogue("train"), 1)
    assert sum(len(b.tools) - len(a.tools) for b, a in zip(rows, made, strict=True)) > 40
    for before, after in zip(rows, made, strict=True):
        assert after.label == before.label and passes(after)
        assert len(after.tools) in (len(before.tools), len(before.tools) - 1) and after.tools


def test_wording_is_implicit_or_plain() -> None:
    rows = [s for s in world.generate(120, seed=4) if s.kind in ("single", "choice")]

    def hints(samples: Sequence[Sample]) -> int:
        return sum(len(c["implicit"]) for s in samples for c in s.meta["calls"])  # type: ignore

    plain, implicit = (turned(rows, Knobs(0, w), world.catalogue("train"), 1) for w in (-1, 1))
    assert hints(plain) < hints(rows) < hints(implicit) and all(passes(s) for s in [*plain, *implicit])
    assert names(plain) == names(implicit) == names(rows)


def test_templates_are_steered_with_their_own_tools() -> None:
    tools = [
        Tool(
            name=f"{verb}_{thing}",
            description=f"{verb.capitalize()} a {thing}.",
            parameters={
                "type": "object",
                "properties": {"date": {"type": "string", "format": "date"}, "owner_id": {"type": "string"}},
                "required": ["date", "owner_id"],
            },
        )
        for verb in ("book", "cancel", "move")
        for thing in ("boat", "kayak", "ferry")
    ]
    rows = list(generate(tools, 20, seed=1))
    made = turned(rows, Knobs(1, 1), tools, 1)
    assert all(passes(s) for s in made)
    assert any(len(a.tools) > len(b.tools) for a, b in zip(made, rows, strict=True))
    assert [s.label for s in made] == [s.label for s in rows]


# ------------------------------------------------------------------------ the estimate


def test_the_band_is_estimated_once_and_said(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    run = create(tmp_path / "run", monkeypatch, band__estimate=True)
    with pytest.raises(RunError, match=r"looptool_kit\.pilot\.estimate"):
        seed(run)
    trained = scripted(monkeypatch)
    # The scripted policy answers the same before and after: two of three right.
    losses = {0: 0.2, 1: 0.4, 2: 1.6}
    monkeypatch.setattr(
        _band, "under_base", lambda run: lambda rows: [losses[int(s.id[:6], 16) % 3] for s in rows]
    )
    found = pilot.estimate(run)
    assert 0.2 <= found.low <= 0.4 and found.high == 1.6 and trained == [1]
    told = capsys.readouterr().out
    assert f"band {found.low:.3f} to 1.600, estimated: the median losses of" in told
    facts = json.loads((run.folder(0) / "band.json").read_text())
    assert facts["right_before"] + facts["wrong_after"] == facts["samples"] == 20
    monkeypatch.setattr(import_module("looptool_kit.pilot"), "train", None)  # it stands: nothing is trained
    assert pilot.estimate(run) == found
    seed(run)
    assert (run.manifest("seed", 0) or {})["made_from"]["band"]
    assert {0.1} & {losses[int(s.id[:6], 16) % 3] for s in run.table(Samples, "pool", 0)} == set()
