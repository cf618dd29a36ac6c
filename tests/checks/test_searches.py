"""The nine rules: a right dialogue keeps all, and each planted fault breaks exactly its own."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from looptool_kit.checks.searches import RULES, Passage, Record, Searches, Step, check_record, result_text
from looptool_kit.core.samples import Message, Tool, ToolCall


def tool(name: str) -> Tool:
    properties = {n: {"type": "string"} for n in ("entity", "about", "language")}
    return Tool(
        name=name, parameters={"type": "object", "properties": properties, "required": ["entity", "about"]}
    )


RECORD = Record(
    id="1",
    question="Where is the firm based that the author of The Iron Fig works for?",
    answers=("Ghent",),
    passages=(
        Passage(title="The Iron Fig", text="The Iron Fig is a novel by Ana Berg."),
        Passage(title="Ana Berg", text="Ana Berg works for Orbis Labs."),
        Passage(title="Orbis Labs", text="Orbis Labs is based in Ghent."),
        Passage(title="Atlas Labs", text="Atlas Labs is based in Riga."),
    ),
    supporting=(0, 1, 2),
)
CALLS = (
    ("work_search", {"entity": "The Iron Fig", "about": "author", "language": "English"}),
    ("person_search", {"entity": "Ana Breg", "about": "employer", "language": "English"}),
    ("person_search", {"entity": "Ana Berg", "about": "employer", "language": "English"}),
    ("firm_search", {"entity": "Orbis Labs", "about": "headquarters"}),
)
FOUND = ((0,), (), (1,), (3, 2))
FAILS: tuple[Any, ...] = ("", "argument", "", "")


def right(calls: Any = CALLS, found: Any = FOUND, reply: str = "It is based in Ghent.") -> Searches:
    messages = [Message(role="system", content="Search."), Message(role="user", content=RECORD.question)]
    for (name, arguments), at in zip(calls, found, strict=True):
        messages.append(Message(role="assistant", tool_calls=(ToolCall(name=name, arguments=arguments),)))
        text = result_text([RECORD.passages[n] for n in at])
        messages.append(Message(role="tool", name=name, content=text))
    messages.append(Message(role="assistant", content=reply))
    return Searches(
        tools=tuple(tool(n) for n in ("work_search", "person_search", "firm_search", "place_search")),
        messages=tuple(messages),
        steps=tuple(Step(tools=(n,), fails=f) for (n, _), f in zip(CALLS, FAILS, strict=True)),
        found=found,
    )


def broken(dialogue: Searches, record: Record = RECORD) -> list[str]:
    return [c.name for c in check_record(dialogue, record) if not c.passed]


def turn(at: int, **changes: Any) -> Searches:
    dialogue = right()
    messages = list(dialogue.messages)
    messages[at] = messages[at].model_copy(update=changes)
    return dialogue.model_copy(update={"messages": tuple(messages)})


def call(at: int, name: str = "", **arguments: Any) -> Searches:
    calls = list(CALLS)
    calls[at] = (name or calls[at][0], {**calls[at][1], **arguments})
    return right(calls)


def thanks() -> Searches:
    dialogue = right()
    *before, last = dialogue.messages
    return dialogue.model_copy(update={"messages": (*before, Message(role="user", content="And?"), last)})


PLANTED: dict[str, list[Callable[[], Searches]]] = {
    "roles": [thanks],
    "reply": [
        lambda: right(reply='{"answer": "Ghent"}'),
        lambda: turn(-1, content="<|im_start|>Ghent"),
    ],
    "not_empty": [lambda: turn(0, content=" "), lambda: turn(1, content="")],
    "answer": [lambda: right(reply="It is based in Riga."), lambda: right(reply="I could not find it.")],
    "results": [
        lambda: turn(-2, content=result_text([RECORD.passages[2]])),
        lambda: turn(3, content="The Iron Fig is a novel by Ana Berg."),
        lambda: turn(3, name="firm_search"),
    ],
    "retry": [
        lambda: call(2, language="French"),
        lambda: call(2, entity="Ana Breg"),
    ],
    "references": [
        lambda: right(found=((0,), (), (1,), (3,))),
        lambda: right(found=((0,), (1,), (1,), (2,))),
    ],
    "planned_tools": [lambda: call(3, "place_search")],
    "bank": [lambda: call(3, colour="red"), lambda: call(0, entity=7)],
}


def test_a_right_dialogue_keeps_all_nine_rules() -> None:
    assert len(RULES) == 9 and list(PLANTED) == list(RULES) and broken(right()) == []


@pytest.mark.parametrize("rule", RULES)
def test_a_planted_fault_breaks_its_rule_alone(rule: str) -> None:
    for plant in PLANTED[rule]:
        assert broken(plant()) == [rule]
        (check,) = (c for c in check_record(plant(), RECORD) if not c.passed)
        assert check.detail


def test_what_is_missing_has_to_be_said() -> None:
    record = RECORD.model_copy(update={"answers": (), "supporting": (0, 1)})
    assert broken(right(reply="I could not find where Orbis Labs is based."), record) == []
    assert broken(right(reply="It is based in Ghent."), record) == ["answer"]


@pytest.mark.parametrize("messages", [(), (Message(role="user", content="?"),)])
def test_a_dialogue_without_turns_is_judged_too(messages: tuple[Message, ...]) -> None:
    empty = right().model_copy(update={"messages": messages})
    assert {"roles", "reply", "answer"} <= set(broken(empty))
