"""Is a number said?

As a number, a sum of money, a duration in the parameter's unit, or a part of a date.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from looptool_kit.text.durations import SECONDS
from looptool_kit.text.grounding.scores import (
    ARTICLE,
    CANNOT_TELL,
    CODED,
    EXACT,
    ORDINAL,
    OTHER_READING,
    PART_OF_DATE,
    SHARE_AS_PERCENT,
    UNNAMED_UNITS,
    UNSAID_ZERO,
)
from looptool_kit.text.grounding.support import Grounding, Support, best, mentions_of, user_passages
from looptool_kit.text.grounding.worked_out import worked_out_places
from looptool_kit.text.mentions import Mention
from looptool_kit.text.passages import Dialogue, Span
from looptool_kit.text.words import STOP, stems

_UNITS = ("second", "minute", "min", "hour", "hr", "day", "night", "week", "month", "year")
"""Units that names and descriptions of parameters are searched for."""
_CALENDAR = {"hour", "day", "month", "year", "minute", "week"}
_PERCENT = {"percent", "percentage"}
_TOLERANCE = 1e-6
"""Relative difference at which two numbers are equal: room for the rounding of floats, no more."""
_MIN_CODED = 4
"""Letters of a word by which a description tells what a number means; shorter ones stand everywhere."""
_CODED_WORDS = 3
"""Words behind a number in a description that say what it means."""
_SMALL = 1e-3
"""Numbers below are compared by their share: 1.6e-19 is not 1.6e-9."""


def ground_number(value: float, schema: dict[str, Any], d: Dialogue, name: str) -> Grounding:
    """How far the dialogue says a number."""
    found = best(_places(value, schema, d, set(stems(name))))
    if found.supported < CANNOT_TELL:
        found = max(found, best(worked_out_places(value, schema, d, name)), key=lambda g: g.supported)
    if value == 0 and found.supported < UNSAID_ZERO:
        return Grounding(UNSAID_ZERO, "zero, which nobody says")
    return found


def _signed(value: float, schema: dict[str, Any], named: set[str]) -> bool:
    """True for a coordinate west or south, which is said without its sign."""
    told = named | set(stems(str(schema.get("description", ""))))
    return value < 0 and bool(
        told & {"longitude", "latitude", "coordinate", "coord", "lat", "lon", "lng", "long"}
    )


def _places(value: float, schema: dict[str, Any], d: Dialogue, named: set[str]) -> Iterator[Support]:
    units = [u for u in _UNITS if u in named]
    if not units:
        units = [u for u in _UNITS if u in stems(str(schema.get("description", "")))]
    calendar = bool(named & _CALENDAR) and value.is_integer()
    for n, m in mentions_of(d, "number", "ordinal", "duration", "date", "time"):
        if m.kind == "ordinal":
            if same_number(m.readings[0], value):
                yield ORDINAL, f"“{m.text}”", (n, m.start, m.end)
        elif m.kind == "number":
            span = (n, *(money_parts(m)[0] if m.unit not in ("", "%") else (m.start, m.end)))
            yield from _as_number(value, m, span, bool(named & _PERCENT))
            if _signed(value, schema, named) and same_number(m.readings[0], -value):
                yield OTHER_READING, f"“{m.text}” west or south", span
        elif m.kind == "duration":
            yield from _as_duration(value, m, (n, m.start, m.end), units)
        elif m.kind == "time" and "hour" in named and any(int(str(r)[:2]) == value for r in m.readings):
            yield PART_OF_DATE, f"hour of “{m.text}”", (n, m.start, m.end)
        elif calendar and (
            re.search(rf"(?<!\d){int(value)}(?!\d)", m.text) or "month" in named and _in_month(value, m)
        ):
            yield PART_OF_DATE, f"part of “{m.text}”", (n, m.start, m.end)
    if code := _coded(value, schema, d):
        yield code
    if value == 1:
        for n, p in user_passages(d):
            if match := re.search(r"\b(?:an?|another)\b", p.text, re.IGNORECASE):
                yield ARTICLE, f"“{match[0]}” may mean one", (n, *match.span())


def _coded(value: float, schema: dict[str, Any], d: Dialogue) -> Support | None:
    """The support of a number that the description gives to what is said: "1 cleaning, 2 ironing"."""
    described = str(schema.get("description", ""))
    if not value.is_integer() or not re.search(r"\d\D+\d", described):
        return None
    for match in re.finditer(rf"(?<![\d.]){int(value)}\b\W*(?:is|for|means|as)?\W*([^\d,;.()]+)", described):
        words = [w for w in stems(match[1]) if len(w) >= _MIN_CODED and w not in STOP]
        for n, p in user_passages(d):
            for t in p.tokens:
                if t.stem in words[:_CODED_WORDS]:
                    return (
                        CODED,
                        f"“{p.text[t.start : t.end]}”, {int(value)} by the description",
                        (n, t.start, t.end),
                    )
    return None


def _as_number(value: float, m: Mention, span: Span, percent: bool) -> Iterator[Support]:
    for at, reading in enumerate(m.readings):
        if same_number(reading, value):
            yield EXACT if at == 0 else OTHER_READING, f"“{m.text}”", span
    share = float(m.readings[0])
    if percent and m.unit != "%" and same_number(share * 100, value) and 0 < share < 1:
        yield SHARE_AS_PERCENT, f"“{m.text}”", span


def _in_month(value: float, m: Mention) -> bool:
    """True where a date is said by the name of that month."""
    return m.kind == "date" and any(re.search(rf"^(?:.{{4}})?-{int(value):02d}", str(r)) for r in m.readings)


def _as_duration(value: float, m: Mention, span: Span, units: list[str]) -> Iterator[Support]:
    # Where the parameter names its unit, "two hours" is 120 minutes and not 2.
    scores = [(u, EXACT) for u in units] or [(m.unit, EXACT), *UNNAMED_UNITS.items()]
    for unit, score in scores:
        counted = float(m.readings[0]) / SECONDS[unit]
        if {unit, m.unit} == {"month", "year"}:  # twelve months are a year, and not 360 days
            counted = float(m.readings[0]) / SECONDS[m.unit] * (12 if unit == "month" else 1 / 12)
        if same_number(counted, value):
            yield score, f"“{m.text}”", span


def money_parts(m: Mention) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the amount and the currency of a sum of money stand.

    They are two values, for two arguments.
    """
    if sign := re.match(r"[$€£¥₹] ?", m.text):
        return (m.start + sign.end(), m.end), (m.start, m.start + sign.end())
    unit = re.search(r"[ -]?(?:us )?[^\W\d]+$|[€£]$", m.text, re.IGNORECASE)
    at = m.start + unit.start() if unit else m.end
    return (m.start, at), (at, m.end)


def same_number(a: str | float, b: float) -> bool:
    """True where a reading is that number."""
    return not isinstance(a, str) and abs(a - b) <= _TOLERANCE * (
        max(1.0, abs(b)) if abs(b) > _SMALL else abs(b)
    )
