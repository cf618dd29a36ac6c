"""Calls of tools that are not on offer."""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.look import Look, with_call
from looptool_kit.core.toolcalls import loose

WORDS = "The label calls a tool that the sample does not offer."
HARM = "error"


def look(view: Look) -> Iterator[Found]:
    """Proposes the one tool whose name differs in case and punctuation alone."""
    label = view.sample.label
    for at, call in enumerate(label.calls):
        if call.name in view.tools:
            continue
        alike = [name for name in view.tools if loose(name) == loose(call.name)]
        repair = with_call(label, at, name=alike[0]) if len(alike) == 1 else None
        yield Found(f"{call.name} is not on offer", pointer("label", "calls", at, "name"), repair)
