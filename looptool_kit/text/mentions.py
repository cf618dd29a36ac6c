"""A mention: one value as a text says it, with its readings."""

from __future__ import annotations

import re
from typing import Literal, NamedTuple

Kind = Literal["number", "ordinal", "duration", "date", "time", "email", "url", "phone", "code", "quote"]

Readings = tuple[str | float, ...]
"""What a mention can mean, likeliest first.

number, ordinal: float. duration: seconds. date: ISO date, or `-MM-DD` (any year), `YYYY-MM` (a month),
`????-MM` (a month of any year), `?` (relative to a day that nobody named). time: `HH:MM`. Others: the text.
"""

Found = tuple[Kind, re.Match[str], Readings, str]
"""What a recogniser finds: kind, place, readings, unit."""


class Mention(NamedTuple):
    """One value as a text says it."""

    kind: Kind
    start: int
    """Character offset of the first character."""
    end: int
    """Character offset after the last character."""
    text: str
    readings: Readings
    unit: str = ""
    """number: `%`, a currency code or nothing; duration: the unit as said, singular."""
