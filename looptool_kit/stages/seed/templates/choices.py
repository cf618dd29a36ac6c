"""Types of choices, and of the flags that any tool can have."""

from __future__ import annotations

import calendar
import json
import re
from datetime import date
from typing import Any

from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.names import Unusable, unit_of, words_of
from looptool_kit.world.core import TEXT, Surface, Type
from looptool_kit.world.numbers import is_number


def said(value: Any) -> str:
    """A choice as a person says it.

    "in_progress" and "inProgress" -> "in progress".
    """
    if not isinstance(value, str):
        return json.dumps(value)
    if value.isupper() or not re.search(r"[_a-z]", value):
        return value.replace("_", " ").lower() if "_" in value else value
    parted = re.sub(r"(?<=[a-z0-9])[A-Z](?=[a-z])", lambda m: f" {m[0].lower()}", value)
    return parted.replace("_", " ").strip()


_DAYS_AND_MONTHS = {w.lower() for w in (*calendar.day_name, *calendar.month_name) if w}
_SHORT_NAMES = {w[:3].lower(): w for w in (*calendar.day_name, *calendar.month_name) if w}
_NO_CHOICE = lex.word_set("other none unknown custom any default auto unspecified null n/a na misc mixed")
"""Values that say nothing, or want another parameter beside them."""


def choice(values: list[Any], name: str, description: str = "") -> Type:
    """One of some values.

    Of those that say nothing none is drawn where there are others.
    """
    if not values:
        raise Unusable(f"{name} has no value to choose")
    drawn = [v for v in values if str(v).lower() not in _NO_CHOICE] or values
    listed = (
        ", ".join(said(v) for v in values[:-1]) + f" or {said(values[-1])}"
        if len(values) > 1
        else said(values[0])
    )
    noun = words_of(name)
    unit = unit_of(noun, description)
    bare = description.strip(". ").lower()
    if not unit and bare in lex.UNITS and all(map(is_number, values)):
        unit = lex.UNITS[bare]  # described as "minutes" alone

    short = {str(v).lower() for v in values} <= _SHORT_NAMES.keys()

    def say(v: Any, _: date) -> list[Surface]:
        if short:  # "mar"
            return [Surface(_SHORT_NAMES[str(v).lower()])]
        if str(v).lower() in _DAYS_AND_MONTHS:
            return [Surface(str(v).capitalize())]
        if is_number(v) and unit:
            return [Surface(f"{said(v)} {unit if unit in lex.UNCOUNTED or v == 1 else unit + 's'}")]
        return [Surface(said(v))]

    return Type(
        f"one of {listed}",
        "a choice",
        {"enum": values},
        lambda r, _: drawn[int(r.random() * len(drawn))],
        lambda v: v in values,
        say,
        TEXT,
        splits=len(values) > 40,
        question=f"Which {noun}" + (f": {listed}?" if len(values) <= 6 else "?"),
        words=("which", "what", noun),
    )


_FLAG = re.compile(r"(include|notify|alert|inform) ((?:\w+ ){0,2}\w+)")


def boolean(name: str) -> Type:
    """A flag of which the name alone is a clause.

    As in "notify the customer", "including prices".

    Raises:
        Unusable: It is another one; what it changes, only those know who wrote the tool.
    """
    match = _FLAG.fullmatch(words_of(name))
    if match is None:
        raise Unusable(f"what a person says for the flag {name} is not sure: make it optional, or an `enum`")
    verb, rest = match[1], match[2]
    if verb == "include":
        yes, no = (f"including {rest}",), (f"without {rest}", f"not including {rest}")
    else:
        rest = rest if " " in rest or rest.endswith("s") else f"the {rest}"
        yes, no = (f"and {verb} {rest}",), (f"and do not {verb} {rest}", f"and don't {verb} {rest}")
    plain = {True: [Surface("yes")], False: [Surface("no")]}
    return Type(
        "boolean",
        "yes or no",
        {"type": "boolean"},
        lambda r, _: r.random() < 0.6,
        lambda v: isinstance(v, bool),
        lambda v, _: [*(Surface("", w) for w in (yes if v else no)), *plain[v]],
        splits=False,
        clauses=("{@}",),
    )
