"""Variants of a sample keep its plan and change the rest."""

from __future__ import annotations

from random import Random

import pytest
from worlds import calls_of, values_of

from looptool_kit import world
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.world import spec
from looptool_kit.world.execute import problem

SPECS = spec.specs()


def test_variants_keep_the_ground_and_change_the_rest(splits: dict[str, Samples]) -> None:
    rng = Random(5)
    kept_list = 0
    for s in splits["train"][:240]:
        child = world.variant(s, rng)
        assert child.parent == s.id and child.split == "train" and child.kind == s.kind and child.id != s.id
        assert child.meta["targets"] == s.meta["targets"] and child.request != s.request
        assert [c["mention"] for c in child.meta["calls"]] == [c["mention"] for c in s.meta["calls"]]  # type: ignore[index,call-overload,union-attr]
        assert [c.name for c in child.label.calls] == [c.name for c in s.label.calls]
        assert all(problem(c) is None and child.tool(c.name) for c in calls_of(child))
        assert not any(held for _, held in values_of(child)) and not any(
            spec.is_held(t.name) for t in child.tools
        )
        kept_list += child.tools == s.tools
    assert 0.35 < kept_list / 240 < 0.7


def test_variants_with_wishes(splits: dict[str, Samples]) -> None:
    rng = Random(6)
    s = next(s for s in splits["train"] if s.kind == "single" and s.tool("book_table") is None)
    child = world.variant(s, rng, tools=["book_table"])
    assert child.tool("book_table") and [c.name for c in child.label.calls] == [c.name for c in s.label.calls]
    many = world.generate(1500, 11, kinds=["single", "choice"])
    booked = next(s for s in many if s.meta["targets"] == ["book_table"])
    assert "seating" in world.variant(booked, rng, mention=["seating"]).label.calls[0].arguments
    assert "seating" not in world.variant(booked, rng, mention=[]).label.calls[0].arguments
    asked = world.variant(booked, rng, kind="ask")
    assert asked.kind == "ask" and asked.label.asks and asked.meta["targets"] == ["book_table"]
    with pytest.raises(ValueError, match="not a train tool"):
        world.variant(splits["unseen_tools"][0], rng)
    with pytest.raises(ValueError, match="not made by the world"):
        world.variant(Sample(tools=s.tools, messages=s.messages, label=s.label), rng)
