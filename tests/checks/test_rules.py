"""The rule tier: schemas, the form of dialogues, and labels that the dialogue supports."""

from __future__ import annotations

import time
from typing import Any

import pytest

from looptool_kit.checks.rules import call_errors, check_sample, check_tool, dialogue_errors, passes
from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.world import generate

TODAY = "Today is Monday, 2026-11-23."
BOOK = Tool(
    name="book",
    parameters={
        "type": "object",
        "properties": {
            "place": {"type": "string"},
            "party": {"type": "integer", "minimum": 1},
            "day": {"type": "string", "format": "date"},
            "at": {"type": "string", "format": "time"},
            "mail": {"type": "string", "format": "email"},
            "seat": {"type": "string", "enum": ["indoor", "outdoor"]},
            "dishes": {
                "type": "array",
                "items": {
                    "type": "object",
                    "properties": {"name": {"type": "string"}, "count": {"type": "integer"}},
                },
            },
        },
        "required": ["place"],
    },
)


def sample(request: str, *calls: ToolCall, tools: tuple[Tool, ...] = (BOOK,), reply: str = "") -> Sample:
    messages = (Message(role="system", content=TODAY), Message(role="user", content=request))
    return Sample(tools=tools, messages=messages, label=Label(calls=calls, reply=reply))


@pytest.mark.parametrize(
    "parameters",
    [
        {"type": "string"},
        {"type": "array", "items": {}},
        {"type": "object", "properties": {"a": {"type": "strnig"}}},
        {"type": "object", "properties": {"a": {"type": "string", "pattern": "("}}},
        {"type": "object", "properties": {}, "required": ["a"]},
        {"type": "object", "properties": {"a": {"enum": "x"}}},
        {"type": "object", "properties": {"a": {"$ref": "#/$defs/none"}}},
        {},
    ],
)
def test_bad_tools_are_refused(parameters: dict[str, Any]) -> None:
    (check,) = check_tool(Tool(name="t", parameters=parameters))
    assert not check.passed and check.detail.startswith("t: ")


def test_a_few_choices_are_named_in_full() -> None:
    days = ["mon", "tue", "wed", "thu"]
    tool = Tool(
        name="t",
        parameters={"type": "object", "properties": {"day": {"enum": days}, "n": {"enum": list(range(40))}}},
    )
    [day, number] = call_errors(ToolCall(name="t", arguments={"day": "Tue", "n": 99}), (tool,))
    assert day == 't.day: "Tue" is not one of "mon", "tue", "wed", "thu"'
    assert number.startswith("t.n: 99 is not one of") and len(number) < 80


def test_good_tools_pass() -> None:
    assert check_tool(BOOK)[0].passed
    assert check_tool(Tool(name="t"))[0].passed
    assert check_tool(
        Tool(name="t", parameters={"properties": {"a": {"anyOf": [{"type": "string"}, {"type": "null"}]}}})
    )[0].passed


@pytest.mark.parametrize(
    ("arguments", "wrong"),
    [
        ({"place": "A"}, ""),
        ({"place": "A", "party": 2.0}, ""),
        ({"place": "A", "at": "18:30"}, ""),
        ({"place": "A", "at": "18:30:00Z"}, ""),
        ({"place": "A", "dishes": [{"name": "Pho", "count": 2}]}, ""),
        ({}, "place"),
        ({"place": 3}, "book.place"),
        ({"place": "A", "party": True}, "book.party"),
        ({"place": "A", "party": "2"}, "book.party"),
        ({"place": "A", "party": 0}, "book.party"),
        ({"place": "A", "day": "2026-02-30"}, "book.day"),
        ({"place": "A", "at": "25:00"}, "book.at"),
        ({"place": "A", "mail": "nobody"}, "book.mail"),
        ({"place": "A", "seat": "roof"}, "book.seat"),
        ({"place": "A", "unknown": 1}, "unknown"),
        ({"place": "A", "dishes": [{"name": "Pho", "count": "2"}]}, "book.dishes.0.count"),
        ({"place": "A", "dishes": [{"name": "Pho", "spice": 1}]}, "spice"),
    ],
)
def test_arguments_against_the_schema(arguments: dict[str, Any], wrong: str) -> None:
    errors = call_errors(ToolCall(name="book", arguments=arguments), (BOOK,))
    assert (wrong in errors[0]) if wrong else errors == []


def test_unknown_arguments_stay_allowed_where_the_schema_says_so() -> None:
    loose = Tool(name="t", parameters={"type": "object", "properties": {}, "additionalProperties": True})
    assert call_errors(ToolCall(name="t", arguments={"x": 1}), (loose,)) == []
    assert call_errors(ToolCall(name="t", arguments={"x": 1}), (Tool(name="t"),)) != []


