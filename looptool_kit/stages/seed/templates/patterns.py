"""Strings that match the `pattern` of a parameter's schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from random import Random
from typing import Any

_parser: Any = __import__("re._parser", fromlist=["parse"])
_WORD, _DIGITS, _SPACE = "abcdefghijkmnopqrstuvwxyz23456789", "0123456789", " "
_ANY = "abcdefghijkmnopqrstuvwxyz"


def sampler(pattern: str) -> Callable[[Random], str] | None:
    """A function that draws strings matching `pattern`.

    None where the pattern holds something that cannot be drawn (look-arounds).
    """
    try:
        tree = list(_parser.parse(pattern))
        _draw(tree, Random(0), {})
    except (re.error, RecursionError, NotImplementedError, OverflowError):
        return None
    return lambda rng: _draw(tree, rng, {})


def is_plain(pattern: str) -> bool:
    """Tell whether a pattern has one part that varies.

    Of two numbers, or of letters, each may have a meaning: a year, a port, a check digit.
    """
    try:
        return _runs(list(_parser.parse(pattern))) <= 1
    except (re.error, RecursionError, OverflowError):
        return False


_MANY = 9
"""Runs in what cannot be counted."""


def _runs(tree: Any) -> int:
    """How many runs of characters that are not fixed; `_MANY` for letters alone and for alternatives."""
    total, before = 0, ""
    for op, value in tree:
        kind = str(op)
        inner = value[2] if kind.endswith("_REPEAT") else [(op, value)]
        if kind in ("LITERAL", "AT"):
            now = ""
        elif kind == "SUBPATTERN":
            total, now = total + _runs(value[3]), ""
        elif len(inner) == 1 and str(inner[0][0]) == "IN":
            now = "".join(sorted(_class(inner[0][1])))
            total += _MANY if not set(_DIGITS) & set(now) else not before
        else:
            return _MANY
        before = now
    return total


def _draw(tree: Any, rng: Random, groups: dict[int, str]) -> str:
    return "".join(_one(str(op), value, rng, groups) for op, value in tree)


def _one(op: str, value: Any, rng: Random, groups: dict[int, str]) -> str:
    if op == "LITERAL":
        return chr(value)
    if op == "AT":
        return ""
    if op == "ANY":
        return rng.choice(_ANY)
    if op == "NOT_LITERAL":
        return rng.choice([c for c in _WORD if ord(c) != value])
    if op == "IN":
        return rng.choice(_class(value))
    if op in ("MAX_REPEAT", "MIN_REPEAT", "POSSESSIVE_REPEAT"):
        low, high, inner = value
        return "".join(
            _draw(inner, rng, groups) for _ in range(rng.randint(int(low), min(int(high), int(low) + 5)))
        )
    if op == "SUBPATTERN":
        number, _, _, inner = value
        text = _draw(inner, rng, groups)
        if number is not None:
            groups[number] = text
        return text
    if op == "BRANCH":
        return _draw(rng.choice(value[1]), rng, groups)
    if op == "GROUPREF":
        return groups.get(value, "")
    if op == "ATOMIC_GROUP":
        return _draw(value, rng, groups)
    raise NotImplementedError(op)


def _class(parts: Any) -> str:
    out, negated = "", False
    for op, value in parts:
        kind = str(op)
        if kind == "NEGATE":
            negated = True
        elif kind == "LITERAL":
            out += chr(value)
        elif kind == "RANGE":
            out += "".join(map(chr, range(value[0], min(value[1], value[0] + 200) + 1)))
        elif kind == "CATEGORY":
            name = str(value)
            chars = _DIGITS if "DIGIT" in name else _SPACE if "SPACE" in name else _WORD
            out += "".join(c for c in _WORD if c not in chars) or "-" if "_NOT_" in name else chars
        else:
            raise NotImplementedError(kind)
    return "".join(c for c in _WORD + "-" if c not in out) or "~" if negated else out
