"""Is a date or time of day said?

As such, beside another date, or by a duration from one.
"""

from __future__ import annotations

import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache

from looptool_kit.text.durations import DAY, MINUTE
from looptool_kit.text.grounding.numbers import same_number
from looptool_kit.text.grounding.scores import (
    ANY_YEAR,
    BESIDE_DATE,
    BY_DURATION,
    CANNOT_TELL,
    EXACT,
    FILLED_TIME,
    HALF_DAY_DENIED,
    HALF_DAY_OPEN,
    HALF_DAY_SAID,
    HALF_DAY_WRITTEN,
    HALF_DAY_WRITTEN_OTHER,
    IN_MONTH,
    LATER_DATE_READING,
    LESS_AS_HOUR,
    SECOND_DATE_READING,
    UNKNOWN_DAY,
    UNSAID_TODAY,
)
from looptool_kit.text.grounding.support import Grounding, Support, best, weakest
from looptool_kit.text.mentions import Mention
from looptool_kit.text.passages import Dialogue, Passage
from looptool_kit.text.recognise import recognise

ISO_DATE = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)(?:[T ](?P<time>\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
)
CLOCK = re.compile(r"(?P<time>\d\d:\d\d)(?::\d\d)?(?:Z|[+-]\d\d:?\d\d)?")
_LINKS = 4
"""Characters of a date and time in words that neither of them covers: " at "."""
_BESIDE = 14
"""Characters between a date and a bare day number that belong together: room for " to the " and the like."""
_MAX_SECONDS = 1e9
"""Longer durations count as this long, about 30 years: an endless one has no whole number of days."""
_DAY_ENDS = ("00:00", "23:59")
"""Times that a form fills in where only the day is said."""
_DAY_MINUTES = 1440
"""Times of day are compared within one day: three hours after 22:30 is 01:30."""


@lru_cache(8192)
def moment(value: str) -> tuple[str | None, str | None] | None:
    """The ISO date and the `HH:MM` that a string is.

    Either may be None; the whole is None where the string is neither.
    """
    if match := ISO_DATE.fullmatch(value) or CLOCK.fullmatch(value):
        return match.groupdict().get("date"), match["time"]
    mentions = recognise(value)
    covered = sum(m.end - m.start for m in mentions)
    if not mentions or covered < len(value.strip()) - _LINKS:
        return None
    if not {m.kind for m in mentions} <= {"date", "time"}:
        return None
    days = [str(m.readings[0]) for m in mentions if m.kind == "date"]
    times = [str(m.readings[0]) for m in mentions if m.kind == "time"]
    whole = not days or len(days[0]) >= len("YYYY-MM-DD")
    if len(days) <= 1 and len(times) <= 1 and whole:
        return next(iter(days), None), next(iter(times), None)
    return None


def ground_moment(day: str | None, clock: str | None, d: Dialogue) -> Grounding:
    """How far the dialogue says a date, a time, or both.

    Args:
        day: ISO date, or None.
        clock: `HH:MM`, or None; not both are None.
        d: The dialogue.
    """
    parts = []
    if day:
        support = best(_day_places(day, d))
        if d.today and day == d.today.isoformat() and support.supported < CANNOT_TELL:
            support = Grounding(UNSAID_TODAY, "today, though nobody says so")
        parts.append((day, support))
    if clock:
        spoken = best(_clock_places(clock, d))
        if day and clock in _DAY_ENDS and spoken.supported < FILLED_TIME and not _speaks_of_time(d):
            spoken = Grounding(FILLED_TIME, "of the time nothing is said")
        parts.append((clock, spoken))
    return weakest(parts)


def _speaks_of_time(d: Dialogue) -> bool:
    return any(m.kind == "time" for p in d.passages for m in p.mentions)


# --------------------------------------------------------------------- dates


def _day_places(day: str, d: Dialogue) -> Iterator[Support]:
    year_said = any(
        m.kind in ("date", "number") and re.search(rf"(?<!\d){day[:4]}(?!\d)", m.text)
        for p in d.passages
        for m in p.mentions
    )
    for n, p in enumerate(d.passages):
        numbers = [m for m in p.mentions if m.kind == "number"]
        starts, begun = [m.start for m in numbers], set[str]()
        durations = _durations(p, lambda seconds: math.floor(seconds / DAY))
        for m in (m for m in p.mentions if m.kind == "date"):
            if support := _as_date(day, m, d.today, year_said):
                yield *support, (n, m.start, m.end)
            first = str(m.readings[0])
            if len(first) != len("YYYY-MM-DD"):
                continue
            # "from December 4 to 7", "4 to 7 December", and the day on which a stay of three nights ends
            near = slice(bisect_right(starts, m.end - _BESIDE), bisect_left(starts, m.end + _BESIDE))
            for other in numbers[near]:
                if first[:8] == day[:8] and same_number(other.readings[0], float(day[8:])):
                    yield BESIDE_DATE, f"“{other.text}” beside “{m.text}”", (n, other.start, other.end)
            if durations and first != day and first not in begun:
                begun.add(first)
                for other in durations.get(_days_between(first, day), ()):
                    yield BY_DURATION, f"“{other.text}” from “{m.text}”", (n, other.start, other.end)


def _as_date(day: str, m: Mention, today: date | None, year_said: bool) -> tuple[float, str] | None:
    """The score of a date as said, with words.

    None for another day. Where the day's year is said of another date, it may be meant here too: "April 14 to
    April 18, 2023".
    """
    readings = [str(r) for r in m.readings]
    if day in readings:
        scores = (EXACT, SECOND_DATE_READING, LATER_DATE_READING)
        return scores[min(readings.index(day), 2)], f"“{m.text}”"
    if "?" in readings:
        return UNKNOWN_DAY, f"“{m.text}”, of a day that nobody named"
    if (today is None or year_said) and any(r.startswith("-") and day.endswith(r) for r in readings):
        return ANY_YEAR, f"“{m.text}”"
    if any(
        len(r) == len("YYYY-MM") and (day.startswith(r) or r[:4] == "????" and r[4:] == day[4:7])
        for r in readings
    ):
        return IN_MONTH, f"“{m.text}”"
    return None


def _days_between(first: str, last: str) -> int:
    """Days from one ISO date to another; -1 where one is none."""
    try:
        return (date.fromisoformat(last) - date.fromisoformat(first)).days
    except ValueError:
        return -1


def _durations(p: Passage, measure: Callable[[float], int]) -> dict[int, list[Mention]]:
    """The durations of a passage by what `measure` makes of their seconds.

    A date or time looks its durations up there. Comparing each with each would take the square of the text.
    """
    durations: dict[int, list[Mention]] = {}
    for m in p.mentions:
        if m.kind == "duration":
            durations.setdefault(measure(min(float(m.readings[0]), _MAX_SECONDS)), []).append(m)
    return durations


# -------------------------------------------------------------- times of day


def _clock_places(clock: str, d: Dialogue) -> Iterator[Support]:
    for n, p in enumerate(d.passages):
        begun = set[str]()
        durations = _durations(p, lambda seconds: round(seconds / MINUTE) % _DAY_MINUTES)
        for m in p.mentions:
            if m.kind == "time":
                readings = [str(r) for r in m.readings]
                if clock in readings:
                    score = _half_day(clock, p.text) if len(readings) > 1 else EXACT
                    yield score, f"“{m.text}”", (n, m.start, m.end)
                for reading in readings if durations else ():
                    if reading != clock and reading not in begun:
                        begun.add(reading)
                        for other in durations.get((_minutes(clock) - _minutes(reading)) % _DAY_MINUTES, ()):
                            yield BY_DURATION, f"“{other.text}” from “{m.text}”", (n, other.start, other.end)
            elif m.kind == "number" and clock.endswith("00"):
                hours = float(clock[:2]), float(clock[:2]) - 12
                if any(same_number(r, h) for r in m.readings for h in hours):
                    score = _half_day(clock, p.text) - LESS_AS_HOUR
                    yield score, f"“{m.text}” as an hour", (n, m.start, m.end)


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:5])


@lru_cache(256)
def _half_day(clock: str, text: str) -> float:
    """Support for one of the two readings of a bare hour.

    By what else the text says of the time of day.
    """
    late = re.search(r"\b(?:evening|tonight|dinner|afternoon|night|pm)\b", text, re.IGNORECASE)
    early = re.search(r"\b(?:morning|breakfast|am)\b", text, re.IGNORECASE)
    if bool(late) != bool(early):
        return HALF_DAY_SAID if (clock >= "12:00") == bool(late) else HALF_DAY_DENIED
    # Two digits are how a day of 24 hours is written.
    if clock in text:
        return HALF_DAY_WRITTEN
    twin = f"{(int(clock[:2]) + 12) % 24:02d}{clock[2:]}"
    return HALF_DAY_WRITTEN_OTHER if twin in text else HALF_DAY_OPEN
