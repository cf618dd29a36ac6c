"""Turns of foreign dialogues, and the samples that they give: the one reader of assistant turns."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from looptool_kit.checks.tool_errors import error_behind
from looptool_kit.core.json_text import strict_json
from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.core.wire import read_text

Left = Counter[str]
"""What an import leaves behind: in words, and how often."""
FAILED_CALL = "failed_call"
"""In `meta` of a sample: the error that its label's calls led to in the dialogue that it is from."""
WORDS, REASONING = "words", "reasoning"
"""In `meta` of a sample: what the assistant says and thinks beside the label's calls."""
_UNTRAINED = ("weight", "train", "loss", "trainable", "train_on_turn")
"""Keys that take a turn out of training where they are 0 or false."""
_REASONING = ("reasoning_content", "reasoning", "thinking", "thought")
_THOUGHT = re.compile(r"\A\s*<think(?:ing)?>(.*?)</think(?:ing)?>\s*", re.DOTALL)


class Turn(NamedTuple):
    """One turn of a foreign dialogue."""

    role: str
    content: str
    calls: tuple[ToolCall, ...] = ()
    tool: str | None = None
    """Whose result it is."""
    ids: tuple[str, ...] = ()
    """The ids of the calls, where the row gives them."""
    answers: str = ""
    """The id of the call that it is the result of."""
    reasoning: str = ""
    trained: bool = True
    """False for a turn that is context only."""
    fault: str = ""
    """Why it cannot be read."""


class Unusable(NamedTuple):
    """A turn that is not a sample."""

    reason: str


def assistant_turn(
    row: Mapping[str, Any], text: str, calls: tuple[ToolCall, ...] = (), tools: Sequence[Tool] = ()
) -> Turn:
    """Read an assistant's turn with its calls.

    As the row lists them, or as they stand in its text.
    """
    reasoning = next((row[key] for key in _REASONING if isinstance(row.get(key), str)), "")
    if thought := _THOUGHT.match(text):
        reasoning, text = reasoning or thought[1].strip(), text[thought.end() :]
    trained = not any(key in row and row[key] is not None and not row[key] for key in _UNTRAINED)
    turn = Turn("assistant", text, calls, reasoning=reasoning, trained=trained)
    if calls:
        return turn
    answer = read_text(text, tools)
    if answer.error:
        return turn._replace(fault=f"an assistant turn is {answer.error}: {answer.detail}")
    return turn._replace(content=answer.text, calls=answer.calls)


def samples_of_turns(
    tools: tuple[Tool, ...], turns: Sequence[Turn], source: str, left: Left
) -> Iterator[Sample | Unusable]:
    """Yield one sample for each assistant turn behind a user's.

    Or why it is none.
    """
    turns = list(_paired(turns))
    fault = ""
    for at, turn in enumerate(turns):
        if turn.fault and not fault:
            fault = f"turn {at + 1}: {turn.fault}"
        if turn.role != "assistant":
            continue
        if not any(t.role == "user" for t in turns[:at]):
            left["greetings before the user speaks (context only)"] += 1
        elif not turn.trained:
            left["turns with weight 0 (context only)"] += 1
        elif fault:
            yield Unusable(fault)
        else:
            yield _sample(tools, turns, at, source)
    left["reasoning of earlier turns"] += sum(bool(t.reasoning) for t in turns[:-1])


def sample_of(tools: tuple[Tool, ...], turns: Iterable[Turn], label: Label, source: str) -> Sample:
    """The sample of a context and a label."""
    messages = tuple(
        Message(role=t.role, content=t.content, tool_calls=t.calls, name=t.tool)  # type: ignore[arg-type]
        for t in turns
    )
    kind = "call" if label.calls else "reply"
    return Sample(tools=tools, messages=messages, label=label, kind=kind, source=source)


def _sample(tools: tuple[Tool, ...], turns: Sequence[Turn], at: int, source: str) -> Sample:
    turn = turns[at]
    label = Label(calls=turn.calls) if turn.calls else Label(reply=turn.content)
    beside = {WORDS: turn.content if turn.calls else "", REASONING: turn.reasoning}
    meta = {key: text for key, text in beside.items() if text}
    if turn.calls and (error := error_behind(turns, at)):
        meta[FAILED_CALL] = error
    sample = sample_of(tools, turns[:at], label, source)
    return sample.model_copy(update={"meta": meta}) if meta else sample


def _paired(turns: Sequence[Turn]) -> Iterator[Turn]:
    """The turns with each result behind its call: in the calls' order, with the call's name."""
    at = 0
    while at < len(turns):
        yield (called := turns[at])
        at += 1
        start = at
        while at < len(turns) and turns[at].role == "tool":
            at += 1
        yield from _results(called, turns[start:at])


def _results(called: Turn, results: Sequence[Turn]) -> Iterator[Turn]:
    if len(results) == 1 < len(called.calls):
        several = _list_of(results[0].content, len(called.calls))
        if several is None:  # one observation of all calls
            yield results[0]._replace(tool=None)
            return
        results = [Turn("tool", text) for text in several]
    places = {id_: place for place, id_ in enumerate(called.ids) if id_}
    if len(places) == len(called.calls) and all(r.answers in places for r in results):
        results = sorted(results, key=lambda r: places[r.answers])
        yield from (r._replace(tool=called.calls[places[r.answers]].name) for r in results)
        return
    names = [c.name for c in called.calls]
    for place, result in enumerate(results):
        yield result if result.tool or place >= len(names) else result._replace(tool=names[place])


def _list_of(text: str, count: int) -> list[str] | None:
    """The texts of a JSON list of `count` results; None where it is none."""
    try:
        value = strict_json(text)
    except ValueError:
        return None
    if not isinstance(value, list) or len(value) != count:
        return None
    return [v if isinstance(v, str) else json.dumps(v, ensure_ascii=False) for v in value]
