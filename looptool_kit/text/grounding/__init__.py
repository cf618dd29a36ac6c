"""Grounding: is a value supported by the dialogue, or the schema?

`ground` dispatches on the value's type: `numbers`, `moments` (dates and times), `strings`, `choices` (of an
enum), `flags` (booleans and nothing). Each returns a `support.Grounding`: how far a value is supported, in
words, and where it stands. How much each way of saying a value is worth stands in `scores`.
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Sequence
from typing import Any

from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import canonical
from looptool_kit.text.grounding.choices import ground_choice, is_partly_said
from looptool_kit.text.grounding.flags import ground_boolean, ground_nothing
from looptool_kit.text.grounding.numbers import ground_number
from looptool_kit.text.grounding.scores import (
    CANNOT_TELL,
    DEFAULT,
    ONLY_VALUE,
    PLAIN_THRESHOLD,
    UNSAID,
    WRONG_SHAPE,
)
from looptool_kit.text.grounding.strings import ground_string
from looptool_kit.text.grounding.support import Grounding, weakest
from looptool_kit.text.passages import Dialogue, dialogue

_DEFAULT = re.compile(r"\bdefault(?:s|ed)?\b(.{0,60})", re.IGNORECASE)
"""What a description says behind the word: the value stands there, behind "is", "to", or a few words more."""


def ground(value: Any, schema: Any, source: Sample | Sequence[str] | Dialogue, name: str = "") -> Grounding:
    """How far a value is supported by the dialogue or the schema.

    Args:
        value: A JSON value, an argument of a call.
        schema: The JSON Schema of its parameter; anything but an object counts as empty.
        source: A sample (its context), plain texts (all said by the user), or a dialogue read before.
        name: The parameter's name.
    """
    d = dialogue(source)
    schema = schema if isinstance(schema, dict) else {}
    grounding = _by_dialogue(value, schema, d, name)
    if grounding.supported >= PLAIN_THRESHOLD:
        return grounding
    # What the dialogue speaks against is not a default that only words tell of.
    contradicted = UNSAID < grounding.supported < CANNOT_TELL and grounding.supported != WRONG_SHAPE
    by_schema = _by_schema(value, schema, told=not contradicted)
    return by_schema if by_schema and by_schema.supported > grounding.supported else grounding


def _by_schema(value: Any, schema: dict[str, Any], told: bool) -> Grounding | None:
    choices = schema.get("enum")
    only = [schema["const"]] if "const" in schema else []
    only += choices if isinstance(choices, list) and len(choices) == 1 else []
    if any(canonical(v) == canonical(value) for v in only):
        return Grounding(ONLY_VALUE, "the schema allows nothing else", by_schema=True)
    if "default" in schema and canonical(schema["default"]) == canonical(value):
        return Grounding(DEFAULT, "the schema's default", by_schema=True)
    if told and _is_told_default(value, str(schema.get("description", ""))):
        return Grounding(DEFAULT, "the default that the description names", by_schema=True)
    return None


def is_default(value: Any, schema: Any) -> bool:
    """Tell whether a schema gives the value as its default.

    Declared, or named so in its description.
    """
    if not isinstance(schema, dict):
        return False
    declared = "default" in schema and canonical(schema["default"]) == canonical(value)
    return declared or _is_told_default(value, str(schema.get("description", "")))


def _is_told_default(value: Any, description: str) -> bool:
    """True where a description names the value as the default: "Default is 'metric'", "(defaults to 10)"."""
    wanted = value if isinstance(value, str) else json.dumps(value)
    if not wanted.strip():
        return False
    for match in _DEFAULT.finditer(description):
        if isinstance(value, str):
            if re.search(rf"(?<!\w){re.escape(wanted.strip())}(?!\w)", match[1], re.IGNORECASE):
                return True
        elif wanted in match[1].lower().split():
            return True
        elif type(value) in (int, float):
            numbers = re.findall(r"(?<![\w.])-?\d+(?:\.\d+)?(?:e[-+]?\d+)?(?![\w])", match[1].lower())
            if any(math.isclose(float(n), value) for n in numbers):
                return True
    return False


def _by_dialogue(value: Any, schema: dict[str, Any], d: Dialogue, name: str) -> Grounding:
    if value is None:
        return ground_nothing(d, name)
    if isinstance(value, bool):
        return ground_boolean(value, schema, d, name)
    if isinstance(value, int | float):
        try:
            return ground_number(float(value), schema, d, name)
        except OverflowError:
            return Grounding(UNSAID, "a number larger than any that is said")
    if isinstance(value, str):
        choices = schema.get("enum")
        if isinstance(choices, list) and value in choices:
            return ground_choice(value, choices, d, name)
        return ground_string(value, schema, d, name)
    if isinstance(value, dict):
        if when := _in_parts(value):
            return ground_string(when, {}, d, f"{name} {'date' if '-' in when else 'time'}")
        properties = schema.get("properties") or {}
        parts = [(k, ground(v, properties.get(k), d, k)) for k, v in value.items()]
    else:
        items = schema.get("items")
        if isinstance(items, dict) and "description" in schema:
            items = {"description": schema["description"], **items}
        parts = [
            (json.dumps(v, ensure_ascii=False), ground(v, _beside(v, items, value, d), d, name))
            for v in value
        ]
    return weakest(parts) if parts else ground_nothing(d, name)


def _beside(item: Any, schema: Any, items: list[Any], d: Dialogue) -> Any:
    """The schema of a list's item without the choices of its other items.

    Of several choices each may be meant: that another one is named says nothing against one of which a word
    is said.
    """
    choices = schema.get("enum") if isinstance(schema, dict) else None
    if not isinstance(choices, list) or not isinstance(item, str) or not is_partly_said(item, d):
        return schema
    return {**schema, "enum": [c for c in choices if c == item or c not in items]}


def _in_parts(value: dict[str, Any]) -> str:
    """A date or a time that is given in whole numbers, as text; empty for anything else.

    "Tomorrow" says the day and not the number of its month.
    """
    if any(type(v) is not int or not 0 <= v <= 9999 for v in value.values()):
        return ""
    if value.keys() == {"year", "month", "day"}:
        return f"{value['year']:04d}-{value['month']:02d}-{value['day']:02d}"
    return f"{value['hour']:02d}:{value['minute']:02d}" if value.keys() == {"hour", "minute"} else ""
