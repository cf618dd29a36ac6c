"""The `world` expander: children keep an error's ground, and every other one is a contrast to it; and the
samples that SFT rehearses.
"""

from __future__ import annotations

from collections import Counter
from random import Random
from typing import Any

import pytest

from looptool_kit import world
from looptool_kit.checks.rules import check_sample
from looptool_kit.config import load_preset
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.stages.expand.world import children
from looptool_kit.stages.train.stage import rehearsal
from looptool_kit.world.plans import changes_nothing
from looptool_kit.world.spec import specs

ROWS = world.generate(120, seed="expand", domains=("music", "smart_home", "banking"))


def family(seed: Sample, k: int = 8) -> list[Sample]:
    return children(seed, (), k, Random(seed.id), Samples())


def last(sample: Sample) -> dict[str, Any]:
    return sample.meta["calls"][-1]  # type: ignore[index,call-overload,return-value]


def mentioned(sample: Sample) -> set[str]:
    return {
        p.name
        for p in specs()[last(sample)["tool"]].params
        if p.optional and p.name in last(sample)["mention"]
    }


def test_children_are_exact_and_about_the_tool_of_their_seed() -> None:
    for seed in ROWS[:60]:
        made = family(seed)
        assert len(made) == 8
        for child in made:
            assert all(check.passed for check in check_sample(child)) and child.parent == seed.id
            if child.kind == "decline" != seed.kind:
                assert child.tool(last(child)["tool"]) is None, "what is asked is nothing that the tools do"
            else:
                assert last(child)["tool"] == last(seed)["tool"], (seed.request, child.request)
        assert sum(child.kind == seed.kind for child in made) >= 4


def test_a_change_changes_something_in_every_child() -> None:
    """ "Then modify the earliest reservation": in which way? One could only ask."""
    rows = world.generate(160, seed="changes", domains=("restaurants", "car_rental"))
    seeds = [s for s in rows if specs()[last(s)["tool"]].changes and s.kind != "decline"]
    assert len(seeds) > 20
    for seed in seeds:
        spec = specs()[last(seed)["tool"]]
        for child in family(seed):
            own = specs()[last(child)["tool"]]
            assert not changes_nothing(own, last(child)["mention"]), child.request
        if all(p.optional or p.type is spec.changes for p in spec.params):
            with pytest.raises(ValueError, match="would change nothing"):
                world.variant(seed, Random(1), mention=[])


def test_a_seed_that_mentions_nothing_has_children_that_do() -> None:
    """Or a policy learns from them that nothing is ever filled."""
    seeds = [
        s
        for s in ROWS
        if s.kind in ("single", "choice")
        and not mentioned(s)
        and any(p.optional for p in specs()[last(s)["tool"]].params)
    ]
    assert len(seeds) >= 5
    varied = [any(mentioned(child) for child in family(seed)) for seed in seeds]
    kept = [sum(not mentioned(child) for child in family(seed)) for seed in seeds]
    assert sum(varied) >= 0.9 * len(seeds) and min(kept) >= 3


def test_every_other_child_is_a_contrast() -> None:
    """It mentions other optional parameters, or is of another kind; a few grounds allow neither."""
    differ = [
        child.kind != seed.kind or mentioned(child) != mentioned(seed)
        for seed in ROWS
        if seed.kind in ("single", "choice", "ask", "parallel")
        for child in family(seed)[seed.kind != "ask" :: 2]
    ]
    assert len(differ) >= 100 and sum(differ) >= 0.85 * len(differ), sum(differ) / len(differ)


def test_a_question_has_children_that_say_all_and_the_other_way_round() -> None:
    asked = [s for s in ROWS if s.kind == "ask"]
    assert len(asked) >= 5
    assert all(any(child.kind == "single" and child.label.calls for child in family(seed)) for seed in asked)
    said = [
        s for s in ROWS if s.kind == "single" and any(not p.optional for p in specs()[last(s)["tool"]].params)
    ]
    turned = [any(child.kind == "ask" and not child.label.calls for child in family(seed)) for seed in said]
    assert sum(turned) >= len(said) / 2


@pytest.mark.parametrize("kept", [1, 2, 3, 6])
def test_of_a_questions_children_no_fewer_say_all_than_ask(kept: int) -> None:
    """Also where few of many are kept: a tool only asked about in a dataset is asked about ever after."""
    asked = [s for s in ROWS if s.kind == "ask"]
    kinds = Counter(child.kind for seed in asked for child in family(seed, 12)[:kept])
    assert kinds == Counter({"ask": len(asked) * (kept // 2), "single": len(asked) * (kept - kept // 2)})


def test_few_children_a_seed_still_have_contrasts_of_all_kinds() -> None:
    called = [s for s in ROWS if s.kind in ("single", "choice")]
    kinds = Counter(child.kind for seed in called for child in family(seed, 2)[1:])
    assert min(kinds["ask"], kinds["decline"], kinds["single"] + kinds["choice"]) >= len(called) / 8, kinds


def test_a_call_has_a_child_to_decline() -> None:
    """Or a policy that learns to call forgets to decline."""
    called = [s for s in ROWS if s.kind in ("single", "choice", "parallel")]
    declined = [
        any(c.kind == "decline" and not c.label.calls and c.label.reply for c in family(s, 6)) for s in called
    ]
    assert len(called) >= 50 and sum(declined) >= 0.8 * len(called)


def test_what_is_rehearsed_is_about_other_tools() -> None:
    settings = load_preset("cpu", sft__rehearsal=0.25)
    rows = rehearsal(settings, 80, seed=1)
    names = {t.name for s in rows for t in s.tools}
    own = {name for domain in settings.seeds.domains for name in world.domains()[domain]}
    assert (
        len(rows) == 20 and not names & own and not names & {t.name for t in world.catalogue("unseen_tools")}
    )
    assert rows == rehearsal(settings, 80, seed=1) != rehearsal(settings, 80, seed=2)
    assert rehearsal(settings, 500, seed=1)[:20] == rows and len(rehearsal(settings, 500, seed=1)) == 125, (
        "more rows, the same ones"
    )
    assert len({tuple(t.name for t in s.tools) for s in rows}) >= 8, "many tool lists"
    assert rehearsal(load_preset("cpu", sft__rehearsal=0.0), 80, seed=1) == Samples()
    for domains in (list(world.domains()), []):
        with pytest.raises(RunError, match="seed data come from all"):
            rehearsal(load_preset("cpu", sft__rehearsal=0.25, seeds__domains=domains), 80, seed=1)
