"""Plans that somebody else proposes: exactly those that the world could have drawn are taken."""

from __future__ import annotations

import json
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from looptool_kit import world
from looptool_kit.checks.rules import passes
from looptool_kit.core.samples import Sample
from looptool_kit.world.plans import WEIGHTS
from looptool_kit.world.proposed import drawn, features, line_of, read_plan, rendered
from looptool_kit.world.spec import Spec, specs

ROWS = world.generate(240, seed="proposed")


def tools_of(sample: Sample) -> list[Spec]:
    return [specs()[t.name] for t in sample.tools]


def test_whatever_the_world_draws_is_a_plan_and_its_sample_is_exact() -> None:
    for sample in ROWS:
        tools = tools_of(sample)
        assert read_plan(line_of(world.plan_of(sample)), tools) == (world.plan_of(sample), "")
    kinds = set()
    for at, sample in enumerate(ROWS[::8]):
        for kind in WEIGHTS:
            if plan := drawn(kind, tools_of(sample), Random(f"{at}{kind}")):
                assert read_plan(line_of(plan), tools_of(sample)) == (plan, "")
                made = rendered(plan, tools_of(sample), Random(at))
                kinds.add(made.kind)
                assert passes(made) and made.split == "train"
                assert made == rendered(plan, tools_of(sample), Random(at)), "same chance, same sample"
    assert kinds == set(WEIGHTS)


def changed(sample: Sample, **values: Any) -> str:
    return json.dumps({**json.loads(line_of(world.plan_of(sample))), **values})


def of_call(sample: Sample, at: int = 0, **values: Any) -> str:
    calls = json.loads(line_of(world.plan_of(sample)))["calls"]
    calls[at] |= values
    return changed(sample, calls=calls)


def one(kind: str, mode: str = "") -> Sample:
    return next(s for s in ROWS if s.kind == kind and mode in ("", s.meta["mode"]))


def test_each_rule_refuses_what_breaks_it() -> None:
    single, ask, decline = one("single"), one("ask"), one("decline")
    same, each, again = one("parallel", "same"), one("parallel", "each"), one("multi_turn", "again")
    step, build = one("multi_step"), one("multi_turn", "build")
    held = next(s.name for s in specs().values() if world.is_held(s.name))
    absent = next(n for n in specs() if not single.tool(n) and not world.is_held(n))
    own = single.tools[0].name
    cases = [
        (single, changed(single, kind="double"), "no kind"),
        (single, changed(single, extra=1), "not an object"),
        (single, changed(single, calls=[]), "0 calls"),
        (single, of_call(single, tool="fly"), "no train tool"),
        (single, of_call(single, tool=held), "no train tool"),
        (single, of_call(single, tool=absent), "not on offer"),
        (single, of_call(single, mention=["nothing"]), "no parameters of it"),
        (single, of_call(single, implicit=["nothing"]), "implicitly"),
        (single, changed(single, mode="each"), "no mode"),
        (ask, changed(ask, part=""), "nothing has to be asked"),
        (ask, changed(ask, kind="single"), "no mode, part or link"),
        (decline, of_call(decline, tool=decline.tools[0].name, mention=[], implicit=[]), ""),
        (same, changed(same, part=""), "cannot be said to differ"),
        (each, changed(each, mode=""), "no parallel calls"),
        (again, changed(again, part=""), "cannot be said to differ"),
        (step, changed(step, link=["", ""]), "takes nothing"),
        (step, changed(step, mode="build"), "no linked calls"),
        (build, changed(build, link=[]), "no linked calls"),
    ]
    for sample, line, reason in cases:
        plan, why = read_plan(line, tools_of(sample))
        assert plan is None and why and reason in why, (line, why)
    required = next(p.name for p in specs()[own].params if not p.optional)
    call = {"tool": own, "mention": [], "implicit": []}
    assert read_plan(changed(single, calls=[call]), tools_of(single)) == (None, f"{own} needs {required}")
    linked = world.plan_of(step)["link"][1]
    said = of_call(step, 1, implicit=[linked])
    assert read_plan(said, tools_of(step))[0] is None, "what another call finds is not said"


@pytest.mark.parametrize("line", ["", "null", "[]", "{", "[" * 3000, '{"kind": 1}', "x" * 9999, "NaN"])
def test_anything_else_is_refused_with_a_reason(line: str) -> None:
    plan, why = read_plan(line, tools_of(ROWS[0]))
    assert plan is None and why


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner, max_size=3),
)


@given(st.sampled_from(["kind", "calls", "mode", "part", "link"]), JSON, st.integers(0, 200))
def test_reading_never_raises(name: str, value: Any, at: int) -> None:
    sample = ROWS[at]
    for line in (
        changed(sample, **{name: value}),
        of_call(sample, tool=value),
        of_call(sample, mention=value),
    ):
        plan, why = read_plan(line, tools_of(sample))
        assert (plan is None) == bool(why)


def test_features_by_hand() -> None:
    tools = tools_of(ROWS[0])
    plan = next(p for n in range(9) if (p := drawn("single", tools, Random(n))))
    found = features(plan, tools)
    spec = specs()[plan["calls"][0]["tool"]]
    assert found["kind=single"] == found[f"tool={spec.name}"] == found["calls"] == 1
    assert found["near"] + found["far"] == len(tools) - 1
    assert found["optional"] == sum(spec.by_name[m].optional for m in plan["calls"][0]["mention"])
