"""Read the values that a text mentions: numbers, durations, dates, times, addresses, codes, quotes.

`recognise` is a list of small recognisers, run from the most specific to the least; what one has read is
hidden from the next. A mention holds every reading that a person could mean, the likeliest first ("next
Friday" has two), so that whoever asks can weigh them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date, timedelta
from functools import lru_cache
from typing import Literal, NamedTuple

from dateutil.relativedelta import relativedelta
from num2words import num2words

Kind = Literal["number", "duration", "date", "time", "email", "url", "phone", "code", "quote"]


class Mention(NamedTuple):
    """One value as a text says it."""

    kind: Kind
    start: int
    """Character offset of the first character."""
    end: int
    """Character offset after the last character."""
    text: str
    readings: tuple[str | float, ...]
    """What it can mean, likeliest first. number: float. duration: seconds. date: ISO date, or `-MM-DD` (any
    year), `YYYY-MM` (a month), `?` (relative to a day that nobody named). time: `HH:MM`. Others: the text.
    """
    unit: str = ""
    """number: `%`, a currency code or nothing; duration: the unit as said, singular."""


Found = tuple[Kind, re.Match[str], tuple[str | float, ...], str]

# ------------------------------------------------------------------ numbers

_SMALL = {num2words(n): float(n) for n in range(20)} | {"no": 0.0}
_TENS = {num2words(n): float(n) for n in range(20, 100, 10)}
_SCALES = {"hundred": 1e2, "thousand": 1e3, "million": 1e6, "billion": 1e9, "dozen": 12.0}
_PHRASES = {
    "half a dozen": 6.0, "a half dozen": 6.0, "half-dozen": 6.0, "a couple": 2.0, "a pair": 2.0, "a few": 3.0, "a hundred": 100.0,
    "a thousand": 1000.0, "a million": 1e6, "a dozen": 12.0, "a half": 0.5, "half a": 0.5, "a quarter": 0.25, "three quarters": 0.75,
    "a third": 1 / 3, "once": 1.0, "twice": 2.0,
    "a single": 1.0, "half": 0.5,
}  # fmt: skip
_ANY_SMALL = "|".join(sorted((*_SMALL, *_TENS), key=len, reverse=True))
# Every repetition that a pattern may try anew at each place of a text has a bound, or a run of such words
# costs the square of its length. No number has more than 24 words; a longer run is read as several.
_MORE_SMALL = (
    rf"(?:[ -](?:{_ANY_SMALL}|{'|'.join(_SCALES)})(?![a-z])|,? and (?:{_ANY_SMALL}|a half|a"
    r" quarter)(?![a-z]))"
)
_WORD_NUMBER = rf"(?:{_ANY_SMALL}){_MORE_SMALL}{{0,24}}"
_PHRASE_NUMBER = "|".join(sorted(map(re.escape, _PHRASES), key=len, reverse=True))
_SCALED = rf"(?:a )?(?:hundred|thousand)(?:,? (?:and )?(?:{_ANY_SMALL})(?:[ -](?:{_ANY_SMALL})){{0,24}})?"
_DIGITS = r"\d{1,3}(?:,\d{3})+(?:\.\d+)?|\d+(?:\.\d+)?|\.\d+"
_CURRENCY = {
    "$": "USD", "€": "EUR", "£": "GBP", "¥": "JPY", "₹": "INR", "usd": "USD", "dollar": "USD", "buck": "USD", "eur": "EUR", "euro": "EUR",
    "gbp": "GBP",
    "pound": "GBP", "yen": "JPY", "jpy": "JPY", "franc": "CHF", "chf": "CHF", "rupee": "INR", "inr": "INR", "cad": "CAD", "aud": "AUD",
}  # fmt: skip
_AMOUNT = re.compile(
    rf"(?<![\w.,])(?P<sign>[-−]|minus )?(?P<money>[$€£¥₹] ?)?(?:(?P<digits>{_DIGITS})(?P<mixed> and a half|"
    r" and a quarter| ?[½¼¾])?"
    rf"(?P<ord>st|nd|rd|th)?(?P<scale>(?: ?(?:k|m|bn)|["
    rf" -](?:hundred|thousand|million|billion|dozen))(?![a-z]))?"
    rf"|(?P<phrase>{_SCALED}(?![a-z])|(?:{_PHRASE_NUMBER})(?![a-z]))|(?P<words>{_WORD_NUMBER})(?![a-z]))"
    r"(?P<unit> ?%| per ?cent| (?:us"
    r" )?(?:dollars?|bucks?|euros?|pounds?|yen|francs?|rupees?|usd|eur|gbp|jpy|chf|inr|cad|aud)(?![a-z])|"
    r" ?[€£])?"
)
_FRACTIONS = {"½": 0.5, "¼": 0.25, "¾": 0.75, "and a half": 0.5, "and a quarter": 0.25}
_SUFFIX = {"k": 1e3, "m": 1e6, "bn": 1e9} | _SCALES


@lru_cache(4096)
def number(words: str) -> float | None:
    """The value of a number in digits or English words ("1.5k", "two and a half", "a hundred and fifty"),
    None where it is none.
    """
    found = _AMOUNT.fullmatch(words.lower().strip())
    return _amounts(found)[0] if found else None


def _amounts(found: re.Match[str]) -> list[float]:
    """The values of one run: "two hundred and six" is one, "two and three" are two."""
    if found["digits"]:
        value = float(found["digits"].replace(",", "")) + _FRACTIONS.get((found["mixed"] or "").strip(), 0.0)
        values = [value * _SUFFIX.get((found["scale"] or "").strip(" -"), 1.0)]
    elif found["phrase"] in _PHRASES:
        values = [_PHRASES[found["phrase"]]]
    else:
        values = _sum_words(re.split(r"[\s,-]+", found["phrase"] or found["words"]))
    return [-v for v in values] if found["sign"] else values


def _sum_words(words: list[str]) -> list[float]:
    values: list[float] = []
    total, current, last = 0.0, 0.0, ""
    joined = False
    for at, word in enumerate(words):
        if word in ("and", "a"):
            joined = word == "and" or joined
            continue
        if word in ("half", "quarter"):
            current += 0.5 if word == "half" else 0.25
        elif word in _SCALES:
            scale = _SCALES[word]
            if scale in (100.0, 12.0):
                current = (current or 1.0) * scale
            else:
                total, current = total + (current or 1.0) * scale, 0.0
        elif (
            at
            and not (last in _TENS and word in _SMALL and 0 < _SMALL[word] < 10 and not joined)
            and last not in _SCALES
        ):
            values.append(total + current)
            total, current = 0.0, _SMALL.get(word, _TENS.get(word, 0.0))
        else:
            current += _SMALL.get(word, _TENS.get(word, 0.0))
        last, joined = word, False
    return [*values, total + current]


def _numbers(text: str, today: date | None) -> Iterator[Found]:
    for found in _AMOUNT.finditer(text):
        if text.startswith((" things", " favour", " favor", " more thing"), found.end()):
            continue
        unit = (found["unit"] or "").strip()
        unit = (
            "%"
            if unit.startswith(("%", "per"))
            else _CURRENCY.get(re.sub(r"^us ", "", unit).rstrip("s") or (found["money"] or "").strip(), "")
        )
        for value in _amounts(found):
            yield "number", found, (value, value / 100) if unit == "%" else (value,), unit


# ---------------------------------------------------------------- durations

_SECONDS = {
    "second": 1, "sec": 1, "minute": 60, "min": 60, "mn": 60, "hour": 3600, "hr": 3600, "h": 3600, "day": 86400, "night": 86400, "week": 604800,
    "fortnight": 1209600, "month": 2592000, "year": 31536000,
}  # fmt: skip
_UNIT = "|".join(sorted(_SECONDS, key=len, reverse=True))
_COUNT = rf"(?:{_DIGITS})(?: and a half)?|{_WORD_NUMBER}|{_PHRASE_NUMBER}|an?|one and a half"
_DURATION = re.compile(
    rf"(?<![\w.,])(?:(?P<hm>\d+) ?h(?:ours?|rs?)?(?: and)? ?(?P<mm>\d+) ?(?:m|mins?|minutes?)?(?![a-z])"
    rf"|(?P<count>{_COUNT})(?: of)?(?: an?)?[ -]?(?P<unit>{_UNIT})s?(?![a-z])(?P<half> and (?:a"
    r" )?(?:half|quarter|three quarters)(?![a-z]))?"
    rf"(?: and (?P<more>{_COUNT}) (?P<munit>min(?:ute)?|sec(?:ond)?)s?(?![a-z]))?)"
)


def _durations(text: str, today: date | None) -> Iterator[Found]:
    for found in _DURATION.finditer(text):
        if found["hm"]:
            yield "duration", found, (float(found["hm"]) * 3600 + float(found["mm"]) * 60,), "hour"
            continue
        count = 1.0 if found["count"] in ("a", "an") else number(found["count"])
        if count is None:
            continue
        half = (found["half"] or "").strip()
        count += 0.0 if not half else 0.75 if "three" in half else 0.25 if "quarter" in half else 0.5
        seconds = count * _SECONDS[found["unit"]]
        if found["more"]:
            seconds += (1.0 if found["more"] in ("a", "an") else number(found["more"]) or 0.0) * _SECONDS[
                found["munit"]
            ]
        yield "duration", found, (seconds,), found["unit"]


# -------------------------------------------------------------------- times

_HOUR = r"(?:\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_MINUTE = (
    r"(?:oh[ -](?:five)|five|ten|fifteen|twenty|thirty|forty|forty[ -]five|fifty|fifty[ -]five|twenty["
    r" -]five|thirty[ -]five)"
)
_PART = "(?:morning|afternoon|evening)"
_HALF = (
    rf"(?P<half>[ap]\.m\.|[ap]m\b|in the (?:early )?{_PART}|at night|tonight|this {_PART}|o'?clock(?: in the"
    rf" {_PART}| at night)?)"
)
_TIMES = (
    re.compile(
        rf"(?<!from )\b(?P<past>half|(?:a )?quarter|\d{{1,2}}(?= min| past| after)|{_MINUTE})(?: minutes?)? "
        rf"(?P<to>past|after|to|before|till|of) (?P<h>{_HOUR})\b(?: ?{_HALF})?"
    ),
    re.compile(
        rf"(?:\b|(?<=\x00t))(?P<h>[01]?\d|2[0-4]):(?P<m>[0-5]\d)(?::[0-5]\d)?(?!\d|\.\d)(?: ?{_HALF})?"
    ),
    re.compile(
        rf"\b(?P<h>{_HOUR})\.(?P<m>[0-5]\d) ?{_HALF}|(?<=\bat )(?P<h2>[01]?\d|2[0-4])\.(?P<m2>[0-5]\d)(?!\d|"
        r" ?%| per)"
    ),
    re.compile(rf"\b(?P<h>{_HOUR})(?: (?P<m>{_MINUTE}))? ?{_HALF}"),
    re.compile(rf"(?<=\bat )(?P<h>{_HOUR}) (?P<m>{_MINUTE})\b"),
    re.compile(r"\b(?P<word>noon|midday|midnight)\b"),
)


def _times(text: str, today: date | None) -> Iterator[Found]:
    for pattern in _TIMES:
        for found in pattern.finditer(text):
            readings = _clock({k.rstrip("2"): v for k, v in found.groupdict().items() if v})
            if readings:
                yield "time", found, readings, ""


def _clock(part: dict[str, str]) -> tuple[str, ...]:
    if part.get("word"):
        return ("00:00",) if part["word"] == "midnight" else ("12:00",)
    hour = number(part["h"] or "")
    minute = number((part.get("m") or "0").replace("oh", "").strip(" -"))
    if hour is None or minute is None or hour > 24 or minute > 59:
        return ()
    if past := part.get("past"):
        minutes = 30.0 if past == "half" else 15.0 if "quarter" in past else number(past)
        if minutes is None or minutes > 59:
            return ()
        hour, minute = (hour, minutes) if part["to"] in ("past", "after") else (hour - 1 or 12, 60 - minutes)
    half = (part.get("half") or "").replace(".", "")
    later = hour < 12 and (half == "pm" or re.search("afternoon|evening|night", half) is not None)
    if hour == 12 and (half == "am" or half.endswith("night")):
        hour = 0
    first = f"{int(hour + 12 * later) % 24:02d}:{int(minute):02d}"
    plain = not half or half in ("o'clock", "oclock")
    if plain and 1 <= hour <= 12 and not (part.get("h") or "").startswith("0"):
        return first, f"{int(hour % 12 + 12 * (hour < 12)):02d}:{int(minute):02d}"
    return (first,)


# -------------------------------------------------------------------- dates

_MONTHS = (
    "january",
    "february",
    "march",
    "april",
    "may",
    "june",
    "july",
    "august",
    "september",
    "october",
    "november",
    "december",
)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_MONTH = (
    "(?:"
    + "|".join(f"{m[:3]}(?:{m[3:]})?" if m != "september" else "sept?(?:ember)?" for m in _MONTHS)
    + r")\b(?:\.(?= \d))?"
)
_ORDINALS = {num2words(n, to="ordinal"): n for n in range(1, 32)}
_ORDINAL = "|".join(sorted(_ORDINALS, key=len, reverse=True)).replace("-", "[- ]")
_DAY = rf"(?:\d{{1,2}}(?:st|nd|rd|th)?|{_ORDINAL})(?![\w:]|\.\d)"
_WEEKDAY = r"(?:mon|tue|tues|wed|wednes|thu|thur|thurs|fri|sat|satur|sun)(?:day)?(?![a-z])"
_N = r"(?:\d+|an?|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|a couple of|a fortnight)"
_AHEAD = r"(?P<n>" + _N + r")(?P<unit> days?| weeks?| months?| years?|)"
_HOLIDAYS = {
    "christmas eve": (12, 24), "christmas day": (12, 25), "christmas": (12, 25), "new year's eve": (12, 31), "new year's day": (1, 1),
    "halloween": (10, 31), "valentine's day": (2, 14),
}  # fmt: skip
_DATES: tuple[re.Pattern[str], ...] = (
    re.compile(r"(?<![\d-])(?P<y>\d{4})[-/](?P<m>\d{1,2})[-/](?P<d>\d{1,2})(?![\d-])"),
    re.compile(
        rf"\b(?P<n>{_N})(?P<unit> days?| weeks?| months?|) (?P<way>from|after|before|on) "
        rf"(?P<anchor>today|now|tomorrow|(?:this |next )?(?P<wd>{_WEEKDAY}))"
    ),
    re.compile(
        rf"\b(?:(?:on )?(?:{_WEEKDAY}),? )?(?P<mon>{_MONTH}) (?:the )?(?P<d>{_DAY})(?:,?"
        r" (?P<y>\d{4})(?!\d))?"
    ),
    re.compile(
        rf"\b(?:(?:on )?(?:{_WEEKDAY}),? )?(?:the )?(?P<d>{_DAY})(?: of)? (?P<mon>{_MONTH})(?:,?"
        r" (?P<y>\d{4})(?!\d))?"
    ),
    re.compile(
        r"(?<![\w/.-])(?P<a>\d{1,2})(?P<sep>[/.-])(?P<b>\d{1,2})(?P=sep)(?P<y>\d{4}|\d{2})(?![\w/]|\.\d)"
    ),
    re.compile(r"(?<![\w/.-])(?P<a>\d{1,2})/(?P<b>\d{1,2})(?![\w/])"),
    re.compile(rf"\b(?P<holiday>{'|'.join(_HOLIDAYS)})\b"),
    re.compile(
        rf"\b(?P<word>(?:the )?day after tomorrow|tomorrow|today|tonight|right now|this {_PART}|(?:the )?day"
        r" before yesterday|yesterday)\b"
    ),
    re.compile(rf"\b(?:in|within) {_AHEAD}(?:'s? time)?(?![a-z])"),
    re.compile(
        r"\b(?P<n>\d+|an?|one|two|three|four|five|six|seven|ten)(?P<unit> days?| weeks?| months?)"
        r" (?P<way>ago)\b"
    ),
    re.compile(rf"\b(?P<wd>{_WEEKDAY}),? (?:the )?(?P<d>\d{{1,2}}(?:st|nd|rd|th)|{_ORDINAL})\b"),
    re.compile(
        rf"\b(?P<wd>{_WEEKDAY}) (?:of )?(?P<which>next|this) week\b|\b(?P<which2>next|this) week'?s? (?:on"
        rf" )?(?P<wd2>{_WEEKDAY})"
    ),
    re.compile(
        rf"\b(?P<which>this coming|this upcoming|this|the coming|coming|upcoming|next|last|past|a week on|a"
        rf" week from)? ?"
        rf"(?P<wd>{_WEEKDAY})(?P<week> week\b)?"
    ),
    re.compile(
        r"\b(?P<span>(?:the )?end of (?:the|this|next) month|(?:the )?first (?:day )?of (?:the )?next month|"
        r"(?:this|next) (?:week|month|year|weekend))\b"
    ),
    re.compile(
        rf"(?<=\bthe )(?P<d>\d{{1,2}}(?:st|nd|rd|th)|{_ORDINAL})"
        r"(?! (?:floor|time|one|option|item|edition|street|avenue|grade|place|row|person)\b)(?![a-z])"
    ),
    re.compile(
        rf"\b(?P<mon>(?!may\b|march\b|mar\b|sep\b|sun\b)(?:{_MONTH}))(?:,? (?:of )?(?P<y>\d{{4}}))?(?! \d)"
    ),
)


def _dates(text: str, today: date | None) -> Iterator[Found]:
    for pattern in _DATES:
        for found in pattern.finditer(text):
            try:
                readings = _calendar({k: v for k, v in found.groupdict().items() if v}, today)
            except (ValueError, OverflowError):
                continue
            if readings:
                yield "date", found, readings, ""


def _calendar(part: dict[str, str], today: date | None) -> tuple[str, ...]:
    """The readings of one date pattern's named groups; ValueError where there is no such day."""
    if "a" in part:
        return _numeric(int(part["a"]), int(part["b"]), part.get("y"), part.get("sep", "/"), today)
    if "m" in part:
        return (date(int(part["y"]), int(part["m"]), int(part["d"])).isoformat(),)
    if "mon" in part and "d" in part:
        return _yearless(_month(part["mon"]), _day(part["d"]), part.get("y"), today)
    if "mon" in part:
        month = _month(part["mon"])
        years = (
            [int(part["y"])]
            if "y" in part
            else [today.year + (month < today.month), today.year]
            if today
            else []
        )
        return tuple(dict.fromkeys(f"{y}-{month:02d}" for y in years))
    if "holiday" in part:
        return _yearless(*_HOLIDAYS[part["holiday"]], None, today)
    if "n" in part and "unit" not in part and "fortnight" not in part["n"]:
        return ()
    if today is None:
        return ("?",)
    if "wd" in part or "wd2" in part:
        return _iso(_weekday(part, today))
    if "word" in part:
        word = part["word"].removeprefix("the ")
        ahead = {"day after tomorrow": 2, "tomorrow": 1, "yesterday": -1, "day before yesterday": -2}.get(
            word, 0
        )
        return _iso([today + timedelta(ahead)])
    if "n" in part:
        step = _step(part["n"], part.get("unit", "").strip().rstrip("s"))
        start = today + timedelta(1) if part.get("anchor") == "tomorrow" else today
        return _iso([start - step if part.get("way") in ("ago", "before") else start + step])
    if "span" in part:
        return _span(part["span"], today)
    day = _day(part["d"])
    return _iso(
        [
            today + relativedelta(months=n, day=day)
            for n in range(3)
            if (today + relativedelta(months=n, day=day)).day == day and (n or day >= today.day)
        ]
    )


