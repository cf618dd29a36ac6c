"""Evolved tools: the call maps are exact, the dialogue follows, what cannot follow is told."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from functools import cache
from itertools import groupby
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from looptool_kit import world
from looptool_kit.augment.edits import calls_of
from looptool_kit.augment.evolve import OPERATORS, Buffer, Step, draw_steps, evolve, follow, map_calls
from looptool_kit.augment.evolve.additions import ADDITIONS, add_optional, returns
from looptool_kit.augment.evolve.lists import join_tools, rename, split_tool
from looptool_kit.augment.evolve.samples import told
from looptool_kit.augment.evolve.shapes import as_list, as_parts, flatten, nest
from looptool_kit.augment.evolve.step import Ground
from looptool_kit.augment.evolve.values import UNITS, bound, codes_of, enum_codes, require, unit
from looptool_kit.checks.rules import call_errors, check_sample, check_tool, passes
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.core.toolcalls import Answer, canonical, match

TEXT = {"type": "string"}
SEATING = {"type": "string", "enum": ["bar", "outdoor", "indoor"]}


def tool(name: str, required: tuple[str, ...] = (), told: str = "", **properties: Any) -> Tool:
    schema = {"type": "object", "properties": properties, "required": list(required)}
    return Tool(name=name, description=told, parameters=schema)


BOOK = tool(
    "book",
    ("guests",),
    "Book a table.",
    guests={"type": "integer"},
    seating=SEATING,
    date={"type": "string", "format": "date"},
    time={"type": "string", "description": "HH:MM"},
    start={"type": "string", "description": "YYYY-MM-DDTHH:MM"},
    city=TEXT,
    duration={"type": "integer", "description": "minutes"},
    cabin={"type": "string", "enum": ["economy", "first"]},
    price={"type": "object", "properties": {"min": {"type": "number"}, "max": {"type": "number"}}},
)
MOVE = tool("move_table", ("id", "seating"), "Move a table.", id=TEXT, seating=SEATING)
CANCEL = tool("cancel_table", ("id",), "Cancel a table.", id=TEXT, notify={"type": "boolean"})
RENAMED = rename(BOOK, "reserveTable", {"guests": "the_guests", "city": "the_city"})
CASES: dict[str, tuple[Step, dict[str, Any], str, dict[str, Any]]] = {
    "nest": (
        nest(BOOK, ("guests", "seating"), "party"),
        {"guests": 4, "seating": "bar"},
        "book",
        {"party": {"guests": 4, "seating": "bar"}},
    ),
    "nest one": (nest(BOOK, ("guests", "seating"), "party"), {"guests": 4}, "book", {"party": {"guests": 4}}),
    "flatten": (
        flatten(BOOK, "price"),
        {"guests": 2, "price": {"max": 9.5}},
        "book",
        {"guests": 2, "price_max": 9.5},
    ),
    "date": (
        as_parts(BOOK, "date"),
        {"guests": 2, "date": "2026-02-03"},
        "book",
        {"guests": 2, "date": {"year": 2026, "month": 2, "day": 3}},
    ),
    "time": (
        as_parts(BOOK, "time"),
        {"guests": 2, "time": "07:05"},
        "book",
        {"guests": 2, "time": {"hour": 7, "minute": 5}},
    ),
    "datetime": (
        as_parts(BOOK, "start"),
        {"guests": 2, "start": "2026-02-03T07:05"},
        "book",
        {"guests": 2, "start": {"date": "2026-02-03", "time": "07:05"}},
    ),
    "as_list": (
        as_list(BOOK, "city"),
        {"guests": 2, "city": "Rome"},
        "book",
        {"guests": 2, "cities": ["Rome"]},
    ),
    "enum_codes": (
        enum_codes(BOOK, "cabin"),
        {"guests": 2, "cabin": "first"},
        "book",
        {"guests": 2, "cabin": "FIR"},
    ),
    "unit": (
        unit(BOOK, "duration", UNITS[0]),
        {"guests": 2, "duration": 90},
        "book",
        {"guests": 2, "duration_seconds": 5400},
    ),
    "hours": (
        unit(BOOK, "duration", UNITS[1]),
        {"guests": 2, "duration": 90},
        "book",
        {"guests": 2, "duration_hours": 1.5},
    ),
    "bound": (bound(BOOK, "guests", 1, 10), {"guests": 10}, "book", {"guests": 10}),
    "require": (require(BOOK, "city"), {"guests": 2, "city": "Rome"}, "book", {"guests": 2, "city": "Rome"}),
    "rename": (
        RENAMED,
        {"guests": 2, "city": "Rome"},
        "reserveTable",
        {"the_guests": 2, "the_city": "Rome"},
    ),
    "split_tool": (
        split_tool(MOVE, "seating"),
        {"id": "T1", "seating": "bar"},
        "move_table_bar",
        {"id": "T1"},
    ),
    "join_tools": (
        join_tools(MOVE, CANCEL, "manage_table", ("move", "cancel")),
        {"id": "T1", "seating": "bar"},
        "manage_table",
        {"action": "move", "id": "T1", "seating": "bar"},
    ),
    "add_optional": (add_optional(BOOK, ADDITIONS[0]), {"guests": 2}, "book", {"guests": 2}),
    "returns": (returns(BOOK, "nested"), {"guests": 2}, "book", {"guests": 2}),
}


@pytest.mark.parametrize("case", CASES)
def test_worked_examples(case: str) -> None:
    step, arguments, name, expected = CASES[case]
    call = ToolCall(name=step.old[0], arguments=arguments)
    made = step.follow(call)
    assert made == ToolCall(name=name, arguments=expected) and not call_errors(made, step.new)
    assert step.call(call) == made and step.call(made) == call
    assert all(c.passed for t in step.new for c in check_tool(t)) and tuple(step.new) != step.before


def test_what_has_no_other_form_is_told() -> None:
    for case, arguments in (
        ("date", {"guests": 2, "date": "tomorrow"}),
        ("hours", {"guests": 2, "duration": 20}),  # a third of an hour is nothing that anybody would write
        ("bound", {"guests": 11}),
        ("require", {"guests": 2}),
        ("enum_codes", {"guests": 2, "cabin": "second"}),
        ("as_list", {"guests": 2, "cities": ["Rome"]}),
    ):
        assert CASES[case][0].follow(ToolCall(name="book", arguments=arguments)) is None, case


def test_the_schemas_say_what_changed() -> None:
    party = CASES["nest"][0].new[0]
    assert party.properties["party"]["required"] == ["guests"] and party.required == ("party",)
    codes = CASES["enum_codes"][0].new[0].properties["cabin"]
    assert codes["enum"] == ["ECO", "FIR"] and codes["description"] == "ECO: economy, FIR: first"
    assert not codes_of(SEATING["enum"]), "I is a word that any user says"
    assert codes_of(["low", "high"]) == {"low": "L", "high": "H"}
    assert CASES["hours"][0].new[0].properties["duration_hours"] == {"type": "number"}
    joined = CASES["join_tools"][0].new[0]
    assert joined.required == ("action", "id")
    assert joined.description == "move: move a table (needs seating); cancel: cancel a table."
    assert [t.name for t in CASES["split_tool"][0].new] == [f"move_table_{c}" for c in SEATING["enum"]]
    assert CASES["rename"][0].new[0].required == ("the_guests",)
    share = unit(
        tool("lend", rate={"type": "number", "description": "Annual rate in percent"}), "rate", UNITS[5]
    )
    assert share.new[0].properties["rate_share"]["description"] == "Annual rate as a share, between 0 and 1"
    assert share.call(ToolCall(name="lend", arguments={"rate": 4})).arguments == {"rate_share": 0.04}


# ---------------------------------------------------------------- match before = match after

VALUES = st.sampled_from(
    [4, 4.0, 5400, 90, 1.5, "bar", "B", "2026-02-03", "07:05", True, None, {}, [], ["Rome"], "Rome", ["bar"]]
    + [made[3][k] for made in CASES.values() for k in made[3]]
)
NAMES = sorted({k for _, old, _, new in CASES.values() for k in (*old, *new)})


@st.composite
def calls(draw: st.DrawFn) -> ToolCall:
    names = sorted({t.name for s, *_ in CASES.values() for t in (*s.before, *s.new)})
    arguments = draw(st.dictionaries(st.sampled_from(NAMES), VALUES, max_size=4))
    return ToolCall(name=draw(st.sampled_from(names)), arguments=arguments)


def key(call: ToolCall) -> str:
    return canonical([call.name, call.arguments])


@given(a=calls(), b=calls())
def test_no_two_calls_become_one(a: ToolCall, b: ToolCall) -> None:
    for step, *_ in CASES.values():
        assert (key(step.call(a)) == key(step.call(b))) == (key(a) == key(b)), step.about
        assert key(step.call(step.call(a))) == key(a), step.about


# ------------------------------------------------------------------------- the world


@cache
def drawn() -> Samples:
    return world.generate(500, seed=24)


def steps_for(sample: Sample, name: str, number: int) -> Iterator[Step]:
    """Steps of one operator for each tool that a call of the sample uses; of every tool where none does."""
    called = list(dict.fromkeys(c.name for c in calls_of(sample))) or [t.name for t in sample.tools]
    for tool_name in called:
        found = sample.tool(tool_name)
        known = [c for c in calls_of(sample) if c.name == tool_name]
        assert found is not None
        if step := OPERATORS[name](Ground(found, sample.tools, known, Random(f"{number}/{name}"))):
            yield step


def wrong_answers(label: Label, step: Step, rng: Random) -> list[Label]:
    """Other answers: an argument less, one changed or made up, calls repeated or left out, the new form."""
    out = [label, Label(calls=(*label.calls, *label.calls[:1])), Label(calls=label.calls[1:])]
    out.append(Label(calls=tuple(step.call(c) for c in label.calls)))
    for call in label.calls:
        others = [c for c in label.calls if c is not call]
        for name in call.arguments:
            rest = {k: v for k, v in call.arguments.items() if k != name}
            changed = [rest, {**call.arguments, name: rng.choice([7, "else", ["x"], {"year": 1}])}]
            out += [Label(calls=(*others, ToolCall(name=call.name, arguments=a))) for a in changed]
        made_up = {**call.arguments, rng.choice(NAMES): 1}
        out.append(Label(calls=(*others, ToolCall(name=call.name, arguments=made_up))))
    return out


@pytest.mark.parametrize("name", OPERATORS)
def test_every_operator_on_the_worlds_samples(name: str) -> None:
    seen: Counter[str] = Counter()
    for number, sample in enumerate(drawn()):
        for step in steps_for(sample, name, number):
            made = follow(sample, [step])
            if isinstance(made, str):
                seen["not followed"] += 1
                continue
            seen["followed"] += 1
            assert made.id != sample.id and made.request.startswith(sample.request.rstrip().rstrip("."))
            assert not [e for c in made.label.calls for e in call_errors(c, made.tools)], step.about
            for before, after in zip(calls_of(sample), calls_of(made), strict=True):
                plain = step.call(before) if before.name in step.old else before
                assert after == plain or told(sample, step)
                assert step.call(plain) == before if before.name in step.old else True
            for answer in wrong_answers(sample.label, step, Random(number)):
                mapped = Answer(calls=map_calls(sample, [step], answer.calls))
                assert match(mapped, made.label) == match(Answer.of(answer), sample.label), step.about
    assert seen["followed"] >= 5, seen


def test_whole_lists_evolve_and_what_is_rejected_is_told() -> None:
    assert all(passes(s) for s in drawn())
    runs = []
    for _ in range(2):
        buffer, rng = Buffer(64, world.catalogue()), Random(1)
        groups = [list(g) for _, g in groupby(drawn(), key=lambda s: s.tools)]
        runs.append([o for g in groups for o in evolve(g, buffer, (1, 3), rng)])
        assert 10 < len(buffer) <= 64
    assert [o._replace(steps=()) for o in runs[0]] == [o._replace(steps=()) for o in runs[1]]
    good = [o for o in runs[0] if not o.why]
    assert len(good) > 0.9 * len(drawn()) and all(o.why for o in runs[0] if o not in good)
    operators = Counter(str(a).split()[0] for o in good for a in o.sample.meta["evolved"])  # type: ignore
    assert operators.keys() == OPERATORS.keys()
    for outcome in good:
        assert outcome.sample and passes(outcome.sample) and "calls" not in outcome.sample.meta
        assert outcome.sample.id != outcome.parent.id == outcome.sample.parent


# ------------------------------------------------------------------------ the dialogue follows


def said(*texts: str) -> tuple[Message, ...]:
    return tuple(Message(role="user", content=t) for t in texts)


def talk() -> Sample:
    first = ToolCall(name="move_table", arguments={"id": "T1", "seating": "bar"})
    result = Message(role="tool", name="move_table", content='{"table": "T77", "seats": 2}')
    return Sample(
        tools=(MOVE, CANCEL),
        messages=(
            *said("Move table T1 to the bar."),
            Message(role="assistant", tool_calls=(first,)),
            result,
            Message(role="assistant", content="It is T77 now."),
            *said("And table T2 to the outdoor area."),
        ),
        label=Label(calls=(ToolCall(name="move_table", arguments={"id": "T2", "seating": "outdoor"}),)),
    )


def test_earlier_calls_and_results_follow() -> None:
    made = follow(talk(), [split_tool(MOVE, "seating"), returns_of("move_table_bar")])
    assert isinstance(made, Sample) and passes(made)
    assert [c.name for c in calls_of(made)] == ["move_table_outdoor", "move_table_bar"]
    assert made.messages[2].name == "move_table_bar"
    assert json.loads(made.messages[2].content) == {"status": "ok", "data": {"table": "T77", "seats": 2}}
    assert [t.name for t in made.tools] == [*(f"move_table_{c}" for c in SEATING["enum"]), "cancel_table"]


def returns_of(name: str) -> Step:
    return returns(next(t for t in split_tool(MOVE, "seating").new if t.name == name), "nested")


def test_a_result_that_a_later_call_takes_from_stays() -> None:
    sample = talk()
    later = ToolCall(name="cancel_table", arguments={"id": "T77"})
    messages = (*sample.messages[:-1], *said("Cancel that table."))
    taken = sample.model_copy(update={"messages": messages, "label": Label(calls=(later,))})
    assert follow(taken, [returns(MOVE, "nested")]) == "returns: a later call takes a value of the result"


def test_a_question_that_would_have_to_ask_for_more_is_dropped() -> None:
    asks = talk().model_copy(update={"label": Label(reply="Which table?", asks=True)})
    step = require(CANCEL, "notify")
    assert follow(asks, [step]) == "require: the question may have to ask for something else"
    # "Which account?" is no question any more where there is a tool for each: one may call them all.
    by_account = split_tool(MOVE, "seating")
    with_tool = asks.model_copy(update={"tools": by_account.before})
    assert follow(with_tool, [by_account]) == "split_tool: the question may have to ask for something else"
    cancel = ToolCall(name="cancel_table", arguments={"id": "T2"})
    unsaid = asks.model_copy(update={"label": Label(calls=(cancel,))})
    assert follow(unsaid, [step]) == "require: a call has no other form"
    assert isinstance(follow(talk(), [step]), Sample)


def test_a_step_is_for_the_tools_that_it_was_drawn_for() -> None:
    other = talk().model_copy(update={"tools": (MOVE, tool("cancel_table", id=TEXT))})
    assert "not as it was" in str(follow(other, [require(CANCEL, "notify")]))


def test_a_request_that_gains_a_sentence_gains_its_argument() -> None:
    cancel = next(a for a in ADDITIONS if a.words == ("confirm", "by"))
    step, found = add_optional(CANCEL, cancel), Counter[bool]()
    for number in range(40):
        label = Label(calls=(ToolCall(name="cancel_table", arguments={"id": f"T{number}"}),))
        asked = {"kind": "single", "messages": said(f"Cancel table T{number}"), "label": label}
        sample = talk().model_copy(update=asked)
        made, words = follow(sample, [step]), told(sample, step)
        assert isinstance(made, Sample) and passes(made)
        (call,) = made.label.calls
        found[words is not None] += 1
        if words:
            assert made.request == f"{sample.request}. {words.text}"
            assert call.arguments == {"id": f"T{number}", "confirm_by": words.value}
        else:
            assert (made.request, call) == (sample.request, sample.label.calls[0])
    assert min(found.values()) > 5 and follow(talk(), [step]).request == talk().request  # type: ignore


# ------------------------------------------------------------------------------ the buffer


def test_the_buffer_takes_what_is_new() -> None:
    buffer = Buffer(2, [BOOK, MOVE, CANCEL])
    sample = talk().model_copy(update={"messages": talk().messages[-1:]})
    for seed in range(30):
        evolve([sample], buffer, (1, 2), Random(seed))
    assert len(buffer) == 2
    none = Buffer(0, [BOOK])
    cancels = Label(calls=(ToolCall(name="cancel_table", arguments={"id": "T1"}),))
    only = sample.model_copy(update={"tools": (BOOK, CANCEL), "label": cancels})
    for seed in range(10):
        (outcome,) = evolve([only], none, (1, 2), Random(seed), ["cancel_table"])
        assert len(none) == 0 and outcome.sample and outcome.sample.tools[0] == BOOK
        assert CANCEL not in outcome.sample.tools


def test_steps_do_not_repeat_an_operator() -> None:
    for seed in range(30):
        operators = [s.operator for s in draw_steps([talk()], "move_table", 8, Random(seed))]
        assert len(operators) == len(set(operators)) >= 3
        assert not {"split_tool", "join_tools"} <= set(operators)


def test_dates_in_parts_are_grounded_by_words() -> None:
    today = Message(role="system", content="Today is Monday, 2026-11-23.")
    for day, right in ((24, True), (25, False)):
        arguments = {"guests": 2, "date": {"year": 2026, "month": 11, "day": day}}
        sample = Sample(
            tools=CASES["date"][0].new,
            messages=(today, *said("A table for two tomorrow, please.")),
            label=Label(calls=(ToolCall(name="book", arguments=arguments),)),
        )
        assert {c.name: c.passed for c in check_sample(sample)}["grounding"] is right
