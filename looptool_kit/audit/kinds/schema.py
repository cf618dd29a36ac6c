"""Tools whose definitions cannot be used."""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.look import Look
from looptool_kit.checks.rules import check_tool

WORDS = "A tool's parameters are not a valid JSON Schema, or two tools have one name."
HARM = "error"


def look(view: Look) -> Iterator[Found]:
    """One finding for each tool."""
    names: set[str] = set()
    for at, tool in enumerate(view.sample.tools):
        for check in check_tool(tool):
            if not check.passed:
                yield Found(check.detail, pointer("tools", at, "parameters"))
        if tool.name in names:
            yield Found(f"{tool.name} appears twice among the tools", pointer("tools", at))
        names.add(tool.name)
