"""Rows of `conversations`, which `sharegpt` and `hermes` share.

They are read alike, because datasets mix their turns.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from looptool_kit.core.json_text import strict_json
from looptool_kit.core.samples import Sample, Tool
from looptool_kit.formats._parts import call_of, json_or_text, tools_of
from looptool_kit.formats._turns import Left, Turn, Unusable, assistant_turn, samples_of_turns

_ROLES = {
    "human": "user", "user": "user", "gpt": "assistant", "assistant": "assistant", "system": "system",
    "tool": "tool", "observation": "tool", "function_call": "assistant", "function_response": "tool",
    "chatgpt": "assistant", "bard": "assistant",
}  # fmt: skip
COLUMNS = frozenset({"conversations", "tools", "system"})
_SENTENCE = re.compile(r"(?<=[.!?:])\s+")
_FORM = re.compile(
    r"</?tool|\btool_call|pydantic|json (?:object|schema)|as JSON|function signatures|available tools:"
    r"|^[{}\]\[]",
    re.IGNORECASE,
)
"""What a sentence holds that explains how calls are written."""
_OWN_LEAD = "You can call these functions."
"""How a system turn begins that this package wrote."""


def read_conversation(row: Mapping[str, Any], source: str, left: Left) -> Iterator[Sample | Unusable]:
    """Yield what each assistant turn gives."""
    tools = tools_of(row.get("tools"))
    turns: list[Turn] = [Turn("system", str(row["system"]))] if row.get("system") else []
    for turn in json_or_text(row["conversations"]):
        role = _ROLES.get(str(turn.get("from") or turn.get("role")))
        text = turn.get("value", turn.get("content"))
        if role is None or not isinstance(text, str):
            raise ValueError(
                f"a turn has `from` ({', '.join(_ROLES)}) and a text `value`, not {str(turn)[:80]!r}"
            )
        if role == "system":
            listed, text = _listed_tools(text)
            tools = tools or listed
        if role == "assistant":
            turns.append(_assistant(turn, text, tools))
        elif role == "tool":
            turns += [Turn("tool", result) for result in _results(text)]
        elif role != "system" or text:
            turns.append(Turn(role, text))
    yield from samples_of_turns(tools, turns, source, left)


def _assistant(turn: Mapping[str, Any], text: str, tools: tuple[Tool, ...]) -> Turn:
    if turn.get("from") != "function_call":
        return assistant_turn(turn, text, (), tools)
    try:
        value = json_or_text(text)
        calls = tuple(call_of(c, tools) for c in (value if isinstance(value, list) else [value]))
    except ValueError as error:
        return Turn("assistant", text, fault=str(error))
    return assistant_turn(turn, "", calls, tools)


def _listed_tools(text: str) -> tuple[tuple[Tool, ...], str]:
    """The tools of a `<tools>` block, and the rest of the turn.

    Of a turn that this package wrote, the rest is the text behind the block. Of others' it is what does not
    explain the form of calls: the persona and its rules stay.
    """
    start, end = text.rfind("<tools>"), text.rfind("</tools>")
    if not 0 <= start < end:
        return (), text
    body = text[start + len("<tools>") : end].strip()
    if body.startswith("["):
        items = strict_json(body)
    else:
        items = [strict_json(line) for line in body.splitlines() if line.strip()]
    before, after = text[:start], text[end + len("</tools>") :].strip()
    if text.startswith(_OWN_LEAD):
        return tools_of(items), after
    lines = [*before.splitlines(), *after.splitlines()]
    kept = (" ".join(s for s in _SENTENCE.split(line.strip()) if s and not _FORM.search(s)) for line in lines)
    return tools_of(items), "\n".join(line for line in kept if line)


def _results(text: str) -> list[str]:
    parts = text.split("<tool_response>")[1:]
    return [p.split("</tool_response>")[0].strip() for p in parts] or [text]
