"""Base types that are numbers: counts, levels, money, percentages, durations."""

from __future__ import annotations

from datetime import date
from functools import lru_cache
from random import Random
from typing import Any

from num2words import num2words

from looptool_kit.world.core import Surface, Type, held_out, verbatim
from looptool_kit.world.pools import one


def is_int(value: Any) -> bool:
    """An integer that is not a boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """A number that is not a boolean."""
    return isinstance(value, int | float) and not isinstance(value, bool)


@lru_cache(maxsize=4096)
def in_words(number: int) -> str:
    """15 -> "fifteen"."""
    return str(num2words(number)).replace(",", "")


NUMBER = Type(
    "number", "a number", {"type": "number"}, lambda r, _: round(r.uniform(1, 100), 1), is_number, verbatim
)
INTEGER = Type(
    "integer", "a whole number", {"type": "integer"}, lambda r, _: r.randint(1, 100), is_int, verbatim, NUMBER
)
_DOZENS = {6: "half a dozen", 12: "a dozen", 24: "two dozen", 36: "three dozen"}


def _splits(values: list[Any]) -> bool:
    held = sum(held_out(v) for v in values)
    return 2 <= held <= len(values) - 3


def count(low: int, high: int, **more: Any) -> Type:
    """How many of something: said "6", "six" or "half a dozen".

    In wordings `{#guest}` gives "6 guests", `{#person/people}` "six people".
    """

    def say(v: int, _: date) -> list[Surface]:
        return [Surface(str(v)), Surface(in_words(v))] + (
            [Surface(_DOZENS[v], implicit=True)] if v in _DOZENS else []
        )

    hints = 0.35 * any(low <= v <= high for v in _DOZENS)
    return Type(
        f"count {low}-{high}",
        "how many",
        {"type": "integer"},
        lambda r, _: r.randint(low, high),
        lambda v: is_int(v) and low <= v <= high,
        say,
        INTEGER,
        splits=_splits(list(range(low, high + 1))),
        hints=hints,
        question="How many?",
        words=("how many", "number"),
        **more,
    )


def integer(low: int, high: int, step: int = 1, **more: Any) -> Type:
    """Whole numbers in digits or, up to a hundred, in words.

    They serve for a level, a temperature, a page.
    """
    values = list(range(low, high + 1, step))

    def say(v: int, _: date) -> list[Surface]:
        return [Surface(str(v))] + ([Surface(in_words(v), implicit=v > 12)] if 0 <= v <= 100 else [])

    more = {"question": "Which number?", "words": ("number", "which", "how", "what"), **more}
    return Type(
        f"integer {low}-{high}",
        "a whole number",
        {"type": "integer"},
        lambda r, _: one(r, values),
        lambda v: is_int(v) and low <= v <= high,
        say,
        INTEGER,
        splits=_splits(values),
        hints=1.0 * (12 < high <= 100),
        **more,
    )


def number(low: float, high: float, digits: int = 1, **more: Any) -> Type:
    """Decimal numbers, said in digits."""
    more = {"question": "Which value?", "words": ("value", "how", "what", "which"), **more}
    return Type(
        f"number {low}-{high}",
        "a number",
        {"type": "number"},
        lambda r, _: round(r.uniform(low, high), digits),
        lambda v: is_number(v) and low <= v <= high,
        verbatim,
        NUMBER,
        **more,
    )


def money(low: int, high: int, cents: bool = False, **more: Any) -> Type:
    """Amounts of dollars: "$45", "45 dollars", "$340,000", "forty-five dollars".

    With `cents` they are often not round: "$45.50".
    """

    def make(r: Random, _: date) -> float | int:
        if cents and r.random() < 0.7:
            amount = round(r.randint(low, high) + r.randint(1, 19) * 0.05, 2)
            return amount if amount <= high else round(amount - 1, 2)
        step = 1 if high - low < 60 else 5 if high < 1000 else 50
        return r.randint(-(-low // step), high // step) * step

    def say(v: float | int, _: date) -> list[Surface]:
        if not float(v).is_integer():
            return [Surface(f"${v:,.2f}"), Surface(f"{v:.2f} dollars")]
        n = int(v)
        digits = [f"{n:,}"] if n >= 10_000 else [f"{n}"] if n < 1000 else [f"{n:,}", f"{n}"]
        return [Surface(f"${d}") for d in digits] + [
            Surface(f"{digits[-1]} dollars"),
            Surface(f"{in_words(n)} dollars", implicit=True),
        ]

    more = {"question": "How much?", "words": ("how much", "amount", "price", "budget"), **more}
    return Type(
        f"money {low}-{high}",
        "an amount of money",
        {"type": "number"},
        make,
        lambda v: is_number(v) and v >= 0,
        say,
        NUMBER,
        hints=1.0,
        **more,
    )


def percent(low: int = 5, high: int = 95, step: int = 5, **more: Any) -> Type:
    """Percentages as whole numbers: "15%", "15 percent", "fifteen percent"."""
    values = tuple(range(low, high + 1, step))

    def say(v: int, _: date) -> list[Surface]:
        return [Surface(f"{v}%"), Surface(f"{v} percent"), Surface(f"{in_words(v)} percent", implicit=True)]

    more = {"question": "What percentage?", "words": ("percent", "%", "how much"), **more}
    return Type(
        f"percent {low}-{high}",
        "a percentage",
        {"type": "integer"},
        lambda r, _: one(r, values),
        lambda v: is_int(v) and 0 <= v <= 100,
        say,
        INTEGER,
        splits=_splits(list(values)),
        hints=1.0,
        **more,
    )


def duration(low: int = 10, high: int = 180, step: int = 5, **more: Any) -> Type:
    """Minutes: "90 minutes", "an hour and a half"."""
    values = tuple(range(low, high + 1, step))

    def say(v: int, _: date) -> list[Surface]:
        out = [Surface(f"{v} minutes"), Surface(f"{in_words(v)} minutes" if v <= 60 else f"{v} min")]
        hours, rest = divmod(v, 60)
        whole = "an hour" if hours == 1 else f"{in_words(hours)} hours"
        if v in (15, 30, 45):
            out.append(
                Surface(
                    {15: "a quarter of an hour", 30: "half an hour", 45: "three quarters of an hour"}[v],
                    implicit=True,
                )
            )
        elif hours and rest == 0:
            out.append(Surface(whole, implicit=True))
        elif hours and rest == 30:
            out.append(
                Surface(
                    "an hour and a half" if hours == 1 else f"{in_words(hours)} and a half hours",
                    implicit=True,
                )
            )
        elif hours:
            out.append(Surface(f"{whole} and {rest} minutes", implicit=True))
        return out

    more = {
        "clauses": ("for {}",),
        "question": "For how long?",
        "words": ("how long", "minutes", "duration"),
        **more,
    }
    return Type(
        f"duration {low}-{high}",
        "minutes",
        {"type": "integer"},
        lambda r, _: one(r, values),
        lambda v: is_int(v) and v > 0,
        say,
        INTEGER,
        splits=_splits(list(values)),
        hints=1.0,
        **more,
    )


RATING = number(3.1, 5.0)
