"""How a duration is read, always as seconds.

"An hour and a half", "2h30", "three weeks".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from looptool_kit.text.mentions import Found
from looptool_kit.text.numbers import DIGITS, PHRASE_NUMBER, WORD_NUMBER, number

MINUTE, HOUR, DAY = 60, 3600, 86400
"""In seconds."""
SECONDS = {
    "second": 1, "sec": 1, "minute": MINUTE, "min": MINUTE, "mn": MINUTE, "hour": HOUR, "hr": HOUR, "h": HOUR,
    "day": DAY, "night": DAY, "week": 7 * DAY, "fortnight": 14 * DAY, "month": 30 * DAY, "year": 365 * DAY,
}  # fmt: skip
"""Seconds of each unit as it is said; a month has 30 days, a year 365."""
_UNIT = "|".join(sorted(SECONDS, key=len, reverse=True))
_COUNT = rf"(?:{DIGITS})(?: and a half)?|{WORD_NUMBER}|{PHRASE_NUMBER}|an?|one and a half"
_DURATION = re.compile(
    rf"(?<![\w.,])(?:(?P<hm>\d+) ?h(?:ours?|rs?)?(?: and)? ?(?P<mm>\d+) ?(?:m|mins?|minutes?)?(?![a-z])"
    rf"|(?P<count>{_COUNT})(?: of)?(?: an?)?[ -]?(?P<unit>{_UNIT})s?(?![a-z])(?P<half> and (?:a"
    r" )?(?:half|quarter|three quarters)(?![a-z]))?"
    # "20 minutes and 15 minutes" are two
    rf"(?:(?! and (?:{_COUNT}) (?P=unit)) and (?P<more>{_COUNT})"
    r" (?P<munit>min(?:ute)?|sec(?:ond)?)s?(?![a-z]))?)"
)


def find_durations(text: str, today: date | None) -> Iterator[Found]:
    """The durations of a text in lower case, with the units said."""
    for match in _DURATION.finditer(text):
        if match["hm"]:
            yield "duration", match, (float(match["hm"]) * HOUR + float(match["mm"]) * MINUTE,), "hour"
            continue
        count = _count(match["count"])
        if count is None:
            continue
        seconds = (count + _part(match["half"] or "")) * SECONDS[match["unit"]]
        if match["more"]:
            seconds += (_count(match["more"]) or 0.0) * SECONDS[match["munit"]]
        yield "duration", match, (seconds,), match["unit"]


def _count(words: str) -> float | None:
    return 1.0 if words in ("a", "an") else number(words)


def _part(words: str) -> float:
    """The added part of a unit: "an hour and a quarter"."""
    if not words:
        return 0.0
    return 0.75 if "three" in words else 0.25 if "quarter" in words else 0.5
