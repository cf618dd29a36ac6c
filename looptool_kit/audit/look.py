"""What the kinds look at: a sample with what several of them need, computed once."""

from __future__ import annotations

import json
from collections.abc import Iterator
from functools import cached_property
from typing import Any, NamedTuple

from looptool_kit.audit.findings import pointer
from looptool_kit.checks.rules import validator_of
from looptool_kit.core.samples import Label, Sample, Tool, ToolCall
from looptool_kit.core.toolcalls import canonical

ACCEPTABLE = "ground_truth"
"""In `meta` of a sample: its acceptable answers in BFCL's form, `[{function: {parameter: [value, ...]}}]`."""
DERIVED = "label_from_ground_truth"
"""In `meta`: the label was chosen from the acceptable answers, so that its faults are theirs."""
LANGUAGE = "language"
"""In `meta`: the language in which arguments are written, where it is not JSON (BFCL's Java)."""
_KINDS = {
    "required": "missing_parameter",
    "dependentRequired": "missing_parameter",
    "additionalProperties": "foreign_parameter",
    "unevaluatedProperties": "foreign_parameter",
    "propertyNames": "foreign_parameter",
    "type": "type",
    "anyOf": "type",
    "oneOf": "type",
    "oneOfNotValid": "type",
    "oneOfMultipleValid": "type",
    "enum": "enum",
    "constant": "enum",
    "const": "enum",
}
"""Keyword of JSON Schema -> kind of finding; any other is `format`."""
MAX_SHOWN = 80
"""Characters of a value that a reason shows."""


class SchemaError(NamedTuple):
    """Where a call breaks its tool's schema."""

    kind: str
    at: int
    """Number of the call."""
    path: tuple[str | int, ...]
    """In the arguments; to the parameter that is missing or foreign."""
    message: str
    schema: dict[str, Any]
    """Of the value; empty where it has none."""

    @property
    def place(self) -> str:
        """JSON pointer in the sample."""
        return pointer("label", "calls", self.at, "arguments", *self.path)


class Look:
    """One sample and its row, from 1."""

    def __init__(self, sample: Sample, row: int = 1) -> None:
        self.sample, self.row = sample, row

    @cached_property
    def tools(self) -> dict[str, Tool]:
        """The tools on offer by name.

        Of two with one name the first.
        """
        return {t.name: t for t in reversed(self.sample.tools)}

    @cached_property
    def acceptable(self) -> list[dict[str, dict[str, list[Any]]]] | None:
        """The acceptable answers, or None.

        None where the data has none, or has them in a form that cannot be read.
        """
        found: Any = self.sample.meta.get(ACCEPTABLE)
        return found if found is not None and not malformed(found) else None

    @property
    def derived(self) -> bool:
        """Whether the label was chosen from the acceptable answers."""
        return self.sample.meta.get(DERIVED) is True

    @property
    def in_json(self) -> bool:
        """Whether arguments are JSON values and not source text of another language."""
        return not self.sample.meta.get(LANGUAGE)

    @cached_property
    def errors(self) -> list[SchemaError]:
        """Where the label's calls break the schemas of their tools."""
        calls = enumerate(self.sample.label.calls)
        found = [e for at, call in calls for e in schema_errors(call, self.tools.get(call.name), at)]
        # A value of another type is in no enum either; once is enough.
        typed = {(e.at, e.path) for e in found if e.kind == "type"}
        return [e for e in found if e.kind != "enum" or (e.at, e.path) not in typed]

    def of_kind(self, kind: str) -> Iterator[SchemaError]:
        """The errors of one kind, with a label that is somebody's own."""
        return (e for e in self.errors if e.kind == kind and not self.derived)


def schema_errors(call: ToolCall, tool: Tool | None, at: int = 0) -> list[SchemaError]:
    """Say where a call breaks its tool's schema.

    Empty where the tool or its schema cannot be used.
    """
    validator = validator_of(tool)[0] if tool is not None else None
    if tool is None or validator is None or validator.is_valid(call.arguments):
        return []
    out = []
    for keyword, path, message in (t for e in validator.iter_errors(call.arguments) for t in _told(e)):
        schema = _schema_at(tool.parameters, path)
        kind = _KINDS.get(keyword, "format")
        if kind in _OF_VALUES:
            kind = _special(value_at(call.arguments, path), schema) or kind
        out.append(SchemaError(kind, at, path, message, schema))
    return out


