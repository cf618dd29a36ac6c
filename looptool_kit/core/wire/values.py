"""What the parsers of all forms share: calls from parts, values from text."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from typing import Any, NamedTuple

from looptool_kit.core.json_text import strict_json
from looptool_kit.core.samples import Tool, ToolCall

_NAME_KEYS = ("name", "function", "tool", "tool_name", "function_name", "recipient_name", "action")
_ARGUMENT_KEYS = ("arguments", "parameters", "args", "input", "tool_input", "action_input", "kwargs")
_BESIDE = {"type", "id", "index", "call_id", "tool_call_id", "status"}
"""Keys of a call that say nothing about what is called."""


class Found(NamedTuple):
    """The calls of a text, and the words around them."""

    calls: list[ToolCall]
    text: str


def call(name: Any, arguments: Any) -> ToolCall:
    """Make a call of its parts.

    `ValueError` where they are not a name and an object.
    """
    if isinstance(arguments, str):
        arguments = strict_json(arguments) if arguments.strip() else {}
    arguments = {} if arguments is None else arguments
    if not isinstance(name, str) or not name.strip() or not isinstance(arguments, dict):
        raise ValueError("a call has a name and an object of arguments")
    # An infinity is not JSON; lone surrogates are a UnicodeEncodeError.
    json.dumps(arguments, ensure_ascii=False, allow_nan=False).encode("utf-8")
    return ToolCall(name=name.strip(), arguments=arguments)


def call_of_object(value: Any) -> ToolCall:
    """A call from a JSON object, whatever its keys are called."""
    if not isinstance(value, dict):
        raise ValueError(f"a call is an object, not {str(value)[:60]!r}")
    inner = value.get("function", value.get("functionCall"))
    if isinstance(inner, dict):  # OpenAI's and Gemini's
        return call_of_object(inner)
    name = next((k for k in _NAME_KEYS if isinstance(value.get(k), str)), None)
    arguments = next((k for k in _ARGUMENT_KEYS if k in value), None)
    rest = set(value) - {name, arguments} - _BESIDE
    if name is None or rest:
        raise ValueError(f"a call has a name and arguments, not the keys {', '.join(map(str, value))[:80]}")
    return call(value[name], value[arguments] if arguments else {})


def calls_of_json(value: Any) -> list[ToolCall]:
    """Read the calls of a JSON value.

    One, a list of them, or an object of `tool_calls`.
    """
    if isinstance(value, dict):
        for key in ("tool_calls", "function_calls", "tool_uses", "calls"):
            if isinstance(value.get(key), list):
                return calls_of_json(value[key])
        if isinstance(value.get("function_call"), dict):
            return [call_of_object(value["function_call"])]
    return [call_of_object(v) for v in (value if isinstance(value, list) else [value])]


def value_of_text(text: str, tool: Tool | None, name: str) -> Any:
    """Read an argument that stands as text between marks.

    By its schema where that says what it is.
    """
    schema = tool.properties.get(name) if tool else None
    kinds = schema.get("type") if isinstance(schema, dict) else None
    kinds = kinds if isinstance(kinds, list) else [kinds]
    if kinds == ["string"]:
        return text
    try:
        value = strict_json(text.strip())
    except ValueError:
        if text.strip() in ("True", "False", "None"):
            return {"True": True, "False": False, "None": None}[text.strip()]
        return text
    return text if "string" in kinds and not isinstance(value, dict | list | None) else value


def pieces(text: str, pattern: re.Pattern[str]) -> tuple[list[re.Match[str]], str]:
    """The matches of a pattern, and the words outside of them."""
    found = list(pattern.finditer(text))
    ends = [0, *(m.end() for m in found)]
    starts = [*(m.start() for m in found), len(text)]
    return found, words(*(text[a:b] for a, b in zip(ends, starts, strict=True)))


def words(*parts: str) -> str:
    """Parts of a text as one, without the space around them."""
    return " ".join(part.strip() for part in parts if part.strip())


_TAGS = re.compile(r"(?:<[^<>\n]{1,40}>\s*)+")
"""Marks around calls, such as <TOOLCALL>."""


def beside(*parts: str) -> str:
    """Return the words beside calls; marks alone are none."""
    said = words(*parts)
    return "" if _TAGS.fullmatch(said) else said


def refuse_marks(text: str, marks: Iterable[str]) -> None:
    """Raise `ValueError` where a mark is left in the words.

    It would be a call that was not read.
    """
    for mark in marks:
        if mark in text:
            raise ValueError(f"{mark} without its counterpart, or a call that cannot be read")
