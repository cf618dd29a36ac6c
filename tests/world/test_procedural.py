"""Procedural environments: signatures type-check, tasks are exact, and their own plans solve them."""

from __future__ import annotations

import json
from collections import Counter
from datetime import date
from random import Random

import pytest

from looptool_kit.checks.rules import check_sample
from looptool_kit.core.samples import ToolCall
from looptool_kit.world.core import draw
from looptool_kit.world.episode import Episode, Task, Told
from looptool_kit.world.procedural import Environment, Procedural, environment, generate, sample_of, tools_of
from looptool_kit.world.procedural.kinds import Either, Kind, is_held, kinds
from looptool_kit.world.procedural.plans import draw_plan
from looptool_kit.world.procedural.tools import SPLITS, pool, signatures
from looptool_kit.world.session import Session
from looptool_kit.world.spec import P, T
from looptool_kit.world.types import CITY, DATE, EMAIL, INTEGER, PHONE, TEXT, identifier, union

HOW = Procedural()
TODAY = "2026-05-04"
DAY = date.fromisoformat(TODAY)


def environments(count: int, split: str = "train", how: Procedural = HOW) -> list[Environment]:
    rng = Random(f"{split}/{count}")
    return [environment(rng, how, split) for _ in range(count)]


# ---------------------------------------------------------------- by hand


def test_a_union_takes_either_and_nothing_else() -> None:
    both = union(INTEGER, DATE)
    accepted = [v for v in (3, "2026-05-04", "Lisbon", 2.5, True, None, [3]) if both.accepts(v)]
    assert accepted == [3, "2026-05-04"]
    assert INTEGER.is_a(both) and DATE.is_a(both) and not CITY.is_a(both)
    assert both.is_a(both) and not both.is_a(INTEGER) and not both.is_a(DATE)
    contact = union(EMAIL, PHONE)
    assert contact.is_a(TEXT) and not both.is_a(TEXT)  # all members have to be
    assert union(contact, CITY).members == (EMAIL, PHONE, CITY)
    rng = Random(1)
    drawn = [draw(contact, rng, DAY) for _ in range(40)]
    assert {EMAIL.accepts(v) for v in drawn} == {True, False} and all(map(contact.accepts, drawn))


def test_make_and_join_by_hand() -> None:
    a, b, c, d = (identifier(x * 3, x) for x in "ABCD")
    make = T("make_b", "Find b.", [P("a", a)], do=("x",), out={"b": b}, reply="x")
    other = T("find_c", "Find c.", [P("a", a)], do=("x",), out={"c": c}, reply="x")
    join = T("find_d", "Find d.", [P("b", b), P("c", c)], do=("x",), out={"d": d}, reply="x")
    known = {s.name: s for s in (make, other, join)}
    session = Session(known, DAY, "7")
    one, two = (ToolCall(name=n, arguments={"a": "AAA-1234"}) for n in ("make_b", "find_c"))
    made = {**session.call(one), **session.call(two)}
    last = ToolCall(name="find_d", arguments=made)
    task = Task(
        tools=tuple(s.tool for s in known.values()),
        system=(),
        turns=("Find d.",),
        plan=tuple(Told(call=x) for x in (one, two, last)),
        today=TODAY,
        seed="7",
    )
    episode = Episode(task, known)

    def played(*calls: ToolCall) -> float:
        episode.reset()
        for x in calls:
            episode.step([x])
        return episode.reward()

    assert played(one, two, last) == played(two, one, last) == 1
    episode.reset()
    assert [m.name for m in episode.step([two, one])] == ["find_c", "make_b"]
    assert played(one, last) == 1  # a value that was guessed right is right
    wrong = ToolCall(name="make_b", arguments={"a": "AAA-4321"})
    episode.reset()
    (back,) = episode.step([wrong])
    assert json.loads(back.content)["b"] != made["b"]
    built = ToolCall(name="find_d", arguments={**made, **json.loads(back.content)})
    assert played(wrong, two, built) == 0 and played(one, two) == 0


# ------------------------------------------------------------------ tools


def test_signatures_differ_type_check_and_stay_the_same() -> None:
    drawn = tools_of(HOW)
    assert len(drawn) == len({s.spec.name for s in drawn}) == HOW.tools
    again = signatures.__wrapped__(HOW.tools, HOW.inputs, HOW.unions, HOW.seed)
    assert [s.spec.tool for s in drawn] == [s.spec.tool for s in again]
    for s in drawn:
        assert len(s.spec.params) == len(s.inputs) <= HOW.inputs[1] and len(s.spec.name) <= 64
        assert [p.type for p in s.spec.params] == [i.type for i in s.inputs]
        assert s.output not in s.inputs and len(set(s.inputs)) == len(s.inputs)
    assert any(isinstance(i, Either) for s in drawn for i in s.inputs)
    plain = signatures(100, (1, 3), False, 0)
    assert not any(isinstance(i, Either) for s in plain for i in s.inputs) and all(s.inputs for s in plain)
    with pytest.raises(ValueError, match="lower procedural.tools"):
        signatures(100, (0, 0), False, 0)


def members(tool: object) -> set[Kind]:
    inputs = {m for i in tool.inputs for m in (i.members if isinstance(i, Either) else (i,))}
    return inputs | {tool.output}


