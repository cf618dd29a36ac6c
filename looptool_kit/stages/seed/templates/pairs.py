"""Values of a call that belong together: the ends of a range, a person and the person's address."""

from __future__ import annotations

import re
import unicodedata
from datetime import date, timedelta
from typing import Any

from looptool_kit.stages.seed.templates.days import follows
from looptool_kit.world import types as wt
from looptool_kit.world.core import held_out
from looptool_kit.world.grammar import Scene
from looptool_kit.world.pools import FIRST
from looptool_kit.world.spec import Param

_EARLIER = re.compile(
    r"(^|_|(?<=[a-z]))(min|start|from|since|begin|departure|check_?in|depart|lower|low|after|pickup|open"
    r"|first|tare|net|earliest|low|not_?before|death|diastol)",
    re.IGNORECASE,
)
_LATER = re.compile(
    r"(^|_|(?<=[a-z]))(max|end|to|until|return|check_?out|upper|high|before|dropoff|finish|clos|expir"
    r"|last|gross|latest|high|due|deadline|burial|funeral|systol)",
    re.IGNORECASE,
)


_COMING, _GOING = re.compile("arriv", re.IGNORECASE), re.compile("depart", re.IGNORECASE)


def _order(a: str, b: str) -> int:
    """1 where parameter `a` comes before `b`, -1 where it comes after it, 0 where they are no pair.

    `a` stands first in the schema.
    """
    if _COMING.search(f"{a} {b}") and _GOING.search(f"{a} {b}"):
        return 1  # of a room the arrival, of a train the departure: that which stands first
    if _EARLIER.search(a) and _LATER.search(b):
        return 1
    return -1 if _LATER.search(a) and _EARLIER.search(b) else 0


def in_order(a: str, b: str) -> bool:
    """Tell whether two names are the ends of a range."""
    return _order(a, b) != 0


def ordered(a: str, x: Any, b: str, y: Any) -> bool:
    numbers = all(isinstance(v, int | float) and not isinstance(v, bool) for v in (x, y))
    if not numbers and not all(isinstance(v, str) and _moment(v) for v in (x, y)):
        return True
    order = _order(a, b)
    first, second = (x, y) if order > 0 else (y, x)
    clocks = [re.fullmatch(r"(\d\d):(\d\d)", str(v)) for v in (first, second)]
    if order and clocks[0] and clocks[1]:  # nobody's shift is of five minutes
        begin, end = (60 * int(c[1]) + int(c[2]) for c in clocks if c)
        return end - begin >= 30
    return not order or bool(first < second)


_LASTING = re.compile(
    r"valid|effective|contract|lease|warranty|membership|licen[cs]|opens?|clos|season|polic|tenan|subscri"
    r"|employ"
    r"|exhibition|campaign|project",
    re.IGNORECASE,
)
"""Pairs of days that are months apart."""


def of_the_person(p: Param, value: Any, arguments: dict[str, Any], scene: Scene) -> Any:
    """An e-mail address of the one person that a call speaks of."""
    parts = [v for n, v in arguments.items() if re.search(r"(?:first|last).?name|surname", n, re.IGNORECASE)]
    names = [v for v in arguments.values() if isinstance(v, str) and v.split(" ")[0] in FIRST]
    names = [" ".join(parts)] if len(parts) == 2 else names
    if p.type is not wt.EMAIL or len(names) != 1:
        return value
    plain = unicodedata.normalize("NFKD", names[0]).encode("ascii", "ignore").decode().lower()
    first, _, last = plain.replace("'", "").partition(" ")
    ways = (f"{first}.{last}", f"{first[:1]}{last}", f"{last}.{first}", f"{first}_{last}", f"{first}{last}")
    host = value.partition("@")[2]
    own = (f"{way.replace(' ', '')}{n}@{host}" for n in ("", *range(1, 9)) for way in ways if last)
    return next((mail for mail in own if held_out(mail) == scene.held), value)


def near(p: Param, value: Any, arguments: dict[str, Any], scene: Scene, about: str) -> Any:
    """Move a moment near to the other end of its range.

    That is the same day, or some days from it. None where the moved one is of another split.
    """
    for name, other in arguments.items():
        pair = all(isinstance(v, str) and re.match(r"\d{4}-\d\d-\d\d", v) for v in (value, other))
        order = follows(name, p.name)
        if not pair or not order or p.type.name == "example":
            continue
        timed = len(value) > len("2026-01-01")
        apart = (20, 300) if _LASTING.search(f"{about} {name} {p.name}") else (0, 0) if timed else (1, 10)
        days = timedelta(days=scene.rng.randint(*apart))
        day = date.fromisoformat(other[:10]) + order * days
        moved = day.isoformat() + value[10:]
        today = scene.today.isoformat()
        over = other < today and moved > today  # a period that is over ends before today
        return moved if not over and (not p.type.splits or held_out(moved) == scene.held) else None
    return value


def _moment(value: str) -> bool:
    return re.match(r"\d{4}-\d\d-\d\d|\d\d:\d\d", value) is not None
