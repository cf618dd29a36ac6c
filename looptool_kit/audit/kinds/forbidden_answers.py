"""Acceptable answers of which none obeys the tool."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from looptool_kit.audit.findings import Found, pointer
from looptool_kit.audit.kinds.enum import holds_examples
from looptool_kit.audit.look import ACCEPTABLE, Look, never, schema_errors, shown
from looptool_kit.core.samples import Tool, ToolCall
from looptool_kit.core.toolcalls import canonical

WORDS = "Of the acceptable values of a parameter none obeys the tool's schema."
HARM = "error"


def look(view: Look) -> Iterator[Found]:
    """Find parameters whose acceptable values all break the schema.

    Left alone: null, the tool's own default, and a variable that the request names.
    """
    said = "\n".join(m.content for m in view.sample.messages)
    for at, entry in enumerate(view.acceptable or () if view.in_json else ()):
        for name, parameters in entry.items():
            tool = view.tools.get(name) or view.tools.get(name.replace(".", "_"))
            for parameter, values in parameters.items():
                accepted = [_plain(v) for v in values if v != ""]
                schema = tool.properties.get(parameter) if tool else None
                if tool is None or not isinstance(schema, dict) or not accepted or None in accepted:
                    continue
                if holds_examples(schema) or never(schema) or _is_default(schema, accepted):
                    continue
                if any(obeys(tool, parameter, v) or _named(v, schema, said) for v in accepted):
                    continue
                allowed = schema.get("enum") or schema.get("type")
                left = ", and only leaving it out passes" if "" in values else ""
                words = f"{parameter}: accepted is {shown(accepted)}, the tool takes {shown(allowed)}{left}"
                yield Found(words, pointer("meta", ACCEPTABLE, at, name, parameter))


def _is_default(schema: dict[str, Any], accepted: list[Any]) -> bool:
    return "default" in schema and canonical(schema["default"]) in map(canonical, accepted)


def obeys(tool: Tool, parameter: str, value: Any) -> bool:
    """Whether a value of a parameter obeys the schema of its tool."""
    call = ToolCall(name=tool.name, arguments={parameter: value})
    errors = [e for e in schema_errors(call, tool) if e.path[:1] == (parameter,)]
    # Lists of acceptable values stand inside objects; which keys must be there is told elsewhere.
    return all(e.kind in ("missing_parameter", "foreign_parameter") for e in errors)


def _named(value: Any, schema: dict[str, Any], said: str) -> bool:
    """Whether the value is a variable of the request, which stands for something of the type."""
    return isinstance(value, str) and schema.get("type") != "string" and value in said


def _plain(value: Any) -> Any:
    """A value without the lists of acceptable values inside its objects."""
    if isinstance(value, dict):
        choices = {k: [x for x in v if x != ""] if isinstance(v, list) else [v] for k, v in value.items()}
        return {k: _plain(v[0]) for k, v in choices.items() if v}
    return [_plain(v) for v in value] if isinstance(value, list) else value