def test_splits_share_no_tool_and_unseen_types_no_type() -> None:
    drawn = tools_of(HOW)
    by_split = {split: pool(drawn, split) for split in SPLITS}
    assert sum(map(len, by_split.values())) == HOW.tools and min(map(len, by_split.values())) > 40
    held = set(filter(is_held, kinds()))
    assert 4 <= len(held) <= 12
    for split in ("train", "unseen_tools"):
        assert not any(members(t) & held for t in by_split[split])
    assert all(members(t) & held for t in by_split["unseen_types"])
    assert pool(drawn, "unseen_values") == pool(drawn, "unseen_phrasings") == by_split["train"]


# ------------------------------------------------------------------ tasks


@pytest.mark.parametrize("split", SPLITS)
def test_every_task_is_solved_by_its_own_plan_and_by_no_wrong_argument(split: str) -> None:
    lengths, wrong = Counter[int](), 0
    for made in environments(60, split):
        episode = Episode(made.task, made.known)
        lengths[len(made.task.plan)] += 1
        assert {t.name for t in made.task.tools} <= {s.spec.name for s in pool(tools_of(HOW), split)}
        for calls in ([[t.call] for t in made.task.plan], [[t.call for t in turn] for turn in made.turns]):
            episode.reset()
            for step in calls:
                results = [json.loads(m.content) for m in episode.step(step)]
                assert all("error" not in r for r in results)
            assert episode.reward() == 1
        *before, last = [t.call for t in made.task.plan]
        for name, kind in made.plan.steps[-1].takes.items():
            other = draw(kind.type, Random(name), made.task.today)
            if other != last.arguments[name]:
                episode.reset()
                for c in (*before, ToolCall(name=last.name, arguments={**last.arguments, name: other})):
                    episode.step([c])
                assert episode.reward() == 0
                wrong += 1
    assert wrong > 60 and max(lengths) >= 5 and len(lengths) >= 4


def test_a_plan_can_be_worked_out_from_behind() -> None:
    fans = 0
    for made in environments(120):
        plan, tools = made.plan, [*(s.tool for s in made.plan.steps), *made.plan.distractors]
        makers = {kind: [t for t in tools if t.output is kind] for kind in (*plan.found, *plan.said)}
        assert all(len(makers[k]) == 1 for k in plan.found) and not any(makers[k] for k in plan.said)
        wanted, solved = [plan.goal], []
        while wanted:
            (tool,) = makers[wanted.pop()]
            takes = [next(k for k in makers if k.type.is_a(i.type)) for i in tool.inputs]
            for i in tool.inputs:  # one thing alone fits each parameter
                assert sum(k.type.is_a(i.type) for k in makers) == 1
            solved.append(tool)
            wanted += [k for k in takes if k in plan.found]
        assert {t.spec.name for t in solved} == {s.tool.spec.name for s in plan.steps}
        taken = Counter(k for s in plan.steps for k in s.takes.values() if k in plan.found)
        joins = any(sum(k in plan.found for k in s.takes.values()) > 1 for s in plan.steps)
        fans += joins or any(n > 1 for n in taken.values())
        said = made.task.turns[0].lower()
        calls = {t.call.name: t.call for t in made.task.plan}
        for step in plan.steps:
            arguments = calls[step.tool.spec.name].arguments
            for p in step.tool.spec.params:
                if step.takes[p.name].type.record_id and step.takes[p.name] in plan.said:
                    assert str(arguments[p.name]).lower() in said
                if step.takes[p.name] in plan.found:
                    assert str(arguments[p.name]).lower() not in said
    assert fans > 5


def test_lengths_and_distractors_are_as_set() -> None:
    rng, tools = Random(3), pool(tools_of(HOW), "train")
    long = [len(draw_plan(tools, rng, 5, 0.3, 3).steps) for _ in range(30)]
    assert max(long) == 5 and sum(n >= 4 for n in long) > 15
    made = environments(20, how=HOW._replace(length=(1, 1), distractors=(2, 2)))
    assert all(len(e.plan.steps) == 1 and len(e.task.tools) == 3 for e in made)


def test_samples_pass_the_rules_and_show_what_was_executed() -> None:
    rows = generate(500, 5, HOW)
    assert len({s.id for s in rows}) == 500 and rows == generate(500, 5, HOW)
    bad = {s.id: [c.detail for c in check_sample(s) if not c.passed] for s in rows}
    assert not [b for b in bad.values() if b]
    kinds_of = Counter(s.kind for s in rows)
    assert {"single", "multi_step", "parallel", "finish", "ask"} == set(kinds_of)
    for s in rows:
        assert "{" not in s.request and "\ue000" not in s.request
        if s.kind == "finish":
            result = json.loads(s.messages[-1].content)
            assert any(str(v) in s.label.mentions[0] for v in result.values())
            assert any(w.lower() in s.label.reply.lower() for w in s.label.mentions[0])
        if s.kind == "ask":
            assert any(w in s.label.reply.lower() for w in s.label.mentions[0])


def test_the_turns_of_a_sample_are_those_of_its_episode() -> None:
    for made in environments(30):
        episode = Episode(made.task, made.known)
        for turn in range(len(made.turns)):
            sample = sample_of(made, turn)
            assert list(sample.messages) == episode.messages
            episode.step(sample.label.calls)
        assert list(sample_of(made, len(made.turns)).messages) == episode.messages


def test_unseen_values_are_held_out() -> None:
    from looptool_kit.world.core import held_out

    for split, held in (("train", False), ("unseen_values", True)):
        for made in environments(20, split):
            for told in made.task.plan:
                ids = [v for v in told.call.arguments.values() if isinstance(v, str) and v[3:4] == "-"]
                assert all(held_out(v) == held for v in ids)
