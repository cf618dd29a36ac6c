"""JSON in what models and people wrote, read strictly."""

from __future__ import annotations

import json
import math
import re
from collections import Counter
from typing import Any


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    value = dict(pairs)
    if len(value) < len(pairs):
        twice = next(k for k, n in Counter(k for k, _ in pairs).items() if n > 1)
        raise ValueError(f"key {twice!r} appears twice")
    return value


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


def _float(text: str) -> float:
    value = float(text)
    if not math.isfinite(value):
        raise ValueError(f"number {text} is out of range")
    return value


DECODER = json.JSONDecoder(object_pairs_hook=_pairs, parse_constant=_constant, parse_float=_float)
SPACE = re.compile(r"\s*")
MAX_DEPTH = 100
"""Levels of nesting. Pydantic and other readers of the tables stop at about 250."""


def strict_json(text: str) -> Any:
    """A JSON value, read strictly.

    Raises:
        ValueError: A key appears twice, there is a NaN, an infinity or a lone surrogate, or it is nested more
            than 100 deep.
    """
    try:
        return checked(DECODER.decode(text), text)
    except RecursionError:
        raise ValueError(f"nested more than {MAX_DEPTH} deep") from None


def first_json(text: str, start: int = 0) -> tuple[Any, int]:
    """Read the JSON value that begins at a place.

    Behind white space; returns it and where it ends. Raises `ValueError` as `strict_json` does.
    """
    start = SPACE.match(text, start).end()  # type: ignore[union-attr]
    try:
        value, end = DECODER.raw_decode(text, start)
        return checked(value, text[start:end]), end
    except RecursionError:
        raise ValueError(f"nested more than {MAX_DEPTH} deep") from None


def checked(value: Any, text: str) -> Any:
    """Return the value that was read from a text.

    Raises `ValueError` where it is nested too deep or holds a lone surrogate.
    """
    # Only a text with so many brackets can be nested so deep, and only one with an escape or beyond ASCII can
    # hold a surrogate: looking at the text is far cheaper than walking the value.
    if text.count("[") + text.count("{") > MAX_DEPTH and _depth(value) > MAX_DEPTH:
        raise ValueError(f"nested more than {MAX_DEPTH} deep")
    if "\\u" in text or not text.isascii():
        json.dumps(value, ensure_ascii=False).encode("utf-8")  # UnicodeEncodeError on lone surrogates
    return value


def _depth(value: Any) -> int:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return 1 + max(map(_depth, inner), default=0)
