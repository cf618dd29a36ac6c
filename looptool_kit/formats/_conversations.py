"""Rows of `conversations`, which `sharegpt` and `hermes` share.

They are read alike, because datasets mix their turns.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from looptool_kit.core.samples import Sample, Tool, ToolCall
from looptool_kit.core.toolcalls import parse, strict_json
from looptool_kit.formats._parts import Turn, call_of, json_or_text, samples_of_turns, tools_of

_ROLES = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system",
    "tool": "tool", "observation": "tool", "function_call": "assistant", "function_response": "tool",
    "chatgpt": "assistant", "bard": "assistant",
}  # fmt: skip
_OWN_LEAD = "You can call these functions."
"""How a system turn begins that this package wrote."""


def read_conversation(row: Mapping[str, Any], source: str) -> Iterator[Sample]:
    """Yield a sample for each assistant turn."""
    tools = tools_of(row.get("tools"))
    turns: list[Turn] = [Turn("system", str(row["system"]))] if row.get("system") else []
    for turn in json_or_text(row["conversations"]):
        role = _ROLES.get(str(turn.get("from") or turn.get("role")))
        text = turn.get("value", turn.get("content"))
        if role is None or not isinstance(text, str):
            raise ValueError(
                f"a turn has `from` ({', '.join(_ROLES)}) and a text `value`, not {str(turn)[:80]!r}"
            )
        calls: tuple[ToolCall, ...] = ()
        if turn.get("from") == "function_call":
            value = json_or_text(text)
            calls, text = tuple(call_of(c) for c in (value if isinstance(value, list) else [value])), ""
        elif role == "assistant":
            answer = parse(text)
            if answer.error:
                raise ValueError(f"an assistant turn is {answer.error}: {answer.detail}")
            calls, text = answer.calls, answer.text
        elif role == "system":
            listed, text = _listed_tools(text)
            tools = tools or listed
        elif role == "tool":
            called = [c.name for c in turns[-1].calls] if turns else []
            for i, result in enumerate(_results(text)):
                turns.append(Turn("tool", result, (), called[i] if i < len(called) else None))
            continue
        if role != "system" or text:
            turns.append(Turn(role, text, calls))
    yield from samples_of_turns(tools, turns, source)


def _listed_tools(text: str) -> tuple[tuple[Tool, ...], str]:
    """The tools of a `<tools>` block, and the turn's rest.

    Of a turn that this package wrote, the rest is the text behind the block. What others write around it
    explains the form of calls and is dropped.
    """
    start, end = text.rfind("<tools>"), text.rfind("</tools>")
    if not 0 <= start < end:
        return (), text
    body = text[start + len("<tools>") : end].strip()
    if body.startswith("["):
        items = strict_json(body)
    else:
        items = [strict_json(line) for line in body.splitlines() if line.strip()]
    rest = text[end + len("</tools>") :].strip() if text.startswith(_OWN_LEAD) else ""
    return tools_of(items), rest


def _results(text: str) -> list[str]:
    parts = text.split("<tool_response>")[1:]
    return [p.split("</tool_response>")[0].strip() for p in parts] or [text]
