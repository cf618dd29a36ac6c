"""Base types: schema, generator, recogniser, and ways to say values.

They are those of RandomWorld, section 3.1. Types form a tree (`is_a`); tool outputs feed tool inputs along
it. Values are split by a hash: about a quarter is held out for the split `unseen_values` and never drawn for
training.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date
from functools import lru_cache
from random import Random
from typing import Any, NamedTuple

from looptool_kit.world.pools import NEWS, one


class Surface(NamedTuple):
    """One way of saying a value."""

    text: str
    """As a noun: "December 4", "6:30 pm"; empty where it only works as an adverbial."""
    adverb: str = ""
    """With its own preposition: "on December 4", "tomorrow"; empty where there is none."""
    implicit: bool = False
    """True where understanding it takes a step of reasoning ("half a dozen", "tomorrow", "an hour and a
    half").
    """


Draw = Callable[[Random, date], Any]
Say = Callable[[Any, date], list[Surface]]


@dataclass(frozen=True, eq=False)
class Type:
    """A type of values.

    `draw(rng, today)` makes one, `accepts(value)` recognises one, `say(value, today)` lists its surfaces.
    """

    name: str
    description: str
    schema: Mapping[str, Any]
    draw: Draw
    accepts: Callable[[Any], bool]
    say: Say
    parent: Type | None = None
    splits: bool = True
    """Whether a quarter of the values is held out."""
    hints: float = 0.0
    """How often it is said implicitly, relative to other types: 0 where no value has an implicit surface,
    less than 1 where only few have.
    """
    clauses: tuple[str, ...] = ("{}",)
    """How a request mentions it where the parameter gives no wording of its own."""
    question: str = ""
    """What to ask when it is missing."""
    words: tuple[str, ...] = ()
    """Of these at least one occurs in any question for it."""
    noun: str = ""
    """What an earlier result of this type is called: "booking" in "that booking"; empty where results of it
    are not referred to.
    """
    item: Type | None = None
    fields: Mapping[str, Type] = field(default_factory=dict)
    record_id: bool = False
    """True of the reference codes that `identifier` makes."""
    sizes: tuple[int, int] = (0, 0)
    ordered: bool = False
    """Of a list of choices: drawn in the order of the choices."""
    template: str = ""
    """For records said inside a request: "{quantity} x {item}"."""

    members: tuple[Type, ...] = ()
    """Of a union: the types whose values it takes."""

    def is_a(self, other: Type) -> bool:
        """Whether this type is `other` or a subtype of it.

        All members of a union must be.
        """
        if self.members:
            return all(m.is_a(other) for m in self.members)
        if other.members and self is not other:
            return any(self.is_a(m) for m in other.members)
        at: Type | None = self
        while at is not None:
            if at is other:
                return True
            at = at.parent
        return False


@lru_cache(maxsize=200_000)
def _held(text: str) -> bool:
    return hashlib.blake2b(text.encode(), digest_size=1).digest()[0] < 64


def held_out(value: Any) -> bool:
    """Tell whether a value is kept for the split `unseen_values`.

    A quarter of all values is.
    """
    return _held(str(value))


def draw(t: Type, rng: Random, today: date, held: bool = False, hinted: bool = False) -> Any:
    """Draw a train value of a type, or a held-out one.

    With `hinted` it has an implicit surface, if any value has.
    """
    if t.item is not None:
        out: list[Any] = []
        for _ in range(rng.randint(*t.sizes) * 8):
            value = draw(t.item, rng, today, held)
            if all(_named(value) != _named(v) for v in out):
                out.append(value)
            if len(out) == t.sizes[1]:
                break
        out = out[: rng.randint(*t.sizes)]
        return sorted(out, key=list(t.item.schema["enum"]).index) if t.ordered else out
    if t.fields:
        return {k: draw(f, rng, today, held) for k, f in t.fields.items()}
    value = None
    for tries in range(400):
        value = t.draw(rng, today)
        if t.splits and value is not None and _held(str(value)) != held:
            continue
        if hinted and t.hints and tries < 200 and not any(s.implicit for s in t.say(value, today)):
            continue
        return value
    raise ValueError(
        f"type {t.name!r} has no {'held-out' if held else 'train'} values; set splits=False on it"
    )


def _named(value: Any) -> Any:
    # "80 g of rice and 60 g of rice": of two records of one list, the texts differ, not only the numbers.
    texts = [v for v in value.values() if isinstance(v, str)] if isinstance(value, dict) else []
    return texts or value


def seen_values(t: Type, value: Any) -> list[tuple[str, bool]]:
    """The atomic values inside `value` that split, with their side.

    Returns pairs of text and whether it is held out.
    """
    if t.item is not None:
        return [pair for v in value for pair in seen_values(t.item, v)]
    if t.fields:
        return [pair for k, f in t.fields.items() if k in value for pair in seen_values(f, value[k])]
    return [(str(value), held_out(value))] if t.splits and value is not None else []


# ------------------------------------------------------------------ text


def verbatim(value: Any, today: date) -> list[Surface]:
    """The value as it stands."""
    return [Surface(str(value))]


def quoted(value: Any, today: date) -> list[Surface]:
    """The value in double quotes, so that its bounds are exact."""
    return [Surface(f'"{value}"')]


def text(
    name: str,
    description: str,
    make: Callable[[Random], str],
    *,
    parent: Type | None = None,
    pattern: str = "",
    say: Say = verbatim,
    schema: Mapping[str, Any] | None = None,
    **more: Any,
) -> Type:
    """A type of strings made by `make(rng)`.

    The recogniser is `pattern` (full match), by default any non-empty text.
    """
    shape = re.compile(pattern or r"\S(.*\S)?", re.DOTALL)

    def accepts(value: Any) -> bool:
        return isinstance(value, str) and shape.fullmatch(value) is not None

    return Type(
        name,
        description,
        schema or {"type": "string"},
        lambda rng, _: make(rng),
        accepts,
        say,
        parent or TEXT,
        **more,
    )


def pool(name: str, description: str, values: tuple[str, ...], **more: Any) -> Type:
    """A type of strings out of a fixed pool."""
    allowed = frozenset(values)
    return replace(
        text(name, description, lambda rng: one(rng, values), **more),
        accepts=lambda v: isinstance(v, str) and v in allowed,
    )


TEXT = Type(
    "text",
    "any text",
    {"type": "string"},
    lambda r, _: one(r, NEWS),
    lambda v: isinstance(v, str) and bool(v.strip()),
    quoted,
)
