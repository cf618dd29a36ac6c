"""Labels whose call led to an error in the dialogue that they are from."""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.look import Look
from looptool_kit.formats._turns import FAILED_CALL

WORDS = "In the dialogue that the label is from, its call led to an error."
HARM = "warning"


def look(view: Look) -> Iterator[Found]:
    """The importer remembers the error."""
    if error := view.sample.meta.get(FAILED_CALL):
        called = ", ".join(c.name for c in view.sample.label.calls)
        yield Found(f"the call of {called} led to {str(error)[:200]}", pointer("label", "calls"))
