"""The same call twice in one label."""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.look import Look
from looptool_kit.core.toolcalls import canonical

WORDS = "One label holds the same call twice."
HARM = "error"


def look(view: Look) -> Iterator[Found]:
    """Proposes the label without the second one."""
    if view.derived:
        return
    label, seen = view.sample.label, set[str]()
    for at, call in enumerate(label.calls):
        text = canonical([call.name, call.arguments])
        if text in seen:
            repair = label.model_copy(update={"calls": label.calls[:at] + label.calls[at + 1 :]})
            words = f"the same call of {call.name} appears twice"
            yield Found(words, pointer("label", "calls", at), repair)
        seen.add(text)
