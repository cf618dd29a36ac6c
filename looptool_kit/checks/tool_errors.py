"""Whether a tool's result reports an error: a turn that made such a call is not one to learn from.

TL-Training's code (arXiv 2412.15495) masks turns whose result holds one of 14 strings anywhere, with all but
letters and digits dropped, so that "no errors found" and "terror" mask as well. Here a result is an error by
its form.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from typing import Any, Protocol

_BEGINS = re.compile(r"\W*(?:error|exception|traceback|invalid)\b", re.IGNORECASE)
MAX_SHOWN = 200
"""Characters of an error that a report shows."""


class Turn(Protocol):
    """A turn of a dialogue, read or foreign."""

    @property
    def role(self) -> str: ...

    @property
    def content(self) -> str: ...


def is_error(result: str) -> bool:
    """Whether a tool's result reports an error.

    A JSON object with an `error` that says something, with `isError` true (MCP) or with the status `error`;
    or a text that begins with error, exception, traceback or invalid.
    """
    try:
        value: Any = json.loads(result)
    except (ValueError, RecursionError):
        value = result
    if isinstance(value, dict):
        return (
            bool(value.get("error"))
            or value.get("isError") is True
            or str(value.get("status")).lower() == "error"
        )
    return isinstance(value, str) and _BEGINS.match(value) is not None


def error_behind(turns: Sequence[Turn], at: int) -> str:
    """Return the first error among the results of a turn's calls.

    Cut short; empty where there is none.
    """
    for turn in turns[at + 1 :]:
        if turn.role != "tool":
            break
        if is_error(turn.content):
            return turn.content[:MAX_SHOWN] or "error"
    return ""
