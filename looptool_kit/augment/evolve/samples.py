"""A sample after steps of evolution: its tools, its calls and results, its label."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from random import Random
from typing import Any

from looptool_kit.augment.edits import calls_of, request_at
from looptool_kit.augment.evolve.additions import draw_add_optional, draw_returns
from looptool_kit.augment.evolve.lists import draw_join_tools, draw_rename, draw_split_tool
from looptool_kit.augment.evolve.shapes import draw_as_list, draw_as_parts, draw_flatten, draw_nest
from looptool_kit.augment.evolve.step import Draw, Ground, Step, Words
from looptool_kit.augment.evolve.values import draw_bound, draw_enum_codes, draw_require, draw_unit
from looptool_kit.augment.slots import bounded, leaves
from looptool_kit.checks.rules import call_errors, check_tool
from looptool_kit.core.samples import Message, Sample, Tool, ToolCall
from looptool_kit.core.toolcalls import canonical

OPERATORS: dict[str, Draw] = {
    "nest": draw_nest,
    "flatten": draw_flatten,
    "as_parts": draw_as_parts,
    "as_list": draw_as_list,
    "enum_codes": draw_enum_codes,
    "unit": draw_unit,
    "add_optional": draw_add_optional,
    "require": draw_require,
    "bound": draw_bound,
    "rename": draw_rename,
    "split_tool": draw_split_tool,
    "join_tools": draw_join_tools,
    "returns": draw_returns,
}
"""Name -> what draws a step of it."""
TOLD = 0.5
"""Share of the requests that gain a sentence about a parameter that users speak of."""
_ONE_REQUEST = ("single", "choice")
"""Task kinds of which the last request asks for the label's one call and nothing else."""
_NOT_BOTH = ({"nest", "flatten"}, {"split_tool", "join_tools"}, {"add_optional", "require"})
"""Operators of which one would take apart what the other has put together, or require what nobody missed."""
_AFTER_JOIN = {"returns", "add_optional", "bound", "as_parts"}
"""Operators that leave the names alone of which a joined tool says what each action needs."""
MIN_FOLLOWING = 0.75
"""Share of the samples at hand whose labels must follow a step that is drawn for them."""


def follow(sample: Sample, steps: Iterable[Step]) -> Sample | str:
    """The sample after the steps, or why its label cannot follow."""
    for step in steps:
        made = _follow(sample, step)
        if isinstance(made, str):
            return f"{step.operator}: {made}"
        sample = made
    return sample


def map_calls(sample: Sample, steps: Iterable[Step], calls: Sequence[ToolCall]) -> tuple[ToolCall, ...]:
    """Map an answer's calls to calls after the steps.

    `follow` must allow the steps. They match the label then exactly where they match it now.

    Raises:
        ValueError: The sample does not follow the steps; `follow` says so before.
    """
    mapped = tuple(calls)
    for step in steps:
        mapped = tuple(step.call(c) for c in mapped)
        if words := told(sample, step):
            mapped = tuple(_given(c, step, words) for c in mapped)
        made = _follow(sample, step)
        if isinstance(made, str):
            raise ValueError(f"sample {sample.id} does not follow {step.about}: {made}")
        sample = made
    return mapped


def _follow(sample: Sample, step: Step) -> Sample | str:
    if missing := [t.name for t in step.before if t not in sample.tools]:
        return f"{', '.join(missing)} is not on offer, or not as it was"
    if step.demands and sample.label.asks:
        return "the question may have to ask for something else"
    if any(c.name in step.old and step.follow(c) is None for c in calls_of(sample)):
        return "a call has no other form"
    gone = [n for n in step.old if n not in {t.name for t in step.new} and re.search("[a-z][_A-Z]|-", n)]
    if any(re.search(bounded(n), m.content) for n in gone for m in sample.messages if m.role != "tool"):
        return "a message names the tool"
    messages = list(_messages(sample, step))
    changed = any(a != b for a, b in zip(_results(sample.messages), _results(messages), strict=True))
    if step.result and changed and _taken(sample, step):
        return "a later call takes a value of the result"
    calls = tuple(step.call(c) if c.name in step.old else c for c in sample.label.calls)
    if words := told(sample, step):
        at = request_at(sample)
        text = messages[at].content.rstrip()
        messages[at] = messages[at].model_copy(
            update={"content": f"{text}{'' if text[-1:] in '.?!' else '.'} {words.text}"}
        )
        calls = tuple(_given(c, step, words) for c in calls)
    return sample.model_copy(
        update={
            "tools": step.on(sample.tools),
            "messages": tuple(messages),
            "label": sample.label.model_copy(update={"calls": calls}),
        }
    )


def _messages(sample: Sample, step: Step) -> Iterator[Message]:
    """The messages with calls, and results under the name of the call that they answer."""
    waiting: list[tuple[str, str]] = []
    for m in sample.messages:
        if m.tool_calls:
            calls = tuple(step.call(c) if c.name in step.old else c for c in m.tool_calls)
            waiting = [(old.name, new.name) for old, new in zip(m.tool_calls, calls, strict=True)]
            yield m.model_copy(update={"tool_calls": calls})
        elif m.role == "tool" and m.name in step.old:
            pair = next((p for p in waiting if p[0] == m.name), (m.name, m.name))
            if pair in waiting:
                waiting.remove(pair)
            yield m.model_copy(update={"name": pair[1], "content": _result(m.content, step)})
        else:
            yield m


