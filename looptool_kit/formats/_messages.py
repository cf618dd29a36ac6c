"""Turns of `role` and `content`, which `openai` and `trl` share."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from looptool_kit.core.samples import Sample, Tool
from looptool_kit.formats._parts import call_of, json_or_text, turns_of
from looptool_kit.formats._turns import REASONING, WORDS, Left, Turn, assistant_turn


def turn_of(m: Mapping[str, Any], tools: tuple[Tool, ...], left: Left) -> Turn:
    """Read a message as a turn.

    Calls in the old key `function_call` are read too.
    """
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


def messages_of(sample: Sample) -> list[dict[str, Any]]:
    """The whole dialogue as chat messages, with the label as its last.

    Arguments are objects, as chat templates take them. What the assistant says and thinks beside the label's
    calls stands in the last message.
    """
    messages = []
    for m in turns_of(sample):
        turn: dict[str, Any] = {"role": m.role, "content": m.content}
        if m.name:
            turn["name"] = m.name
        if m.tool_calls:
            turn["tool_calls"] = [{"type": "function", "function": c.model_dump()} for c in m.tool_calls]
        messages.append(turn)
    if WORDS in sample.meta:
        messages[-1]["content"] = sample.meta[WORDS]
    if REASONING in sample.meta:
        messages[-1]["reasoning_content"] = sample.meta[REASONING]
    return messages
