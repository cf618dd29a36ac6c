"""Numbers that nobody says and that follow from what is said.

"100µF" in farads, "5 ft 10" in inches, "the next week" in days, "compounded quarterly", "a loss of $1,000",
"the 15th to the 17th" as a length.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Iterator
from datetime import date
from typing import Any, NamedTuple

from looptool_kit.text.durations import SECONDS
from looptool_kit.text.grounding.scores import BEYOND_BOUND, WORKED_OUT
from looptool_kit.text.grounding.support import Support, user_passages
from looptool_kit.text.numbers import DIGITS, PHRASE_NUMBER, WORD_NUMBER, number
from looptool_kit.text.passages import Dialogue, Passage
from looptool_kit.text.words import stems

_PREFIXES = {
    "pico": 1e-12, "nano": 1e-9, "micro": 1e-6, "milli": 1e-3, "centi": 1e-2, "kilo": 1e3, "mega": 1e6,
    "giga": 1e9, "p": 1e-12, "n": 1e-9, "u": 1e-6, "µ": 1e-6, "μ": 1e-6, "m": 1e-3, "c": 1e-2, "k": 1e3,
    "M": 1e6, "G": 1e9,
}  # fmt: skip
"""Prefixes of the International System of Units, by name and by sign."""
_SYMBOLS = {
    "F": "farad", "H": "henry", "Hz": "hertz", "m": "meter", "W": "watt", "V": "volt", "A": "ampere",
    "g": "gram", "J": "joule", "N": "newton", "Pa": "pascal", "Ω": "ohm", "ohm": "ohm", "L": "liter",
    "l": "liter", "T": "tesla", "C": "coulomb",
}  # fmt: skip
"""Signs of the units that prefixes stand before -> their name."""
_NAMED_UNITS = {
    **{name: name for name in _SYMBOLS.values()}, "farads": "farad", "henries": "henry", "henrys": "henry",
    "metre": "meter", "litre": "liter", "amp": "ampere",
}  # fmt: skip
_UNIT = "|".join(sorted((*_SYMBOLS, *_NAMED_UNITS), key=len, reverse=True))
_PREFIXED = re.compile(
    rf"(?<![\w.])(?P<n>{DIGITS}) ?-?(?P<prefix>{'|'.join(sorted(_PREFIXES, key=len, reverse=True))})"
    rf"(?P<unit>{_UNIT})s?(?![^\W\d_])"
)
_FEET = re.compile(
    r"(?<![\w.])(?P<feet>\d{1,2}) ?(?:ft\.?|feet|foot|['’′])[ ,-]*(?:and )?(?P<inches>\d{1,2})"
    r"(?: ?(?:in\b|inch(?:es)?\b|\"|''|″|”))?(?!\d)"
)
_PERIOD = re.compile(
    r"(?<!half )\b(?P<lead>next|past|last|coming|upcoming|following|this|a|an|one|per|the) "
    r"(?P<unit>decade|year|quarter|month|fortnight|week|day|hour|minute)s?\b(?! (?:ago|before|later|of))",
    re.IGNORECASE,
)
_IN_UNIT: dict[str, dict[str, tuple[float, ...]]] = {
    "minute": {"minute": (1,), "hour": (60,), "day": (1440,)},
    "hour": {"hour": (1,), "day": (24,), "week": (168,)},
    "day": {
        "day": (1,), "week": (7,), "fortnight": (14,), "month": (28, 29, 30, 31), "quarter": (90, 91, 92),
        "year": (365, 366),
    },
    "week": {"week": (1,), "fortnight": (2,), "month": (4,), "year": (52,)},
    "month": {"month": (1,), "quarter": (3,), "year": (12,), "decade": (120,)},
    "year": {"year": (1,), "decade": (10,)},
}  # fmt: skip
"""Unit of a parameter -> a period that is said -> how many of it that is."""
_RATES = {
    "annually": 1, "yearly": 1, "semiannually": 2, "semi-annually": 2, "biannually": 2, "quarterly": 4,
    "monthly": 12, "weekly": 52, "daily": 365,
}  # fmt: skip
_RATE = re.compile(rf"\b(?:{'|'.join(sorted(_RATES, key=len, reverse=True))})\b", re.IGNORECASE)
_RATE_ASKED = re.compile(r"compound|per year|per annum|per unit time|times a year|periods", re.IGNORECASE)
_PI = re.compile(rf"(?<![\w.])(?P<n>{DIGITS})? ?[*×]? ?(?:pi\b|π)(?: ?/ ?(?P<by>\d+))?", re.IGNORECASE)
_PI_TOLERANCE = 1e-3
"""Relative difference from a multiple of pi: three digits of it are what people write."""
_COUNT = rf"{DIGITS}|{WORD_NUMBER}|{PHRASE_NUMBER}"
_BOUND = re.compile(
    rf"\b(?P<way>less than|fewer than|under|below|more than|over|above|greater than) (?P<n>{_COUNT})",
    re.IGNORECASE,
)
_OUT_OF = re.compile(rf"(?<![\w./])(?P<n>{DIGITS}) ?(?:/|out of) ?(?:5|10|100)(?![\w/]|\.\d)")
_NTH = re.compile(r"\b(?P<n>\d{1,3})(?:st|nd|rd|th)\b", re.IGNORECASE)
_FROM_ZERO = re.compile(
    r"\b(?:zero|0)[- ](?:based|indexed|index)|(?:start|begin|count)\w* (?:from|at) (?:0|zero)\b"
)
_LOSS = re.compile(
    rf"\b(?:loss(?:es)?|lost|los(?:e|es|ing)|down|dropp?(?:ed|s)?|decreas\w+|fell|negative|debit\w*|donat\w+|spent"
    rf"|withdr[ae]w\w*|minus|south|west|below zero)\b[^.;?!\d]{{0,20}}(?P<n>{DIGITS})",
    re.IGNORECASE,
)
_SHORT_YEAR = re.compile(r"(?<!\w)['’](?P<n>\d\d)(?!\w)")
_AND_ME = re.compile(
    rf"\b(?:myself|me|I),? and (?:(?P<n>{_COUNT})(?: other| more)?\b|my \w+)"
    r"|\bmy (?:\w+ )?\w+ and (?:me|I|myself)\b",
    re.IGNORECASE,
)
_PEOPLE = {
    "adult",
    "guest",
    "passenger",
    "people",
    "person",
    "seat",
    "traveler",
    "traveller",
    "party",
    "ticket",
}
_SMALLEST = re.compile(r"smallest (?:currency )?unit|\bin cents\b", re.IGNORECASE)
_LENGTHS = {"day", "night", "length", "duration", "stay"}
_INCHES = {"inch", "height", "length"}
_HUNDRED = 100  # cents, and percent
_MAX_LENGTH = 366
"""Days between two dates that may be meant as one length: up to a year."""


class Asked(NamedTuple):
    """A number with what its parameter is called and said to be."""

    value: float
    name: str
    words: frozenset[str]
    """Stems of the name and the description."""
    described: str
    passage: Passage


def worked_out_places(value: float, schema: dict[str, Any], d: Dialogue, name: str) -> Iterator[Support]:
    """The places from which the number follows."""
    described = str(schema.get("description", ""))
    words = frozenset((*stems(name), *stems(described)))
    for n, p in user_passages(d):
        asked = Asked(value, name, words, described, p)
        for find in _FINDERS:
            for start, end, score in find(asked):
                yield score, f"“{p.text[start:end]}”, worked out", (n, start, end)


Found = Iterator[tuple[int, int, float]]
"""Where a number follows from, with the score."""


def _close(a: float, b: float, tolerance: float = 1e-6) -> bool:
    return math.isclose(a, b, rel_tol=tolerance)


def _read(text: str) -> float:
    found = number(text)
    return math.nan if found is None else found


def _prefixed(of: Asked) -> Found:
    for m in _PREFIXED.finditer(of.passage.text):
        unit = _SYMBOLS.get(m["unit"]) or _NAMED_UNITS[m["unit"]]
        asked = any(_NAMED_UNITS.get(w, w) == unit for w in of.words)
        if asked and _close(_read(m["n"]) * _PREFIXES[m["prefix"]], of.value):
            yield *m.span(), WORKED_OUT


def _feet(of: Asked) -> Found:
    for m in _FEET.finditer(of.passage.text) if of.words & _INCHES else ():
        if int(m["feet"]) * 12 + int(m["inches"]) == of.value:
            yield *m.span(), WORKED_OUT


def _period(of: Asked) -> Found:
    units = [u for u in _IN_UNIT if u in of.words]
    for m in _PERIOD.finditer(of.passage.text) if units else ():
        if any(of.value in _IN_UNIT[u].get(m["unit"].lower(), ()) for u in units):
            yield *m.span(), WORKED_OUT


def _part_of_duration(of: Asked) -> Found:
    """The 30 of "1 hour and 30 minutes", for a parameter of minutes alone."""
    units = [u for u in SECONDS if u in set(stems(of.name))]
    for mention in of.passage.mentions if units else ():
        if mention.kind == "duration":
            for u in units:
                if re.search(rf"(?<![\d.]){re.escape(f'{of.value:g}')} ?{u}", mention.text, re.IGNORECASE):
                    yield mention.start, mention.end, WORKED_OUT


def _rate(of: Asked) -> Found:
    for m in _RATE.finditer(of.passage.text) if _RATE_ASKED.search(f"{of.name} {of.described}") else ():
        if _RATES[m[0].lower()] == of.value:
            yield *m.span(), WORKED_OUT


def _pi(of: Asked) -> Found:
    for m in _PI.finditer(of.passage.text):
        if _close(
            (_read(m["n"]) if m["n"] else 1.0) * math.pi / float(m["by"] or 1), of.value, _PI_TOLERANCE
        ):
            yield *m.span(), WORKED_OUT


def _bound(of: Asked) -> Found:
    """The last whole number within a bound: 4 for "less than 5"."""
    for m in _BOUND.finditer(of.passage.text) if of.value.is_integer() else ():
        step = -1 if m["way"].lower().split()[0] in ("less", "fewer", "under", "below") else 1
        if _read(m["n"]) + step == of.value:
            yield *m.span(), BEYOND_BOUND


def _out_of(of: Asked) -> Found:
    for m in _OUT_OF.finditer(of.passage.text):
        if _close(_read(m["n"]), of.value):
            yield m.start(), m.end("n"), WORKED_OUT


def _from_zero(of: Asked) -> Found:
    if not _FROM_ZERO.search(of.described.lower()):
        return
    for mention in of.passage.mentions:
        if mention.kind == "ordinal" and float(mention.readings[0]) - 1 == of.value:
            yield mention.start, mention.end, WORKED_OUT
    for m in _NTH.finditer(of.passage.text):
        if int(m["n"]) - 1 == of.value:
            yield *m.span(), WORKED_OUT


def _loss(of: Asked) -> Found:
    for m in _LOSS.finditer(of.passage.text) if of.value < 0 else ():
        if _close(_read(m["n"]), -of.value):
            yield *m.span(), WORKED_OUT


def _short_year(of: Asked) -> Found:
    for m in _SHORT_YEAR.finditer(of.passage.text) if "year" in of.words else ():
        if of.value in (1900 + int(m["n"]), 2000 + int(m["n"])):
            yield *m.span(), WORKED_OUT


def _people(of: Asked) -> Found:
    for m in _AND_ME.finditer(of.passage.text) if of.words & _PEOPLE else ():
        if (_read(m["n"]) if m["n"] else 1.0) + 1 == of.value:
            yield *m.span(), WORKED_OUT


def _in_cents(of: Asked) -> Found:
    for mention in of.passage.mentions if _SMALLEST.search(of.described) else ():
        if mention.kind == "number" and _close(float(mention.readings[0]) * _HUNDRED, of.value):
            yield mention.start, mention.end, WORKED_OUT


def _length(of: Asked) -> Found:
    """The days between two dates that follow each other."""
    if not of.words & _LENGTHS or not 0 < of.value <= _MAX_LENGTH:
        return
    dates = [m for m in of.passage.mentions if m.kind == "date"]
    for a, b in zip(dates, dates[1:], strict=False):
        if _days(str(a.readings[0]), str(b.readings[0])) == of.value:
            yield a.start, b.end, WORKED_OUT


def _days(first: str, last: str) -> int:
    """Days between two ISO dates; of one without a year, in the year of the other; 0 where one is none."""
    year = next((x[:4] for x in (last, first) if re.match(r"\d{4}-", x)), "2000")
    try:
        a, b = (date.fromisoformat(x if re.match(r"\d{4}-", x) else f"{year}{x}") for x in (first, last))
    except ValueError:
        return 0
    return (b - a).days


def _lettered(of: Asked) -> Found:
    """The 4 of "P4", for a parameter that begins with that letter."""
    if not of.name or not of.value.is_integer() or of.value < 0:
        return
    for m in re.finditer(
        rf"(?<![A-Za-z0-9]){re.escape(of.name[0])}{int(of.value)}(?![A-Za-z0-9])",
        of.passage.text,
        re.IGNORECASE,
    ):
        yield *m.span(), WORKED_OUT


_SUPERLATIVE = re.compile(r"\bthe (?:\w+ )?(?:most|least|best|worst|top|[a-z]{3,}est)\b", re.IGNORECASE)


def _single_best(of: Asked) -> Found:
    """One, where the best of all is asked for and the parameter counts the best."""
    if of.value == 1 and "top" in of.words and (m := _SUPERLATIVE.search(of.passage.text)):
        yield *m.span(), BEYOND_BOUND


_FINDERS: tuple[Callable[[Asked], Found], ...] = (
    _prefixed,
    _feet,
    _period,
    _part_of_duration,
    _rate,
    _pi,
    _bound,
    _out_of,
    _from_zero,
    _loss,
    _short_year,
    _people,
    _in_cents,
    _length,
    _lettered,
    _single_best,
)
