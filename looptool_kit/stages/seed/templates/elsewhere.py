"""What one tool of a catalogue tells of an ID, for the tools that take the same ID and tell nothing."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from looptool_kit.core.samples import Tool
from looptool_kit.stages.seed.templates.examples import told_choices, told_examples
from looptool_kit.stages.seed.templates.names import words_of
from looptool_kit.stages.seed.templates.stated import described, digits_told, limits_of_text, tells_a_form

_ONE_OF_MANY = re.compile(
    r"(?:^| )(?:id|identifier|uuid|ref|reference|number|no|nr|code|sku|barcode|serial|key|phone|mobile"
    r"|plate)$"
)
_TELLS = ("enum", "const", "examples", "pattern", "format", "minimum", "maximum")
"""Keywords of a schema that say what its values look like."""


UNCLEAR = "In one of several forms"
"""What is said of an ID of which other tools tell different forms: nobody can be sure of it."""
_BARE = re.compile(r"id|identifier|uuid|ref|reference|number|no|nr|code|key|serial")
"""Names of IDs that do not say of what."""


def with_what_others_tell(tools: Sequence[Tool]) -> list[Tool]:
    """The tools, in order, with what is told of their IDs elsewhere.

    An ID of unknown form gets the words and keywords of its namesakes: "Format P-######",
    `pattern`, examples. `original_case_number` is a namesake of `case_number`. Where they
    tell different forms, that is all that is said.
    """
    told: dict[str, list[Mapping[str, Any]]] = {}
    for tool in tools:
        for name, schema in _named(tool.properties):
            if _tells(schema) and (_names_one(name) or _is_written(name, schema)):
                shape = {k: schema[k] for k in ("type", "description", *_TELLS) if k in schema}
                told.setdefault(words_of(name), []).append(shape)
    known = {words: _agreed(words, shapes) for words, shapes in told.items()}
    agreed = {words: shape for words, shape in known.items() if shape}
    return [_filled(tool, agreed) for tool in tools]


def _agreed(words: str, shapes: Sequence[Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """What all of them tell together; None where namesakes need have nothing in common."""
    forms = [{k: v for k, v in shape.items() if k not in ("description", "examples")} for shape in shapes]
    forms += [limits_of_text(described(shape)) for shape in shapes]
    out: dict[str, Any] = {}
    for form in forms:
        if any(k in out and out[k] != v for k, v in form.items()):
            return None if _BARE.fullmatch(words) else {**form, "description": UNCLEAR}
        out |= form
    # The words of one of them are enough: of the one that tells most.
    best = max(shapes, key=lambda s: (bool(told_examples(described(s))), len(described(s))))
    return {**best, **{k: v for shape in shapes for k, v in shape.items() if k in _TELLS}}


def _names_one(name: str) -> bool:
    return _ONE_OF_MANY.search(words_of(name)) is not None


def _tells(schema: Any) -> bool:
    if not isinstance(schema, Mapping) or schema.get("type") not in ("string", "integer", None):
        return False
    words = described(schema)
    return bool(
        any(k in schema for k in _TELLS)
        or limits_of_text(words)
        or told_examples(words)
        or told_choices(words)
        or tells_a_form(words)
    )


_FREE = re.compile(
    r"(?:^| )(?:name|title|notes?|reason|description|query|text|message|comment|keywords?|type|kind)$"
)
"""Names of texts of which those of another tool tell nothing."""


def _is_written(name: str, schema: Any) -> bool:
    """Whether a text that is no ID is written in a form of its own: a user name of two letters and digits."""
    told = "pattern" in schema or bool(limits_of_text(described(schema))) or tells_a_form(described(schema))
    return (
        told and "enum" not in schema and schema.get("type") == "string" and not _FREE.search(words_of(name))
    )


def _namesake(words: str, told: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """What is told of that name, or of the one that it is a kind of: an original case number."""
    whole = [w for w in told if " " in w and words.endswith(f" {w}")]
    return told.get(words) or (told[max(whole, key=len)] if whole else None)


def _named(properties: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """Names and schemas at every depth; what a list holds has the name of one."""
    for name, schema in properties.items():
        while isinstance(schema, Mapping) and isinstance(schema.get("items"), Mapping):
            name, schema = _one_of(name), _of_list(schema)
        yield name, schema
        if isinstance(schema, Mapping) and isinstance(schema.get("properties"), Mapping):
            yield from _named(schema["properties"])


def _one_of(name: str) -> str:
    return name.removesuffix("s")


def _of_list(schema: Mapping[str, Any]) -> Mapping[str, Any]:
    """What a list holds, with the list's words where it has none of its own."""
    words = described(schema["items"]) or described(schema)
    return {**schema["items"], "description": words} if words else dict(schema["items"])


def _filled(tool: Tool, told: Mapping[str, Mapping[str, Any]]) -> Tool:
    properties = {name: _with_told(name, schema, told) for name, schema in tool.properties.items()}
    if properties == tool.properties:
        return tool
    return tool.model_copy(update={"parameters": {**tool.parameters, "properties": properties}})


def _with_told(name: str, schema: Any, told: Mapping[str, Mapping[str, Any]]) -> Any:
    known = _namesake(words_of(name), told)
    if (
        known
        and isinstance(schema, Mapping)
        and schema.get("type") in ("string", "integer")
        and not _tells(schema)
    ):
        if schema["type"] != known.get("type", "string"):  # what is told of a text may hold for the number
            known = {"description": described(known) if digits_told(described(known)) else UNCLEAR}
        return _joined(known, schema, described(schema))
    if not isinstance(schema, Mapping):
        return schema
    if isinstance(schema.get("items"), Mapping):
        held = _of_list(schema)
        filled = _with_told(_one_of(name), held, told)
        return {**schema, "items": filled} if filled is not held else schema
    if isinstance(inner := schema.get("properties"), Mapping):
        parts = {n: _with_told(n, s, told) for n, s in inner.items()}
        return {**schema, "properties": parts} if parts != inner else schema
    return schema


def _joined(told: Mapping[str, Any], schema: Mapping[str, Any], words: str) -> dict[str, Any]:
    both = ". ".join(filter(None, (words.rstrip("."), described(told))))
    return {**told, **schema, "description": both}
