"""Error seeds of dialogues that search: children over other records, and no single value is swapped."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from random import Random

import pytest
from scripted_runs import finished_loop, scripted

from looptool_kit.augment.perturb import perturb
from looptool_kit.checks.rules import passes
from looptool_kit.config import load_preset
from looptool_kit.core.records import Expansions
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.stages.expand import slots
from looptool_kit.world.search import Setup, drawn, setup_of, variant

SETTINGS = load_preset("cpu-quick", search__variants=1).search
ROWS = Samples(drawn(SETTINGS, 80, 0, "expand"))


@pytest.fixture(scope="module")
def setup() -> Setup:
    return setup_of(SETTINGS, 0)


def relations(sample: Sample) -> list[str]:
    return [f[1] for f in sample.meta["facts"]]  # type: ignore


def test_a_child_is_the_same_turn_over_another_record(setup: Setup) -> None:
    made = 0
    for seed in ROWS:
        child = variant(seed, setup, Random(seed.id))
        if child is None:
            continue
        made += 1
        assert passes(child) and child.id != seed.id
        assert (child.kind, child.meta["pattern"], child.meta["step"]) == (
            seed.kind,
            seed.meta["pattern"],
            seed.meta["step"],
        )
        if seed.meta["pattern"] != "parallel":
            assert relations(child) == relations(seed)
    assert made >= 0.9 * len(ROWS)


def test_other_samples_have_none(setup: Setup) -> None:
    for meta in ({}, {"pattern": "direct", "record": "of a file"}, {"pattern": "odd", "facts": []}):
        assert variant(ROWS[0].model_copy(update={"meta": meta}), setup, Random(0)) is None


def test_no_single_value_of_a_search_is_swapped() -> None:
    """A name in it is in results, in misspelt calls, and leads to the next one."""
    for seed in ROWS[:40]:
        assert slots.children(seed, (), 4, Random(0), ROWS) == []
        assert perturb("entities", seed, Random(0), ROWS) is None
        other = perturb("tool_order", seed, Random(0), ROWS)
        assert other is not None and slots.children(other, (), 4, Random(0), ROWS) == []


def test_a_loop_on_searches_expands_its_errors(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    scripted(monkeypatch)
    run = finished_loop(tmp_path / "run", seeds__source="search", search__variants=1)
    rows = [e for j in (1, 2) for e in run.table(Expansions, "expansions", j)]
    accepted = [e.sample for e in rows if e.accepted]
    assert accepted and {e.strategy for e in rows} == {"expanders.world"}
    assert all(s.source == "expander" and s.split == "train" and passes(s) for s in accepted)
    assert Counter(c.name for e in rows for c in e.checks if not c.passed).keys() <= {"novelty"}
