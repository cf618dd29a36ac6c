"""Turns of `role` and `content`, which `openai` and `trl` share."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from looptool_kit.core.samples import Sample, Tool
from looptool_kit.formats._parts import call_of, json_or_text, turns_of
from looptool_kit.formats._turns import REASONING, WORDS, Left, Turn, assistant_turn

_TEXT_PARTS = {"text", "input_text", "output_text"}
_THOUGHT_PARTS = {"reasoning", "thinking", "thought"}
_CALL_PARTS = {"tool_call", "function_call", "tool_use"}


def turn_of(m: Mapping[str, Any], tools: tuple[Tool, ...], left: Left) -> Turn:
    """Read a message as a turn.

    Calls in the old key `function_call` are read too.
    """
    content, more = m.get("content") or "", Parts()
    if isinstance(content, list):
        more = parts_of(content, left)
        content = more.text
    elif isinstance(content, Mapping):
        content = json.dumps(content, ensure_ascii=False)
    role = {"developer": "system", "function": "tool", "model": "assistant"}.get(m["role"], m["role"])
    if role == "tool":
        return Turn(role, content, tool=m.get("name") or None, answers=str(m.get("tool_call_id") or ""))
    if role != "assistant":
        return Turn(role, content)
    listed = [*(json_or_text(m.get("tool_calls")) or []), *more.calls]
    try:
        calls = tuple(call_of(c, tools) for c in listed)
        if m.get("function_call"):
            calls = (*calls, call_of(m["function_call"], tools))
    except (ValueError, AttributeError) as error:
        return Turn(role, content, fault=str(error))
    ids = tuple(str(c.get("id") or "") for c in listed)
    row = {"reasoning": more.reasoning, **m} if more.reasoning else m
    return assistant_turn(row, content, calls, tools)._replace(ids=ids)


class Parts(NamedTuple):
    """What the parts of a message's content say."""

    text: str = ""
    reasoning: str = ""
    calls: tuple[Any, ...] = ()


def parts_of(content: Sequence[Any], left: Left) -> Parts:
    """Read content in parts, as vision models and LLaMA-Factory take them.

    A part has its text under `text`, `value` or its type. What is neither text, thought nor call is counted
    in `left`.
    """
    texts, thoughts, calls = [], [], []
    for part in content:
        if not isinstance(part, Mapping):
            texts.append(str(part))
            continue
        kind = str(part.get("type") or "text")
        said = next((part[key] for key in ("text", "value", kind) if part.get(key)), "")
        if kind in _CALL_PARTS:
            named = {"name": part.get("name"), "arguments": part.get("input", part.get("arguments"))}
            calls.append(json_or_text(said or named))
        elif kind in _THOUGHT_PARTS and isinstance(said, str):
            thoughts.append(said)
        elif kind in _TEXT_PARTS and isinstance(said, str):
            texts.append(said)
        else:
            left[f"parts of type {kind}"] += 1
    return Parts("".join(texts), "\n".join(thoughts), tuple(calls))


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
