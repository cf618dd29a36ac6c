"""Calls in a syntax of no family, told by the names of the tools on offer."""

from __future__ import annotations

import re
from collections.abc import Collection
from functools import lru_cache

from looptool_kit.core.json_text import first_json
from looptool_kit.core.samples import Tool
from looptool_kit.core.wire.values import Found, beside, call

_GIVEN = r"(?:arguments?|args|parameters|params|(?:action|tool)[ _]?input|inputs?|content|with|json|python)"


@lru_cache(4096)
def _handed(name: str) -> re.Pattern[str]:
    """A tool's name with arguments, as no sentence has it."""
    tool = rf"(?<![\w.-])(?:functions\.)?{re.escape(name)}(?![\w-])"
    return re.compile(
        rf"[\"']\w+[\"']\s*:\s*[\"']{tool}[\"']"  # {"tool": "f"
        rf"|[\"']{tool}[\"']\s*:\s*[\[{{]"  # {"f": {
        rf"|<[^<>\n]*{tool}[^<>\n]*>|>\s*{tool}\s*<"  # <f>, <tool name="f">, <name>f<
        rf"|{tool}(?:[^\w{{}}.!?]*{_GIVEN}\b)*[^\w{{}}.!?]*(?:\{{\s*[\"'}}]|tool_call\()"  # f with {"
        rf"|{tool}[\"'`]*[ \t]*\n[^\w\n]*{_GIVEN}\b[^\w\n]*:",  # f, and on the next line "arguments:"
        re.IGNORECASE,
    )


def hands_over(text: str, names: Collection[str]) -> bool:
    """Tell whether a text calls a tool in an unknown syntax."""
    return any(name in text and _handed(name).search(text) for name in names)


def read(text: str, tools: dict[str, Tool]) -> Found:
    """Read calls as `{"f": {...}}`, one or a list.

    Raises:
        ValueError: It is any other syntax.
    """
    start = min((at for at in (text.find("["), text.find("{")) if at >= 0), default=0)
    try:
        value, end = first_json(text[start:])
    except ValueError:
        value, end = None, 0
    listed = value if isinstance(value, list) else [value]
    if not all(isinstance(v, dict) and len(v) == 1 and next(iter(v)) in tools for v in listed):
        raise ValueError("a call in a syntax that is not known")
    return Found([call(*next(iter(v.items()))) for v in listed], beside(text[:start], text[start + end :]))
