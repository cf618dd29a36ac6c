"""Arguments outside the formats, patterns and bounds of the schema."""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.audit.findings import Found
from looptool_kit.audit.look import Look, value_at, with_value

WORDS = "An argument breaks a format, a pattern or a bound of the tool's schema."
HARM = "error"


def look(view: Look) -> Iterator[Found]:
    """Find values that break a format or pattern.

    Proposes the value without white space around it, where that satisfies the schema.
    """
    label = view.sample.label
    for error in view.of_kind("format"):
        call = label.calls[error.at]
        value = value_at(call.arguments, error.path)
        repair = None
        if isinstance(value, str) and value != value.strip():
            repair = with_value(label, error.at, error.path, value.strip())
        yield Found(f"{'.'.join(map(str, (call.name, *error.path)))}: {error.message}", error.place, repair)
