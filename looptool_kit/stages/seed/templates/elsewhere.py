"""What one tool of a catalogue tells of an ID, for the tools that take the same ID and tell nothing."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

from looptool_kit.core.samples import Tool
from looptool_kit.stages.seed.templates.examples import told_choices, told_examples
from looptool_kit.stages.seed.templates.names import words_of
from looptool_kit.stages.seed.templates.stated import described, limits_of_text, tells_a_form

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
        for name, schema in tool.properties.items():
            if _names_one(name) and _tells(schema):
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


def _namesake(words: str, told: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any] | None:
    """What is told of that name, or of the one that it is a kind of: an original case number."""
    whole = [w for w in told if " " in w and words.endswith(f" {w}")]
    return told.get(words) or (told[max(whole, key=len)] if whole else None)


def _filled(tool: Tool, told: Mapping[str, Mapping[str, Any]]) -> Tool:
    properties = dict(tool.properties)
    for name, schema in tool.properties.items():
        words = words_of(name)
        one, known = words.removesuffix("s"), _namesake(words, told)
        if known and _is_alike(schema, known) and not _tells(schema):
            properties[name] = _joined(known, schema, described(schema))
        elif one != words and isinstance(schema, Mapping) and isinstance(schema.get("items"), Mapping):
            known, said = _namesake(one, told), described(schema["items"]) or described(schema)
            if (
                known
                and _is_alike(schema["items"], known)
                and not _tells({**schema["items"], "description": said})
            ):
                properties[name] = {**schema, "items": _joined(known, schema["items"], said)}
    if properties == tool.properties:
        return tool
    return tool.model_copy(update={"parameters": {**tool.parameters, "properties": properties}})


def _is_alike(schema: Any, told: Mapping[str, Any]) -> bool:
    """Whether a schema is of the type of which something is told."""
    return isinstance(schema, Mapping) and schema.get("type", "string") == told.get("type", "string")


def _joined(told: Mapping[str, Any], schema: Mapping[str, Any], words: str) -> dict[str, Any]:
    both = ". ".join(filter(None, (words.rstrip("."), described(told))))
    return {**told, **schema, "description": both}
