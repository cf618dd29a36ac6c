"""Kinds of parameters of made-up tools: their JSON Schema, and values with the words that a user says.

`kind("money:20:900", rng)` is one way to specify such a parameter: its schema, what its description has to
add, and a function that draws (value, words). A kind is written as a name and its settings, split by colons.
"""

from __future__ import annotations

import tomllib
from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache
from pathlib import Path
from random import Random
from typing import Any, NamedTuple

from num2words import num2words

from looptool_kit.world import pools
from looptool_kit.world.core import held_out

Said = tuple[Any, str]
IN_WORDS = 0.1
"""Share of small numbers that are said in words."""


class Kind(NamedTuple):
    """One way to specify a parameter."""

    schema: dict[str, Any]
    draw: Callable[[Random], Said]
    """A value and the words for it."""
    note: str = ""
    """What the parameter's description has to say of the format."""
    scalar: bool = True
    """Whether several values may be named in a row, each for a call of its own."""


def split(text: str) -> tuple[str, ...]:
    """The `|`-separated entries of a text, stripped."""
    return tuple(" ".join(part.split()) for part in text.split("|") if part.strip())


def _open(entries: tuple[str, ...]) -> tuple[str, ...]:
    """Without the values that the world holds out."""
    return tuple(e for e in entries if not held_out(e))


_FILE = Path(__file__).with_name("made_up_bank.toml")
BANK: dict[str, Any] = tomllib.loads(_FILE.read_text(encoding="utf-8"))
POOLS = {name: split(text) for name, text in BANK["pools"].items()}
for _name in ("city", "country", "language", "airport"):
    _world = {
        "city": pools.CITIES,
        "country": pools.COUNTRIES,
        "language": pools.LANGUAGES,
        "airport": pools.AIRPORTS,
    }
    POOLS[_name] = _open((*_world[_name], *POOLS[_name]))
ADJECTIVES, NOUNS, BUSINESS = POOLS["adjectives"], POOLS["nouns"], POOLS["business"]
NOTES, STEMS, ENDINGS = POOLS["notes"], POOLS["stems"], POOLS["endings"]


def _title(rng: Random) -> str:
    a, b = rng.sample(NOUNS, 2)
    adjective = rng.choice(ADJECTIVES)
    return rng.choice((f"The {adjective} {a}", f"{adjective} {a}", f"{a} of the {b}", f"The {a} and the {b}"))


def _person(rng: Random) -> str:
    while held_out(name := f"{rng.choice(pools.FIRST)} {rng.choice(pools.LAST)}"):
        pass
    return name


def _email(rng: Random) -> str:
    first, last = rng.choice(pools.FIRST).lower(), rng.choice(pools.LAST).lower()
    host = f"{rng.choice(NOUNS)}{rng.choice(('mail', 'post', 'works', ''))}".lower()
    name = rng.choice((f"{first}.{last}", first[0] + last, f"{last}{rng.randint(1, 99)}"))
    return f"{name}@{host}.{rng.choice(('com', 'org', 'net', 'io'))}"


def _company(rng: Random) -> str:
    return f"{rng.choice(NOUNS if rng.random() < 0.6 else pools.LAST)} {rng.choice(BUSINESS)}"


def _file(rng: Random) -> str:
    joined = rng.choice(("_", "-"))
    more = rng.choice((str(rng.randint(2019, 2027)), "final", "v2", rng.choice(STEMS)))
    return f"{rng.choice(STEMS)}{joined}{more}.{rng.choice(ENDINGS)}"


def _path(rng: Random) -> str:
    return f"/{rng.choice(('srv', 'home', 'data', 'var'))}/{rng.choice(STEMS)}/{_file(rng)}"


TEXTS: dict[str, Callable[[Random], str]] = {
    "person": _person,
    "email": _email,
    "company": _company,
    "file": _file,
    "path": _path,
    "postcode": lambda rng: f"{rng.randint(10000, 99999)}",
    "folder": lambda rng: f"/{rng.choice(('docs', 'media', 'work', 'team'))}/{rng.choice(STEMS)}",
    "phone": lambda rng: f"+{rng.randint(1, 98)} {rng.randint(200, 999)} 555 {rng.randint(1000, 9999)}",
    "hex": lambda rng: f"#{rng.randrange(0x100000, 0xFFFFFF):06X}",
    "word": lambda rng: rng.choice(NOUNS).lower() + rng.choice(NOUNS).lower(),
}


