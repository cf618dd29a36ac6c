"""The quick way from a call's text to the call, for texts that are beyond doubt."""

from __future__ import annotations

from typing import Any, TypeVar

from pydantic import BaseModel
from pydantic_core import from_json

from looptool_kit.core.json_text import MAX_DEPTH
from looptool_kit.core.samples import Frozen, ToolCall

M = TypeVar("M", bound=Frozen)


def quick_call(body: str) -> ToolCall | None:
    """Read a text's call in one go, or return None.

    None where only the strict reader can tell. Pydantic's reader of JSON is several times faster than
    `json` with hooks, but takes a key that appears twice, and numbers beyond floats. Each key has a colon:
    where there are no more colons than keys were read, none appears twice.
    """
    if len(body) > 2 * MAX_DEPTH and body.count("{") + body.count("[") > MAX_DEPTH:
        return None
    try:
        value = from_json(body)
        name, arguments = value["name"], value["arguments"]
    except (ValueError, TypeError, KeyError):
        return None
    if len(value) != 2 or type(name) is not str or not name or type(arguments) is not dict:
        return None
    keys = 2 + len(arguments)
    for inner in arguments.values():
        if type(inner) not in _WITHOUT_KEYS:
            keys += _keys_of(inner)
    if body.count(":") != keys and (body.count('":') != keys or _spaced(body)):
        return None
    return made(ToolCall, {"name": name, "arguments": arguments}, _FIELDS)


_WITHOUT_KEYS = frozenset({str, int, bool, type(None)})


def _keys_of(value: Any) -> int:
    """How many keys a JSON value has at all depths; far below zero where a number is not finite."""
    kind = type(value)
    if kind is float:
        return 0 if value - value == 0 else -(10**9)
    count = 0
    if kind is dict:
        count, value = len(value), value.values()
    for inner in value:
        if type(inner) not in _WITHOUT_KEYS:
            count += _keys_of(inner)
    return count


def _spaced(body: str) -> bool:
    """True where white space may stand before a colon.

    By searches of single characters as far as they go, which are the fastest.
    """
    return "\t" in body or "\r" in body or body.find("\n", 1, -1) >= 0 or " :" in body


_FIELDS = {"name", "arguments"}
_new = object.__new__
# What `object.__setattr__` would look up each time.
_set_dict, _set_fields, _set_extra, _set_private = (
    BaseModel.__dict__[name].__set__
    for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)


def made(kind: type[M], fields: dict[str, Any], given: set[str]) -> M:
    """What `kind.model_construct` gives, several times faster; `fields` are all that there are."""
    value = _new(kind)
    _set_dict(value, fields)
    _set_fields(value, given)
    _set_extra(value, None)
    _set_private(value, None)
    return value