_OF_VALUES = ("type", "enum", "format")


def _special(value: Any, schema: dict[str, Any]) -> str:
    """The kind of an error whose cause is known to be another than a wrong value."""
    if "default" in schema and canonical(schema["default"]) == canonical(value):
        return "own_default"
    return "null_value" if value is None else ""


def _told(error: Any) -> Iterator[tuple[str, tuple[str | int, ...], str]]:
    """Keyword, path and words of an error; one for each parameter that is foreign."""
    kind, path, facts = str(error.kind.name), tuple(error.instance_path), error.kind.as_dict()
    if _KINDS.get(kind) == "foreign_parameter" and facts.get("unexpected"):
        for name in facts["unexpected"]:
            yield kind, (*path, name), f"the tool has no parameter {name!r}"
    elif kind == "required":
        yield kind, (*path, facts["property"]), f"the required parameter {facts['property']!r} is missing"
    else:
        yield kind, path, error.message[:300]


def _schema_at(schema: Any, path: tuple[str | int, ...]) -> dict[str, Any]:
    """The part of a schema that describes the value at a path; empty where no plain way leads there."""
    for part in path:
        inner = (
            schema.get("items" if isinstance(part, int) else "properties") if isinstance(schema, dict) else {}
        )
        schema = inner if isinstance(part, int) else inner.get(part) if isinstance(inner, dict) else {}
    return schema if isinstance(schema, dict) else {}


_TYPES: dict[str, tuple[type, ...]] = {
    "string": (str,),
    "integer": (int, float),  # 3.0 is an integer
    "number": (int, float),
    "boolean": (bool,),
    "array": (list,),
    "object": (dict,),
    "null": (type(None),),
}


def never(schema: Any) -> bool:
    """Tell whether a schema allows no value.

    Its enum holds none of its type.
    """
    if not isinstance(schema, dict) or not isinstance(schema.get("enum"), list):
        return False
    kinds = schema.get("type")
    names = kinds if isinstance(kinds, list) else [kinds]
    types = [t for name in names for t in _TYPES.get(str(name), (object,))]
    return object not in types and not any(type(v) in types for v in schema["enum"])


def malformed(acceptable: Any) -> str:
    """Say what is wrong with the form of acceptable answers.

    Empty where nothing is.
    """
    if not isinstance(acceptable, list):
        return "they are not a list"
    for entry in acceptable:
        if not isinstance(entry, dict) or len(entry) != 1:
            return "an entry is not an object with one function"
        values = next(iter(entry.values()))
        if not isinstance(values, dict) or not all(isinstance(v, list) for v in values.values()):
            return "an entry does not give each parameter a list of values"
    return ""


def with_call(label: Label, at: int, **changes: Any) -> Label:
    """The label with other arguments or another name for one call."""
    calls = list(label.calls)
    calls[at] = calls[at].model_copy(update=changes)
    return label.model_copy(update={"calls": tuple(calls)})


def with_value(label: Label, at: int, path: tuple[str | int, ...], value: Any) -> Label:
    """Return the label with another value at a path of arguments.

    `DROPPED` leaves the key out.
    """
    return with_call(label, at, arguments=_changed(label.calls[at].arguments, path, value))


DROPPED = object()
"""In place of a value: the key is left out."""


def _changed(node: Any, path: tuple[str | int, ...], value: Any) -> Any:
    if not path:
        return value
    part, rest = path[0], path[1:]
    if isinstance(node, list) and isinstance(part, int):
        return [_changed(v, rest, value) if i == part else v for i, v in enumerate(node)]
    if value is DROPPED and not rest:
        return {k: v for k, v in node.items() if k != part}
    return {**node, part: _changed(node.get(part), rest, value)}


def value_at(node: Any, path: tuple[str | int, ...]) -> Any:
    """The value at a path; None where there is none."""
    for part in path:
        try:
            node = node[part]
        except (KeyError, IndexError, TypeError):
            return None
    return node


def shown(value: Any) -> str:
    """A value in a reason, cut short."""
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= MAX_SHOWN else text[: MAX_SHOWN - 3] + "..."
