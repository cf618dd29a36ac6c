"""Arguments of another type than the tool declares."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

from looptool_kit.audit.findings import Found
from looptool_kit.audit.look import (
    Look,
    SchemaError,
    never,
    schema_errors,
    shown,
    value_at,
    with_value,
)
from looptool_kit.core.json_text import strict_json
from looptool_kit.core.samples import Label

WORDS = "An argument has another type than the tool's schema says."
HARM = "error"


def look(view: Look) -> Iterator[Found]:
    """Find values of a wrong type.

    Proposes the same value in the declared type, where one satisfies the schema.
    """
    label = view.sample.label
    for error in view.of_kind("type"):
        if never(error.schema):
            continue
        call = label.calls[error.at]
        value = value_at(call.arguments, error.path)
        where = ".".join(map(str, (call.name, *error.path)))
        wanted = error.schema.get("type", "another type")
        words = f"{where} is {shown(value)}, and the tool takes {shown(wanted)}"
        yield Found(words, error.place, _repaired(view, label, error, value))


def _repaired(view: Look, label: Label, error: SchemaError, value: Any) -> Label | None:
    tool = view.tools[label.calls[error.at].name]
    for candidate in _readings(value, error.schema.get("type")):
        repaired = with_value(label, error.at, error.path, candidate)
        left = schema_errors(repaired.calls[error.at], tool)
        if not any(e.path[: len(error.path)] == error.path for e in left):
            return repaired
    return None


def _readings(value: Any, kinds: Any) -> Iterator[Any]:
    """The same value in one of the JSON types, without loss."""
    for kind in kinds if isinstance(kinds, list) else [kinds]:
        if kind == "string" and isinstance(value, bool):
            yield from (str(value), str(value).lower())  # whichever the enum has
        elif kind == "string" and isinstance(value, int | float):
            yield json.dumps(value)
        elif kind == "array" and not isinstance(value, str | list | dict | None):
            yield [value]
        elif isinstance(value, str) and kind in ("integer", "number", "boolean", "array", "object"):
            text = value.strip()
            with suppress(ValueError):
                yield strict_json(text.lower() if kind == "boolean" else text)
            if kind == "array" and text:
                yield [value]
