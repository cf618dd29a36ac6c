"""Results and calls of the dialogue that do not go together."""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.look import Look
from looptool_kit.checks.rules import dialogue_faults

WORDS = "A tool's result answers no call, or a call of the dialogue has no result."
HARM = "error"


def look(view: Look) -> Iterator[Found]:
    """One finding for each turn."""
    for fault in dialogue_faults(view.sample.messages):
        if fault.kind == "results":
            yield Found(fault.words, pointer("messages", fault.turn - 1))
