"""The rule tier: schemas, dialogue form, grounding."""

from __future__ import annotations

import time
from datetime import date
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from looptool_kit.checks.rules import call_errors, check_sample, check_tool, dialogue_errors, passes
from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.text.grounding import ground
from looptool_kit.text.mentions import recognise
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
        ((A(), U()), "before the user"),
        ((U(), T), "answers no call"),
        ((U(), CALLING, U()), "no result"),
        ((U(), CALLING, T, T), "answers no call"),
        ((U(), CALLING, Message(role="tool", content="{}", name="other")), "not called"),
        ((U(), A(), A(), U()), "in a row"),
        ((U(" "),), "is empty"),
        ((U(), Message(role="system", content="s"), U()), "after the start"),
        ((Message(role="user", content="x", tool_calls=(CALL,)), T), "makes tool calls"),
    ],
)
def test_dialogue_form(messages: tuple[Message, ...], wrong: str | None) -> None:
    errors = list(dialogue_errors(messages))
    assert (errors == []) if wrong is None else any(wrong in e for e in errors)


def test_an_empty_label_fails() -> None:
    assert not passes(sample("Book Chez Louis"))
    assert passes(sample("Book something", reply="Where?"))


@pytest.mark.parametrize(
    ("text", "name", "value", "supported"),
    [
        ("a table for six", "guests", 6, True),
        ("half a dozen eggs", "count", 6, True),
        ("a couple of tickets", "count", 2, True),
        ("a hundred and fifty chairs", "count", 150, True),
        ("1.5k followers", "count", 1500, True),
        ("two and a half kilos", "weight", 2.5, True),
        ("for an hour and a half", "minutes", 90, True),
        ("for an hour and a half", "minutes", 80, False),
        ("for 2 hours", "duration_hours", 2, True),
        ("for 2 hours", "minutes", 2, False),
        ("three nights", "nights", 3, True),
        ("under $1,500", "budget", 1500, True),
        ("a 15% tip", "tip_percent", 15, True),
        ("a 15% tip", "tip", 0.15, True),
        ("room 12", "room", 13, False),
        ("tomorrow", "date", "2026-11-24", True),
        ("tomorrow", "date", "2026-11-25", False),
        ("this Friday", "date", "2026-11-27", True),
        ("next Friday", "date", "2026-12-04", True),
        ("in three days", "date", "2026-11-26", True),
        ("on December 4th", "date", "2026-12-04", True),
        ("on the 4th of December", "date", "2026-12-04", True),
        ("on the 4th of December", "date", "2026-12-05", False),
        ("on 4/12", "date", "2026-12-04", True),
        ("a week from today", "date", "2026-11-30", True),
        ("at 08:30 on Tuesday", "date", "2026-11-24", True),
        ("leave out those, excluding the shared", "include_shared", False, True),
        ("at 6.09% interest", "rate", 6.09, True),
        ("7:30 pm", "loan_id", "19:30", False),
        ("at 5.42% over 30 years", "rate", 5.42, True),
        ("at 5.42% over 30 years", "rate", 5.4, False),
        ("at 19:20 on Monday, November 30", "start", "2026-11-30T19:20", True),
        ("under $340 on Thursday, December 3", "date", "2026-12-03", True),
        ("at 10:00 on Friday, January 29", "start", "2027-01-29T10:00", True),
        ("at 10:00 on Friday, January 29", "date", "2026-11-27", False),
        ("fly on December 3 and return on December 9", "return_date", "2026-12-09", True),
        ("fly on December 3 and return on December 9", "return_date", "2026-12-05", False),
        ("leaving out the shared ones", "include_shared", False, True),
        ("leave the shared ones out", "include_shared", True, False),
        ("with reminders switched off", "reminders", False, True),
        ("do not wait and notify everyone", "notify", True, True),
        ("I have no time. Notify everyone", "notify", True, True),
        ("without pets and kids", "kids", False, True),
        ("from December 4 to 7", "until", "2026-12-07", True),
        ("at half past six in the evening", "time", "18:30", True),
        ("at half past six in the evening", "time", "06:30", False),
        ("6:30 pm", "time", "18:30", True),
        ("at noon", "time", "12:00", True),
        ("tomorrow at 6:30 pm", "start", "2026-11-24T18:30", True),
        ("tomorrow at 6:30 pm", "start", "2026-11-24T19:30", False),
        ("at chez louis", "restaurant", "Chez Louis", True),
        ("at Anna's Kitchen", "restaurant", "Anna's Kitchen", True),
        ("fly to Copenhagen", "city", "Copenhagn", False),
        ("add tomatoes and basil", "items", ["tomato", "basil"], True),
        ("add tomatoes and basil", "items", ["tomato", "thyme"], False),
        ("mail bob@x.com", "to", "bob@x.com", True),
        ("mail bob@x.com", "to", "rob@x.com", False),
        ("order AB-1234", "order_id", "AB-1234", True),
        ("order AB-1234", "order_id", "AB-1235", False),
        ("without pets", "pets", False, True),
        ("without pets", "pets", True, False),
        ("bring my pets", "pets", True, True),
        ("one way please", "return_date", None, True),
        ("2 x Pho and 3 x Ramen", "items", [{"dish": "Pho", "quantity": 2}], True),
        ("2 x Pho and 3 x Ramen", "items", [{"dish": "Pho", "quantity": 4}], False),
        ("Paris", "city", "", False),
    ],
)
def test_grounding(text: str, name: str, value: Any, supported: bool) -> None:
    assert (ground(value, {}, sample(text), name).supported >= 0.5) is supported