def test_unknown_tools_and_twins() -> None:
    assert call_errors(ToolCall(name="cancel"), (BOOK,)) == ["cancel is not on offer"]
    tools, *_ = check_sample(
        sample(
            "Book Chez Louis", ToolCall(name="book", arguments={"place": "Chez Louis"}), tools=(BOOK, BOOK)
        )
    )
    assert not tools.passed and "twice" in tools.detail


CALL = ToolCall(name="book")
U, A, T = (
    (lambda c="x": Message(role="user", content=c)),
    (lambda c="y": Message(role="assistant", content=c)),
    Message(role="tool", content="{}", name="book"),
)
CALLING = Message(role="assistant", tool_calls=(CALL,))


@pytest.mark.parametrize(
    ("messages", "wrong"),
    [
        ((U(),), None),
        ((U(), A(), U()), None),
        ((U(), CALLING, T), None),
        ((U(), CALLING, T, A(), U()), None),
        ((U(), U()), None),
        ((), "empty"),
        ((Message(role="system", content="s"),), "never speaks"),
        ((U(), A()), "ends on assistant"),
        ((A(), U()), None),  # a greeting
        ((U(), T), "answers no call"),
        ((U(), CALLING, U()), "no result"),
        ((U(), CALLING, T, T), "answers no call"),
        ((U(), CALLING, Message(role="tool", content="{}", name="other")), "not called"),
        ((U(), A(), A(), U()), "in a row"),
        ((U(" "),), "is empty"),
        ((U(), Message(role="system", content="s"), U()), None),
        ((U(), CALLING, Message(role="tool", content="", name=T.name)), None),
        ((Message(role="user", content="x", tool_calls=(CALL,)), T), "makes tool calls"),
    ],
)
def test_dialogue_form(messages: tuple[Message, ...], wrong: str | None) -> None:
    errors = list(dialogue_errors(messages))
    assert (errors == []) if wrong is None else any(wrong in e for e in errors)


def test_an_empty_label_fails() -> None:
    assert not passes(sample("Book Chez Louis"))
    assert passes(sample("Book something", reply="Where?"))


def test_a_choice_named_for_another_call_is_no_objection() -> None:
    schema = {
        "type": "object",
        "properties": {"who": {"type": "string"}, "pace": {"enum": ["slow", "quick"]}},
    }
    tools = tuple(Tool(name=n, description="Do it.", parameters=schema) for n in ("walk", "ride"))
    said = (Message(role="user", content="Walk Rex at a slow pace and ride Silver like the wind"),)
    walk, ride = (
        ToolCall(name="walk", arguments={"who": "Rex", "pace": "slow"}),
        ToolCall(name="ride", arguments={"who": "Silver", "pace": "quick"}),
    )
    assert passes(Sample(tools=tools, messages=said, label=Label(calls=(walk, ride))))
    assert not passes(Sample(tools=tools, messages=said, label=Label(calls=(ride,))))


def test_who_said_it_counts() -> None:
    user, told = (
        Message(role="user", content="Book something"),
        Message(role="assistant", content="Shall I book Chez Louis?"),
    )
    place = ToolCall(name="book", arguments={"place": "Chez Louis"})
    claimed = Sample(
        tools=(BOOK,),
        messages=(user, told, Message(role="user", content="Hm, what else?")),
        label=Label(calls=(place,)),
    )
    confirmed = Sample(
        tools=(BOOK,),
        messages=(user, told, Message(role="user", content="Yes, please")),
        label=Label(calls=(place,)),
    )
    result = Message(role="tool", content='{"best": "Chez Louis"}', name="book")
    found = Sample(tools=(BOOK,), messages=(user, CALLING, result), label=Label(calls=(place,)))
    assert [passes(s) for s in (claimed, confirmed, found)] == [False, True, True]


@pytest.mark.parametrize("split", ["train", "unseen_values", "unseen_phrasings", "unseen_tools"])
def test_right_labels_pass(split: str) -> None:
    samples = generate(200, 31, split)
    failed = [
        (s.request, [c.detail for c in check_sample(s) if not c.passed]) for s in samples if not passes(s)
    ]
    assert len(failed) <= 4, failed


def test_schema_part_is_fast() -> None:
    calls = [ToolCall(name="book", arguments={"place": f"Chez {i}", "party": i % 9 + 1}) for i in range(5000)]
    started = time.process_time()
    assert not any(call_errors(c, (BOOK,)) for c in calls)
    assert len(calls) / (time.process_time() - started) > 20_000