@lru_cache(4096)
def in_words(number: int) -> str:
    """A whole number in words."""
    return str(num2words(number))


def _count(low: int, high: int) -> Callable[[Random], Said]:
    def draw(rng: Random) -> Said:
        n = rng.randint(low, high)
        if n >= 10 and rng.random() < 0.3:
            n = max(low, n - n % (10 if n > 60 else 5))
        return n, in_words(n) if rng.random() < IN_WORDS and (n <= 20 or (n < 100 and n % 5 == 0)) else str(n)

    return draw


def _decimal(low: float, high: float) -> Callable[[Random], Said]:
    def draw(rng: Random) -> Said:
        value: float = rng.uniform(low, high)
        digits = rng.choice((0, 0, 0, 1, 1, 2))
        value = round(value, 2 if high <= 3 else digits)
        if value.is_integer():
            n = max(int(value), 1)
            return n, in_words(n) if rng.random() < IN_WORDS and n <= 20 else f"{n:,}"
        return value, f"{value:,}" if rng.random() < 0.5 else str(value)

    return draw


def _large(low: int, high: int) -> Callable[[Random], Said]:
    def draw(rng: Random) -> Said:
        n = rng.randint(low, high)
        n -= n % 10 ** (len(str(n)) - rng.choice((1, 2, 2, 3, len(str(n)))))
        n = max(n, low)
        if rng.random() < 0.15:
            if n >= 10**6 and n % 10**5 == 0:
                return n, f"{n / 10**6:g} million"
            if n == 500_000:
                return n, "half a million"
            if n % 1000 == 0:
                k = n // 1000
                return n, rng.choice((f"{k} thousand", f"{k}k", f"{in_words(k)} thousand"))
        return n, rng.choice((str(n), f"{n:,}"))

    return draw


def _money(low: int, high: int) -> Callable[[Random], Said]:
    plain = _large(low, high)

    def draw(rng: Random) -> Said:
        value, said = plain(rng)
        if rng.random() < 0.12 and high < 2000:
            value = round(value + rng.choice((0.5, 0.99, 0.25)), 2)
            said = str(value)
        ways = (f"${said}", f"${said}", f"{said} dollars", said)
        return value, rng.choice(ways) if said[0].isdigit() else f"{said} dollars"

    return draw


def _percent(low: float, high: float, fraction: bool) -> Callable[[Random], Said]:
    def draw(rng: Random) -> Said:
        value = rng.randint(int(low), int(high)) if rng.random() < 0.6 else round(rng.uniform(low, high), 1)
        value = int(value) if float(value).is_integer() else value
        words = isinstance(value, int) and 0 < value <= 20 and rng.random() < 0.2
        said = rng.choice((f"{value}%", f"{value}%", f"{value} percent"))
        said = f"{in_words(int(value))} percent" if words else said
        return round(value / 100, 4) if fraction else value, said

    return draw


def _ordinal(n: int) -> str:
    return f"{n}{'th' if 10 <= n % 100 <= 20 else {1: 'st', 2: 'nd', 3: 'rd'}.get(n % 10, 'th')}"


def _date(rng: Random) -> Said:
    day = date(2022, 1, 1) + timedelta(days=rng.randrange(1800))
    month, year, nth = rng.choice((f"{day:%B}", f"{day:%B}", f"{day:%b}")), day.year, _ordinal(day.day)
    american = (f"{month} {day.day}, {year}", f"{month} {nth} {year}", f"{month} {nth}, {year}")
    said = (*american, f"{day.day} {month} {year}", f"the {nth} of {day:%B} {year}", day.isoformat())
    return day.isoformat(), rng.choice(said)


def _time(rng: Random) -> Said:
    hour, minute = rng.randint(7, 21), rng.choice((0, 0, 15, 30, 45))
    twelve, half = (hour - 1) % 12 + 1, "am" if hour < 12 else "pm"
    said = (
        f"{twelve}:{minute:02d} {half}",
        f"{hour:02d}:{minute:02d}",
        f"{twelve} {half}" if not minute else f"{twelve}:{minute:02d}{half}",
    )
    return f"{hour:02d}:{minute:02d}", rng.choice(said)


