"""Types of numbers: their range, and the unit they have."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from random import Random
from typing import Any

from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.names import asked, examples_of, is_id, is_money, unit_of, words_of
from looptool_kit.world.core import Surface, Type, verbatim
from looptool_kit.world.numbers import in_words, is_int, is_number

_RANGES: tuple[tuple[str, tuple[float, float]], ...] = (
    (r"\bpage( number)?$", (2, 30)),
    (r"\bparty size$", (2, 9)),
    (r"\btip$", (1, 30)),
    (r"\b(?:odometer|mileage)\b", (5000, 180_000)),
    (r"\bport$", (1024, 9999)),
    (r"\byear built$|\bbirth year$|\b(?:built|release|published|publication|model) year$", (1985, 2024)),
    (r"\byear\b", (2019, 2025)),
    (r"\bmonth$", (1, 12)),
    (r"\bage\b", (18, 80)),
    (
        r"\b(limit|count|size|top k|top n|max results|num results|k|n)$|\bmax (results|items|rows|records)",
        (3, 50),
    ),
    (r"\b(lat|latitude)$", (-60, 70)),
    (r"\b(lon|lng|long|longitude)$", (-170, 170)),
    (r"\b(temperature|temp|degrees)\b", (12, 28)),
    (r"\b(rating|stars|score)\b", (1, 5)),
    (r"\b(length|chars|characters)$", (200, 5000)),
    (r"\b(radius|distance)\b", (2, 60)),
    (r"\b(weight)\b", (2, 90)),
    (r"\b(volume|brightness|battery|percent|percentage|rate|discount|humidity)\b", (5, 95)),
    (r"\bprice$", (4, 180)),
    (r"\b(price|cost|budget|amount|fare|fee|salary|total|balance|value|payment|bid|sum)\b", (20, 900)),
    (r"\b(duration|minutes|mins)\b", (10, 180)),
    (r"\b(seconds|secs|timeout)\b", (5, 90)),
    (r"\bsets\b", (2, 6)),
    (r"^(position|rank|place|season|step|chapter)$", (2, 12)),
    (r"\b(reps|repetitions)\b", (4, 15)),
    (r"\bhours\b", (1, 8)),
    (r"\b(hours|days|nights|weeks|months|years)\b", (2, 14)),
    (
        r"\b(guests|people|persons|adults|passengers|quantity|qty|tickets|rooms|seats|copies|children|kids"
        r"|items|party)\b",
        (2, 12),
    ),
)


_BY_UNIT: tuple[tuple[str, tuple[float, float]], ...] = (
    (r"\b(?:weight|mass|dose) g\b", (50, 900)),
    (r"\bheight cm\b", (150, 195)),
    (r"\b(?:grams|milliliters|millilitres|ml|mg|milligrams)\b", (50, 900)),
)
"""Of small units a person needs many."""
_EARNED: tuple[tuple[str, tuple[float, float]], ...] = (
    (r"\b(?:hourly|an hour|per hour)\b", (12, 60)),
    (r"\bmonthly (?:salary|wage|pay|income)|\b(?:salary|wage|income) (?:a|per) month", (1800, 8000)),
    (r"\b(?:salary|income)\b", (28_000, 120_000)),
)
"""What people earn."""
_IS_NUMBER_OF = re.compile(r"^(?:the )?number of (?:the|a|an) \w+", re.IGNORECASE)
""""Number of the gate": it names one, and counts nothing."""


_PRICED = re.compile(
    r"\b(?:price|cost|amount|total|fee|fare|tip|balance|budget|salary|payment|deposit|fine)$"
)
"""What has cents, or none."""
_COUNTED = re.compile(
    r"\b(?:quantity|qty|count|copies|pieces|guests|people|persons|adults|children|passengers|tickets|seats|rooms|units)$"
)
"""What nobody has a half of, even where the schema allows it."""


def is_number_of(schema: Mapping[str, Any]) -> bool:
    """Whether a number names a thing by what its description says."""
    return _IS_NUMBER_OF.search(str(schema.get("description") or "")) is not None


def number(name: str, schema: Mapping[str, Any], description: str, whole: bool) -> Type:
    """A number within the schema's bounds, or its name's usual ones."""
    words = words_of(name)
    whole = whole or bool(_COUNTED.search(words))
    low, high = _bounds(schema, whole)
    if _IS_NUMBER_OF.search(description) and whole and words.split()[-1] in description.lower():
        first = int(low) if low is not None else 1
        top = int(high) if high is not None else first + 30
        return Type(
            "code", "number of a thing", {"type": "integer"}, lambda r, _: r.randint(first, top), is_int,
            verbatim, splits=top - first > 11, **asked(words),
        )  # fmt: skip
    if is_id(words):
        bottom = int(low) if low is not None and low > 100 else 100
        top = int(min(high, 99_999)) if high is not None and high > bottom else bottom + 98_000
        return Type(
            "id",
            "names something",
            {"type": "integer"},
            lambda r, _: r.randint(bottom, top),
            is_int,
            verbatim,
            **asked(words),
        )
    a, b = _range(words, description, schema, low, high)
    step = schema.get("multipleOf") or (0.5 if not whole and unit_of(words, description) == "hour" else None)
    if whole:
        by = (
            int(step)
            if isinstance(step, int | float) and step >= 1
            else 50
            if b - a > 400
            else 5
            if b - a >= 90 and "year" not in words
            else 1
        )
        values = list(range(int(-(-a // by) * by), int(b) + 1, by)) or [int(a)]
        return _spoken(lambda r: values[int(r.random() * len(values))], len(values), words, description, True)
    if isinstance(step, int | float) and step > 0:
        steps = max(1, int((b - a) / step))
        return _spoken(
            lambda r: _plain((-(-a // step) + r.randint(0, steps)) * step, 6),
            steps,
            words,
            description,
            False,
        )
    digits = (
        4
        if re.search(r"\b(lat|latitude|lon|lng|longitude)$", words)
        else 2
        if b <= 2 or is_money(words, description) or _PRICED.search(words)
        else 1
    )

    def make(r: Random) -> float | int:
        value = _plain(r.uniform(a, b), digits)
        return int(value) if b - a > 30 and digits < 4 and r.random() < 0.6 and int(value) >= a else value

    return _spoken(make, 1000, words, description, False)


def _bounds(schema: Mapping[str, Any], whole: bool) -> tuple[float | None, float | None]:
    low, high = schema.get("minimum"), schema.get("maximum")
    step = 1 if whole else 0.1
    if isinstance(schema.get("exclusiveMinimum"), int | float):
        low = schema["exclusiveMinimum"] + step
    if isinstance(schema.get("exclusiveMaximum"), int | float):
        high = schema["exclusiveMaximum"] - step
    return low, high


def _range(
    words: str, description: str, schema: Mapping[str, Any], low: float | None, high: float | None
) -> tuple[float, float]:
    usual = next((r for p, r in _BY_UNIT if re.search(p, f"{words} {description.lower()}".strip())), None)
    if is_money(words, description) and not re.search(r"\btip$", words):
        usual = next((r for p, r in _EARNED if re.search(p, f"{words} {description.lower()}")), (20, 900))
    usual = (
        usual
        or next((r for p, r in _RANGES if re.search(p, words)), None)
        or next((r for p, r in _RANGES if re.search(p, description.lower())), None)
    )
    if usual is None:
        examples = [v for v in (*examples_of(schema), schema.get("default")) if is_number(v)]
        top = max((abs(v) for v in examples), default=20)
        usual = (2, max(12, 3 * top))
    a, b = usual
    if low is not None or high is not None:
        if (low is None or low < b) and (high is None or high > a):
            a, b = max(a, low if low is not None else a), min(b, high if high is not None else b)
        else:  # the usual range lies outside of the bounds
            a = low if low is not None else (high or 0) / 10 if (high or 0) > 0 else (high or 0) - 20
            b = high if high is not None else a + 20
    return a, b


def _plain(value: float, digits: int) -> float | int:
    value = round(value, digits)
    return int(value) if float(value).is_integer() else value


def _spoken(make: Callable[[Random], Any], many: int, words: str, description: str, whole: bool) -> Type:
    unit = unit_of(words, description)

    def say(v: float | int, _: date) -> list[Surface]:
        plain = (
            f"{v:,}"
            if isinstance(v, int) and v >= 10_000
            else f"{v:.2f}"
            if unit in lex.MONEY and isinstance(v, float)
            else str(v)
        )
        counts = (
            bool(unit) and unit not in lex.MONEY or words in lex.KEEP_COUNT or bool(_COUNTED.search(words))
        )
        spoken = [in_words(v)] if counts and isinstance(v, int) and 2 <= v <= 12 else []
        if unit in lex.MONEY:
            return [Surface(f"{unit}{plain}"), Surface(f"{plain} {lex.MONEY[unit]}")]
        if unit == "%":
            return [Surface(f"{plain}%"), Surface(f"{plain} percent")]
        if unit:
            noun = unit if v == 1 or unit in lex.UNCOUNTED or "/" in unit else unit + "s"
            return [Surface(f"{p} {noun}") for p in (plain, *spoken)]
        return [Surface(plain), *(Surface(s) for s in spoken)]

    kind, accepts = ("integer", is_int) if whole else ("number", is_number)
    return Type(
        "number",
        "a number",
        {"type": kind},
        lambda r, _: make(r),
        accepts,
        say,
        splits=many >= 12,
        **asked(words),
    )
