"""Arguments that are null where the tool does not take null."""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.audit.findings import Found
from looptool_kit.audit.look import DROPPED, Look, with_value

WORDS = "An argument is null where the tool does not take null: mostly one that was not given."
HARM = "warning"


def look(view: Look) -> Iterator[Found]:
    """Proposes to leave it out, where the tool does not require it."""
    label = view.sample.label
    for error in view.of_kind("null_value"):
        call = label.calls[error.at]
        needed = len(error.path) != 1 or error.path[0] in view.tools[call.name].required
        repair = None if needed else with_value(label, error.at, error.path, DROPPED)
        where = ".".join(map(str, (call.name, *error.path)))
        yield Found(f"{where} is null, which the tool does not take", error.place, repair)