def listed(parts: list[str], word: str = "and") -> str:
    """ "a", "a and b", "a, b and c"."""
    return parts[0] if len(parts) == 1 else f"{', '.join(parts[:-1])} {word} {parts[-1]}"


def _list(item: Kind) -> Callable[[Random], Said]:
    def draw(rng: Random) -> Said:
        values: list[Any] = []
        said: list[str] = []
        plain = item.schema["type"] == "string"
        wanted = rng.choice((2, 2, 3, 3, 4)) if plain else rng.choice((3, 4, 5, 6))
        for _ in range(3 * wanted):  # a choice may have fewer values than that
            if len(values) == wanted:
                break
            value, words = item.draw(rng)
            if value not in values:
                values.append(value)
                said.append(words if plain else str(value))
        if not plain and rng.random() < 0.3:
            return values, f"[{', '.join(said)}]"
        return values, listed(said)

    return draw


OBJECTS: dict[str, tuple[tuple[tuple[str, str, str], ...], str]] = {
    "size": (
        (
            ("length", "int:5:90", "Length in cm"),
            ("width", "int:5:60", "Width in cm"),
            ("height", "int:2:50", "Height in cm"),
        ),
        "{} cm long, {} cm wide and {} cm high",
    ),
    "address": ((("street", "street", "Street and number"), ("city", "city", "City")), "{} in {}"),
    "contact": ((("name", "person", "Full name"), ("email", "email", "E-mail address")), "{} ({})"),
    "period": (
        (("start", "date", "First day, YYYY-MM-DD"), ("end", "date2", "Last day, YYYY-MM-DD")),
        "{} to {}",
    ),
    "location": (
        (("latitude", "coord:60", "Latitude"), ("longitude", "coord:170", "Longitude")),
        "latitude {} and longitude {}",
    ),
    "range": ((("min", "int:1:40", "Lower bound"), ("max", "int:41:99", "Upper bound")), "{} to {}"),
}
"""Objects: (property, kind, description) of each, and how a user says them."""


def _object(name: str, rng: Random) -> Kind:
    parts, words = OBJECTS[name]
    inner = [(key, kind(of, rng), text) for key, of, text in parts]
    schema = {
        "type": "object",
        "properties": {key: {**k.schema, "description": f"{text}."} for key, k, text in inner},
        "required": [key for key, _, _ in inner],
    }

    def draw(rng: Random) -> Said:
        drawn = [k.draw(rng) for _, k, _ in inner]
        if name == "period":
            ends = [date(2024, 1, 1) + timedelta(days=rng.randrange(700))]
            ends.append(ends[0] + timedelta(days=rng.randint(2, 60)))
            drawn = [(d.isoformat(), f"{d:%B} {d.day}, {d.year}") for d in ends]
        value = {key: v for (key, _, _), (v, _) in zip(inner, drawn, strict=True)}
        return value, words.format(*(s for _, s in drawn))

    return Kind(schema, draw, "", scalar=False)


def _enum(text: str, rng: Random) -> Kind:
    entries = split(text)
    shape = rng.choice(("plain", "plain", "_", "-", "UPPER"))
    if shape in ("_", "-"):
        values = [e.replace(" ", shape) for e in entries]
    else:
        values = [e.upper().replace(" ", "_") if shape == "UPPER" else e for e in entries]
    schema = {"type": "string", "enum": values}

    def draw(rng: Random) -> Said:
        at = rng.randrange(len(entries))
        return values[at], entries[at]

    if rng.random() < 0.25:
        return Kind({"type": "string"}, draw, f"One of {', '.join(repr(v) for v in values)}")
    return Kind(schema, draw)


def kind(text: str, rng: Random) -> Kind:
    """One way to specify the kind `text`, as whoever writes the schema chooses."""
    name, _, rest = text.partition(":")
    return KINDS[name](rest, rng) if name in KINDS else _entry(name)


def _string(make: Callable[[Random], str], note: str = "") -> Kind:
    """A string that is said as it is written."""
    return Kind({"type": "string"}, lambda rng: (value := make(rng), value), note)


