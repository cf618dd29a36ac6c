"""Enums that cannot be meant as they stand."""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.audit.findings import Found
from looptool_kit.audit.kinds.enum import holds_examples
from looptool_kit.audit.look import Look, never, shown, value_at

WORDS = "An argument breaks an enum that holds only examples, or no value of its own type."
HARM = "note"


def look(view: Look) -> Iterator[Found]:
    """Find labels outside an enum that is itself odd.

    The schema is what is wrong here; a model that keeps to it cannot give the label.
    """
    for error in view.errors:
        if error.kind != "enum" or not (holds_examples(error.schema) or never(error.schema)):
            continue
        call = view.sample.label.calls[error.at]
        where = ".".join(map(str, (call.name, *error.path)))
        why = (
            "holds examples by its description"
            if holds_examples(error.schema)
            else "has no value of its type"
        )
        words = f"{where} is {shown(value_at(call.arguments, error.path))}, and its enum {why}"
        yield Found(words, error.place)
