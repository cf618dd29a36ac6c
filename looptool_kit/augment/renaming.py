"""Perturbations that rename tools or parameters."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from random import Random
from typing import Any

from looptool_kit.augment.edits import saying, texts_of, updated
from looptool_kit.augment.perturb_words import VERBS
from looptool_kit.augment.slots import bounded
from looptool_kit.core.samples import Sample, Samples, Tool, ToolCall

STYLES: tuple[Callable[[Sequence[str]], str], ...] = (
    "_".join,
    "-".join,
    lambda words: words[0] + "".join(w.capitalize() for w in words[1:]),
    lambda words: "".join(w.capitalize() for w in words),
    lambda words: "_".join(words).upper(),
)


AFFIXES = (("input", ""), ("the", ""), ("", "value"), ("", "arg"), ("", "param"))


def parts_of(name: str) -> list[str]:
    """The words of a name, in lower case."""
    return [w.lower() for w in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name)] or [name]


def _all_new(renamed: Mapping[str, str]) -> bool:
    """Whether every name is new and unlike all others."""
    new = set(renamed.values())
    return bool(new) and len(new) == len(renamed) and not new & set(renamed)


def renamed_tools(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Every tool under another name of the same meaning.

    It has another verb and another style. Label, earlier calls and their results follow.
    """
    olds = list(dict.fromkeys(t.name for t in sample.tools))
    style, prefix = rng.choice(STYLES), rng.choice(("", "", "api", "app"))
    words = {n: parts_of(n) for n in olds}
    renamed = {
        n: style([w for w in (prefix, VERBS.get(ws[0], ws[0]), *ws[1:]) if w]) for n, ws in words.items()
    }
    if not _all_new(renamed):
        renamed = {n: style([*ws, "tool"]) for n, ws in words.items()}
    if not _all_new(renamed) or any(re.search(bounded(n), text) for n in olds for text in texts_of(sample)):
        return None

    def call(c: ToolCall) -> ToolCall:
        return c.model_copy(update={"name": renamed.get(c.name, c.name)})

    tools = [redescribed(t, renamed).model_copy(update={"name": renamed[t.name]}) for t in sample.tools]
    return _renamed(
        sample,
        tools,
        call,
        renamed,
        {at: replaced(m.content, renamed) for at, m in enumerate(sample.messages)},
    )


def renamed_parameters(sample: Sample, rng: Random, pool: Samples) -> Sample | None:
    """Every parameter under another name of the same meaning.

    A word is added, and the style is another. Label and earlier calls follow.
    """
    known = {
        "type",
        "properties",
        "required",
        "additionalProperties",
        "description",
        "title",
        "$schema",
        "$defs",
        "definitions",
    }
    if any(set(t.parameters) - known for t in sample.tools):
        return None
    olds = list(dict.fromkeys(p for t in sample.tools for p in t.properties))
    style, (first, last) = rng.choice(STYLES), rng.choice(AFFIXES)
    renamed = {n: style([w for w in (first, *parts_of(n), last) if w]) for n in olds}
    if not _all_new(renamed):
        return None

    def tool(t: Tool) -> Tool:
        schema = {**t.parameters, "properties": {renamed[p]: s for p, s in t.properties.items()}}
        if "required" in schema:
            schema["required"] = [renamed.get(p, p) for p in t.required]
        return redescribed(t.model_copy(update={"parameters": schema}), renamed)

    def call(c: ToolCall) -> ToolCall:
        return c.model_copy(update={"arguments": {renamed.get(k, k): v for k, v in c.arguments.items()}})

    return _renamed(sample, [tool(t) for t in sample.tools], call, renamed, {})


def _renamed(
    sample: Sample,
    tools: Sequence[Tool],
    call: Callable[[ToolCall], ToolCall],
    renamed: Mapping[str, str],
    texts: Mapping[int, str],
) -> Sample:
    messages = tuple(
        m.model_copy(
            update={
                "tool_calls": tuple(map(call, m.tool_calls)),
                "name": renamed.get(m.name, m.name) if m.name and texts else m.name,
            }
        )
        for m in saying(sample, texts).messages
    )
    label = sample.label.model_copy(update={"calls": tuple(map(call, sample.label.calls))})
    return updated(
        sample,
        tools=tuple(tools),
        messages=messages,
        label=label,
        meta={**sample.meta, "renamed": dict(renamed)},
    )


def replaced(text: str, renamed: Mapping[str, str]) -> str:
    """The text with names replaced that can only be names.

    `book_table` and `bookTable` are such names, `date` is not.
    """
    for old in sorted((n for n in renamed if re.search(r"[a-z][_A-Z]|-", n)), key=len, reverse=True):
        text = re.sub(bounded(old), renamed[old], text)
    return text


def redescribed(tool: Tool, renamed: Mapping[str, str]) -> Tool:
    """The tool with other names in its descriptions."""

    def walk(schema: Any) -> Any:
        if isinstance(schema, list):
            return [walk(s) for s in schema]
        if not isinstance(schema, dict):
            return schema
        return {
            k: replaced(v, renamed) if k == "description" and isinstance(v, str) else walk(v)
            for k, v in schema.items()
        }

    return tool.model_copy(
        update={"description": replaced(tool.description, renamed), "parameters": walk(tool.parameters)}
    )
