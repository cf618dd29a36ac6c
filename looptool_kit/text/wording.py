"""Say a value in the form in which another was said."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from typing import Any

from num2words import num2words

from looptool_kit.text.mentions import Mention
from looptool_kit.text.numbers import number

NUMERAL = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|[A-Za-z]+(?:-[a-z]+)?")


def say_like(mention: Mention, old: Any, new: Any, today: date | None) -> str | None:
    """Say the new value as the mention says the old one.

    None where the form is not known, or the new value cannot be said in it.
    """
    if mention.kind in ("number", "duration"):
        match = next((f for f in NUMERAL.finditer(mention.text) if number(f[0]) == old), None)
        numeral = _numeral(match[0], new) if match else None
        return (
            mention.text[: match.start()] + numeral + mention.text[match.end() :]
            if match and numeral
            else None
        )
    forms: Sequence[Callable[[Any], str]] = DAY_FORMS if mention.kind == "date" else CLOCK_FORMS
    try:
        known_old, known_new = (
            (date.fromisoformat(old), date.fromisoformat(new)) if mention.kind == "date" else (old, new)
        )
        if today and mention.kind == "date":
            forms = [*forms, *_near_forms(today)]
        form = next((f for f in forms if f(known_old) == mention.text), None)
        return form(known_new) or None if form else None
    except ValueError:
        return None


def _numeral(numeral: str, new: float) -> str | None:
    if numeral[0].isdigit():
        decimals = len(numeral.split(".")[1]) if "." in numeral else 0
        wording = f"{new:,.{decimals}f}" if "," in numeral else f"{new:.{decimals}f}"
        return wording if number(wording) == new else str(new)
    return str(num2words(int(new))) if float(new).is_integer() and 0 <= new <= 100 else None


def _nth(n: int) -> str:
    return str(num2words(n, to="ordinal_num"))


_DAY_PATTERNS = (
    "{m} {d}", "{m} {n}", "{s} {d}", "{s} {n}", "{d} {m}", "{d} {s}", "{n} of {m}", "the {n} of {m}",
    "{n} {m}", "{w}, {m} {d}", "{w}, {m} {n}", "{w}, {d} {m}", "{m} {d}, {y}", "{m} {n}, {y}",
    "{s} {d}, {y}", "{d} {m} {y}", "{d} {s} {y}", "the {n} of {m} {y}", "the {n} of {m}, {y}",
    "{w}, {m} {d}, {y}", "{w} {m} {d}", "{w} the {n}", "the {n}",
)  # fmt: skip
"""With w the weekday, m the month, s the month's first letters, d the day, n the day as "4th", y the year."""


def _day_form(pattern: str, d: date) -> str:
    return pattern.format(w=f"{d:%A}", m=f"{d:%B}", s=f"{d:%b}", d=d.day, n=_nth(d.day), y=d.year)


DAY_FORMS: tuple[Callable[[date], str], ...] = (
    date.isoformat,
    *(partial(_day_form, pattern) for pattern in _DAY_PATTERNS),
)
"""The ways to say a day, whatever day today is."""


_MAX_WEEKDAY = 6
"""Days ahead up to which "Friday" means that day; a week ahead it is today's weekday."""
_MAX_COUNTED = 20
"""Days ahead up to which people count them: "in ten days"."""
_NAMED = ((0, "today"), (1, "tomorrow"), (2, "the day after tomorrow"))


def _near_forms(today: date) -> list[Callable[[date], str]]:
    """Forms relative to today.

    Empty text where a day cannot be said so.
    """

    def named(n: int, text: str, d: date) -> str:
        if (d - today).days == n:
            return text
        # A name fits one day only, so what is said so is swapped to any near day.
        return dict(_NAMED[1:]).get((d - today).days) or weekday("this coming ", d)

    def weekday(lead: str, d: date) -> str:
        return f"{lead}{d:%A}" if 2 <= (d - today).days <= _MAX_WEEKDAY else ""

    def counted(in_words: Callable[[int], str], d: date) -> str:
        ahead = (d - today).days
        return f"in {in_words(ahead)} days" if 2 <= ahead <= _MAX_COUNTED else ""

    return [
        *(partial(named, n, text) for n, text in _NAMED),
        *(partial(weekday, lead) for lead in ("", "this ", "this coming ", "coming ")),
        *(partial(counted, say) for say in (str, num2words)),
    ]


def _clock_parts(clock: str) -> tuple[int, int, int, str]:
    hour, minute = int(clock[:2]), int(clock[3:])
    return hour, hour % 12 or 12, minute, "am" if hour < 12 else "pm"


def _spoken_clock(clock: str) -> str:
    """A time in words.

    Empty where not at a quarter of an hour.
    """
    hour, twelve, minute, _ = _clock_parts(clock)
    if hour < 12:
        part = "in the morning"
    elif hour < 18:
        part = "in the afternoon"
    else:
        part = "in the evening" if hour < 22 else "at night"
    lead = {0: "", 15: "quarter past ", 30: "half past ", 45: "quarter to "}.get(minute)
    return "" if lead is None else f"{lead}{num2words(twelve if minute != 45 else twelve % 12 + 1)} {part}"


def _twelve(pattern: str, clock: str) -> str:
    _, twelve, minute, half = _clock_parts(clock)
    hour = f"{twelve}:{minute:02d}" if minute else twelve
    return pattern.format(h=hour, a=half, A=half.upper(), p=f"{half[0]}.m.")


CLOCK_FORMS: tuple[Callable[[str], str], ...] = (
    str,
    *(partial(_twelve, p) for p in ("{h} {a}", "{h}{a}", "{h} {A}", "{h}{A}", "{h} {p}", "{h}")),
    _spoken_clock,
)
"""The ways to say a time of day; the last but one leaves the half of the day open."""
