"""Arguments that nothing in the dialogue or the schema supports."""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.look import Look, shown
from looptool_kit.checks.rules import ungrounded

WORDS = "Nothing in the dialogue or the schema supports an argument."
HARM = "error"


def look(view: Look) -> Iterator[Found]:
    """Find values that the dialogue does not support.

    Only where every call satisfies its schema: what does not is wrong already.
    """
    sample = view.sample
    if not view.in_json or view.errors or any(c.name not in view.tools for c in sample.label.calls):
        return
    for at, name, grounding in ungrounded(sample):
        call = sample.label.calls[at]
        words = f"{call.name}.{name} = {shown(call.arguments[name])}: {grounding.words}"
        yield Found(words, pointer("label", "calls", at, "arguments", name))
