"""Say a value in the form in which another was said: numerals, days, times of day."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import date
from typing import Any

from num2words import num2words

from looptool_kit.text.mentions import Mention, number

NUMERAL = re.compile(r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|[A-Za-z]+(?:-[a-z]+)?")


def say_like(mention: Mention, old: Any, new: Any, today: date | None) -> str | None:
    """The new value in the form in which the mention says the old one, None where the form is not known."""
    if mention.kind in ("number", "duration"):
        found = next((f for f in NUMERAL.finditer(mention.text) if number(f[0]) == old), None)
        said = _numeral(found[0], new) if found else None
        return mention.text[: found.start()] + said + mention.text[found.end() :] if found and said else None
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


def _numeral(said: str, new: float) -> str | None:
    if said[0].isdigit():
        decimals = len(said.split(".")[1]) if "." in said else 0
        wording = f"{new:,.{decimals}f}" if "," in said else f"{new:.{decimals}f}"
        return wording if number(wording) == new else str(new)
    return str(num2words(int(new))) if float(new).is_integer() and 0 <= new <= 100 else None


def _nth(n: int) -> str:
    return str(num2words(n, to="ordinal_num"))


DAY_FORMS: tuple[Callable[[date], str], ...] = (
    lambda d: d.isoformat(),
    *(
        (lambda d, p=pattern: p.format(w=f"{d:%A}", m=f"{d:%B}", s=f"{d:%b}", d=d.day, n=_nth(d.day), y=d.year))  # type: ignore[misc]
        for pattern in (
            "{m} {d}", "{m} {n}", "{s} {d}", "{s} {n}", "{d} {m}", "{d} {s}", "{n} of {m}", "the {n} of {m}", "{n} {m}", "{w}, {m} {d}",
            "{w}, {m} {n}", "{w}, {d} {m}", "{m} {d}, {y}", "{m} {n}, {y}", "{s} {d}, {y}", "{d} {m} {y}", "{d} {s} {y}", "the {n} of {m} {y}",
            "the {n} of {m}, {y}", "{w}, {m} {d}, {y}", "{w} {m} {d}", "{w} the {n}", "the {n}",
        )
    ),
)  # fmt: skip


def _near_forms(today: date) -> list[Callable[[date], str]]:
    """Forms relative to today; empty text where a day cannot be said so."""

    def ahead(d: date) -> int:
        return (d - today).days

    def when(n: int, text: str) -> Callable[[date], str]:
        return lambda d: text if ahead(d) == n else ""

    plain = [when(0, "today"), when(1, "tomorrow"), when(2, "the day after tomorrow")]
    weekday = [
        lambda d, p=p: f"{p}{d:%A}" if 2 <= ahead(d) <= 6 else ""
        for p in ("", "this ", "this coming ", "coming ")
    ]  # type: ignore[misc]
    counted = [
        lambda d, w=w: f"in {w(ahead(d))} days" if 2 <= ahead(d) <= 20 else "" for w in (str, num2words)
    ]  # type: ignore[misc]

    def near(d: date) -> str:
        return {1: "tomorrow", 2: "the day after tomorrow"}.get(ahead(d)) or (
            f"this coming {d:%A}" if 2 <= ahead(d) <= 6 else ""
        )

    # The first three fit one day each, so what is said so is swapped to any near day.
    loosened: list[Callable[[date], str]] = [lambda d, f=f: f(d) or near(d) for f in plain]  # type: ignore[misc]
    return [*loosened, *weekday, *counted]


def _clock_parts(clock: str) -> tuple[int, int, int, str]:
    hour, minute = int(clock[:2]), int(clock[3:])
    return hour, hour % 12 or 12, minute, "am" if hour < 12 else "pm"


def _spoken_clock(clock: str) -> str:
    hour, twelve, minute, _ = _clock_parts(clock)
    part = (
        "in the morning"
        if hour < 12
        else "in the afternoon"
        if hour < 18
        else "in the evening"
        if hour < 22
        else "at night"
    )
    lead = {0: "", 15: "quarter past ", 30: "half past ", 45: "quarter to "}.get(minute)
    return "" if lead is None else f"{lead}{num2words(twelve if minute != 45 else twelve % 12 + 1)} {part}"


def _twelve(clock: str, pattern: str) -> str:
    _, twelve, minute, half = _clock_parts(clock)
    return pattern.format(
        h=f"{twelve}:{minute:02d}" if minute else twelve, a=half, A=half.upper(), p=f"{half[0]}.m."
    )


CLOCK_FORMS: tuple[Callable[[str], str], ...] = (
    lambda c: c,
    *((lambda c, p=p: _twelve(c, p)) for p in ("{h} {a}", "{h}{a}", "{h} {A}", "{h}{A}", "{h} {p}", "{h}")),  # type: ignore[misc]
    _spoken_clock,
)
