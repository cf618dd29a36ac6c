"""Calls without a parameter that their tool requires."""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.audit.findings import Found
from looptool_kit.audit.look import Look, with_value

WORDS = "A call lacks a parameter that its tool requires."
HARM = "error"


def look(view: Look) -> Iterator[Found]:
    """Proposes the schema's default, or its only choice."""
    label = view.sample.label
    for error in view.of_kind("missing_parameter"):
        choices = error.schema.get("enum")
        only = choices if isinstance(choices, list) and len(choices) == 1 else []
        known = [error.schema[k] for k in ("default", "const") if k in error.schema] + only
        repair = with_value(label, error.at, error.path, known[0]) if known else None
        yield Found(f"{label.calls[error.at].name}: {error.message}", error.place, repair)