def test_grounding_by_the_schema_and_by_synonyms() -> None:
    units = {"enum": ["celsius", "fahrenheit"]}
    assert ground("celsius", units, ["how warm is it in °C"], "unit").supported >= 0.9
    assert ground("fahrenheit", units, ["how warm is it in celsius"], "unit").supported < 0.5
    assert ground(7, {"default": 7}, ["hello"], "n").by_schema
    assert ground("x", {"const": "x"}, ["hello"], "n").supported == 1.0
    assert ground(7, {}, ["hello"], "n").supported == 0.0


RHYTHM = {"enum": ["weekly", "biweekly", "monthly", "quarterly"]}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("every two weeks", "biweekly"),
        ("every other week", "biweekly"),
        ("every week", "weekly"),
        ("once a month", "monthly"),
        ("every three months", "quarterly"),
    ],
)
def test_a_reworded_choice_is_the_one_it_names(text: str, value: str) -> None:
    scores = {o: ground(o, RHYTHM, [f"pay 50 dollars {text}"], "frequency").supported for o in RHYTHM["enum"]}
    assert [o for o, score in scores.items() if score >= 0.5] == [value], scores


def test_a_bare_clock_is_read_as_it_stands() -> None:
    said = sample("at 10:00 please")
    assert ground("10:00", {}, said, "time").supported > ground("22:00", {}, said, "time").supported >= 0.5


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


def test_today_supports_no_date_that_nobody_asked_for() -> None:
    assert ground(23, {}, sample("hello"), "n").supported == 0.0
    assert ground("2026-11-23", {}, sample("hello"), "date").supported == 0.5
    assert ground("2026-11-23", {}, sample("what is on today?"), "date").supported == 1.0


@pytest.mark.parametrize("split", ["train", "unseen_values", "unseen_phrasings", "unseen_tools"])
def test_right_labels_pass(split: str) -> None:
    samples = generate(200, 31, split)
    failed = [
        (s.request, [c.detail for c in check_sample(s) if not c.passed]) for s in samples if not passes(s)
    ]
    assert len(failed) <= 4, failed


@settings(max_examples=300)
@given(st.text(max_size=80), st.recursive(st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
                                         lambda x: st.lists(x, max_size=3) | st.dictionaries(st.text(), x, max_size=3), max_leaves=5))  # fmt: skip
def test_never_raises_and_stays_in_range(text: str, value: Any) -> None:
    assert 0.0 <= ground(value, {}, [text], "x").supported <= 1.0
    for m in recognise(text, date(2026, 11, 23)):
        assert text[m.start : m.end] == m.text and m.readings


@settings(max_examples=200)
@given(st.dates(date(2026, 11, 24), date(2027, 9, 1)))
def test_written_dates_are_read_back(day: date) -> None:
    for said in (
        f"{day:%B} {day.day}",
        f"{day.day} {day:%b}",
        f"{day:%A}, {day:%B} {day.day}",
        day.isoformat(),
    ):
        (mention,) = recognise(f"on {said} please", date(2026, 11, 23))
        assert mention.readings[0] == day.isoformat()


def test_schema_part_is_fast() -> None:
    calls = [ToolCall(name="book", arguments={"place": f"Chez {i}", "party": i % 9 + 1}) for i in range(5000)]
    started = time.process_time()
    assert not any(call_errors(c, (BOOK,)) for c in calls)
    assert len(calls) / (time.process_time() - started) > 20_000
