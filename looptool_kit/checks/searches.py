"""The nine rules that every dialogue of searches keeps (ToolForge, arXiv 2512.16149, section 3.3).

A dialogue answers the question of a record by searching the record's passages. Searches may fail on purpose:
what follows teaches how to recover. The rules hold for dialogues that are composed and for written ones.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from typing import Literal

from looptool_kit.checks.rules import call_errors
from looptool_kit.core.records import Check
from looptool_kit.core.samples import Frozen, Message, Tool, ToolCall
from looptool_kit.core.toolcalls import SPECIAL
from looptool_kit.core.wire import detect

NOT_FOUND = (
    "not find",
    "n't find",
    "not found",
    "no result",
    "nothing",
    "no answer",
    "not available",
    "no information",
)
"""Wordings of which one stands in a reply that says that the answer is not there."""


class Passage(Frozen):
    """One text that a search can find."""

    title: str
    text: str
    kind: str = ""
    """What it is about, where searches are for one kind alone."""


class Record(Frozen):
    """A question with the passages that searches run over."""

    id: str
    question: str
    answers: tuple[str, ...]
    """All of them are said at the end; empty: the passages do not hold the answer."""
    passages: tuple[Passage, ...]
    supporting: tuple[int, ...] = ()
    """The passages that the answer follows from, by index."""


class Step(Frozen):
    """One assistant turn that searches, as it is planned."""

    tools: tuple[str, ...]
    """Names of the tools that it calls."""
    fails: Literal["", "argument", "tool", "missing"] = ""
    """Why the search does not find: a wrong argument, a wrong tool, or there is nothing to be found."""
    thought: str = ""


class Searches(Frozen):
    """A dialogue with its plan."""

    tools: tuple[Tool, ...]
    messages: tuple[Message, ...]
    """All turns, the final reply among them."""
    steps: tuple[Step, ...]
    found: tuple[tuple[int, ...], ...]
    """What each call found: passages of the record by index, in order of the calls."""

    @property
    def calls(self) -> list[ToolCall]:
        """The calls in order."""
        return [c for m in self.messages for c in m.tool_calls]

    @property
    def reply(self) -> Message:
        """The last turn; an empty one where there is none."""
        return self.messages[-1] if self.messages else Message(role="assistant")

    @property
    def fails(self) -> list[str]:
        """Why each call fails, in order; empty where it does not."""
        return [step.fails for step in self.steps for _ in step.tools]


def result_text(passages: Sequence[Passage]) -> str:
    """A search's result as the tool's message has it."""
    found = [{"title": p.title, "text": p.text} for p in passages]
    return json.dumps({"results": found}, ensure_ascii=False)


def check_record(dialogue: Searches, record: Record) -> tuple[Check, ...]:
    """Apply the nine rules in order.

    `detail` says the first thing that is wrong.
    """
    return tuple(
        Check(name=name, passed=not wrong, detail=wrong)
        for name, rule in RULES.items()
        for wrong in [next(iter(rule(dialogue, record)), "")]
    )


def _roles(dialogue: Searches, record: Record) -> Iterator[str]:
    """1: turns come in the order of the plan."""
    roles = [m.role for m in dialogue.messages]
    planned = ["user"]
    for step in dialogue.steps:
        planned += ["assistant", *["tool"] * len(step.tools)]
    planned.append("assistant")
    if roles[roles[:1] == ["system"] :] != planned:
        yield f"the turns are {' '.join(roles)}, and planned are {' '.join(planned)}"


def _reply(dialogue: Searches, record: Record) -> Iterator[str]:
    """2: the last turn is a reply in words."""
    last = dialogue.reply
    if last.role != "assistant" or last.tool_calls or not last.content.strip():
        yield "the last turn is not a reply"
    elif form := detect(last.content, {t.name for t in dialogue.tools}):
        yield f"the reply is a call as text ({form})"
    elif mark := next((m for m in SPECIAL if m in last.content), ""):
        yield f"the reply holds {mark}"
    elif last.content.lstrip()[0] in "{[":
        yield "the reply is data, not words"


def _nothing_empty(dialogue: Searches, record: Record) -> Iterator[str]:
    """3: no turn but the assistant's is empty."""
    for at, m in enumerate(dialogue.messages, 1):
        if m.role != "assistant" and not m.content.strip():
            yield f"turn {at} ({m.role}) is empty"


