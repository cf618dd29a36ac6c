"""The form `openai`: `messages` and `tools`, as for OpenAI's fine-tuning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from looptool_kit.core.samples import Sample, Tool
from looptool_kit.core.toolcalls import tool_schemas
from looptool_kit.formats._parts import call_of, json_or_text, tools_of, turns_of
from looptool_kit.formats._turns import (
    REASONING,
    WORDS,
    Left,
    Turn,
    Unusable,
    assistant_turn,
    samples_of_turns,
)  # fmt: skip

COLUMNS = frozenset({"messages", "tools", "functions"})


def detect(row: Mapping[str, Any]) -> bool:
    """Tell whether a row has `messages`."""
    return "messages" in row


def read(row: Mapping[str, Any], source: str, left: Left) -> Iterator[Sample | Unusable]:
    """Yield what each assistant turn gives.

    `function_call` and `functions` of old rows are read too.
    """
    tools = tools_of(row.get("tools") or row.get("functions"))
    turns = [_turn(m, tools, left) for m in json_or_text(row["messages"])]
    yield from samples_of_turns(tools, turns, source, left)


def _turn(m: Mapping[str, Any], tools: tuple[Tool, ...], left: Left) -> Turn:
    content = m.get("content") or ""
    if isinstance(content, list):  # parts, as vision models take them
        kinds = [str(p.get("type")) for p in content if isinstance(p, Mapping) and not p.get("text")]
        left.update(f"parts of type {kind}" for kind in kinds if kind not in ("text", "input_text"))
        content = "".join(p.get("text") or "" if isinstance(p, Mapping) else str(p) for p in content)
    elif isinstance(content, Mapping):
        content = json.dumps(content, ensure_ascii=False)
    role = {"developer": "system", "function": "tool", "model": "assistant"}.get(m["role"], m["role"])
    if role == "tool":
        return Turn(role, content, tool=m.get("name") or None, answers=str(m.get("tool_call_id") or ""))
    if role != "assistant":
        return Turn(role, content)
    listed = json_or_text(m.get("tool_calls")) or []
    try:
        calls = tuple(call_of(c, tools) for c in listed)
        if m.get("function_call"):
            calls = (*calls, call_of(m["function_call"], tools))
    except (ValueError, AttributeError) as error:
        return Turn(role, content, fault=str(error))
    ids = tuple(str(c.get("id") or "") for c in listed)
    return assistant_turn(m, content, calls, tools)._replace(ids=ids)


def write(sample: Sample, index: int) -> dict[str, Any]:
    """Make the row of a sample.

    Results get the ids of the calls that they answer. Earlier assistant turns get weight 0: they are samples
    of their own.
    """
    messages, waiting, count = [], list[tuple[str, str]](), 0
    for m in turns_of(sample):
        turn: dict[str, Any] = {"role": m.role, "content": m.content}
        if m.role == "assistant":
            turn["weight"] = 0
        if m.tool_calls:
            turn["content"] = m.content or None
            waiting = [(f"call_{count + i}", c.name) for i, c in enumerate(m.tool_calls)]
            count += len(waiting)
            turn["tool_calls"] = [
                {
                    "id": i,
                    "type": "function",
                    "function": {"name": c.name, "arguments": json.dumps(c.arguments, ensure_ascii=False)},
                }
                for (i, _), c in zip(waiting, m.tool_calls, strict=True)
            ]
        elif m.role == "tool":
            first = waiting[0] if waiting else (f"call_{count}", "")
            answered = next((w for w in waiting if w[1] == m.name), first)
            waiting = [w for w in waiting if w != answered]
            turn |= {"tool_call_id": answered[0]} | ({"name": m.name} if m.name else {})
        messages.append(turn)
    messages[-1] |= {"weight": 1} | ({"content": sample.meta[WORDS]} if WORDS in sample.meta else {})
    if REASONING in sample.meta:
        messages[-1]["reasoning_content"] = sample.meta[REASONING]
    return {"messages": messages, "tools": tool_schemas(sample.tools)}
