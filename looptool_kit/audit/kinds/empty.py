"""Turns and labels without content."""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.look import ACCEPTABLE, Look
from looptool_kit.checks.rules import dialogue_faults

WORDS = "A turn, the dialogue or the label is empty."
HARM = "error"


def look(view: Look) -> Iterator[Found]:
    """Find empty turns, labels and names.

    A label without calls or words is right only where the data says that no call is acceptable.
    """
    for fault in dialogue_faults(view.sample.messages):
        if fault.kind == "empty":
            yield Found(fault.words, pointer("messages", *([fault.turn - 1] if fault.turn else [])))
    label = view.sample.label
    if not label.calls and not label.reply.strip() and view.sample.meta.get(ACCEPTABLE) is None:
        yield Found("the label is empty: neither calls nor a reply", pointer("label"))
    for at, call in enumerate(label.calls):
        if not call.name.strip():
            yield Found("a call of the label has no name", pointer("label", "calls", at, "name"))
