"""Dialogues in which the turns do not follow each other."""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.look import Look
from looptool_kit.checks.rules import dialogue_faults

WORDS = "The turns are out of order: the user never speaks, or it is not the assistant's turn."
HARM = "error"


def look(view: Look) -> Iterator[Found]:
    """One finding for each turn."""
    for fault in dialogue_faults(view.sample.messages):
        if fault.kind == "turns":
            yield Found(fault.words, pointer("messages", *([fault.turn - 1] if fault.turn else [])))
