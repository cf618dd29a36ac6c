"""Base types for dates and times, and how people say them."""

from __future__ import annotations

import re
from datetime import date, timedelta
from functools import lru_cache
from random import Random
from typing import Any

from looptool_kit.world.core import TEXT, Surface, Type
from looptool_kit.world.numbers import in_words

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


def is_date(value: Any) -> bool:
    """An ISO date that exists."""
    return isinstance(value, str) and _exists(value)


@lru_cache(maxsize=8192)
def _exists(value: str) -> bool:
    try:
        return _DAY.fullmatch(value) is not None and bool(date.fromisoformat(value))
    except ValueError:
        return False


def _nth(n: int) -> str:
    return f"{n}{'th' if 10 < n % 100 < 14 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


@lru_cache(maxsize=65536)
def _say_date(value: str, today: date) -> list[Surface]:
    day = date.fromisoformat(value)
    month, off = f"{day:%B}", (day - today).days
    year = f", {day.year}" if not 0 <= off < 300 else ""
    plain = [
        f"{month} {day.day}{year}",
        f"{month} {_nth(day.day)}{year}",
        f"{day.day} {month}{year.replace(',', '')}",
        f"{day:%A}, {month} {day.day}{year}",
        f"{day:%b} {day.day}{year}",
        value,
    ]
    if not year:
        plain.append(f"the {_nth(day.day)} of {month}")
    out = [Surface(p, f"on {p}") for p in plain]
    near = {
        0: ["today"],
        1: ["tomorrow"],
        2: ["the day after tomorrow"],
        7: ["a week from today"],
        8: ["a week from tomorrow"],
        14: ["two weeks from today"],
    }
    out += [Surface(p, p, True) for p in near.get(off, [])]
    if 2 <= off <= 6:
        out += [
            Surface(f"this coming {day:%A}", f"this coming {day:%A}", True),
            Surface(f"{day:%A}", f"on {day:%A}", True),
        ]
    if off in (3, 4, 5, 10):
        out.append(Surface("", f"in {in_words(off)} days", True))
    if off in (14, 21):
        out.append(Surface("", f"in {in_words(off // 7)} weeks", True))
    return out


def _make_date(r: Random, today: date) -> str:
    off = r.randint(1, 7) if r.random() < 0.3 else r.randint(2, 75)
    return (today + timedelta(days=off)).isoformat()


DATE = Type(
    "date",
    "a day to come, YYYY-MM-DD",
    {"type": "string", "format": "date"},
    _make_date,
    is_date,
    _say_date,
    TEXT,
    hints=1.0,
    clauses=("{@}",),
    question="For which date?",
    words=("date", "day", "when"),
)
PAST_DATE = Type(
    "past date",
    "a day gone by, YYYY-MM-DD",
    {"type": "string", "format": "date"},
    lambda r, today: (today - timedelta(days=r.randint(20, 2500))).isoformat(),
    is_date,
    _say_date,
    TEXT,
    clauses=("{@}",),
    question="Which date?",
    words=("date", "day", "when"),
)
BIRTH_DATE = Type(
    "birth date",
    "date of birth, YYYY-MM-DD",
    {"type": "string", "format": "date"},
    lambda r, today: (today - timedelta(days=r.randint(7000, 28000))).isoformat(),
    is_date,
    _say_date,
    TEXT,
    clauses=("born {@}",),
    question="What is the date of birth?",
    words=("birth", "born", "date"),
)


@lru_cache(maxsize=2048)
def _say_time(value: str, _: date) -> list[Surface]:
    hour, minute = int(value[:2]), int(value[3:])
    half, twelve = ("am" if hour < 12 else "pm"), hour % 12 or 12
    short = f"{twelve}:{minute:02d}" if minute else f"{twelve}"
    out = [
        Surface(value, f"at {value}"),
        Surface(f"{short} {half}", f"at {short} {half}"),
        Surface(f"{short}{half}", f"at {short}{half}"),
    ]
    part = (
        "in the morning"
        if hour < 12
        else "in the afternoon"
        if hour < 18
        else "in the evening"
        if hour < 22
        else "at night"
    )
    if value == "12:00":
        out.append(Surface("noon", "at noon", True))
    elif minute in (0, 15, 30, 45) and (minute != 45 or hour not in (11, 17, 21)):
        lead = {0: "", 15: "quarter past ", 30: "half past ", 45: "quarter to "}[minute]
        spoken = f"{lead}{in_words(twelve if minute != 45 else twelve % 12 + 1)} {part}"
        out.append(Surface(spoken, f"at {spoken}", True))
    return out


def clock(low: int = 7, high: int = 21, **more: Any) -> Type:
    """Times of day as HH:MM, mostly by the quarter.

    "18:30" is also said "6:30 pm" or "half past six in the evening".
    """

    def make(r: Random, _: date) -> str:
        return (
            f"{r.randint(low, high):02d}:{r.choice((0, 0, 0, 15, 30, 30, 45, 45, r.randrange(0, 60, 5))):02d}"
        )

    more = {"clauses": ("{@}",), "question": "At what time?", "words": ("time", "when", "hour"), **more}
    return Type(
        "time",
        "time of day, HH:MM",
        {"type": "string", "description": "HH:MM"},
        make,
        lambda v: isinstance(v, str) and _CLOCK.fullmatch(v) is not None,
        _say_time,
        TEXT,
        hints=1.0,
        **more,
    )


TIME = clock()


def _say_moment(value: str, today: date) -> list[Surface]:
    days, times = _say_date(value[:10], today), _say_time(value[11:], today)
    return [
        Surface(f"{d.text} {t.adverb}" if d.text else "", f"{d.adverb} {t.adverb}", d.implicit)
        for d in days
        for t in times
        if not t.implicit
    ]


DATETIME = Type(
    "datetime",
    "a moment, YYYY-MM-DDTHH:MM",
    {"type": "string", "description": "YYYY-MM-DDTHH:MM"},
    lambda r, today: f"{_make_date(r, today)}T{TIME.draw(r, today)}",
    lambda v: (
        isinstance(v, str) and is_date(v[:10]) and v[10:11] == "T" and _CLOCK.fullmatch(v[11:]) is not None
    ),
    _say_moment,
    TEXT,
    hints=1.0,
    clauses=("{@}",),
    question="For what date and time?",
    words=("time", "when", "date"),
)
