"""A label as text for editing: read back as it is shown, and what is wrong with it is named."""

from __future__ import annotations

import json

import pytest

from looptool_kit import world
from looptool_kit.core.samples import Label, Sample, Tool

pytest.importorskip("anywidget")

from looptool_kit.widgets.labels import LabelForm, label_text, read_label  # noqa: E402


@pytest.fixture(scope="module")
def sample() -> Sample:
    return next(s for s in world.generate(8, seed=3, kinds=["single"]) if s.label.calls[0].arguments)


@pytest.fixture(scope="module")
def question() -> Sample:
    return world.generate(4, seed=3, kinds=["ask"])[0]


def test_a_label_reads_back_as_it_is_shown(sample: Sample, question: Sample) -> None:
    for s, other in ((sample, question), (question, sample)):
        changed = s.model_copy(update={"label": Label(reply="something else")})
        assert read_label(label_text(s.label), changed) == s.label
        with pytest.raises(ValueError, match="has this label already"):
            read_label(label_text(s.label), s)
        assert read_label("Sorry, no.", s) == Label(reply="Sorry, no.") and other.label != s.label


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ('[{"name": "a",\n "arguments": }]', "line 2, column 15"),
        ('[{"name": "a", "name": "b", "arguments": {}}]', "'name' appears twice"),
        ('{"name": "no_such_tool", "arguments": {}}', "no_such_tool is not on offer"),
        ('[{"arguments": {}}]', "call 1.name: is missing"),
        ('[{"name": "a", "arguments": []}]', "call 1.arguments: must be an object, {...}"),
        ('[{"name": 1, "arguments": {}}]', 'call 1.name: must be text, "..."'),
        ('[{"name": "a", "args": {}}]', "call 1.args: no such field"),
        ('["a"]', "call 1: must be an object, {...}"),
        ('The call: [{"name": "a", "arguments": {}}]', "calls stand alone"),
        ('{"reply": "Which day?", "mentions": [["city"]], "asks": true}', "must be or hold: city"),
        ('{"answer": "x"}', "answer: "),
        ("", "neither a call nor a reply"),
        ("[]", "neither a call nor a reply"),
        ('{"calls": [{"name": "no_such_tool"}], "reply": "both"}', "not both"),
        ('"name": "a", "arguments": {}', "a plain reply"),
    ],
)
def test_a_bad_label_is_named(sample: Sample, text: str, wrong: str) -> None:
    with pytest.raises(ValueError) as caught:
        read_label(text, sample)
    assert wrong in str(caught.value)


def test_a_calls_arguments_are_checked_against_the_tool(sample: Sample) -> None:
    call = sample.label.calls[0]
    with pytest.raises(ValueError, match=f"{call.name}: .*nonsense"):
        read_label(json.dumps({"name": call.name, "arguments": {**call.arguments, "nonsense": 1}}), sample)


TIMER = Tool(
    name="set_timer",
    parameters={
        "type": "object",
        "properties": {
            "time": {"type": "string", "description": "HH:MM"},
            "day": {"type": "string", "format": "date"},
            "until": {"type": ["string", "null"], "description": "HH:MM, or 'sunset'"},
            "days": {"type": "array", "items": {"type": "string", "enum": ["mon", "tue"]}},
            "minutes": {"type": "integer", "minimum": 1},
        },
        "required": ["time"],
    },
)


def checked_as_typed(arguments: dict[str, object]) -> list[list[object]]:
    """What a page is told beside the fields of a call of `set_timer`."""
    tools = [{"name": TIMER.name, "description": "", "parameters": json.dumps(TIMER.parameters)}]
    text = json.dumps([{"name": "set_timer", "arguments": arguments}])
    return LabelForm().on_check(text, tools)["faults"]


@pytest.mark.parametrize(
    ("arguments", "argument", "words"),
    [
        ({"time": "7:30 oops"}, "time", "not of the form HH:MM"),
        ({"time": "07:30 oops"}, "time", "not of the form HH:MM"),
        ({"time": "7:30"}, "time", "not of the form HH:MM"),
        ({"time": "25:00"}, "time", "not of the form HH:MM"),
        ({"time": "07:30", "until": "oops"}, "until", "not of the form HH:MM"),
        ({"time": "07:30", "day": "2027-02-30"}, "day", "date"),
        ({"time": "07:30", "days": ["mon", "wed"]}, "days", '"wed" is not one of'),
        ({"time": "07:30", "minutes": 0}, "minutes", "less than the minimum"),
        ({"time": "07:30", "minutes": "5"}, "minutes", "is not of type"),
        ({"time": "07:30", "colour": "red"}, "colour", "unexpected"),
        ({}, "time", "required"),
    ],
)
def test_what_the_tool_refuses_is_said_of_its_argument_and_not_saved(
    sample: Sample, arguments: dict[str, object], argument: str, words: str
) -> None:
    [[at, name, told]] = checked_as_typed(arguments)
    assert (at, name) == (0, argument) and words in str(told)
    with pytest.raises(ValueError, match=argument):
        text = json.dumps([{"name": "set_timer", "arguments": arguments}])
        read_label(text, sample.model_copy(update={"tools": (TIMER,)}))


@pytest.mark.parametrize("until", ["07:30", "07:30:00", "sunset", None])
def test_what_the_tool_takes_is_not_refused(sample: Sample, until: str | None) -> None:
    arguments = {"time": "07:30", "until": until, "days": ["tue", "mon"], "day": "2027-02-28"}
    assert checked_as_typed(arguments) == []
    text = json.dumps([{"name": "set_timer", "arguments": arguments}])
    assert read_label(text, sample.model_copy(update={"tools": (TIMER,)})).calls[0].arguments == arguments


def test_a_text_that_is_not_a_label_is_said_at_once() -> None:
    [[at, argument, words]] = LabelForm().on_check('[{"name":', [])["faults"]
    assert (at, argument) == (-1, "") and "not valid JSON" in words
    assert LabelForm().on_check("A plain reply.", [])["faults"] == []
    [[at, _, words]] = LabelForm().on_check('[{"name": "none", "arguments": {}}]', [])["faults"]
    assert at == 0 and "not on offer" in words
