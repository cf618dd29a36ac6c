"""How a time of day is read, always as `HH:MM`.

"Half past six", "18:30", "seven thirty pm", "noon".
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from looptool_kit.text.mentions import Found
from looptool_kit.text.numbers import number

PART_OF_DAY = "(?:morning|afternoon|evening)"
_HOUR = r"(?:\d{1,2}|one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve)"
_MINUTE = (
    r"(?:oh[ -](?:five)|five|ten|fifteen|twenty|thirty|forty|forty[ -]five|fifty|fifty[ -]five|twenty["
    r" -]five|thirty[ -]five)"
)
_HALF = (
    rf"(?P<half>[ap]\.m\.|[ap]m\b|in the (?:early )?{PART_OF_DAY}|at night|tonight|this {PART_OF_DAY}"
    rf"|o'?clock(?: in the {PART_OF_DAY}| at night)?)"
)
_TIMES = (
    # "quarter to nine in the evening", "20 past 7"; not the interval "from half past ..."
    re.compile(
        rf"(?<!from )\b(?P<past>half|(?:a )?quarter|\d{{1,2}}(?= min| past| after)|{_MINUTE})(?: minutes?)? "
        rf"(?P<to>past|after|to|before|till|of) (?P<h>{_HOUR})\b(?: ?{_HALF})?"
    ),
    # "6:30 pm", "18:30:00", and the time behind the `T` of a timestamp whose date has been read
    re.compile(
        rf"(?:\b|(?<=\x00t))(?P<h>[01]?\d|2[0-4]):(?P<m>[0-5]\d)(?::[0-5]\d)?(?!\d|\.\d)(?: ?{_HALF})?"
    ),
    # "6.30 pm", "at 18.30": a point says time only with a half of the day or after "at"
    re.compile(
        rf"\b(?P<h>{_HOUR})\.(?P<m>[0-5]\d) ?{_HALF}|(?<=\bat )(?P<h2>[01]?\d|2[0-4])\.(?P<m2>[0-5]\d)(?!\d|"
        r" ?%| per)"
    ),
    # "at 19h30"; without "at" it is a length
    re.compile(r"(?<=\bat )(?P<h>[01]?\d|2[0-4])h(?P<m>[0-5]\d)(?!\w)"),
    # "six pm", "seven thirty in the morning"
    re.compile(rf"\b(?P<h>{_HOUR})(?: (?P<m>{_MINUTE}))? ?{_HALF}"),
    # "at seven thirty"
    re.compile(rf"(?<=\bat )(?P<h>{_HOUR}) (?P<m>{_MINUTE})\b"),
    re.compile(r"\b(?P<word>noon|midday|midnight)\b"),
)
"""From the most specific pattern to the least; named groups tell `_clock` what to do."""


def find_times(text: str, today: date | None) -> Iterator[Found]:
    """The times of day of a text in lower case.

    A bare hour is also read twelve hours later.
    """
    for pattern in _TIMES:
        for match in pattern.finditer(text):
            readings = _clock({k.rstrip("2"): v for k, v in match.groupdict().items() if v})
            if readings:
                yield "time", match, readings, ""


def _clock(part: dict[str, str]) -> tuple[str, ...]:
    """The readings of a match; empty where there is no such time."""
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
    bare = not half or half in ("o'clock", "oclock")
    # "06:30" is how a day of 24 hours is written, so it has one reading; "6:30" has two.
    if bare and 1 <= hour <= 12 and not (part.get("h") or "").startswith("0"):
        return first, f"{int(hour % 12 + 12 * (hour < 12)):02d}:{int(minute):02d}"
    return (first,)
