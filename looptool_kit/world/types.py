"""All base types by name, for domain files.

Choices and constructors are made here, the others in `texts`, `numbers` and `moments`.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

from looptool_kit.world import pools
from looptool_kit.world.core import (
    TEXT,
    Surface,
    Type,
    draw,
    held_out,
    pool,
    quoted,
    seen_values,
    text,
    verbatim,
)
from looptool_kit.world.moments import BIRTH_DATE, DATE, DATETIME, PAST_DATE, TIME, clock, is_date
from looptool_kit.world.numbers import (
    INTEGER,
    NUMBER,
    RATING,
    count,
    duration,
    in_words,
    integer,
    is_int,
    is_number,
    money,
    number,
    percent,
)
from looptool_kit.world.pools import one
from looptool_kit.world.texts import (
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

# fmt: off
__all__ = [
    "ADDRESS", "AIRPORT", "BIRTH_DATE", "CITY", "COLOUR", "COMPANY", "COUNTRY", "CURRENCY", "DATE",
    "DATETIME", "DISH", "EMAIL", "FILE", "FIRST_NAME", "GENRE", "HOTEL", "INGREDIENT", "INTEGER", "LANGUAGE",
    "MESSAGE", "NUMBER", "PAST_DATE", "PERSON", "PHONE", "PRODUCT", "RATING", "RESTAURANT", "Surface", "TASK",
    "TEXT", "TICKER", "TIME", "TIME_ZONE", "TITLE", "Type", "URL", "WORK", "boolean", "clock", "constant",
    "count", "draw", "duration", "enum", "held_out", "identifier", "in_words", "integer", "is_date", "is_int",
    "is_number", "list_of", "money", "nullable", "number", "percent", "pool", "quoted", "record",
    "seen_values", "text", "union", "verbatim",
]
# fmt: on


def enum(
    *values: str,
    question: str = "",
    words: tuple[str, ...] = (),
    clauses: tuple[str, ...] = ("{}",),
    **wordings: str,
) -> Type:
    """One of a few values.

    Each is said as itself (`_` as a space), or give wordings: `enum("low", "high", metric="in Celsius|in
    metric units")`.
    """
    ways = {v: (v.replace("_", " "),) for v in values} | {v: pools.words(w) for v, w in wordings.items()}
    known = tuple(ways)

    def say(v: Any, _: date) -> list[Surface]:
        return [Surface(w, implicit=str(v).replace("_", " ").lower() not in w.lower()) for w in ways[v]]

    hints = 1.0 * any(s.implicit for v in known for s in say(v, date.min))
    listed = ", ".join(v.replace("_", " ") for v in known[:-1]) + f" or {known[-1].replace('_', ' ')}"
    return Type(
        f"one of {', '.join(known)}",
        "a choice",
        {"type": "string", "enum": list(known)},
        lambda r, _: one(r, known),
        lambda v: v in known,
        say,
        TEXT,
        splits=False,
        hints=hints,
        clauses=clauses,
        question=question or f"Which one: {listed}?",
        words=words or ("which", "what", *(v.replace("_", " ") for v in known)),
    )


def boolean(yes: str, no: str = "") -> Type:
    """True or false, each said in its own words.

    As in `boolean("with gift wrapping|gift-wrapped", "without gift wrapping")`. Without `no` it is only ever
    said when true.
    """
    ways = {True: pools.words(yes), False: pools.words(no)}
    values = (True, False) if no else (True,)
    return Type(
        "boolean",
        "yes or no",
        {"type": "boolean"},
        lambda r, _: r.choice(values),
        lambda v: isinstance(v, bool),
        lambda v, _: [Surface(w) for w in ways[v]],
        splits=False,
        question="Yes or no?",
        words=("should", "want", "would", "yes"),
    )


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
    """A list of different values, said "a, b and c".

    With `ordered=True`, choices stand in the order of their enum: the days of a week.
    """
    schema = {"type": "array", "items": dict(item.schema)}
    more = {"question": item.question, "words": item.words, "clauses": item.clauses, **more}
    return Type(
        f"list of {item.name}",
        f"several of: {item.description}",
        schema,
        lambda r, d: [],
        lambda v: isinstance(v, list) and all(item.accepts(x) for x in v),
        verbatim,
        splits=False,
        item=item,
        sizes=(low, high),
        **more,
    )


def record(template: str = "", **fields: Type) -> Type:
    """An object of which all fields are required.

    `template` says it in a request: `record("{quantity} x {dish}", dish=DISH, quantity=count(1, 4))`.
    """
    schema = {
        "type": "object",
        "properties": {k: dict(t.schema) for k, t in fields.items()},
        "required": list(fields),
    }

    def accepts(v: Any) -> bool:
        return (
            isinstance(v, dict) and set(v) == set(fields) and all(t.accepts(v[k]) for k, t in fields.items())
        )

    return Type(
        f"record of {', '.join(fields)}",
        "an object",
        schema,
        lambda r, d: {},
        accepts,
        verbatim,
        splits=False,
        fields=fields,
        template=template,
    )


def union(a: Type, b: Type) -> Type:
    """Values of either of two types.

    Each is said as its own type says it.
    """
    members = tuple(dict.fromkeys(m for t in (a, b) for m in t.members or (t,)))

    def of(value: Any) -> Type:
        return next(m for m in members if m.accepts(value))

    return Type(
        " or ".join(m.name for m in members),
        " or ".join(m.description for m in members),
        {"anyOf": [dict(m.schema) for m in members]},
        lambda r, today: draw(one(r, members), r, today),
        lambda v: any(m.accepts(v) for m in members),
        lambda v, today: of(v).say(v, today),
        splits=False,
        question=" ".join(dict.fromkeys(m.question for m in members)),
        words=tuple(w for m in members for w in m.words),
        members=members,
    )


def nullable(t: Type, none: str) -> Type:
    """A type or null; `none` words the null.

    As in `nullable(DATE, "open-ended|with no end date")`.
    """
    ways = pools.words(none)
    schema = {**t.schema, "type": [t.schema["type"], "null"]}

    def say(v: Any, today: date) -> list[Surface]:
        return [Surface("", w) for w in ways] if v is None else t.say(v, today)

    def make(r: Random, today: date) -> Any:
        return None if r.random() < 0.25 else t.draw(r, today)

    return replace(
        t,
        name=f"{t.name} or null",
        schema=schema,
        parent=t,
        draw=make,
        accepts=lambda v: v is None or t.accepts(v),
        say=say,
        splits=t.splits,
    )
