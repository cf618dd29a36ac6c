"""What one tool of a catalogue tells of an ID, for the tools that take the same ID and tell nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from looptool_kit.core.samples import Tool
from looptool_kit.stages.seed.templates.examples import told_choices, told_examples
from looptool_kit.stages.seed.templates.names import words_of
from looptool_kit.stages.seed.templates.stated import described, limits_of_text

_ONE_OF_MANY = re.compile(
    r"(?:^| )(?:id|identifier|uuid|ref|reference|number|no|nr|code|sku|barcode|serial|key)$"
)
_TELLS = ("enum", "const", "examples", "pattern", "format")
"""Keywords of a schema that say what its values look like."""


def with_what_others_tell(tools: Sequence[Tool]) -> list[Tool]:
    """The tools, in order, with what is told of their IDs elsewhere.

    An ID of unknown form gets the words and keywords of its namesakes, where all that
    tell something tell the same: "Format P-######", `pattern`, examples.
    """
    told: dict[str, list[dict[str, Any]]] = {}
    for tool in tools:
        for name, schema in tool.properties.items():
            if _names_one(name) and _tells(schema):
                shape = {k: schema[k] for k in ("description", *_TELLS) if k in schema}
                if shape not in told.setdefault(name, []):
                    told[name].append(shape)
    agreed = {name: shapes[0] for name, shapes in told.items() if len(shapes) == 1}
    return [_filled(tool, agreed) for tool in tools]


def _names_one(name: str) -> bool:
    return _ONE_OF_MANY.search(words_of(name)) is not None


def _tells(schema: Any) -> bool:
    if not isinstance(schema, Mapping) or schema.get("type") not in ("string", None):
        return False
    words = described(schema)
    return bool(
        any(k in schema for k in _TELLS)
        or limits_of_text(words)
        or told_examples(words)
        or told_choices(words)
    )


def _filled(tool: Tool, told: Mapping[str, Mapping[str, Any]]) -> Tool:
    properties = dict(tool.properties)
    for name, schema in tool.properties.items():
        one = name.removesuffix("s")
        if name in told and _is_text(schema) and not _tells(schema):
            properties[name] = _joined(told[name], schema, described(schema))
        elif one != name and one in told and isinstance(schema, Mapping) and _is_text(schema.get("items")):
            words = described(schema["items"]) or described(schema)
            if not _tells({**schema["items"], "description": words}):
                properties[name] = {**schema, "items": _joined(told[one], schema["items"], words)}
    if properties == tool.properties:
        return tool
    return tool.model_copy(update={"parameters": {**tool.parameters, "properties": properties}})


def _is_text(schema: Any) -> bool:
    return isinstance(schema, Mapping) and schema.get("type") == "string"


def _joined(told: Mapping[str, Any], schema: Mapping[str, Any], words: str) -> dict[str, Any]:
    both = ". ".join(filter(None, (words.rstrip("."), described(told))))
    return {**told, **schema, "description": both}