def _iso(days: list[date]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(d.isoformat() for d in days))


def _month(word: str) -> int:
    return next(n for n, m in enumerate(_MONTHS, 1) if m.startswith(word.rstrip(".")[:3]))


def _day(word: str) -> int:
    return _ORDINALS.get(word.replace(" ", "-")) or int(re.sub(r"\D", "", word))


def _yearless(month: int, day: int, year: str | None, today: date | None) -> tuple[str, ...]:
    if year:
        return (date(int(year), month, day).isoformat(),)
    date(2024, month, day)
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
    full = None if year is None else year if len(year) == 4 else f"20{year}"
    orders = [(b, a)] if sep == "." else [(a, b), (b, a)]
    readings: list[str] = []
    for month, day in orders:
        try:
            readings += [
                r
                for r in _yearless(month, day, full, today)[: 1 if today or full else None]
                if r not in readings
            ]
        except ValueError:
            continue
    return tuple(readings)


def _step(count: str, unit: str) -> relativedelta:
    n = (
        1
        if count in ("a", "an")
        else 2
        if count.startswith("a couple")
        else 14
        if count == "a fortnight"
        else int(number(count) or 0)
    )
    return relativedelta(**{f"{unit or 'day'}s": n})  # type: ignore[arg-type]


def _weekday(part: dict[str, str], today: date) -> list[date]:
    word = part.get("wd") or part["wd2"]
    index = next(n for n, w in enumerate(_WEEKDAYS) if w.startswith(word[:3]))
    coming = today + timedelta((index - today.weekday() - 1) % 7 + 1)
    of_next_week = today + timedelta(7 - today.weekday() + index)
    if "d" in part:
        day = _day(part["d"])
        return [
            d
            for n in range(13)
            if (d := today + relativedelta(months=n, day=day)) >= today
            and d.day == day
            and d.weekday() == index
        ][:1]
    which = part.get("which") or part.get("which2") or ""
    if "way" in part:
        step = _step(part["n"], part.get("unit", "").strip().rstrip("s"))
        return [coming - step if part["way"] == "before" else coming + step]
    if which.startswith("a week") or "week" in part:
        return [coming + timedelta(7)]
    if which == "this" and ("which2" in part or "wd2" in part):
        return [today + timedelta(index - today.weekday())]
    if which == "next":
        return [of_next_week, coming] if coming != of_next_week else [coming]
    if which in ("last", "past"):
        return [coming - timedelta(7), coming - timedelta(14)]
    return [coming, today] if index == today.weekday() else [coming]


