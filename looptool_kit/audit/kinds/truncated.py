"""Texts that stop in the middle."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.look import Look, shown

WORDS = "A reply, an argument or a tool's result stops in the middle."
HARM = "error"
_OPEN_END = re.compile(
    r"(?:[,(\[{]|\b(?:a|an|the|and|or|of|to|with|for|in|on|at|by|from|is|are|was|your|my|that))$",
    re.IGNORECASE,
)
"""No sentence ends so. A semicolon may: it ends a line of code."""
_DOTS = ("...", "…")


def look(view: Look) -> Iterator[Found]:
    """Find texts that were cut, by their form alone.

    A bracket that is never closed, a sentence that cannot end there.
    """
    label = view.sample.label
    if not label.calls and _OPEN_END.search(label.reply.strip()):
        yield Found(f"the reply stops at {shown(label.reply.strip()[-30:])}", pointer("label", "reply"))
    said = [m.content for m in view.sample.messages]
    for at, call in enumerate(label.calls):
        for name, value in call.arguments.items():
            if not isinstance(value, str) or any(value in text for text in said):
                continue
            place = pointer("label", "calls", at, "arguments", name)
            if value.rstrip().endswith(_DOTS) and len(value.split()) > 1:
                yield Found(f"{call.name}.{name} ends in dots: {shown(value[-30:])}", place)
            elif _cut_json(value):
                yield Found(f"{call.name}.{name} is JSON that was cut: {shown(value[-30:])}", place)
    for at, message in enumerate(view.sample.messages):
        if message.role == "tool" and _cut_json(message.content):
            words = f"the result in turn {at + 1} is JSON that was cut: {shown(message.content[-30:])}"
            yield Found(words, pointer("messages", at, "content"))


def _cut_json(text: str) -> bool:
    """Whether a text begins as a JSON object or list of objects and lacks its end."""
    text = text.strip()
    if not text.startswith(('{"', '[{"', '["')):
        return False
    try:
        json.loads(text)
        return False
    except RecursionError:
        return False
    except json.JSONDecodeError as error:
        # Cut text is right up to its end; other faults stand before it.
        return error.pos >= len(text) or error.msg.startswith("Unterminated string")
