"""The quick way from a call's text to the call, for texts that are beyond doubt."""

from __future__ import annotations

import re
from typing import Any, TypeVar

from pydantic_core import from_json

from looptool_kit.core.json_text import MAX_DEPTH
from looptool_kit.core.samples import Frozen, ToolCall

M = TypeVar("M", bound=Frozen)
_set = object.__setattr__


def quick_call(body: str) -> ToolCall | None:
    """Read a text's call in one go, or return None.

    None where only the strict reader can tell. Pydantic's reader of JSON is several times faster than
    `json` with hooks, but takes a key that appears twice, and numbers beyond floats. Each key has a colon:
    where there are no more colons than keys were read, none appears twice.
    """
    if len(body) > 2 * MAX_DEPTH and body.count("{") + body.count("[") > MAX_DEPTH:
        return None
    try:
        value = from_json(body, allow_inf_nan=False)
        name, arguments = value["name"], value["arguments"]
    except (ValueError, TypeError, KeyError):
        return None
    if len(value) != 2 or type(name) is not str or not name or type(arguments) is not dict:
        return None
    keys = 2 + _finite_keys(arguments)
    if body.count(":") != keys and (body.count('":') != keys or _SPACED_COLON.search(body)):
        return None
    return made(ToolCall, {"name": name, "arguments": arguments}, _FIELDS)


def _finite_keys(value: dict[str, Any]) -> int:
    """How many keys a JSON object has at all depths; far below zero where a number is not finite."""
    count = len(value)
    for inner in value.values():
        if type(inner) not in _WITHOUT_KEYS:
            count += _keys_of(inner)
    return count


def _keys_of(value: Any) -> int:
    if type(value) is float:
        return 0 if value - value == 0 else -(10**9)
    if type(value) is dict:
        return _finite_keys(value)
    return sum(map(_keys_of, value)) if type(value) is list else 0


_WITHOUT_KEYS = frozenset({str, int, bool, type(None)})
_SPACED_COLON = re.compile(r"\s:")
_FIELDS = {"name", "arguments"}


def made(kind: type[M], fields: dict[str, Any], given: set[str]) -> M:
    """What `kind.model_construct` gives, several times faster; `fields` are all that there are."""
    value = object.__new__(kind)
    _set(value, "__dict__", fields)
    _set(value, "__pydantic_fields_set__", given)
    _set(value, "__pydantic_extra__", None)
    _set(value, "__pydantic_private__", None)
    return value
