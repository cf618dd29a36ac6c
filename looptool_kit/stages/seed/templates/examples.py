"""Choices and examples that a description gives, and values that are like examples."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import date
from random import Random
from typing import Any

from looptool_kit.stages.seed.templates import kinds
from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.world import types as wt
from looptool_kit.world.core import Surface, Type, quoted, text, verbatim
from looptool_kit.world.moments import DATE, DATETIME, TIME

FORMATS: dict[str, Type] = {
    "date": DATE, "date-time": kinds.with_seconds(DATETIME), "time": kinds.with_seconds(TIME),
    "email": wt.EMAIL, "idn-email": wt.EMAIL, "uri": wt.URL, "url": wt.URL, "uri-reference": wt.URL,
    "uuid": lex.UUID, "ipv4": lex.IP, "hostname": lex.HOST, "phone": wt.PHONE, "password": lex.PASSWORD,
}  # fmt: skip
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


_LETTERS = re.compile(r"(?:^|[ (])([A-Y]) ?(?:-|–|to) ?([B-Z])(?=[).,;]|$)")
""""Shelf A-F"."""
_NUMBERS = re.compile(
    r"(?:^|[ ,:(])(-?\d+(?:\.\d+)?(?:, ?-?\d+(?:\.\d+)?)*,? or -?\d+(?:\.\d+)?)"
    r"(?=[).,;]|$| (?:kg|g|ml|l|cm|mm|m|km)\b)"
)


def told_numbers(description: str) -> list[float | int]:
    """Return the numbers that a description gives the choice of.

    As in "Degrees C, -80 or -20".
    """
    match = None if INSTANCES.search(description) else _NUMBERS.search(description)
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
    if letters := _LETTERS.search(description):
        first, last = map(ord, letters.groups())
        return [chr(c) for c in range(first, last + 1)]
    match = _LISTED.search(description)
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
        r"(?:\be\.?g\.?,?|\bfor example,?|\bsuch as|\bexamples?:|(?<!would )\blike(?! to\b))[: ]+(.+)",
        description,
        re.IGNORECASE,
    )
    if not match:
        return []
    if inside := re.findall(_QUOTE, match[1]):
        return [w for w in inside if _is_example(w)]
    listed = re.split(r", (?:or |and )?| or | and ", re.split(r"[);]|\.(?:\s|$)", match[1])[0])
    if not re.match(r"\(?e\.?g", match[0], re.IGNORECASE) and all(
        re.fullmatch(r"[a-z ]+", w) for w in listed
    ):
        return []  # "such as roadworks or events" speaks of a kind, and gives no text
    return [w for w in (w.strip() for w in listed) if w and len(w.split()) <= 3 and _is_example(w)]


def _is_example(word: str) -> bool:
    """Whether it can be a value: no place holder as `{name}` or `<id>`, no null, no `key: value`."""
    return not re.search(
        r"[{}<>=$|]|: |^(?:null|none|true|false|etc\.?|the|a|an)\b|\.\.\.", word, re.IGNORECASE
    )


_SHAPES: tuple[tuple[str, Type], ...] = (
    (r"20\d\d/\d\d", kinds.SEASON),
    (r"\+\d[\d ()-]{7,}|\d+[ ()-][\d ()-]{6,}", wt.PHONE), (r"\d{4}-\d\d-\d\d", DATE),
    (r"\d\d:\d\d", TIME), (r"\d\d:\d\d:\d\d", FORMATS["time"]),
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d", DATETIME), (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d", FORMATS["date-time"]),
    (r"[^@\s]+@[^@\s]+\.\w+", wt.EMAIL), (r"https?://\S+", wt.URL),
    (r"[0-9a-f]{8}-[0-9a-f]{4}-.+", lex.UUID),
    (r"[\w.-]*[a-z][\w.-]*/[\w.-]*[a-z][\w.-]*", kinds.REPOSITORY),
    (r"\d+\.\d+\.\d+\.\d+/\d+", kinds.CIDR), (r"#[\w-]+", lex.CHANNEL), (r"/\S*", lex.FOLDER),
    (r"(?:[\w-]+\.)+(?:com|org|net|io|dev|example)", kinds.DOMAIN),
    (r"/\S+\.\w+", lex.PATH), (r"[\w-]+\.(?:pdf|txt|csv|docx?|xlsx?|png|jpe?g|md|json)", wt.FILE),
    (r"(?:AAPL|MSFT|GOOGL?|TSLA|AMZN|NVDA)", wt.TICKER), (r"[A-Z][a-z]+/[A-Z]\w+", wt.TIME_ZONE),
)  # fmt: skip


def like(examples: list[str], ids: bool) -> Type | None:
    """The type of values shaped as the examples are.

    These are dates, times, e-mail addresses, codes with digits, and what numbers an ID has. None where the
    shape tells nothing.
    """
    if not examples:
        return None
    ends = {e.rsplit(".", 1)[-1] for e in examples}
    if len(ends) == 1 and all(
        re.fullmatch(r"[\w -]+\.\w{2,5}", e) for e in examples
    ):  # photos, and no slides
        return one_of(examples)
    for pattern, t in reversed(_SHAPES):
        if all(re.fullmatch(pattern, e) for e in examples):
            return t
    if match := re.fullmatch(r"(\d{4}-\d\d-\d\d)([T ])(\d\d:\d\d)(:\d\d)?(Z?)", examples[0]):
        tail, gap = (":00" if match[4] else "") + match[5], match[2]
        return replace(
            DATETIME,
            draw=lambda r, today: DATETIME.draw(r, today).replace("T", gap) + tail,
            say=lambda v, today: DATETIME.say(v[:16].replace(" ", "T"), today),
            accepts=lambda v: isinstance(v, str),
        )
    slug = r"[a-z][a-z0-9]*(?:[-_][a-z0-9]+)+|[a-z]+\d{1,2}"
    if all(re.fullmatch(slug, e) and not (ids and re.search(r"\d\d", e)) for e in examples):
        return text("slug", "as in the examples", lambda r: r.choice(examples), splits=False)
    if all(re.fullmatch(r"[\w-]+\.[a-z0-9]{2,5}", e) and e.split(".")[0] not in _DEVICES for e in examples):
        return one_of(examples)  # files: "gear.3mf"
    if all(re.fullmatch(r"[a-z][a-z0-9_]*\.[a-z0-9_]+", e) for e in examples):  # "light.kitchen"
        return text("dotted", "as in the examples", lambda r: _of_a_room(r.choice(examples), r))
    if all(re.fullmatch(r"[A-Z]{1,4}(?:-[A-Z]{2,5})+", e) for e in examples):  # "OY-KBH"
        return text(
            "code", "as in the examples", lambda r: _other_letters(r.choice(examples), r), question=""
        )
    if all(re.fullmatch(r"[A-Za-z]+(?: [a-z]+)* \d{1,2}", e) for e in examples):  # "treadmill 4"
        return text("numbered", "as in the examples", lambda r: _other_digits(r.choice(examples), r))
    if all(re.search(r"\d[:/]|[:/]\d", e) for e in examples):  # parts with a meaning: "1:5:5", "06:00-07:30"
        return one_of(examples)
    coded = [
        e
        for e in examples
        if re.fullmatch(r"[A-Za-z#_:/.-]*\d[\w#:/.-]*", e) and sum(c.isdigit() for c in e) >= 2
    ]
    # "C25-S3": a class of concrete; "INV-20417": one of many.
    numbered = all(max(map(len, re.findall(r"\d+", e))) > 2 for e in coded)
    if len(coded) == len(examples) and not (ids or numbered):
        return one_of(examples)
    if len(coded) == len(examples):
        return text(
            "code",
            "as in the examples",
            lambda r: _other_digits(coded[int(r.random() * len(coded))], r),
            question="",
        )
    return None


_DEVICES = lex.word_set("light switch sensor climate cover lock fan scene script media_player camera vacuum")
"""What stands before the dot in the names of devices."""


def _of_a_room(example: str, r: Random) -> str:
    room = str(kinds.ROOM.draw(r, date(2026, 1, 1)))
    return f"{example.partition('.')[0]}.{room.replace(' ', '_')}_{r.randint(2, 9)}"


def _other_letters(code: str, r: Random) -> str:
    head, _, tail = code.partition("-")
    return f"{head}-" + re.sub(r"[A-Z]", lambda _: r.choice("ABCDEFGHJKLMNPRSTUVWXYZ"), tail)


def _other_digits(code: str, r: Random) -> str:
    if year := re.search(r"(?<!\d)20[0-2]\d(?!\d)", code):  # "Q-2025-118"
        head, tail = code[: year.start()], code[year.end() :]
        return f"{_other_digits(head, r)}{r.randint(2023, 2025)}{_other_digits(tail, r)}"
    return re.sub(
        r"\d",
        lambda m: str(r.randint(1 if m.start() == 0 or not code[m.start() - 1].isdigit() else 0, 9)),
        code,
    )


def _quoted_if_long(value: Any, today: date) -> list[Surface]:
    return quoted(value, today) if " " in value else verbatim(value, today)


def one_of(examples: list[str]) -> Type:
    values = tuple(dict.fromkeys(examples))
    return text(
        "example",
        "as in the examples",
        lambda r: values[int(r.random() * len(values))],
        say=_quoted_if_long,
        splits=len(values) >= 12,
    )


def looks_like(kind: Type, examples: list[str]) -> bool:
    """Tell whether values of a kind are written as examples are.

    With dots, digits and capitals, or without.
    """

    def signs(text: str) -> tuple[bool, ...]:
        return tuple(bool(re.search(p, text)) for p in (r"[./:@_#]", r"\d", r"^[A-Z]", r"[A-Z]{2}|^[A-Z]$"))

    wanted = {signs(e) for e in examples}
    return any(signs(str(kind.draw(Random(n), date(2026, 1, 1)))) in wanted for n in range(12))