def _answer(dialogue: Searches, record: Record) -> Iterator[str]:
    """4: the reply says the record's answer, or that there is none."""
    said = dialogue.reply.content.casefold()
    for answer in record.answers:
        if answer.casefold() not in said:
            yield f"the reply does not say {answer!r}"
    if not record.answers and not any(words in said for words in NOT_FOUND):
        yield "the reply does not say that the answer was not found"


def _results(dialogue: Searches, record: Record) -> Iterator[str]:
    """5: tools return what was retrieved, each for its call."""
    results = [m for m in dialogue.messages if m.role == "tool"]
    if not len(results) == len(dialogue.calls) == len(dialogue.found):
        yield f"{len(dialogue.calls)} calls, {len(results)} results, {len(dialogue.found)} of them retrieved"
        return
    for call, result, found in zip(dialogue.calls, results, dialogue.found, strict=True):
        if result.name != call.name:
            yield f"a result of {result.name}, and {call.name} was called"
        if any(not 0 <= at < len(record.passages) for at in found) or len(set(found)) < len(found):
            yield f"{call.name} found what the record does not hold, or one passage twice"
        elif result.content != result_text([record.passages[at] for at in found]):
            yield f"the result of {call.name} is not what was retrieved"


def _retry(dialogue: Searches, record: Record) -> Iterator[str]:
    """6: after a wrong argument the same tool is called again, and required arguments alone change."""
    required = {t.name: set(t.required) for t in dialogue.tools}
    pairs = zip(dialogue.calls, dialogue.calls[1:], dialogue.fails, strict=False)
    for before, after, fails in pairs:
        if fails != "argument" or before.name != after.name:
            continue  # which tool is called is rule 8
        names = before.arguments.keys() | after.arguments.keys()
        changed = {n for n in names if _differ(before, after, n)}
        if not changed & required.get(before.name, set()):
            yield f"the retry of {before.name} changes no required argument"
        elif changed - required.get(before.name, set()) - _undeclared(after, dialogue.tools):
            yield f"the retry of {before.name} changes more than required: {', '.join(sorted(changed))}"


def _differ(a: ToolCall, b: ToolCall, name: str) -> bool:
    return (name in a.arguments, a.arguments.get(name)) != (name in b.arguments, b.arguments.get(name))


def _undeclared(call: ToolCall, tools: Sequence[Tool]) -> set[str]:
    """Arguments that the tool does not have: rule 9 speaks of those."""
    tool = next((t for t in tools if t.name == call.name), None)
    return call.arguments.keys() - (tool.properties if tool else {}).keys()


def _references(dialogue: Searches, record: Record) -> Iterator[str]:
    """7: what the good searches find of the supporting passages is all of them; failing ones find none."""
    supporting, seen = set(record.supporting), set[int]()
    for found, fails in zip(dialogue.found, dialogue.fails, strict=False):
        if fails and supporting & set(found):
            yield "a search that fails finds a supporting passage"
        seen |= set() if fails else supporting & set(found)
    if missed := sorted(supporting - seen):
        yield f"no search finds the supporting passage {record.passages[missed[0]].title!r}"


def _planned(dialogue: Searches, record: Record) -> Iterator[str]:
    """8: each turn calls the tools that are planned for it."""
    called, planned = [c.name for c in dialogue.calls], [n for s in dialogue.steps for n in s.tools]
    if called != planned:
        yield f"called are {', '.join(called)}, and planned are {', '.join(planned)}"


def _bank(dialogue: Searches, record: Record) -> Iterator[str]:
    """9: calls fit the tools on offer, failing ones as well."""
    return (error for call in dialogue.calls for error in call_errors(call, dialogue.tools))


RULES: dict[str, Callable[[Searches, Record], Iterator[str]]] = {
    "roles": _roles,
    "reply": _reply,
    "not_empty": _nothing_empty,
    "answer": _answer,
    "results": _results,
    "retry": _retry,
    "references": _references,
    "planned_tools": _planned,
    "bank": _bank,
}
"""Name -> rule; each yields what is wrong."""