def _span(words: str, today: date) -> tuple[str, ...]:
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
        return _iso(
            [today + timedelta(7), *(monday + timedelta(n) for n in range(7))]
            if ahead
            else [monday + timedelta(n) for n in range(7)]
        )
    if "month" in words:
        return f"{today + relativedelta(months=ahead):%Y-%m}", *_iso(
            [today + relativedelta(months=ahead, day=1)]
        )
    return _iso([date(today.year + ahead, 1, 1)])


# ------------------------------------------------------- addresses and codes

_AFTER_NUMBER = "st|nd|rd|th|k|m|bn|am|pm|min|mins|h|hr|hrs|kg|km|gb|mb|cm|mm|ml|x|d|s|c|f|g|lb|oz|mg|l|w|mph|kmh|hours?|days?|minutes?"
_EXACT: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)+")),
    ("url", re.compile(r"(?:https?://|www\.)[^\s\"'<>)]*[^\s\"'<>).,;!?]")),
    ("quote", re.compile(r"(?:(?<=\s)|^)['‘](?P<a>[^'’\n]{2,120}?)['’](?=[\s.,;:!?]|$)|[\"“](?P<b>[^\"”\n]{2,160})[\"”]")),
    ("phone", re.compile(r"(?<![\w+])\+\d[\d ()-]{6,16}\d\b|(?<!\w)\(?\d{3}\)?[ -]\d{3}[ -]\d{4}\b|(?<![\w-])\d{3}-\d{4}(?![\w-])")),
    ("code", re.compile(rf"(?<![\w-])(?=[a-z0-9_-]*\d)(?=[a-z0-9_-]*[a-z])(?!\d+(?:{_AFTER_NUMBER})(?![\w-]))(?!\d{{1,2}}h\d\d|\d{{1,2}}[ap]m)"
                        r"(?!\d+-(?:day|night|minute|hour|week|month|year|person|star)s?(?![\w-]))"
                        r"(?:[a-z]+[-_]?\d[a-z0-9_-]*|\d+[-_]?[a-z][a-z0-9_-]*)(?![\w-])")),
)  # fmt: skip