def _result(content: str, step: Step) -> str:
    try:
        value = json.loads(content) if step.result else None
    except ValueError:
        return content
    changed = step.result(value) if step.result else value
    return content if changed == value else json.dumps(changed, ensure_ascii=False)


def _results(messages: Sequence[Message]) -> list[str]:
    return [m.content for m in messages if m.role == "tool"]


def _taken(sample: Sample, step: Step) -> bool:
    """Whether a call takes a value from an earlier result of the step's tools that no user says."""
    said = " ".join(m.content for m in sample.messages if m.role in ("user", "system")).casefold()
    held: set[str] = set()
    for m in (*sample.messages, Message(role="assistant", tool_calls=sample.label.calls)):
        if held & {v for v in _texts([c.arguments for c in m.tool_calls]) if v.casefold() not in said}:
            return True
        if m.role == "tool" and m.name in step.old:
            try:
                held |= _texts(json.loads(m.content))
            except ValueError:
                held.add(m.content)
    return False


def _texts(value: Any) -> set[str]:
    return {leaf if isinstance(leaf, str) else canonical(leaf) for leaf, _ in leaves(value, None)}


# ---------------------------------------------------------------- add_optional


def told(sample: Sample, step: Step) -> Words | None:
    """Return what a step adds to the request, with its label.

    None for nothing. Only a request for one call, of which it is beyond doubt what the sentence is about.
    """
    added, calls = step.added, sample.label.calls
    if added is None or added.words is None or sample.kind not in _ONE_REQUEST or len(calls) != 1:
        return None
    if calls[0].name != added.tool or not sample.messages or sample.messages[-1].role != "user":
        return None
    rng = Random(f"{sample.id}/{added.name}")
    return added.words(rng) if rng.random() < TOLD else None


def _given(call: ToolCall, step: Step, words: Words) -> ToolCall:
    """The call with what the request now says, its own inverse as `Step.call` is."""
    added = step.added
    if added is None or call.name != added.tool:
        return call
    if added.name not in call.arguments:
        return call.model_copy(update={"arguments": {**call.arguments, added.name: words.value}})
    if canonical(call.arguments[added.name]) != canonical(words.value):
        return call
    rest = {k: v for k, v in call.arguments.items() if k != added.name}
    return call.model_copy(update={"arguments": rest})


# ------------------------------------------------------------------------ draw


def draw_steps(
    samples: Sequence[Sample], name: str, count: int, rng: Random, used: Iterable[str] = ()
) -> list[Step]:
    """Draw up to `count` steps from one tool, no operator twice.

    Args:
        samples: They share one tool list, and most of their labels follow.
        name: The tool's.
        count: The most steps; fewer where no operator suits the tool.
        rng: The random stream.
        used: Operators that have made the tool already.
    """
    steps: list[Step] = []
    current, names = list(samples), [name]
    while len(steps) < count:
        step = _draw(current, names, rng, {*used, *(s.operator for s in steps)})
        if step is None:
            break
        steps.append(step)
        names = [n for n in names if n not in step.old] + [t.name for t in step.new]
        current = [made for s in current if isinstance(made := _follow(s, step), Sample)]
    return steps


def _draw(samples: Sequence[Sample], names: Sequence[str], rng: Random, used: set[str]) -> Step | None:
    barred = used.union(*(bar for bar in _NOT_BOTH if bar & used))
    if "join_tools" in used:
        barred |= OPERATORS.keys() - _AFTER_JOIN
    tools = samples[0].tools
    called = {c.name for s in samples for c in calls_of(s)}
    for operator in rng.sample(list(OPERATORS), len(OPERATORS)):
        if operator in barred:
            continue
        for name in sorted(rng.sample(list(names), len(names)), key=lambda n: n not in called):
            tool = next(t for t in tools if t.name == name)
            calls = [c for s in samples for c in calls_of(s) if c.name == name]
            step = OPERATORS[operator](Ground(tool, tools, calls, rng))
            if step and _suits(step, tools, samples):
                return step
    return None


def _suits(step: Step, tools: Sequence[Tool], samples: Sequence[Sample]) -> bool:
    """Whether the new tools are legal, and enough of the labels follow."""
    after = step.on(tools)
    if len({t.name for t in after}) < len(after) or not all(
        c.passed for t in step.new for c in check_tool(t)
    ):
        return False
    if any(not re.fullmatch("[A-Za-z0-9_-]{1,64}", t.name) for t in step.new):
        return False
    if step.result and not any(m.role == "tool" and m.name in step.old for s in samples for m in s.messages):
        return False
    made = [_follow(s, step) for s in samples]
    good = [
        m for m in made if isinstance(m, Sample) and not any(call_errors(c, m.tools) for c in calls_of(m))
    ]
    return bool(good) and len(good) >= MIN_FOLLOWING * len(samples)
