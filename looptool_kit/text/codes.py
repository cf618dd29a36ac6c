"""How addresses, quotes, phone numbers and codes are read: to the letter."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import date

from looptool_kit.text.mentions import Found, Kind

_AFTER_NUMBER = (
    "st|nd|rd|th|k|m|bn|x|d|am|pm|ms|s|secs?|seconds?|min|mins|minutes?|h|hr|hrs|hours?|days?|weeks?|months?"
    "|years?|yrs?|nm|mm|cm|km|mi|miles?|ft|feet|in|inch|inches|yd|yards?|ha|sqft|sqm|mcg|mg|g|grams?|kg|lbs?"
    "|oz|tons?|ml|cl|dl|l|gal|cups?|tbsp|tsp|b|kb|mb|gb|tb|kbps|mbps|gbps|hz|khz|mhz|ghz|rpm|bpm|fps|px|pt|p"
    "|c|f|v|mv|kv|a|ma|mah|w|kw|mw|kwh|mwh|j|kj|n|pa|kpa|bar|cal|kcal|mol|db|mph|kmh|kph|usd|eur|gbp|%"
)
"""Units and endings that stand right behind a number: "3kg" is a number, "3kz" a code."""
_EXACT: tuple[tuple[Kind, re.Pattern[str]], ...] = (
    ("email", re.compile(r"(?<![\w.+-])[\w.+-]++@[\w-]++(?:\.[\w-]++)+")),
    ("url", re.compile(r"(?:https?://|www\.)[^\s\"'<>)]*[^\s\"'<>).,;!?]")),
    (
        "quote",
        re.compile(
            r"(?:(?<=\s)|^)['‘](?P<a>[^'’\n]{2,120}?)['’](?=[\s.,;:!?]|$)"
            r"|[\"“](?P<b>[^\"”\n]{2,160})[\"”]"
        ),
    ),
    (
        "phone",
        re.compile(
            r"(?<![\w+])\+\d[\d ()-]{6,16}\d\b"
            r"|(?<!\w)\(?\d{3}\)?[ -]\d{3}[ -]\d{4}\b"
            r"|(?<![\w-])\d{3}-\d{4}(?![\w-])"
        ),
    ),
    (
        "code",
        re.compile(
            # a digit and a letter, yet not a number with its unit ("3kg"), a time ("2h30", "5pm"), a count of
            # a noun ("2-bedroom"), or a day beside a month ("1-April")
            rf"(?<![\w-])(?=[a-z0-9_-]*\d)(?=[a-z0-9_-]*[a-z])(?!\d+(?:{_AFTER_NUMBER})(?![\w-]))"
            r"(?!\d{1,2}h\d\d|\d{1,2}[ap]m)"
            r"(?!\d+-[a-z]{3,}(?![\w-])|\d+x\d+(?![\w-])|\d+e[-+]?\d+(?![\w-]))"
            r"(?:[a-z]+[-_]?\d[a-z0-9_-]*|\d+[-_]?[a-z][a-z0-9_-]*)(?![\w-])"
        ),
    ),
)


def find_codes(text: str, today: date | None) -> Iterator[Found]:
    """The addresses, quotes, phone numbers and codes of a lower-case text."""
    for kind, pattern in _EXACT:
        for match in pattern.finditer(text):
            yield kind, match, (match[0],), ""
