"""Arguments that repeat a default of the tool which breaks the tool's own schema."""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.audit.findings import Found
from looptool_kit.audit.look import Look, shown, value_at

WORDS = "An argument is the tool's own default, and that default breaks the tool's schema."
HARM = "note"


def look(view: Look) -> Iterator[Found]:
    """The tool contradicts itself; the label does not."""
    for error in view.of_kind("own_default"):
        call = view.sample.label.calls[error.at]
        where = ".".join(map(str, (call.name, *error.path)))
        value = shown(value_at(call.arguments, error.path))
        yield Found(f"{where} is {value}, the tool's default, which its schema does not allow", error.place)
