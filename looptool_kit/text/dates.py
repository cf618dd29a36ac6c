"""How a date is read: by calendar, holiday, weekday, or from today.

A reading is an ISO date, or as much of one as is said: `-MM-DD` without a year, `YYYY-MM` for a month,
`????-MM` for one of no year, `?` for a day relative to one that nobody named.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date, timedelta

from dateutil.relativedelta import relativedelta

from looptool_kit.text.clock_times import PART_OF_DAY
from looptool_kit.text.mentions import Found
from looptool_kit.text.numbers import FRACTION, number
from looptool_kit.text.numbers import ORDINALS as _ORDINALS

MONTHS = (
    "january", "february", "march", "april", "may", "june",
    "july", "august", "september", "october", "november", "december",
)  # fmt: skip
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_HOLIDAYS = {
    "christmas eve": (12, 24), "christmas day": (12, 25), "christmas": (12, 25), "new year's eve": (12, 31),
    "new year's day": (1, 1), "halloween": (10, 31), "valentine's day": (2, 14),
}  # fmt: skip
_WORDS = {"day after tomorrow": 2, "tomorrow": 1, "yesterday": -1, "day before yesterday": -2}
"""Days from today; every other word that is read ("tonight", "this morning") is today."""

# ------------------------------------------------------------------ patterns

_MONTH = (
    "(?:"
    + "|".join(f"{m[:3]}(?:{m[3:]})?" if m != "september" else "sept?(?:ember)?" for m in MONTHS)
    + r")\b(?:\.(?= \d))?"
)
_ORDINAL = "|".join(sorted(_ORDINALS, key=len, reverse=True)).replace("-", "[- ]")
_DAY = rf"(?:\d{{1,2}}(?:st|nd|rd|th)?|{_ORDINAL})(?![\w:]|\.\d)"
_WEEKDAY = r"(?:mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?:day)?(?![a-z])"
_N = r"(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|a couple of|a fortnight)"
_AHEAD = r"(?P<n>" + _N + r")(?P<unit> days?| weeks?| months?| years?|)"
_DATES: tuple[re.Pattern[str], ...] = (
    # 2026-12-04, 2026/12/4, 2026.12.4, 2026年12月4日
    re.compile(
        r"(?<![\d.-])(?P<y>\d{4})(?:[-/.]|年)(?P<m>\d{1,2})(?:[-/.]|月)(?P<d>\d{1,2})(?![\d-]|\.\d)日?"
    ),
    # the first Monday of January 2027, the last day of the month
    re.compile(
        rf"\b(?:the )?(?P<nth>first|second|third|fourth|last) (?P<nthday>day|{_WEEKDAY}) (?:of|in) "
        rf"(?:(?P<mon>{_MONTH})(?:,? (?P<y>\d{{4}})(?!\d))?|(?P<inmonth>this|next|the) month)"
    ),
    # two days after tomorrow, 3 weeks from Friday
    re.compile(
        rf"\b(?P<n>{_N})(?P<unit> days?| weeks?| months?|) (?P<way>from|after|before|on) "
        rf"(?P<anchor>today|now|tomorrow|(?:this |next )?(?P<wd>{_WEEKDAY}))"
    ),
    # Friday, December 4th, 2026
    re.compile(
        rf"\b(?:(?:on )?(?:{_WEEKDAY}),? )?(?P<mon>{_MONTH}) (?:the )?(?P<d>{_DAY})(?:,?"
        r" (?P<y>\d{4})(?!\d))?"
    ),
    # December.4, 2026
    re.compile(rf"\b(?P<mon>{_MONTH})\.(?P<d>{_DAY})(?:, ?(?P<y>\d{{4}})(?!\d))"),
    # the 4th of December 2026, the 7th of this December
    re.compile(
        rf"\b(?:(?:on )?(?:{_WEEKDAY}),? )?(?:the )?(?P<d>{_DAY})(?: of(?: this| next)?)? (?P<mon>{_MONTH})"
        r"(?:,? (?P<y>\d{4})(?!\d))?"
    ),
    # 12/4/2026, 04.12.26
    re.compile(
        r"(?<![\w/.-])(?P<a>\d{1,2})(?P<sep>[/.-])(?P<b>\d{1,2})(?P=sep)(?P<y>\d{4}|\d{2})(?![\w/]|\.\d)"
    ),
    # 12/4, but not "3/4 cup"
    re.compile(rf"(?<![\w/.-])(?!{FRACTION})(?P<a>\d{{1,2}})/(?P<b>\d{{1,2}})(?![\w/])"),
    re.compile(rf"\b(?P<holiday>{'|'.join(_HOLIDAYS)})\b"),
    re.compile(
        rf"\b(?P<word>(?:the )?day after tomorrow|tomorrow|today|tonight|right now|this {PART_OF_DAY}|"
        r"(?:the )?day before yesterday|yesterday)\b"
    ),
    # in two weeks' time
    re.compile(rf"\b(?:in|within) {_AHEAD}(?:'s? time)?(?![a-z])"),
    # three days ago
    re.compile(
        r"\b(?P<n>\d+|an?|one|two|three|four|five|six|seven|ten)(?P<unit> days?| weeks?| months?)"
        r" (?P<way>ago)\b"
    ),
    # Friday the 13th
    re.compile(rf"\b(?P<wd>{_WEEKDAY}),? (?:the )?(?P<d>\d{{1,2}}(?:st|nd|rd|th)|{_ORDINAL})\b"),
    # Monday of next week, next week on Monday
    re.compile(
        rf"\b(?P<wd>{_WEEKDAY}) (?:of )?(?P<which>next|this) week\b|\b(?P<which2>next|this) week'?s? (?:on"
        rf" )?(?P<wd2>{_WEEKDAY})"
    ),
    # next Friday, this coming Tuesday, a week from Monday, Friday week
    re.compile(
        rf"\b(?P<which>this coming|this upcoming|this|the coming|coming|upcoming|next|last|past|a week on|a"
        rf" week from)? ?"
        rf"(?P<wd>{_WEEKDAY})(?P<week> week\b)?"
    ),
    # the end of next month, this weekend
    re.compile(
        r"\b(?P<span>(?:the )?end of (?:the|this|next) month|(?:the )?first (?:day )?of (?:the )?next month|"
        r"(?:this|next) (?:week|month|year|weekend))\b"
    ),
    # the 24th; not the third floor or the 19th century
    re.compile(
        rf"(?<=\bthe )(?P<d>\d{{1,2}}(?:st|nd|rd|th)|{_ORDINAL})(?![a-z-])"
        r"(?= (?:at|of|for|from|to|till|until|through|and|or|in|on|by|before|after|around|about|with|without"
        r"|if|is|was|as|please|when|so|but|then|that|this|next|instead|not|my|the|we|i|it|morning|afternoon"
        r"|evening|night|noon|between)\b|[^ ]| [^a-z]|$)"
    ),
    # October 2026; not "may", "march", "sun", which are words of their own
    re.compile(
        rf"\b(?P<mon>(?:(?<=\bin )|(?<=\bof )|(?<=\bsince )|(?!may\b|march\b|mar\b|sep\b|sun\b))(?:{_MONTH}))"
        r"(?:,? (?:of )?(?P<y>\d{4}))?(?! \d)"
    ),
)
"""From the most specific pattern to the least. The named groups tell `_calendar` what to do."""


def find_dates(text: str, today: date | None) -> Iterator[Found]:
    """The dates of a lower-case text, as read from `today`."""
    for pattern in _DATES:
        for match in pattern.finditer(text):
            try:
                readings = _calendar({k: v for k, v in match.groupdict().items() if v}, today)
            except (ValueError, OverflowError):  # "February 30", "in 99999 years"
                continue
            if readings:
                yield "date", match, readings, ""


# ------------------------------------------------------------------ readings


def _calendar(part: dict[str, str], today: date | None) -> tuple[str, ...]:
    """The readings of a match; ValueError where there is no such day."""
    if "a" in part:
        return _numeric(int(part["a"]), int(part["b"]), part.get("y"), part.get("sep", "/"), today)
    if "m" in part:
        return (date(int(part["y"]), int(part["m"]), int(part["d"])).isoformat(),)
    if "nth" in part:
        return _nth_day(part, today)
    if "mon" in part and "d" in part:
        return _yearless(_month(part["mon"]), _day(part["d"]), part.get("y"), today)
    if "mon" in part:
        return _whole_month(_month(part["mon"]), part.get("y"), today)
    if "holiday" in part:
        return _yearless(*_HOLIDAYS[part["holiday"]], None, today)
    if "n" in part and "unit" not in part and "fortnight" not in part["n"]:
        return ()
    if today is None:
        return ("?",)
    return _relative(part, today)


def _relative(part: dict[str, str], today: date) -> tuple[str, ...]:
    """The readings of a day that is said from today."""
    if "wd" in part or "wd2" in part:
        return _iso(_weekday(part, today))
    if "word" in part:
        return _iso([today + timedelta(_WORDS.get(part["word"].removeprefix("the "), 0))])
    if "n" in part:
        start = today + timedelta(1) if part.get("anchor") == "tomorrow" else today
        return _iso([start - _step(part) if part.get("way") in ("ago", "before") else start + _step(part)])
    if "span" in part:
        return _span(part["span"], today)
    # "the 31st" is that day of this month or the next two, where they have one and it is not over.
    day = _day(part["d"])
    coming = [today + relativedelta(months=n, day=day) for n in range(3)]
    return _iso([d for n, d in enumerate(coming) if d.day == day and (n or day >= today.day)])


def _iso(days: list[date]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(d.isoformat() for d in days))


def _month(word: str) -> int:
    return next(n for n, m in enumerate(MONTHS, 1) if m.startswith(word.rstrip(".")[:3]))


def _day(word: str) -> int:
    return _ORDINALS.get(word.replace(" ", "-")) or int(re.sub(r"\D", "", word))


def _nth_day(part: dict[str, str], today: date | None) -> tuple[str, ...]:
    """The day that is the n-th of its weekday in a month, or its first or last."""
    if "mon" in part and "y" in part:
        first = date(int(part["y"]), _month(part["mon"]), 1)
    elif today is None:
        return ("?",)
    elif "mon" in part:
        month = _month(part["mon"])
        first = date(today.year + (month < today.month), month, 1)
    else:
        first = today + relativedelta(months=part["inmonth"] == "next", day=1)
    last = first + relativedelta(day=31)
    days = [first + timedelta(n) for n in range(last.day)]
    if part["nthday"] != "day":
        days = [d for d in days if _WEEKDAYS[d.weekday()].startswith(part["nthday"][:3])]
    return (
        days[
            ("first", "second", "third", "fourth", "last").index(part["nth"]) if part["nth"] != "last" else -1
        ].isoformat(),
    )


def _whole_month(month: int, year: str | None, today: date | None) -> tuple[str, ...]:
    """The readings of a month, the coming one first.

    `????-MM` where neither year nor today is known.
    """
    if year is not None:
        return (f"{int(year)}-{month:02d}",)
    years: list[int | str] = [today.year + (month < today.month), today.year] if today else ["????"]
    return tuple(dict.fromkeys(f"{y}-{month:02d}" for y in years))


def _yearless(month: int, day: int, year: str | None, today: date | None) -> tuple[str, ...]:
    """The readings of a day and month.

    Without a year: the next such day, the last one, then that of any year.
    """
    if year:
        return (date(int(year), month, day).isoformat(),)
    date(2024, month, day)  # ValueError where not even a leap year has the day
    readings = []
    if today:
        for y in (today.year, today.year + 1, today.year - 1):
            try:
                readings.append(date(y, month, day))
            except ValueError:
                continue
        readings.sort(key=lambda d: (d < today, abs((d - today).days)))
    return (*_iso(readings), f"-{month:02d}-{day:02d}")


def _numeric(a: int, b: int, year: str | None, sep: str, today: date | None) -> tuple[str, ...]:
    """The readings of "12/4": as month and day, then the other way.

    With points the day stands first.
    """
    full = None if year is None else year if len(year) == 4 else f"20{year}"
    orders = [(b, a)] if sep == "." else [(a, b), (b, a)]
    readings: list[str] = []
    for month, day in orders:
        try:
            days = _yearless(month, day, full, today)
        except ValueError:
            continue
        nearest = days[:1] if today or full else days
        readings += [r for r in nearest if r not in readings]
    return tuple(readings)


def _step(part: dict[str, str]) -> relativedelta:
    """The distance that "two weeks" or "a fortnight" says."""
    count, unit = part["n"], part.get("unit", "").strip().rstrip("s")
    if count in ("a", "an"):
        n = 1
    elif count.startswith("a couple"):
        n = 2
    elif count == "a fortnight":
        n = 14
    else:
        n = int(number(count) or 0)
    return relativedelta(**{f"{unit or 'day'}s": n})  # type: ignore[arg-type]


def _weekday(part: dict[str, str], today: date) -> list[date]:
    """The days that a weekday with the words around it can mean."""
    word = part.get("wd") or part["wd2"]
    index = next(n for n, w in enumerate(_WEEKDAYS) if w.startswith(word[:3]))
    coming = today + timedelta((index - today.weekday() - 1) % 7 + 1)
    of_next_week = today + timedelta(7 - today.weekday() + index)
    if "d" in part:
        return _weekday_and_day(index, _day(part["d"]), today)
    which = part.get("which") or part.get("which2") or ""
    if "way" in part:
        return [coming - _step(part) if part["way"] == "before" else coming + _step(part)]
    if which.startswith("a week") or "week" in part:
        return [coming + timedelta(7)]
    if which == "this" and ("which2" in part or "wd2" in part):
        return [today + timedelta(index - today.weekday())]
    if which == "next":
        # People mean by "next Friday" that of next week, or the first one to come.
        return [of_next_week, coming] if coming != of_next_week else [coming]
    if which in ("last", "past"):
        return [coming - timedelta(7), coming - timedelta(14)]
    return [coming, today] if index == today.weekday() else [coming]


def _weekday_and_day(index: int, day: int, today: date) -> list[date]:
    """The next day that is both, within 13 months ("Friday the 13th")."""
    coming = (today + relativedelta(months=n, day=day) for n in range(13))
    return [d for d in coming if d >= today and d.day == day and d.weekday() == index][:1]


def _span(words: str, today: date) -> tuple[str, ...]:
    """The days of a week, month or year, the likeliest first."""
    words = words.removeprefix("the ")
    if words.startswith("end of"):
        return _iso([today + relativedelta(months="next" in words, day=31)])
    if words.startswith("first"):
        return _iso([today + relativedelta(months=1, day=1)])
    ahead = words.startswith("next")
    monday = today - timedelta(today.weekday()) + timedelta(7 * ahead)
    if "weekend" in words:
        return _iso([monday + timedelta(5), monday + timedelta(6)])
    if "week" in words:
        days = [monday + timedelta(n) for n in range(7)]
        return _iso([today + timedelta(7), *days] if ahead else days)
    if "month" in words:
        first = today + relativedelta(months=ahead, day=1)
        return f"{first:%Y-%m}", *_iso([first])
    return _iso([date(today.year + ahead, 1, 1)])
