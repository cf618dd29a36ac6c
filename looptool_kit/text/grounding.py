"""Grounding: is a value of a tool call supported by the dialogue, or by the schema?

Support comes from the passages of a dialogue (`passages`) or from the schema. `ground` dispatches on the
value's type to small functions, each of which returns how far a value is supported, in words, and where it
stands.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Sequence
from datetime import date
from functools import lru_cache
from itertools import accumulate
from typing import Any, NamedTuple

from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import canonical
from looptool_kit.text.mentions import Mention, number, recognise
from looptool_kit.text.passages import Dialogue, Passage, Span, dialogue
from looptool_kit.text.words import COMMANDS, STOP, SYNONYMS, Token, alike, stems


class Grounding(NamedTuple):
    """How far a value is supported."""

    supported: float
    """0 nothing supports it; 0.5 cannot tell; 1 the dialogue or the schema says so."""
    words: str
    spans: tuple[Span, ...] = ()
    """Where it stands."""
    by_schema: bool = False
    """The schema supports it (default, const, only choice), the dialogue does not."""


# -------------------------------------------------------------------- ground


def ground(value: Any, schema: Any, source: Sample | Sequence[str] | Dialogue, name: str = "") -> Grounding:
    """How far `value`, an argument called `name` under JSON Schema `schema`, is supported by the dialogue or
    the schema.
    """
    d = dialogue(source)
    schema = schema if isinstance(schema, dict) else {}
    said = _said(value, schema, d, name)
    if said.supported >= 0.9:
        return said
    by_schema = _by_schema(value, schema)
    return by_schema if by_schema and by_schema.supported > said.supported else said


def _by_schema(value: Any, schema: dict[str, Any]) -> Grounding | None:
    if "const" in schema and canonical(schema["const"]) == canonical(value):
        return Grounding(1.0, "the schema allows nothing else", by_schema=True)
    if (
        isinstance(schema.get("enum"), list)
        and len(schema["enum"]) == 1
        and canonical(schema["enum"][0]) == canonical(value)
    ):
        return Grounding(1.0, "the schema allows nothing else", by_schema=True)
    if "default" in schema and canonical(schema["default"]) == canonical(value):
        return Grounding(0.75, "the schema's default", by_schema=True)
    return None


def _said(value: Any, schema: dict[str, Any], d: Dialogue, name: str) -> Grounding:
    if value is None:
        return _null(d, name)
    if isinstance(value, bool):
        return _boolean(value, schema, d, name)
    if isinstance(value, int | float):
        try:
            return _number(float(value), schema, d, name)
        except OverflowError:
            return Grounding(0.0, "a number larger than any that is said")
    if isinstance(value, str):
        enum = schema.get("enum")
        if isinstance(enum, list) and value in enum:
            return _choice(value, enum, d, name)
        return _string(value, schema, d, name)
    if isinstance(value, dict):
        properties = schema.get("properties") or {}
        return _parts([(k, ground(v, properties.get(k), d, k)) for k, v in value.items()], d, name)
    return _parts(
        [(json.dumps(v, ensure_ascii=False), ground(v, schema.get("items"), d, name)) for v in value], d, name
    )


def _parts(parts: list[tuple[str, Grounding]], d: Dialogue, name: str) -> Grounding:
    if not parts:
        return _null(d, name)
    worst = min(parts, key=lambda p: p[1].supported)
    return Grounding(
        worst[1].supported,
        f"{worst[0]}: {worst[1].words}",
        tuple(dict.fromkeys(s for _, g in parts for s in g.spans)),
    )


def _users(d: Dialogue) -> Iterator[tuple[int, Passage]]:
    """Passages from the user, the last first."""
    return ((n, d.passages[n]) for n in range(len(d.passages) - 1, -1, -1) if d.passages[n].role != "tool")


def _best(found: Iterable[tuple[float, str, Span]]) -> Grounding:
    """The best supported reading, with all the places that support it as well."""
    all_found = list(found)
    if not all_found:
        return Grounding(0.0, "nothing in the dialogue says so")
    top = max(score for score, _, _ in all_found)
    words = next(w for score, w, _ in all_found if score == top)
    return Grounding(top, words, tuple(dict.fromkeys(s for score, _, s in all_found if score == top)))


def _mentions(d: Dialogue, *kinds: str) -> Iterator[tuple[int, Mention]]:
    return ((n, m) for n, p in enumerate(d.passages) for m in p.mentions if m.kind in kinds)


# ------------------------------------------------------------------- numbers

_UNITS = {
    "second": 1, "minute": 60, "min": 60, "hour": 3600, "hr": 3600, "day": 86400, "night": 86400, "week": 604800, "month": 2592000, "year": 31536000,
}  # fmt: skip


_CALENDAR = {"hour", "day", "month", "year", "minute", "week"}


def _number(value: float, schema: dict[str, Any], d: Dialogue, name: str) -> Grounding:
    hints = set(stems(name)) or set()
    units = [u for u in _UNITS if u in hints] or [
        u for u in _UNITS if u in stems(str(schema.get("description", "")))
    ]
    return _best(
        _number_found(value, units, "percent" in hints or "percentage" in hints, bool(hints & _CALENDAR), d)
    )


def _number_found(
    value: float, units: list[str], percent: bool, calendar: bool, d: Dialogue
) -> Iterator[tuple[float, str, Span]]:
    for n, m in _mentions(d, "number", "duration", "date", "time", "code"):
        span = (n, m.start, m.end)
        if m.kind == "number":
            if m.unit not in ("", "%"):
                span = (n, *_money_parts(m)[0])
            for at, reading in enumerate(m.readings):
                if _same(reading, value):
                    yield 1.0 if at == 0 else 0.9, f"“{m.text}”", span
            if (
                percent
                and m.unit != "%"
                and _same(float(m.readings[0]) * 100, value)
                and 0 < float(m.readings[0]) < 1
            ):
                yield 0.9, f"“{m.text}”", span
        elif m.kind == "duration":
            seconds = float(m.readings[0])
            said = {"mn": 60, "h": 3600, "sec": 1, "fortnight": 1209600}.get(m.unit) or _UNITS.get(m.unit, 60)
            for unit, score in [(u, 1.0) for u in units] or [
                (m.unit, 1.0),
                ("minute", 0.8),
                ("hour", 0.7),
                ("day", 0.6),
            ]:
                if _same(seconds / _UNITS.get(unit, said), value):
                    yield score, f"“{m.text}”", span
        elif (
            calendar
            and m.kind in ("date", "time")
            and value.is_integer()
            and re.search(rf"(?<!\d){int(value)}(?!\d)", m.text)
        ):
            yield 0.6, f"part of “{m.text}”", span
    if value == 1:
        for n, p in _users(d):
            if found := re.search(r"\b(?:an?|another)\b", p.text, re.IGNORECASE):
                yield 0.5, f"“{found[0]}” may mean one", (n, *found.span())


def _money_parts(m: Mention) -> tuple[tuple[int, int], tuple[int, int]]:
    """Where the amount and the currency of a sum of money stand: two values, for two arguments."""
    if sign := re.match(r"[$€£¥₹] ?", m.text):
        return (m.start + sign.end(), m.end), (m.start, m.start + sign.end())
    unit = re.search(r"[ -]?(?:us )?[^\W\d]+$|[€£]$", m.text, re.IGNORECASE)
    at = m.start + unit.start() if unit else m.end
    return (m.start, at), (at, m.end)


def _same(a: str | float, b: float) -> bool:
    return not isinstance(a, str) and abs(a - b) <= 1e-6 * max(1.0, abs(b))


# ----------------------------------------------------------- dates and times

_ISO = re.compile(
    r"(?P<date>\d{4}-\d\d-\d\d)(?:[T ](?P<time>\d\d:\d\d)(?::\d\d(?:\.\d+)?)?(?:Z|[+-]\d\d:?\d\d)?)?"
)
_CLOCK = re.compile(r"(?P<time>\d\d:\d\d)(?::\d\d)?(?:Z|[+-]\d\d:?\d\d)?")


@lru_cache(8192)
def moment(value: str) -> tuple[str | None, str | None] | None:
    """The ISO date and the `HH:MM` that a string is, either may be None; None where the string is neither."""
    if found := _ISO.fullmatch(value) or _CLOCK.fullmatch(value):
        return found.groupdict().get("date"), found["time"]
    mentions = recognise(value)
    if (
        mentions
        and sum(m.end - m.start for m in mentions) >= len(value.strip()) - 4
        and {m.kind for m in mentions} <= {"date", "time"}
    ):
        days = [str(m.readings[0]) for m in mentions if m.kind == "date"]
        times = [str(m.readings[0]) for m in mentions if m.kind == "time"]
        if len(days) <= 1 and len(times) <= 1 and not (days and len(days[0]) < 10):
            return next(iter(days), None), next(iter(times), None)
    return None


def _moment(value: str, day: str | None, clock: str | None, d: Dialogue) -> Grounding:
    parts = []
    if day:
        parts.append((day, _best(_day_found(day, d))))
        if d.today and day == d.today.isoformat() and parts[-1][1].supported < 0.5:
            parts[-1] = day, Grounding(0.5, "today, though nobody says so")
    if clock:
        parts.append((clock, _best(_clock_found(clock, d))))
    return _parts(parts, d, "")


def _day_found(day: str, d: Dialogue) -> Iterator[tuple[float, str, Span]]:
    for n, p in enumerate(d.passages):
        numbers = [m for m in p.mentions if m.kind == "number"]
        starts, begun = [m.start for m in numbers], set[str]()
        durations = _durations(p, lambda seconds: math.floor(seconds / 86400))
        for m in (m for m in p.mentions if m.kind == "date"):
            span, readings = (n, m.start, m.end), [str(r) for r in m.readings]
            if day in readings:
                yield (1.0, 0.7, 0.4)[min(readings.index(day), 2)], f"“{m.text}”", span
            elif "?" in readings:
                yield 0.5, f"“{m.text}”, of a day that nobody named", span
            elif d.today is None and any(r.startswith("-") and day.endswith(r) for r in readings):
                yield 0.9, f"“{m.text}”", span
            elif any(len(r) == 7 and day.startswith(r) for r in readings):
                yield 0.6, f"“{m.text}”", span
            first = readings[0]
            if len(first) != 10:
                continue
            # "from December 4 to 7", "4 to 7 December", and the day on which a stay of three nights ends
            for other in numbers[bisect_right(starts, m.end - 14) : bisect_left(starts, m.end + 14)]:
                if first[:8] == day[:8] and _same(other.readings[0], float(day[8:])):
                    yield 0.9, f"“{other.text}” beside “{m.text}”", (n, other.start, other.end)
            if durations and first != day and first not in begun:
                begun.add(first)
                for other in durations.get(_days(first, day), ()):
                    yield 0.8, f"“{other.text}” from “{m.text}”", (n, other.start, other.end)


def _days(first: str, last: str) -> int:
    """Days from one ISO date to another, -1 where either is no day."""
    try:
        return (date.fromisoformat(last) - date.fromisoformat(first)).days
    except ValueError:
        return -1


def _durations(p: Passage, measure: Callable[[float], int]) -> dict[int, list[Mention]]:
    """The durations of a passage by what `measure` makes of their seconds, so that none is compared with
    every date or time.
    """
    found: dict[int, list[Mention]] = {}
    for m in p.mentions:
        if m.kind == "duration":
            found.setdefault(measure(min(float(m.readings[0]), 1e9)), []).append(m)
    return found


def _clock_found(clock: str, d: Dialogue) -> Iterator[tuple[float, str, Span]]:
    for n, p in enumerate(d.passages):
        begun, durations = set[str](), _durations(p, lambda seconds: round(seconds / 60) % 1440)
        for m in p.mentions:
            readings = [str(r) for r in m.readings]
            if m.kind == "time":
                if clock in readings:
                    yield (
                        _half_day(clock, p.text) if len(readings) > 1 else 1.0,
                        f"“{m.text}”",
                        (n, m.start, m.end),
                    )
                for reading in readings:
                    if durations and reading != clock and reading not in begun:
                        begun.add(reading)
                        for other in durations.get((_minutes(clock) - _minutes(reading)) % 1440, ()):
                            yield 0.8, f"“{other.text}” from “{m.text}”", (n, other.start, other.end)
            elif m.kind == "number" and clock.endswith("00"):
                hours = float(clock[:2]), float(clock[:2]) - 12
                if any(_same(r, h) for r in m.readings for h in hours):
                    yield _half_day(clock, p.text) - 0.15, f"“{m.text}” as an hour", (n, m.start, m.end)


def _minutes(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:5])


@lru_cache(256)
def _half_day(clock: str, text: str) -> float:
    """Support for one of the two readings of a bare hour, by what else is said of the time of day."""
    late = re.search(r"\b(?:evening|tonight|dinner|afternoon|night|pm)\b", text, re.IGNORECASE)
    early = re.search(r"\b(?:morning|breakfast|am)\b", text, re.IGNORECASE)
    if bool(late) == bool(early):
        twin = f"{(int(clock[:2]) + 12) % 24:02d}{clock[2:]}"
        # Two digits are how a day of 24 hours is written.
        return 0.9 if clock in text else 0.65 if twin in text else 0.8
    return 0.95 if (clock >= "12:00") == bool(late) else 0.55


# ------------------------------------------------------------------- strings


def _find(phrase: Sequence[str], passage: Passage) -> list[tuple[int, int]]:
    """Character spans of the places, apart from each other, where the stems of `phrase` stand in a row."""
    wanted = f" {' '.join(phrase)} "
    if not phrase or wanted not in passage.line:
        return []
    words = passage.tokens
    # Place in the line -> word, so that finding is left to the string's own search, which does not compare
    # word by word.
    places = dict(
        zip(accumulate((len(t.stem) + 1 for t in words), initial=0), range(len(words)), strict=False)
    )
    found, place = [], passage.line.find(wanted)
    while place >= 0:
        if (at := places.get(place)) is not None and at + len(phrase) <= len(words):
            found.append((words[at].start, words[at + len(phrase) - 1].end))
        place = passage.line.find(wanted, place + len(wanted) - 1)
    return found


class _Holding:
    """Mentions that do not overlap, to be asked for the one that holds a span."""

    def __init__(self, mentions: list[Mention]) -> None:
        self._mentions, self._starts = mentions, [m.start for m in mentions]

    def at(self, start: int, end: int) -> Mention | None:
        """The mention that holds the span, None where none does."""
        before = bisect_right(self._starts, start)
        found = self._mentions[before - 1] if before else None
        return found if found and end <= found.end else None


def _phrase_found(words: Sequence[str], d: Dialogue, score: float) -> Iterator[tuple[float, str, Span]]:
    for n, p in enumerate(d.passages):
        places = _find(words, p)
        holding = _Holding([m for m in p.mentions if m.kind != "quote"]) if places else None
        for start, end in places:
            whole = holding.at(start, end) if holding else None
            if whole and end - start < whole.end - whole.start - 1:
                yield min(score, 0.5), f"part of “{whole.text}”", (n, start, end)
            else:
                yield score, f"“{p.text[start:end]}”", (n, start, end)


_NEVER_WHEN = {"id", "name", "city", "country", "email", "phone", "address", "person", "title"}
_SHAPES = (
    ("YYYY-MM-DDTHH:MM", r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d.*"),
    ("YYYY-MM-DD", r"\d{4}-\d\d-\d\d.*"),
    ("HH:MM", r"(?:.*[T ])?\d\d:\d\d.*"),
)


def _string(value: str, schema: dict[str, Any], d: Dialogue, name: str) -> Grounding:
    words = stems(value)
    if not value.strip() or (words and all(w in STOP or w in COMMANDS for w in words)):
        return Grounding(0.2, "names nothing")
    told = {*stems(name), *stems(str(schema.get("description", ""))), str(schema.get("format", ""))}
    if told & _NEVER_WHEN and (_ISO.fullmatch(value) or _CLOCK.fullmatch(value)) and not schema.get("format"):
        return Grounding(0.3, f"a date or time, where {name or 'the parameter'} speaks of none")
    if (
        "id" in told
        and not re.search(r"\d", value)
        and not any(p.role == "tool" and value in p.text for p in d.passages)
    ):
        return Grounding(0.3, "is no identifier")
    shape = next((s for s in _SHAPES if s[0] in str(schema.get("description", ""))), None)
    if shape and not re.fullmatch(shape[1], value):
        return Grounding(0.1, f"is not of the form {shape[0]}")
    when = moment(value)
    if when:
        by_moment = _moment(value, *when, d)
        if by_moment.supported >= 0.5:
            return by_moment
    if "@" in value or "://" in value:
        return _best(
            (1.0, f"“{value}”", (n, at, at + len(value)))
            for n, p in enumerate(d.passages)
            if (at := p.text.lower().find(value.lower())) >= 0
        )
    exact = _best(_string_found(value, d))
    if exact.supported >= 0.5 or when:
        return exact
    return max(exact, _overlap(value, d), key=lambda g: g.supported)


def _string_found(value: str, d: Dialogue) -> Iterator[tuple[float, str, Span]]:
    words = stems(value)
    yield from _phrase_found(words, d, 1.0)
    if words[:1] == ("the",):
        yield from _phrase_found(words[1:], d, 0.95)
    for other in SYNONYMS.get(" ".join(words), ()):
        yield from _phrase_found(stems(other), d, 0.9)
    digits, value_number, currency, together = (
        re.sub(r"\D", "", value),
        number(value),
        value.upper(),
        "".join(words),
    )
    for n, m in _mentions(d, "number", "phone", "code"):
        if m.kind == "number" and m.unit == currency:
            yield 0.95, f"“{m.text}”", (n, *_money_parts(m)[1])
            continue
        if m.kind == "number":
            exact = 0.95 if value_number is not None and _same(m.readings[0], value_number) else 0.0
        elif m.kind == "phone":
            exact = float(len(digits) >= 7 and re.sub(r"\D", "", m.text) == digits)
        else:
            exact = float(bool(words) and "".join(stems(m.text)) == together)
        if exact:
            yield exact, f"“{m.text}”", (n, m.start, m.end)
    if not words and value.strip():  # symbols alone
        yield from (
            (1.0, f"“{value}”", (n, at, at + len(value)))
            for n, p in enumerate(d.passages)
            if (at := p.text.find(value.strip())) >= 0
        )


def _overlap(value: str, d: Dialogue) -> Grounding:
    """Support by the words of a text that do not stand in a row: all of a short one, most of a long one."""
    words = [w for w in stems(value) if w not in STOP] or list(stems(value))
    known: set[str] = set()
    for p in d.passages:
        codes = _Holding([m for m in p.mentions if m.kind == "code"])
        known |= {t.stem for t in p.tokens if not _part_of_code(t, codes, words)}
    share = sum(w in known for w in words) / max(1, len(words))
    if len(words) < 2:
        initials = (
            len(value) > 2
            and value.isupper()
            and any(value.lower() in "".join(t.stem[0] for t in p.tokens) for p in d.passages)
        )
        return (
            Grounding(0.6, "initials of what is said")
            if initials
            else Grounding(0.0, "nothing in the dialogue says so")
        )
    spans = tuple(
        (n, t.start, t.end)
        for n, p in enumerate(d.passages)
        for t in p.tokens
        if t.stem in words and n == d.last
    )
    if share == 1:
        return Grounding(0.85, "all its words are said", spans)
    return Grounding(
        0.7 * share if len(words) > 4 else 0.4 * share, f"{share:.0%} of its words are said", spans
    )


def _part_of_code(token: Token, codes: _Holding, words: Sequence[str]) -> bool:
    """True for a piece of a code of which `words` lack another piece: the 32615 of PL-32615 says nothing of
    "Song 32615".
    """
    code = codes.at(token.start, token.end)
    return code is not None and any(w not in words for w in stems(code.text))


def _choice(value: str, enum: list[Any], d: Dialogue, name: str) -> Grounding:
    own = _best(_choice_found(value, d))
    if own.supported < 0.85 and any(
        # "every two weeks" speaks of "biweekly", although "weekly" is of the same family as "weeks".
        o != value
        and isinstance(o, str)
        and (g := _best(_string_found(o, d))).supported > own.supported
        and _inside(own.spans, g.spans)
        for o in enum
    ):
        own = Grounding(0.3, f"{own.words} is part of what names another choice")
    if value.lower() in ("none", "no", "off", "never") and (said_no := _null(d, name)).supported > max(
        0.7, own.supported
    ):
        return said_no
    if own.supported >= 0.7:
        return own
    others = [
        (o, g)
        for o in enum
        if isinstance(o, str)
        and o != value
        and (g := _best(_choice_found(o, d))).supported >= 0.85
        and any(s[0] == d.last for s in g.spans)
    ]
    if others:
        return Grounding(0.2, f"what is said names {others[0][0]!r}: {others[0][1].words}")
    return own if own.supported >= 0.5 else Grounding(0.5, "none of the choices is named")


def _inside(spans: Sequence[Span], wider: Sequence[Span]) -> bool:
    return bool(spans) and all(
        any(w[0] == s[0] and w[1] <= s[1] and s[2] <= w[2] for w in wider) for s in spans
    )


def _choice_found(value: str, d: Dialogue) -> Iterator[tuple[float, str, Span]]:
    yield from _string_found(value, d)
    words = [w for w in stems(value) if w not in STOP]
    for n, p in enumerate(d.passages):
        hits = [t for w in words for t in p.tokens if alike(w, t.stem)]
        if words and len({t.stem for t in hits}) >= len(words):
            yield 0.75, f"“{p.text[hits[0].start : hits[0].end]}”", (n, hits[0].start, hits[0].end)


# -------------------------------------------------------- booleans and nothing

NEGATIONS = {
    "no",
    "not",
    "without",
    "don",
    "dont",
    "never",
    "skip",
    "t",
    "nothing",
    "none",
    "avoid",
    "disable",
    "off",
    "exclude",
    "isn",
    "doesn",
    "needn",
    "minus",
    "excluding",
    "except",
}
_ANY = {
    "any",
    "whatever",
    "whichever",
    "matter",
    "care",
    "preference",
    "either",
    "anywhere",
    "anytime",
    "open",
}
_OBJECTS = {"everyone", "everybody", "all", "them", "me", "him", "her", "us", "the", "my", "every"}
_LEFT_OUT = re.compile(r"\b(?:leav(?:e|ing)|left) (?:[\w']+ ){0,3}out\b", re.IGNORECASE)
_NEGATIVE_NAME = {"no", "skip", "exclude", "disable", "without", "not"}
_EMPTY_NAME = {
    "is",
    "has",
    "include",
    "with",
    "allow",
    "enable",
    "use",
    "only",
    "want",
    "require",
    "send",
    "whether",
    "true",
    "false",
    "set",
    "if",
    "show",
    "should",
}


def _boolean(value: bool, schema: dict[str, Any], d: Dialogue, name: str) -> Grounding:
    own = [w for w in stems(name) if w not in STOP and w not in _EMPTY_NAME and w not in _NEGATIVE_NAME]
    told = [
        w
        for w in stems(str(schema.get("description", "")))
        if len(w) > 3 and w not in STOP and w not in _EMPTY_NAME
    ]
    flip = bool(_NEGATIVE_NAME & set(stems(name)))
    for words, strength in ((own, 0.4), (told, 0.25)):
        for n, p in _users(d):
            for at, token in enumerate(p.tokens):
                if any(alike(w, token.stem) for w in words):
                    after = {t.stem for t in p.tokens[at + 1 : at + 3]} & {"off", "free"}
                    said = (
                        bool(_clause(p, at) & NEGATIONS or after or _LEFT_OUT.search(_around(p, at))) == flip
                    )
                    where = f"“{p.text[p.tokens[max(0, at - 3)].start : token.end]}”"
                    return Grounding(
                        0.5 + strength if said == value else 0.5 - strength,
                        where,
                        ((n, token.start, token.end),),
                    )
    return Grounding(0.5, f"nothing is said about {name.replace('_', ' ') or 'it'}")


def _clause(p: Passage, at: int) -> set[str]:
    """The stems of up to four words before a word, from where its clause begins."""
    first = max(0, at - 4)
    for k in range(at, first, -1):
        last, here = p.tokens[k - 1], p.tokens[k]
        # "without pets and kids" goes on, "do not wait and notify everyone" starts anew.
        anew = last.stem == "and" and k == at and at + 1 < len(p.tokens) and p.tokens[at + 1].stem in _OBJECTS
        if anew or last.stem in ("but", "then") or re.search(r"[.;!?]\s", p.text[last.end : here.start + 1]):
            return {t.stem for t in p.tokens[k:at]}
    return {t.stem for t in p.tokens[first:at]}


def _around(p: Passage, at: int) -> str:
    return p.text[p.tokens[max(0, at - 3)].start : p.tokens[min(at + 3, len(p.tokens) - 1)].end]


def _null(d: Dialogue, name: str) -> Grounding:
    for n, p in _users(d):
        for at, token in enumerate(p.tokens):
            around = {t.stem for t in p.tokens[max(0, at - 4) : at + 5]}
            if around & (NEGATIONS | _ANY) and any(alike(w, token.stem) for w in stems(name)):
                return Grounding(
                    0.85,
                    f"“{p.text[p.tokens[max(0, at - 4)].start : token.end]}”",
                    ((n, token.start, token.end),),
                )
        if found := re.search(
            r"\b(?:none|no|without|nothing|not|n't|any|anything|skip|leave (?:it|that) (?:out|empty)|one"
            r" way|don'?t)\b",
            p.text,
            re.IGNORECASE,
        ):
            return Grounding(0.6, f"“{found[0]}”", ((n, *found.span()),))
    return Grounding(0.5, "nothing is said")