def _exact(text: str, today: date | None) -> Iterator[Found]:
    for kind, pattern in _EXACT:
        for found in pattern.finditer(text):
            yield kind, found, (found[0],), ""


_RECOGNISERS: tuple[Callable[[str, date | None], Iterator[Found]], ...] = (
    _exact,
    _dates,
    _times,
    _durations,
    _numbers,
)


def recognise(text: str, today: date | None = None) -> tuple[Mention, ...]:
    """All mentions of a text in the order they stand; they do not overlap, except that "two and three" gives
    two numbers on one span.

    Relative dates are read from `today`; without it their only reading is `?`. Takes time by the text's
    length.
    """
    # Of a long text the mentions take a hundred times its memory: too much to keep.
    return (_recognise if len(text) <= 5_000 else _recognise.__wrapped__)(text, today)


@lru_cache(4096)
def _recognise(text: str, today: date | None) -> tuple[Mention, ...]:
    low = text.lower().replace("’", "'")
    if len(low) != len(text):  # a few letters change length when lowered; offsets must stay true
        low = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    mentions: list[Mention] = []
    for recogniser in _RECOGNISERS:
        spans, taken = set[tuple[int, int]](), bytearray(len(low))
        hidden = list(low)
        for kind, found, readings, unit in recogniser(low, today):
            start, end = found.span()
            start += len(found[0]) - len(found[0].lstrip())
            if kind != "number" if (start, end) in spans else 1 in taken[start:end]:
                continue
            spans.add((start, end))
            taken[start:end] = b"\1" * (end - start)
            exact = (
                (text[start:end],)
                if kind in ("email", "url", "phone", "code")
                else (found["a"] or found["b"],)
                if kind == "quote"
                else readings
            )
            mentions.append(Mention(kind, start, end, text[start:end], exact, unit))
            hidden[start:end] = "\x00" * (end - start)
        # A quote is a mention of its own, and what stands in it may be values too.
        low = (
            "".join(hidden)
            if recogniser is not _exact
            else _hide(low, [m for m in mentions if m.kind != "quote"])
        )
    return tuple(sorted(mentions, key=lambda m: (m.start, m.end)))


def _hide(text: str, mentions: list[Mention]) -> str:
    hidden = list(text)
    for m in mentions:
        hidden[m.start : m.end] = "\x00" * (m.end - m.start)
    return "".join(hidden)


_TODAY = re.compile(
    r"\b(?:today(?:'s date)?(?: is)?|current (?:date|time|day)(?: is)?|date(?: is)?|now(?: is)?|it is)[ :]+",
    re.IGNORECASE,
)


@lru_cache(16384)
def today_in(text: str) -> tuple[date, int, int] | None:
    """The day that a text says it is ("Today is Monday, 2026-11-23."), with the span of that statement; None
    where it does not say.
    """
    for lead in _TODAY.finditer(text):
        for mention in recognise(text[lead.end() : lead.end() + 48]):
            if (
                mention.kind == "date"
                and mention.start <= 12
                and re.fullmatch(r"\d{4}-\d\d-\d\d", str(mention.readings[0]))
            ):
                return date.fromisoformat(str(mention.readings[0])), lead.start(), lead.end() + mention.end
    return None
