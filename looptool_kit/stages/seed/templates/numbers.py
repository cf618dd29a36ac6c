"""Types of numbers: their range, and the unit they have."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal
from random import Random
from typing import Any

from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.measures import Measure, measure_of
from looptool_kit.stages.seed.templates.names import Unusable, asked, examples_of, is_id, unit_of, words_of
from looptool_kit.stages.seed.templates.nouns import plural
from looptool_kit.stages.seed.templates.things import has_names
from looptool_kit.world.core import Surface, Type, verbatim
from looptool_kit.world.numbers import in_words, is_int, is_number

_IS_NUMBER_OF = re.compile(
    r"^(?:the )?number of (?:the|a|an) \w+|^which \w+|^(?:[a-z]+ ){1,2}number$", re.IGNORECASE
)
""""Number of the gate", "Which deck oven": it names one, and counts nothing."""


_COUNTED = re.compile(
    r"\b(?:quantity|qty|count|copies|pieces|guests|people|persons|adults|children|passengers|tickets|seats|rooms|units)$"
)
"""What nobody has a half of, even where the schema allows it."""


def is_number_of(schema: Mapping[str, Any]) -> bool:
    """Whether a number names a thing by what its description says."""
    return _IS_NUMBER_OF.search(str(schema.get("description") or "")) is not None


def number(name: str, schema: Mapping[str, Any], description: str, whole: bool, context: str = "") -> Type:
    """A number as people give it.

    It is within the schema's bounds, like its examples, or usual for what it is.

    Raises:
        Unusable: Nothing tells how large it is.
    """
    words = words_of(name)
    whole = whole or bool(_COUNTED.search(words))
    low, high = _bounds(schema, whole)
    if whole and _names_one(words, description, high):
        room = low is None and high is None and words.startswith("room")
        first = 101 if room else int(low) if low is not None else 1
        top = 428 if room else int(high) if high is not None else first + 30
        return Type(
            "code", "number of a thing", {"type": "integer"}, lambda r, _: r.randint(first, top), is_int,
            verbatim, splits=top - first > 11, **asked(words),
        )  # fmt: skip
    if is_id(words) or (whole and low is None and high is None and _is_the_thing(words, context)):
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
    usual = _usual(words, description, schema, whole, context)
    a, b, step = _within(usual, low, high, words)
    step = schema.get("multipleOf") or step
    if step and whole:
        step = max(1, round(step))
    if step:
        digits = max(0, -Decimal(str(step)).normalize().as_tuple().exponent)  # type: ignore[operator]
        start = -(-a // step)
        many = max(0, int((b - start * step) / step + 1e-6))
        return _spoken(
            lambda r: _plain((start + r.randint(0, many)) * step, digits), many, words, description, whole
        )

    def money(r: Random) -> float | int:
        value = _plain(r.uniform(a, b), 2)
        return int(value) if b - a > 30 and r.random() < 0.6 and int(value) >= a else value

    return _spoken(
        (lambda r: r.randint(int(-(-a // 1)), int(b))) if whole else money, 1000, words, description, whole
    )


def _names_one(words: str, description: str, high: float | None) -> bool:
    """Whether a whole number names one of a few things: "Which deck oven, 1-4"."""
    told = _IS_NUMBER_OF.search(description.rstrip(".")) and (
        words.split()[-1] in description.lower() or description.rstrip(".").endswith("number")
    )
    numbered = re.fullmatch(r"(.+) (?:number|no|nr)", words)
    return bool(told or (numbered and has_names(numbered[1]))) or (
        high is not None and high <= MAX_NAMED and has_names(words) and not plural(words)
    )


_ABSTRACT = re.compile(
    r"(?:number|value|amount|level|factor|threshold|limit|score|rate|speed|quantity|count|size|price|total|percentage"
    r"|duration|length|width|height|weight|temperature|age|year|month|day|hour|minute|position|rank|volume|capacity"
    r"|budget|fee|cost|rating|distance|radius|priority|interval|timeout|ratio|target|goal|reading|offset|index|power)$"
)


def _is_the_thing(words: str, context: str) -> bool:
    """Whether it is what the tool acts on, told by its number: `work_order` of "close a work order"."""
    tool = context.partition("\n")[0]
    named = re.search(rf"\b(?:an?|the|another) (?:\w+ )?{re.escape(words)}\b", tool)
    return bool(named) and not _ABSTRACT.search(words) and not plural(words)


MAX_NAMED = 60
"""Up to so many things of a kind are told apart by a number alone: gates, ovens, tables."""


def _bounds(schema: Mapping[str, Any], whole: bool) -> tuple[float | None, float | None]:
    low, high = schema.get("minimum"), schema.get("maximum")
    step = 1 if whole else 0.1
    if isinstance(schema.get("exclusiveMinimum"), int | float):
        low = schema["exclusiveMinimum"] + step
    if isinstance(schema.get("exclusiveMaximum"), int | float):
        high = schema["exclusiveMaximum"] - step
    return low, high


_FEW = Measure(2, 9, 1)
"""How many of something people order, book and count."""
_NO_COUNT = re.compile(
    r"\b(?:status|address|series|always|access|basis|progress|tokens|bytes|characters|chars|words)$"
)


def _usual(
    words: str, description: str, schema: Mapping[str, Any], whole: bool, context: str
) -> Measure | None:
    """The usual numbers by examples, by what is measured, or since things are counted."""
    told_of = f"{words} {description.lower()}"
    told = [*(v for v in examples_of(schema) if is_number(v)), *_told_numbers(description)]
    if told and all(1990 <= v <= 2040 and v == int(v) for v in told) and re.search(r"year|season", told_of):
        return Measure(2022, 2027, 1)
    if told:
        return _around(told)
    if found := measure_of(words, description, unit_of(words, description), context):
        return found
    noun = re.sub(r" (?:count|cnt|qty|quantity|needed|wanted|required)$", "s", words)
    counts = _COUNTED.search(words) or re.match(r"(?:num|nr|no of|number of|n|how many|total) ", words)
    things = re.match(
        r"(?:the )?(?:number of|how many|count of|[a-z]+s(?= (?:at|in|on|of|per|to)\b))", description.lower()
    )
    if whole and (counts or things or (plural(noun) and not _NO_COUNT.search(noun))):
        return _FEW
    default = schema.get("default")
    return _around([float(default)]) if isinstance(default, int | float) and abs(default) > 1 else None


def _told_numbers(description: str) -> list[float]:
    """Numbers that a description gives as examples: "e.g. 250 or 400"."""
    match = re.search(
        r"(?:\be\.?g\.?,?|\bfor example,?|\bsuch as|\bexamples?:|\blike|\busually|\btypically|\babout)[: ]+"
        r"(-?\d+(?:\.\d+)?(?:(?:, | or |, or | and )-?\d+(?:\.\d+)?)*)(?![\d.]*[-:/]\d)",
        description,
        re.IGNORECASE,
    )
    return [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", match[1])] if match else []


def _around(told: list[float]) -> Measure:
    """Numbers about as large as the examples, and as round."""
    top = max(map(abs, told))
    steps = (1000, 500, 100, 50, 10, 5, 1, 0.5, 0.1, 0.05, 0.01)
    step = next(
        (s for s in steps if s <= top / 4 and all(abs(v / s - round(v / s)) < 1e-6 for v in told)), 0.01
    )
    low, high = min(told), max(told)
    if len(told) == 1:
        low, high = sorted((low * 0.75, low * 1.5))
    return Measure(low, high, step)


MAX_SPAN = 1000
"""Bounds wider than this are what a program takes, not what a person says."""


def _within(usual: Measure | None, low: float | None, high: float | None, words: str) -> Measure:
    """The usual numbers within the bounds; the bounds alone where nothing is usual and they are near.

    Raises:
        Unusable: Nothing tells how large a number is.
    """
    if usual is not None:
        a = usual.low if low is None else max(usual.low, low)
        b = usual.high if high is None else min(usual.high, high)
        if a <= b:
            return Measure(a, b, usual.step)
    if high is not None and low is None:
        low = 0 if high > 0 else high - 20
        low = max(low, high / 10)
    if low is not None and high is None and usual is not None:
        high = low + usual.high - usual.low  # the usual numbers are below the bounds
    if low is None or high is None or high - low > MAX_SPAN:
        raise Unusable(
            f"nothing tells how large {words} is: give it a minimum and a maximum, or examples in its"
            " description"
        )
    span = high - low
    steps = (50, 5, 1) if span >= 90 else (1, 0.5, 0.1, 0.05)
    round_ones = (s for s in steps if span / s >= MIN_CHOICES and abs(low / s - round(low / s)) < 1e-6)
    return Measure(low, high, next(round_ones, steps[-1]))


MIN_CHOICES = 4
"""Between two bounds a person has at least so many round numbers to choose from."""


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
