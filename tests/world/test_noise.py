"""Planted label errors: wrong, hidden and recorded."""

from __future__ import annotations

from collections import Counter
from random import Random

import pytest
from worlds import calls_of

from looptool_kit import world
from looptool_kit.core.samples import Label, Sample, Samples, ToolCall
from looptool_kit.core.toolcalls import Answer, match
from looptool_kit.world import noise, spec
from looptool_kit.world.execute import problem

SPECS = spec.specs()


def test_noise_is_wrong_hidden_and_recorded(splits: dict[str, Samples]) -> None:
    clean = splits["train"]
    noised, truth = world.plant_noise(clean, 0.1, 9)
    assert len(noised) == len(clean) and len({s.id for s in noised}) == len(noised)
    changed = [(a, b) for a, b in zip(clean, noised, strict=True) if a.id != b.id]
    assert len(changed) == len(truth) and 45 <= len(truth) <= 50
    for a, b in changed:
        assert truth[b.id] == a.label and not match(b.label, a.label)
        assert (b.tools, b.messages, b.meta, b.parent, b.source) == (
            a.tools,
            a.messages,
            a.meta,
            None,
            a.source,
        )
        assert b == b.model_copy() and Samples([b]).by_id()[b.id] is b
        assert not match(Answer.of(b.label), Answer.of(truth[b.id]))
    with pytest.raises(ValueError, match="between 0 and 1"):
        world.plant_noise(clean, 3, 1)
    assert world.plant_noise(clean, 0.0, 1) == (clean, {})


def test_noise_comes_in_many_kinds(splits: dict[str, Samples]) -> None:
    from looptool_kit.core.grading import diagnose

    noised, truth = world.plant_noise(splits["train"], 0.5, 2)
    kinds = Counter(diagnose(s.label, truth[s.id], s.tools)[0].kind for s in noised if s.id in truth)
    wanted = {
        "wrong_value",
        "missing_parameter",
        "redundant_parameter",
        "wrong_tool",
        "wrong_type",
        "missing_call",
        "should_have_declined",
    }
    assert wanted <= set(kinds), kinds


def test_a_wrong_tool_is_one_that_might_be_meant(splits: dict[str, Samples]) -> None:
    """About the same thing, with arguments that the dialogue holds; nobody takes a lock for a search."""
    found = 0
    for sample in (s for s in splits["train"] if s.label.calls):
        wrong = noise.wrong_tool(sample, Random(found))
        if wrong is None:
            continue
        found += 1
        for a, b in zip(sample.label.calls, wrong.calls, strict=True):
            if a == b:
                continue
            said = [v for c in calls_of(sample) for v in c.arguments.values()]
            pieces = [str(v) for v in said] + [
                part for v in said if isinstance(v, str) for part in v.split("T")
            ]
            assert noise._akin(SPECS[a.name], SPECS[b.name]) and b.arguments and problem(b) is None, (a, b)
            assert all(str(v) in pieces for v in b.arguments.values()), (a, b)
    assert found > 20
    lock = ToolCall(name="lock_house_doors", arguments={"doors": ["side door"]})
    tools = tuple(SPECS[n].tool for n in ("lock_house_doors", "search_homes"))
    locking = Sample(tools=tools, messages=splits["train"][0].messages[:2], label=Label(calls=(lock,)))
    assert noise.wrong_tool(locking, Random(1)) is None


def test_texts_are_only_mixed_up_with_their_like(splits: dict[str, Samples]) -> None:
    for sample in splits["train"]:
        for seed in range(3 * bool(sample.label.calls)):
            wrong = noise.wrong_slot(sample, Random(seed))
            for a, b in zip(sample.label.calls, wrong.calls if wrong else (), strict=False):
                for key, value in a.arguments.items():
                    if b.arguments[key] != value and isinstance(value, str):
                        p = SPECS[a.name].by_name[key]
                        other = str(b.arguments[key])
                        assert p.type.accepts(other) and (not p.type.record_id or other[:2] == value[:2]), (
                            a,
                            b,
                        )
