"""Numbers that are right whatever the tool: examples, stated ranges, counts, numbers of things."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import date
from typing import Any

from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.examples import told_numbers
from looptool_kit.stages.seed.templates.names import Unusable, asked, examples_of, is_id, unit_of, words_of
from looptool_kit.stages.seed.templates.stated import digits_told, tells_a_form
from looptool_kit.world.core import Surface, Type, verbatim
from looptool_kit.world.numbers import in_words, is_int, is_number

COUNTED = re.compile(
    r"(?:^| )(?:quantity|qty|copies|rooms|bedrooms|packs|boxes|bottles|bags|pieces|places|guests|people"
    r"|persons|adults|children|passengers|tickets|seats|participants"
    r"|attendees"
    r"|nights|party size|number of (?:guests|people|persons|adults|passengers|tickets|seats|participants"
    r"|copies|nights|attendees)|(?:guest|ticket|passenger|people|seat) count)$"
)
"""What a person orders and books a few of."""
LIMIT = re.compile(
    r"limit|top k|top n|(?:max|maximum|num|number of|limit) ?(?:results?|items|rows|records|entries|hits)"
)
NUMBERED = re.compile(r"(?:.+ )(?:number|no|nr)")
_OF_A_YEAR = re.compile(r"\b(?:year|season|month|week|quarter|hour|day)(?: of (?:the )?\w+)?$")
MAX_SPAN = 1000
"""Bounds wider than this are what a program takes, not what a person says."""
MAX_FEW = 12
"""Of a wider range only so many numbers, or its lower third, are said: no stay of 350 nights."""
_FEW, _RESULTS, _THINGS = range(2, 7), range(5, 55, 5), range(1, 61)


def number(name: str, schema: Mapping[str, Any], description: str, whole: bool) -> Type:
    """A number as people give it.

    Raises:
        Unusable: Neither examples nor a range tell how large it is.
    """
    words = words_of(name)
    kind = {"type": "integer" if whole else "number"}
    told = [] if _OF_A_YEAR.search(words) else told_numbers(description)  # 2025 may be over, or to come
    if given := [v for v in (*examples_of(schema), *told) if is_number(v)]:
        return _spoken(given, words, description, kind)
    low, high = _bounds(schema, whole)
    if whole and (is_id(words) or NUMBERED.fullmatch(words)) and low is None and high is None:
        if count := digits_told(description):
            low, high = 10 ** (count - 1), 10**count - 1
        elif tells_a_form(description):
            raise Unusable(
                f"what {name} looks like is told in words: give it `examples`, or a minimum and a maximum"
            )
    if whole and is_id(words):
        bottom = int(low) if low is not None and low > 100 else 100
        top = int(min(high, bottom + 98_000)) if high is not None and high > bottom else bottom + 98_000
        return Type(
            "id", "names something", kind, lambda r, _: r.randint(bottom, top), is_int, verbatim,
            **asked(words),
        )  # fmt: skip
    if whole and (counts := _counts(words, unit_of(words, description), low, high)):
        spoken = _spoken(counts, words, description, kind)
        return replace(spoken, name="code", say=verbatim) if NUMBERED.fullmatch(words) else spoken
    if low is None and high is not None and 1 < high <= MAX_FEW:
        low = 1
    if unit_of(words, description) in lex.UNCOUNTED | lex.MONEY.keys():
        raise Unusable(f"nothing tells how large {words} is: a measure needs examples, no range")
    if low is None or high is None or low < 0 or high - low > MAX_SPAN or _OF_A_YEAR.search(words):
        raise Unusable(
            f"nothing tells how large {words} is: give it examples, or a minimum and a maximum that are near"
        )
    step = float(schema.get("multipleOf") or (5 if high - low >= 50 and low % 5 == 0 else 1))
    first = -(-low // step) * step or min(step, high)  # nobody asks for none of it
    last = high if high - low <= MAX_FEW else min(high, first + max(MAX_FEW * step, (high - low) / 3))
    spoken = _spoken(_round(first, last, step, whole), words, description, kind)
    return replace(spoken, name="code", say=verbatim) if NUMBERED.fullmatch(words) else spoken


def _bounds(schema: Mapping[str, Any], whole: bool) -> tuple[float | None, float | None]:
    low, high = schema.get("minimum"), schema.get("maximum")
    step = 1 if whole else 0.1
    if isinstance(schema.get("exclusiveMinimum"), int | float):
        low = schema["exclusiveMinimum"] + step
    if isinstance(schema.get("exclusiveMaximum"), int | float):
        high = schema["exclusiveMaximum"] - step
    return low, high


def _counts(words: str, unit: str, low: float | None, high: float | None) -> list[int]:
    """A few, where that is what is said; empty where it is not."""
    usual = _FEW if COUNTED.search(words) else _RESULTS if LIMIT.fullmatch(words) and not unit else None
    if usual is None and NUMBERED.fullmatch(words) and low is None and high is None:
        usual = _THINGS
    if usual is None:
        return []
    return [n for n in usual if (low is None or n >= low) and (high is None or n <= high)]


def _round(first: float, top: float, step: float, whole: bool) -> list[float | int]:
    many = int((top - first) / step + 1e-6)
    every = [round(first + n * step, 3) for n in range(many + 1)] or [first]
    return [int(v) if whole or float(v).is_integer() else v for v in every]


def _spoken(values: Sequence[float | int], words: str, description: str, schema: dict[str, str]) -> Type:
    unit = unit_of(words, description)
    counts = unit not in lex.MONEY if unit else bool(COUNTED.search(words))

    def say(v: float | int, _: date) -> list[Surface]:
        plain = f"{v:,}" if isinstance(v, int) and v >= 10_000 else str(v)
        plain = f"{v:.2f}" if unit in lex.MONEY and isinstance(v, float) else plain
        spoken = [in_words(v)] if counts and isinstance(v, int) and 2 <= v <= 12 else []
        if unit in lex.MONEY:
            return [Surface(f"{unit}{plain}"), Surface(f"{plain} {lex.MONEY[unit]}")]
        if unit == "%":
            return [Surface(f"{plain}%"), Surface(f"{plain} percent")]
        if unit:
            noun = unit if v == 1 or unit in lex.UNCOUNTED or "/" in unit else unit + "s"
            return [Surface(f"{p} {noun}") for p in (plain, *spoken)]
        return [Surface(plain), *(Surface(s) for s in spoken)]

    accepts = is_int if schema["type"] == "integer" else is_number
    return Type(
        "number", "a number", schema, lambda r, _: values[int(r.random() * len(values))], accepts, say,
        splits=len(set(values)) >= 12, **asked(words),
    )  # fmt: skip