def _entry(name: str) -> Kind:
    """A value of the pool `name`."""
    if name in TEXTS:
        return _string(TEXTS[name])
    entries = POOLS[name]

    def entry(rng: Random) -> Said:
        value = rng.choice(entries)
        return value, f"`{value}`" if name == "ident" and rng.random() < 0.5 else value

    return Kind({"type": "string"}, entry)


def _share(rest: str, rng: Random) -> Kind:
    fraction = rng.random() < 0.4
    low, high = rest.split(":")
    note = "As a decimal, e.g. 0.25 for 25%" if fraction else "In percent, e.g. 25 for 25%"
    return Kind({"type": "number"}, _percent(float(low), float(high), fraction), note)


def _coordinate(rest: str, rng: Random) -> Kind:
    bound = float(rest)

    def degrees(rng: Random) -> Said:
        value = round(rng.uniform(-bound, bound), 4)
        return value, str(value)

    return Kind({"type": "number"}, degrees, scalar=False)


def _point(rest: str, rng: Random) -> Kind:
    def point(rng: Random) -> Said:
        pair = [rng.randint(-9, 20), rng.randint(-9, 20)]
        return pair, f"({pair[0]}, {pair[1]})"

    return Kind({"type": "array", "items": {"type": "number"}}, point, "As [x, y]", False)


def _year(rng: Random) -> Said:
    return (year := rng.randint(1960, 2024), str(year))


def _day(rest: str, rng: Random) -> Kind:
    return Kind({"type": "string"}, _date, rng.choice(("Format YYYY-MM-DD", "In the format YYYY-MM-DD")))


def _yes_or_no(rest: str, rng: Random) -> Kind:
    return Kind({"type": "boolean"}, lambda rng: (yes := rng.random() < 0.6, str(yes)), scalar=False)


def _array(rest: str, rng: Random) -> Kind:
    item = kind(rest, rng)
    return Kind({"type": "array", "items": item.schema}, _list(item), item.note, scalar=False)


def _identifier(rest: str, rng: Random) -> Kind:
    digits, shape = rng.choice((3, 4, 5, 6)), rng.choice(("{}-{}", "{}-{}", "{}{}", "{}_{}"))
    prefix = rest if rng.random() < 0.7 else rest.lower()
    return _string(lambda rng: shape.format(prefix, rng.randrange(10 ** (digits - 1), 10**digits)))


def _quoted(make: Callable[[Random], str], rng: Random) -> Kind:
    quote = rng.choice(('"', '"', "'"))
    return Kind({"type": "string"}, lambda rng: (value := make(rng), f"{quote}{value}{quote}"))


def _street(rng: Random) -> str:
    return f"{rng.randint(1, 240)} {rng.choice(NOUNS)} {rng.choice(('Street', 'Road', 'Lane'))}"


KINDS: dict[str, Callable[[str, Random], Kind]] = {
    "int": lambda rest, rng: Kind({"type": "integer"}, _count(*map(int, rest.split(":")))),
    "big": lambda rest, rng: Kind({"type": "integer"}, _large(*map(int, rest.split(":")))),
    "num": lambda rest, rng: Kind({"type": "number"}, _decimal(*map(float, rest.split(":")))),
    "money": lambda rest, rng: Kind({"type": "number"}, _money(*map(int, rest.split(":")))),
    "pct": _share,
    "coord": _coordinate,
    "point": _point,
    "year": lambda rest, rng: Kind({"type": "integer"}, _year),
    "date": _day,
    "date2": _day,
    "time": lambda rest, rng: Kind({"type": "string"}, _time, "24-hour clock, HH:MM"),
    "bool": _yes_or_no,
    "enum": _enum,
    "list": _array,
    "obj": _object,
    "id": _identifier,
    "title": lambda rest, rng: _quoted(_title, rng),
    "note": lambda rest, rng: _quoted(lambda rng: rng.choice(NOTES), rng),
    "street": lambda rest, rng: _string(_street),
    "place": lambda rest, rng: _string(lambda rng: rng.choice(POOLS["place"]), "In the form 'City, ST'"),
}
"""What makes the kinds that no pool gives, from the text behind the name."""
