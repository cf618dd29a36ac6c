"""Recognise what a text mentions: numbers, durations, dates, times, addresses, codes, quotes.

`recognise` runs a list of small recognisers from the most specific to the least; what one has read is hidden
from the next. How each kind is read stands in a file of its own: `codes`, `dates`, `clock_times`,
`durations`, `numbers`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from datetime import date
from functools import lru_cache

from looptool_kit.text.clock_times import find_times
from looptool_kit.text.codes import find_codes
from looptool_kit.text.dates import find_dates
from looptool_kit.text.durations import find_durations
from looptool_kit.text.mentions import Found, Mention, Readings
from looptool_kit.text.numbers import find_numbers, find_ordinals

# The order decides: the 4 of "December 4" is a day, the 5 of "5 pm" an hour, the 3 of "3 days" a length.
_RECOGNISERS: tuple[Callable[[str, date | None], Iterator[Found]], ...] = (
    find_codes,
    find_dates,
    find_times,
    find_durations,
    find_ordinals,
    find_numbers,
)
MAX_KEPT_CHARACTERS = 5_000
"""Mentions of longer texts are not kept: they take a hundred times the memory of their text."""


def recognise(text: str, today: date | None = None) -> tuple[Mention, ...]:
    """All mentions of a text, in the order they stand.

    They do not overlap, except that "two and three" gives two numbers on one span. Relative dates are read
    from `today`; without it their only reading is `?`. Takes time by the text's length.
    """
    return (_recognise if len(text) <= MAX_KEPT_CHARACTERS else _recognise.__wrapped__)(text, today)


@lru_cache(4096)
def _recognise(text: str, today: date | None) -> tuple[Mention, ...]:
    low = _lowered(text)
    mentions: list[Mention] = []
    for recogniser in _RECOGNISERS:
        new = list(_mentions(recogniser(low, today), text))
        mentions += new
        # A quote is a mention of its own, and what stands in it may be values too.
        low = _hide(low, [m for m in new if m.kind != "quote"])
    return tuple(sorted(mentions, key=lambda m: (m.start, m.end)))


def _lowered(text: str) -> str:
    """A text in lower case, letter for letter.

    A few letters change length when lowered; they stay, since offsets must stay true.
    """
    low = text.lower().replace("’", "'")
    if len(low) != len(text):
        low = "".join(c.lower() if len(c.lower()) == 1 else c for c in text)
    return low


def _mentions(matches: Iterator[Found], text: str) -> Iterator[Mention]:
    """What one recogniser finds, without what overlaps an earlier find of it."""
    spans, taken = set[tuple[int, int]](), bytearray(len(text))
    for kind, match, readings, unit in matches:
        start, end = match.span()
        start += len(match[0]) - len(match[0].lstrip())
        # Of one run of number words several numbers may come, all on its span.
        if kind != "number" if (start, end) in spans else 1 in taken[start:end]:
            continue
        spans.add((start, end))
        taken[start:end] = b"\1" * (end - start)
        words = text[start:end]
        yield Mention(kind, start, end, words, _as_written(kind, words, match) or readings, unit)


def _as_written(kind: str, words: str, match: re.Match[str]) -> Readings:
    """The reading of what is taken to the letter.

    Of a quote its inside, in lower case.

    Empty for other kinds.
    """
    if kind in ("email", "url", "phone", "code"):
        return (words,)
    return (match["a"] or match["b"],) if kind == "quote" else ()


def _hide(text: str, mentions: list[Mention]) -> str:
    hidden = list(text)
    for m in mentions:
        hidden[m.start : m.end] = "\x00" * (m.end - m.start)
    return "".join(hidden)


_TODAY = re.compile(
    r"\b(?:today(?:'s date)?(?: is)?|current (?:date|time|day)(?: is)?|date(?: is)?|now(?: is)?|it is)[ :]+",
    re.IGNORECASE,
)
_TODAY_WINDOW = 48
"""Characters after "today is" in which the date stands: room for a weekday and a time."""
_TODAY_GAP = 12
"""Characters between "today is" and the date: the longest weekday with comma and space, "Wednesday, "."""


@lru_cache(16384)
def today_in(text: str) -> tuple[date, int, int] | None:
    """The day that a text says it is, with its span.

    As in "Today is Monday, 2026-11-23."; None where the text does not say.
    """
    for lead in _TODAY.finditer(text):
        for mention in recognise(text[lead.end() : lead.end() + _TODAY_WINDOW]):
            if (
                mention.kind == "date"
                and mention.start <= _TODAY_GAP
                and re.fullmatch(r"\d{4}-\d\d-\d\d", str(mention.readings[0]))
            ):
                return date.fromisoformat(str(mention.readings[0])), lead.start(), lead.end() + mention.end
    return None
