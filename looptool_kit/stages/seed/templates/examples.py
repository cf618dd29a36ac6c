"""Choices and examples that a description gives, and values that are like examples."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

from looptool_kit.stages.seed.templates import kinds
from looptool_kit.world import types as wt
from looptool_kit.world.core import Surface, Type, quoted, text, verbatim
from looptool_kit.world.moments import DATE

FORMATS: dict[str, Type] = {
    "date": DATE, "date-time": kinds.with_seconds(kinds.AT), "time": kinds.with_seconds(kinds.CLOCK),
    "email": wt.EMAIL, "idn-email": wt.EMAIL, "uuid": kinds.UUID, "ipv4": kinds.IP, "hostname": kinds.HOST,
    "phone": wt.PHONE,
}  # fmt: skip
"""Formats of a schema; what an address of a page or a file shows, nobody can make up."""
_QUOTE = r"""['"`‘“]([^'"`’”\n]{1,40})['"`’”]"""
_OFFERS = re.compile(
    r"\b(?:one of|either|options?|allowed|must be|can be|choices?|possible values|valid values|supported)\b",
    re.IGNORECASE,
)
INSTANCES = re.compile(r"\be\.?g\b|for example|such as|(?<!would )\blike\b(?! to\b)", re.IGNORECASE)
_LISTED = re.compile(
    r"\b(?:one of|(?:allowed|possible|valid) values(?: are)?|options(?: are)?|either):? ((?:[\w-]+, )+(?:or"
    r" |and )?[\w-]+|[\w-]+ or [\w-]+)",
    re.IGNORECASE,
)

_LISTED_CODES = re.compile(r": ((?:[A-Z][A-Z0-9_]+, )+(?:or |and )?[A-Z][A-Z0-9_]+)\.?$")
""""Site code: RTM1, GDN1, LIL2"."""
_NUMBERS = re.compile(
    r"(?:^|[ ,:(])(-?\d+(?:\.\d+)?(?:, ?-?\d+(?:\.\d+)?)*,? or -?\d+(?:\.\d+)?)"
    r"(?=[).,;]|$| (?:kg|g|ml|l|cm|mm|m|km)\b)"
)


_GIVEN = re.compile(
    r"(?:\be\.?g\.?,?|\bfor example,?|\bsuch as)[: ]+(-?\d+(?:\.\d+)?(?:(?:, | or |, or "
    r"| and )-?\d+(?:\.\d+)?)*)"
    r"(?![\d.]*[-:/]\d)",
    re.IGNORECASE,
)


def told_numbers(description: str) -> list[float | int]:
    """Return the numbers that a description gives as choices or examples.

    As in "Degrees C, -80 or -20", "e.g. 250 or 400".
    """
    match = (_GIVEN if INSTANCES.search(description) else _NUMBERS).search(description)
    found = [float(n) for n in re.findall(r"-?\d+(?:\.\d+)?", match[1])] if match else []
    return [int(n) if n.is_integer() else n for n in found]


def told_choices(description: str) -> list[str]:
    """Choices that a description lists.

    As in "'asc' or 'desc'", "one of: low, medium, high".
    """
    words = re.findall(_QUOTE, description)
    if (
        len(words) >= 2
        and not INSTANCES.search(description)
        and (_OFFERS.search(description) or re.search(rf"{_QUOTE},? or {_QUOTE}", description))
    ):
        return list(dict.fromkeys(words)) if all(map(_is_choice, words)) else []
    match = _LISTED.search(description) or _LISTED_CODES.search(description)
    listed = [w for w in re.split(r", (?:or |and )?| or | and ", match[1]) if w] if match else []
    return listed if all(map(_is_choice, listed)) and not {"this", "that", "it"} & set(listed) else []


def _is_choice(word: str) -> bool:
    """Whether a quoted word can be a value: no code as `after: null` or `{name}`, no null or true."""
    literal = word.lower() in ("null", "none", "nil", "undefined", "true", "false")
    return not literal and re.fullmatch(r"[\w.+/#*-]+(?: [\w.+/#-]+){0,2}", word) is not None


def told_examples(description: str) -> list[str]:
    """Examples that a description gives.

    As in "(e.g. 'Paris')", "such as AAPL or MSFT".
    """
    match = re.search(
        r"(?:\be\.?g\.?,?|\bfor example,?|\bsuch as|\bexamples?:)[: ]+(.+)", description, re.IGNORECASE
    ) or re.search(r"(?<!would )\blike(?! to\b)[: ]+(.+)", description, re.IGNORECASE)
    if not match:
        shown = _STYLE.search(description)
        return [shown[1] or shown[2]] if shown else []
    if inside := re.findall(_QUOTE, match[1]):
        return [w for w in inside if _is_example(w)]
    listed = re.split(
        r"(?<![a-z]), (?:or |and )?|, (?![A-Z]{2}\b)(?:or |and )?| or | and ",
        re.split(r"[();]|\.(?:\s|$)", match[1])[0],
    )
    # "Such as roadworks or events" speaks of a kind, and gives no text: what is not quoted is a code, or all
    # that follows "e.g.".
    words = map(str.strip, listed)
    if re.match(r"\(?e\.?g", match[0], re.IGNORECASE) and re.fullmatch(r"[^.;:]*[.)]?", match[1]):
        return [
            w
            for w in words
            if re.fullmatch(rf"(?!{_NO_THING})\w[\w.+/-]*(?: \w[\w.+/-]*){{0,2}}(?:, [A-Z]{{2}})?", w)
            and _is_example(w)
        ]
    return [w for w in words if re.fullmatch(r"\S*[\d._+-]\S*|[A-Z]{2,}", w) and _is_example(w)]


_CODE = r"(?!ISO|UTF|RFC|SHA|IEEE|HTTP)((?=[A-Z0-9/_-]*\d)(?=[A-Z0-9/_-]*[A-Z])[A-Z0-9]+(?:[-/_][A-Z0-9]+)+)"
_STYLE = re.compile(
    rf"(?<!\S){_CODE} (?:style|format)\b|\b(?:[Ff]ormat|[Ff]ormatted as|in the form|looks like):? {_CODE}"
)
""""L-2025-0043 style": the form of a code, shown."""
_NO_THING = r"(?:about|for|in|on|at|from|to|with|by|if|when|because|the|an?|all|any|etc|other|more)\b(?!-)"


def _is_example(word: str) -> bool:
    """Whether it can be a value: no place holder as `{name}` or `<id>`, no null, no `key: value`."""
    return not re.search(_NO_VALUE, word, re.IGNORECASE)


_NO_VALUE = (
    r"[{}<>=$|]|: |\.\.\.|^\W*\w?\W*$|^\w{1,4}[_-]$|^(?:e\.?g|i\.?e)\.?$"
    r"|^(?:null|none|true|false|etc\.?|the|a|an)\b(?!-)"
)
"""Place holders, prefixes, and words about values."""
SHAPES: tuple[tuple[str, Type], ...] = (
    (r"\d{4}-\d\d-\d\d", DATE), (r"\d\d:\d\d", kinds.CLOCK), (r"\d\d:\d\d:\d\d", FORMATS["time"]),
    (r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d", kinds.AT), (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", FORMATS["date-time"]),
    (r"[^@\s]+@[^@\s]+\.\w+", wt.EMAIL), (r"[0-9a-f]{8}-[0-9a-f]{4}-.+", kinds.UUID),
    (r"\+\d{8,15}", kinds.E164),
)  # fmt: skip
"""Examples that stand for all values of a kind."""


def like(examples: list[str], ids: bool) -> Type | None:
    """The type that examples stand for: moments, addresses, numbered codes.

    The invoice "INV-20417" is one of many; codes that are no IDs, as the task "L310", have a meaning.
    """
    if not examples:
        return None
    for pattern, kind in SHAPES:
        if all(re.fullmatch(pattern, e) for e in examples):
            return kind
    signs = r"[A-Za-z#_/.-]"
    coded = all(
        re.fullmatch(rf"{signs}*\d(?:{signs}|\d)*", e) and sum(c.isdigit() for c in e) >= 2 for e in examples
    )
    if not ids or not coded or not all(map(_is_numbered, examples)):
        return None
    kind = text("code", "as in the examples", str, question="")
    return replace(
        kind, draw=lambda r, today: _other_digits(examples[int(r.random() * len(examples))], r, today)
    )


_DATED = re.compile(
    r"(?<!\d)20[0-2]\d(?P<dash>[-/]?)(?:0[1-9]|1[0-2])(?:(?P=dash)(?P<day>0[1-9]|[12]\d|3[01]))?(?!\d)"
)
""""TR-20250314-0087"."""


_YEARS = re.compile(r"(?<!\d)(?:20[0-2]\d|1[89]|2[0-7])(?!\d)")
"""2025, or 25: two digits that may be a year are drawn as one."""


def _today(code: str, today: date) -> str:
    """A code with today's date in place of another one: a sailing of last year is over."""

    def now(match: re.Match[str]) -> str:
        dash = match["dash"]
        return f"{today:%Y{dash}%m{dash}%d}" if match["day"] else match[0]

    return _DATED.sub(now, code)


def is_dated(code: str) -> bool:
    """Whether a part of a code is a year or a date."""
    return (_DATED.search(code) or _YEARS.search(code)) is not None


def _is_numbered(code: str) -> bool:
    """Whether a code has one number beside its year or date; of more each may have a meaning."""
    rest = _YEARS.sub("", _DATED.sub("", code))
    numbers = [part for part in re.split(r"[-_/.#:]", rest) if re.search(r"\d", part)]
    timed = _DATED.search(code) and any(re.fullmatch(r"(?:[01]\d|2[0-3])[0-5]\d", n) for n in numbers)
    return len(numbers) == 1 and not timed


def _other_digits(code: str, r: Random, today: date) -> str:
    if dated := _DATED.search(code):
        head, tail = code[: dated.start()], code[dated.end() :]
        month = f"{r.randint(2023, 2025)}{dated['dash']}{r.randint(1, 12):02}"
        drawn = _today(dated[0], today) if dated["day"] else month
        return f"{_other_digits(head, r, today)}{drawn}{_other_digits(tail, r, today)}"
    if year := _YEARS.search(code):  # "Q-2025-118", "P24-018832"
        head, tail = code[: year.start()], code[year.end() :]
        drawn = str(r.randint(2023, 2025))[-len(year[0]) :]
        return f"{_other_digits(head, r, today)}{drawn}{_other_digits(tail, r, today)}"
    return re.sub(
        r"\d",
        lambda m: str(r.randint(1 if m.start() == 0 or not code[m.start() - 1].isdigit() else 0, 9)),
        code,
    )


def _quoted_if_long(value: Any, today: date) -> list[Surface]:
    return quoted(value, today) if " " in value else verbatim(value, today)


PHRASES = "phrase"
"""Name of the types whose examples are phrases: what they say may contradict a choice."""


def one_of(examples: list[str]) -> Type:
    values = tuple(dict.fromkeys(examples))
    kind = text(
        PHRASES if any(" " in v for v in values) else "example",
        "as in the examples",
        str,
        say=_quoted_if_long,
        splits=len(values) >= 12,
    )
    return replace(kind, draw=lambda r, today: _today(values[int(r.random() * len(values))], today))
