"""The form `openai`: `messages` and `tools`, as for OpenAI's fine-tuning."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any

from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import tool_schemas
from looptool_kit.formats._parts import Turn, call_of, json_or_text, samples_of_turns, tools_of, turns_of


def detect(row: Mapping[str, Any]) -> bool:
    """Tell whether a row has `messages`."""
    return "messages" in row


def read(row: Mapping[str, Any], source: str) -> Iterator[Sample]:
    """Yield a sample for each assistant turn.

    `function_call` and `functions` of old rows are read too.
    """
    turns: list[Turn] = []
    names: dict[str, str] = {}
    for m in json_or_text(row["messages"]):
        listed = json_or_text(m.get("tool_calls")) or []
        calls = tuple(call_of(c) for c in listed)
        names |= {c["id"]: call.name for c, call in zip(listed, calls, strict=True) if c.get("id")}
        if m.get("function_call"):
            calls = (*calls, call_of(m["function_call"]))
        content = m.get("content") or ""
        if isinstance(content, list):  # parts, as vision models take them
            content = "".join(p.get("text") or "" for p in content)
        role = {"developer": "system", "function": "tool"}.get(m["role"], m["role"])
        tool = (m.get("name") or names.get(m.get("tool_call_id") or "")) if role == "tool" else None
        turns.append(Turn(role, content, calls, tool))
    yield from samples_of_turns(tools_of(row.get("tools") or row.get("functions")), turns, source)


def write(sample: Sample, index: int) -> dict[str, Any]:
    """Make the row of a sample.

    Results get the ids of the calls that they answer.
    """
    messages, waiting, count = [], list[tuple[str, str]](), 0
    for m in turns_of(sample):
        turn: dict[str, Any] = {"role": m.role, "content": m.content}
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
    return {"messages": messages, "tools": tool_schemas(sample.tools)}
