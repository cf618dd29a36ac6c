"""All base types by name, for domain files: those of numbers, dates and choices are made here, strings in `texts`; constructors make lists, records and nullables."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date, timedelta
from functools import lru_cache
from random import Random
from typing import Any

from num2words import num2words

from looptool_kit.seeders.world import pools
from looptool_kit.seeders.world.core import TEXT, Surface, Type, draw, held_out, pool, quoted, seen_values, text, verbatim
from looptool_kit.seeders.world.pools import one
from looptool_kit.seeders.world.texts import (
    ADDRESS,
    AIRPORT,
    CITY,
    COLOUR,
    COMPANY,
    COUNTRY,
    CURRENCY,
    DISH,
    EMAIL,
    FILE,
    FIRST_NAME,
    GENRE,
    HOTEL,
    INGREDIENT,
    LANGUAGE,
    MESSAGE,
    PERSON,
    PHONE,
    PRODUCT,
    RESTAURANT,
    TASK,
    TICKER,
    TIME_ZONE,
    TITLE,
    URL,
    WORK,
    identifier,
)

__all__ = [
    "ADDRESS",
    "AIRPORT",
    "CITY",
    "COLOUR",
    "COMPANY",
    "COUNTRY",
    "CURRENCY",
    "DATE",
    "DATETIME",
    "DISH",
    "EMAIL",
    "FILE",
    "FIRST_NAME",
    "GENRE",
    "HOTEL",
    "INGREDIENT",
    "INTEGER",
    "LANGUAGE",
    "MESSAGE",
    "NUMBER",
    "PERSON",
    "PHONE",
    "PRODUCT",
    "RATING",
    "RESTAURANT",
    "Surface",
    "TASK",
    "TEXT",
    "TICKER",
    "TIME",
    "TIME_ZONE",
    "TITLE",
    "Type",
    "URL",
    "WORK",
    "boolean",
    "clock",
    "constant",
    "count",
    "draw",
    "duration",
    "enum",
    "held_out",
    "identifier",
    "in_words",
    "integer",
    "is_date",
    "is_int",
    "is_number",
    "list_of",
    "money",
    "nullable",
    "number",
    "percent",
    "pool",
    "quoted",
    "record",
    "seen_values",
    "text",
    "verbatim",
]

# --------------------------------------------------------------- numbers


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


NUMBER = Type("number", "a number", {"type": "number"}, lambda r, _: round(r.uniform(1, 100), 1), is_number, verbatim)
INTEGER = Type("integer", "a whole number", {"type": "integer"}, lambda r, _: r.randint(1, 100), is_int, verbatim, NUMBER)
_DOZENS = {6: "half a dozen", 12: "a dozen", 24: "two dozen", 36: "three dozen"}


def _splits(values: list[Any]) -> bool:
    held = sum(held_out(v) for v in values)
    return 2 <= held <= len(values) - 3


def count(low: int, high: int, **more: Any) -> Type:
    """How many of something: said "6", "six" or "half a dozen". In wordings `{#guest}` gives "6 guests", `{#person/people}` "six people"."""

    def say(v: int, _: date) -> list[Surface]:
        return [Surface(str(v)), Surface(in_words(v))] + ([Surface(_DOZENS[v], implicit=True)] if v in _DOZENS else [])

    hints = any(low <= v <= high for v in _DOZENS)
    return Type(f"count {low}-{high}", "how many", {"type": "integer"}, lambda r, _: r.randint(low, high), lambda v: is_int(v) and low <= v <= high, say, INTEGER,
                splits=_splits(list(range(low, high + 1))), hints=hints, question="How many?", words=("how many", "number"), **more)  # fmt: skip


def integer(low: int, high: int, step: int = 1, **more: Any) -> Type:
    """Whole numbers said in digits or, up to a hundred, in words: a level, a temperature, a page."""
    values = list(range(low, high + 1, step))

    def say(v: int, _: date) -> list[Surface]:
        return [Surface(str(v))] + ([Surface(in_words(v), implicit=v > 12)] if 0 <= v <= 100 else [])

    more = {"question": "Which number?", "words": ("number", "which", "how", "what"), **more}
    return Type(f"integer {low}-{high}", "a whole number", {"type": "integer"}, lambda r, _: one(r, values), lambda v: is_int(v) and low <= v <= high, say, INTEGER,
                splits=_splits(values), hints=12 < high <= 100, **more)  # fmt: skip


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
    """Amounts of dollars: "$45", "45 dollars", "forty-five dollars"; with `cents` often not round: "$45.50"."""

    def make(r: Random, _: date) -> float | int:
        if cents and r.random() < 0.7:
            return round(r.randint(low, high) + r.randint(1, 19) * 0.05, 2)
        step = 1 if high - low < 60 else 5 if high < 1000 else 50
        return r.randint(-(-low // step), high // step) * step

    def say(v: float | int, _: date) -> list[Surface]:
        if not float(v).is_integer():
            return [Surface(f"${v:,.2f}"), Surface(f"{v:.2f} dollars")]
        n = int(v)
        return [Surface(f"${n}"), Surface(f"${n:,}"), Surface(f"{n} dollars"), Surface(f"{in_words(n)} dollars", implicit=True)]

    more = {"question": "How much?", "words": ("how much", "amount", "price", "budget"), **more}
    return Type(
        f"money {low}-{high}", "an amount of money", {"type": "number"}, make, lambda v: is_number(v) and v >= 0, say, NUMBER, hints=True, **more
    )


def percent(low: int = 5, high: int = 95, step: int = 5, **more: Any) -> Type:
    """Percentages as whole numbers: "15%", "15 percent", "fifteen percent"."""
    values = tuple(range(low, high + 1, step))

    def say(v: int, _: date) -> list[Surface]:
        return [Surface(f"{v}%"), Surface(f"{v} percent"), Surface(f"{in_words(v)} percent", implicit=True)]

    more = {"question": "What percentage?", "words": ("percent", "%", "how much"), **more}
    return Type(f"percent {low}-{high}", "a percentage", {"type": "integer"}, lambda r, _: one(r, values), lambda v: is_int(v) and 0 <= v <= 100, say, INTEGER,
                splits=_splits(list(values)), hints=True, **more)  # fmt: skip


def duration(low: int = 10, high: int = 180, step: int = 5, **more: Any) -> Type:
    """Minutes: "90 minutes", "an hour and a half"."""
    values = tuple(range(low, high + 1, step))

    def say(v: int, _: date) -> list[Surface]:
        out = [Surface(f"{v} minutes"), Surface(f"{in_words(v)} minutes" if v <= 60 else f"{v} min")]
        hours, rest = divmod(v, 60)
        whole = "an hour" if hours == 1 else f"{in_words(hours)} hours"
        if v in (15, 30, 45):
            out.append(Surface({15: "a quarter of an hour", 30: "half an hour", 45: "three quarters of an hour"}[v], implicit=True))
        elif hours and rest == 0:
            out.append(Surface(whole, implicit=True))
        elif hours and rest == 30:
            out.append(Surface("an hour and a half" if hours == 1 else f"{in_words(hours)} and a half hours", implicit=True))
        elif hours:
            out.append(Surface(f"{whole} and {rest} minutes", implicit=True))
        return out

    more = {"clauses": ("for {}",), "question": "For how long?", "words": ("how long", "minutes", "duration"), **more}
    return Type(f"duration {low}-{high}", "minutes", {"type": "integer"}, lambda r, _: one(r, values), lambda v: is_int(v) and v > 0, say, INTEGER, splits=_splits(list(values)),
                hints=True, **more)  # fmt: skip


RATING = number(3.1, 5.0)

# -------------------------------------------------------- dates and times

_DAY = re.compile(r"\d{4}-\d\d-\d\d")
_CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


@lru_cache(maxsize=8192)
def is_date(value: Any) -> bool:
    """An ISO date that exists."""
    try:
        return isinstance(value, str) and _DAY.fullmatch(value) is not None and bool(date.fromisoformat(value))
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
        out += [Surface(f"this coming {day:%A}", f"this coming {day:%A}", True), Surface(f"{day:%A}", f"on {day:%A}", True)]
    if off in (3, 4, 5, 10):
        out.append(Surface("", f"in {in_words(off)} days", True))
    if off in (14, 21):
        out.append(Surface("", f"in {in_words(off // 7)} weeks", True))
    return out


def _make_date(r: Random, today: date) -> str:
    off = r.randint(1, 7) if r.random() < 0.3 else r.randint(2, 75)
    return (today + timedelta(days=off)).isoformat()


DATE = Type("date", "a day to come, YYYY-MM-DD", {"type": "string", "format": "date"}, _make_date, is_date, _say_date, TEXT, hints=True, clauses=("{@}",), question="For which date?",
            words=("date", "day", "when"))  # fmt: skip
PAST_DATE = Type("past date", "a day gone by, YYYY-MM-DD", {"type": "string", "format": "date"}, lambda r, today: (today - timedelta(days=r.randint(20, 2500))).isoformat(), is_date,
                 _say_date, TEXT, clauses=("{@}",), question="Which date?", words=("date", "day", "when"))  # fmt: skip
BIRTH_DATE = Type("birth date", "date of birth, YYYY-MM-DD", {"type": "string", "format": "date"}, lambda r, today: (today - timedelta(days=r.randint(7000, 28000))).isoformat(), is_date,
                  _say_date, TEXT, clauses=("born {@}",), question="What is the date of birth?", words=("birth", "born", "date"))  # fmt: skip


@lru_cache(maxsize=2048)
def _say_time(value: str, _: date) -> list[Surface]:
    hour, minute = int(value[:2]), int(value[3:])
    half, twelve = ("am" if hour < 12 else "pm"), hour % 12 or 12
    short = f"{twelve}:{minute:02d}" if minute else f"{twelve}"
    out = [Surface(value, f"at {value}"), Surface(f"{short} {half}", f"at {short} {half}"), Surface(f"{short}{half}", f"at {short}{half}")]
    part = "in the morning" if hour < 12 else "in the afternoon" if hour < 18 else "in the evening" if hour < 22 else "at night"
    if value == "12:00":
        out.append(Surface("noon", "at noon", True))
    elif minute in (0, 15, 30, 45) and (minute != 45 or hour not in (11, 17, 21)):
        lead = {0: "", 15: "quarter past ", 30: "half past ", 45: "quarter to "}[minute]
        spoken = f"{lead}{in_words(twelve if minute != 45 else twelve % 12 + 1)} {part}"
        out.append(Surface(spoken, f"at {spoken}", True))
    return out


def clock(low: int = 7, high: int = 21, **more: Any) -> Type:
    """Times of day as HH:MM, by the quarter of an hour mostly: "18:30", "6:30 pm", "half past six in the evening"."""

    def make(r: Random, _: date) -> str:
        return f"{r.randint(low, high):02d}:{r.choice((0, 0, 0, 15, 30, 30, 45, 45, r.randrange(0, 60, 5))):02d}"

    more = {"clauses": ("{@}",), "question": "At what time?", "words": ("time", "when", "hour"), **more}
    return Type("time", "time of day, HH:MM", {"type": "string", "description": "HH:MM"}, make, lambda v: isinstance(v, str) and _CLOCK.fullmatch(v) is not None, _say_time, TEXT,
                hints=True, **more)  # fmt: skip


TIME = clock()


def _say_moment(value: str, today: date) -> list[Surface]:
    days, times = _say_date(value[:10], today), _say_time(value[11:], today)
    return [Surface(f"{d.text} {t.adverb}" if d.text else "", f"{d.adverb} {t.adverb}", d.implicit) for d in days for t in times if not t.implicit]


DATETIME = Type("datetime", "a moment, YYYY-MM-DDTHH:MM", {"type": "string", "description": "YYYY-MM-DDTHH:MM"}, lambda r, today: f"{_make_date(r, today)}T{TIME.draw(r, today)}",
                lambda v: isinstance(v, str) and is_date(v[:10]) and v[10:11] == "T" and _CLOCK.fullmatch(v[11:]) is not None, _say_moment, TEXT, hints=True, clauses=("{@}",),
                question="For what date and time?", words=("time", "when", "date"))  # fmt: skip

# -------------------------------------------------- choices, constructors


def enum(*values: str, question: str = "", words: tuple[str, ...] = (), clauses: tuple[str, ...] = ("{}",), **wordings: str) -> Type:
    """One of a few values. Each is said as itself (`_` as a space), or give wordings: `enum("low", "high", metric="in Celsius|in metric units")`."""
    ways = {v: (v.replace("_", " "),) for v in values} | {v: pools.words(w) for v, w in wordings.items()}
    known = tuple(ways)

    def say(v: Any, _: date) -> list[Surface]:
        return [Surface(w, implicit=str(v).replace("_", " ").lower() not in w.lower()) for w in ways[v]]

    hints = any(s.implicit for v in known for s in say(v, date.min))
    listed = ", ".join(v.replace("_", " ") for v in known[:-1]) + f" or {known[-1].replace('_', ' ')}"
    return Type(f"one of {', '.join(known)}", "a choice", {"type": "string", "enum": list(known)}, lambda r, _: one(r, known), lambda v: v in known, say, TEXT, splits=False, hints=hints,
                clauses=clauses, question=question or f"Which one: {listed}?", words=words or ("which", "what", *(v.replace("_", " ") for v in known)))  # fmt: skip


def boolean(yes: str, no: str = "") -> Type:
    """True or false, each said in its own words: `boolean("with gift wrapping|gift-wrapped", "without gift wrapping")`. Without `no` it is only ever said when true."""
    ways = {True: pools.words(yes), False: pools.words(no)}
    values = (True, False) if no else (True,)
    return Type("boolean", "yes or no", {"type": "boolean"}, lambda r, _: r.choice(values), lambda v: isinstance(v, bool), lambda v, _: [Surface(w) for w in ways[v]], splits=False,
                question="Yes or no?", words=("should", "want", "would", "yes"))  # fmt: skip


def constant(value: str) -> Type:
    """Always the same text, for outputs: a status."""
    return Type(
        f"always {value}",
        "a fixed value",
        {"type": "string", "enum": [value]},
        lambda r, _: value,
        lambda v: v == value,
        verbatim,
        TEXT,
        splits=False,
    )


def list_of(item: Type, low: int = 1, high: int = 3, **more: Any) -> Type:
    """A list of different values, said "a, b and c"."""
    schema = {"type": "array", "items": dict(item.schema)}
    more = {"question": item.question, "words": item.words, "clauses": item.clauses, **more}
    return Type(f"list of {item.name}", f"several of: {item.description}", schema, lambda r, d: [], lambda v: isinstance(v, list) and all(item.accepts(x) for x in v), verbatim,
                splits=False, item=item, sizes=(low, high), **more)  # fmt: skip


def record(template: str = "", **fields: Type) -> Type:
    """An object; `template` says it in a request: `record("{quantity} x {dish}", dish=DISH, quantity=count(1, 4))`. All fields are required."""
    schema = {"type": "object", "properties": {k: dict(t.schema) for k, t in fields.items()}, "required": list(fields)}

    def accepts(v: Any) -> bool:
        return isinstance(v, dict) and set(v) == set(fields) and all(t.accepts(v[k]) for k, t in fields.items())

    return Type(
        f"record of {', '.join(fields)}", "an object", schema, lambda r, d: {}, accepts, verbatim, splits=False, fields=fields, template=template
    )


def nullable(t: Type, none: str) -> Type:
    """A type or null; `none` words the null: `nullable(DATE, "open-ended|with no end date")`."""
    ways = pools.words(none)
    schema = {**t.schema, "type": [t.schema["type"], "null"]}

    def say(v: Any, today: date) -> list[Surface]:
        return [Surface("", w) for w in ways] if v is None else t.say(v, today)

    def make(r: Random, today: date) -> Any:
        return None if r.random() < 0.25 else t.draw(r, today)

    return replace(
        t, name=f"{t.name} or null", schema=schema, parent=t, draw=make, accepts=lambda v: v is None or t.accepts(v), say=say, splits=t.splits
    )
