"""From a parameter to the type of its values.

Only kinds are taken whose values are right whatever the tool: constants, choices, examples, moments, codes,
numbers in a stated range, and names that the parameter plainly asks for. All else is refused.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date
from itertools import combinations
from random import Random
from typing import Any

from looptool_kit.core.samples import Tool
from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.choices import boolean, choice
from looptool_kit.stages.seed.templates.conditions import bound
from looptool_kit.stages.seed.templates.names import Unusable, examples_of, short_noun, words_of
from looptool_kit.stages.seed.templates.nouns import plural
from looptool_kit.stages.seed.templates.numbers import number
from looptool_kit.stages.seed.templates.pairs import ordered
from looptool_kit.stages.seed.templates.stated import in_some_cases, with_stated
from looptool_kit.stages.seed.templates.strings import MOMENTS, string
from looptool_kit.stages.seed.templates.technical import refuse_unsaid
from looptool_kit.text.words import stem
from looptool_kit.world import core
from looptool_kit.world.core import Surface, Type, held_out


@dataclass(frozen=True, eq=False)
class Group(Type):
    """An object: parts by name, of which `needed` are always given."""

    parts: Mapping[str, Type] = field(default_factory=dict)
    needed: frozenset[str] = frozenset()
    title: str | None = None
    """The part that names it: two of a list have different ones."""


@dataclass(frozen=True, eq=False)
class Many(Type):
    """A list of `sizes` different values of `each`."""

    each: Type | None = None


def draw(t: Type, rng: Random, today: date, held: bool = False) -> Any:
    """Draw a train value of a type, or a held-out one.

    `held` applies where the type splits. Raises `ValueError` where there are none.
    """
    if isinstance(t, Group):
        for _ in range(30):
            parts = {n: draw(p, rng, today, held) for n, p in t.parts.items()}
            if all(ordered(a, parts[a], b, parts[b]) for a, b in combinations(parts, 2)):
                return parts
        raise ValueError(f"no values of {t.name} were in order")
    if isinstance(t, Many) and t.each is not None:
        wanted, out = rng.randint(*t.sizes), list[Any]()
        for _ in range(wanted * 8):
            value = draw(t.each, rng, today, held)
            if len(out) < wanted and not any(_alike(t.each, value, other) for other in out):
                out.append(value)
        if len(out) < t.sizes[0]:
            raise ValueError(f"fewer than {t.sizes[0]} different values of {t.each.name}")
        return out
    return core.draw(t, rng, today, held)


def _alike(each: Type, a: Any, b: Any) -> bool:
    """Whether two values of a list are one, or name the same thing."""
    return bool(a == b or (isinstance(each, Group) and each.title and a[each.title] == b[each.title]))


def atoms(t: Type, value: Any) -> list[bool]:
    """Tell for each splitting value inside `value` whether it is held out."""
    if isinstance(t, Group):
        return [h for n, v in value.items() for h in atoms(t.parts[n], v)]
    if isinstance(t, Many) and t.each is not None:
        return [h for v in value for h in atoms(t.each, v)]
    return [held_out(value)] if t.splits and value is not None else []


# --------------------------------------------------------------------- types


def type_of(name: str, schema: Any, owner: str = "", context: str = "") -> Type:
    """The type of a parameter.

    `owner` names what the tool acts on ("order"), `context` is what it does. Raises `Unusable` where
    no kind of value is surely right.
    """
    schema = _alternative(schema)
    description = str(schema.get("description") or "")
    if "const" in schema:
        return choice([schema["const"]], name)
    if isinstance(schema.get("enum"), list):
        return choice([v for v in schema["enum"] if v is not None and v != ""], name, description)
    kind = _json_kind(schema)
    refuse_unsaid(name, schema)
    schema = with_stated(schema, kind)
    if kind == "boolean":
        return boolean(name)
    if kind == "object":
        return _group(name, schema, context)
    if kind == "array":
        return _many(name, schema, owner, context)
    if kind in ("integer", "number"):
        return number(name, schema, description, kind == "integer")
    if kind == "null":
        raise Unusable(f"{name} can only be null")
    return string(name, schema, description, owner, context)


def _alternative(schema: Any) -> dict[str, Any]:
    """The first alternative that is not null, with its siblings' words.

    It is one of `anyOf` or `oneOf`; `allOf` is merged.
    """
    merged: dict[str, Any] = dict(schema) if isinstance(schema, Mapping) else {}
    for word in ("anyOf", "oneOf"):
        options = [o for o in merged.pop(word, ()) if isinstance(o, Mapping) and o.get("type") != "null"]
        if options:
            merged = {**_alternative(options[0]), **merged}
    for part in merged.pop("allOf", ()):
        merged = {**_alternative(part), **merged}
    return merged


def _json_kind(schema: Mapping[str, Any]) -> str:
    kind = schema.get("type")
    if isinstance(kind, list):
        kind = next((k for k in kind if k != "null"), "null")
    if isinstance(kind, str):
        return kind
    if "properties" in schema:
        return "object"
    if "items" in schema:
        return "array"
    examples = [*examples_of(schema), *([schema["default"]] if schema.get("default") is not None else [])]
    names = {bool: "boolean", int: "integer", float: "number", list: "array", dict: "object"}
    return names.get(type(examples[0]), "string") if examples else "string"


# -------------------------------------------------------- objects and arrays


def _group(name: str, schema: Mapping[str, Any], context: str) -> Type:
    """An object of those properties that it requires."""
    properties, required = schema.get("properties") or {}, schema.get("required") or ()
    needed = frozenset(k for k, v in properties.items() if k in required or in_some_cases(v))
    if not needed:
        raise Unusable(f"nothing tells what {name} holds: say which of its `properties` are `required`")
    parts: dict[str, Type] = {}
    # Beside "max" it is a minimum, and no minutes.
    full = {"min": "minimum", "max": "maximum"} if {"min", "max"} <= properties.keys() else {}
    whole = Tool(name=name, description=words_of(name), parameters={**schema, "required": sorted(needed)})
    for key in (k for k in properties if k in needed):
        try:
            if tie := bound(key, whole):
                raise Unusable(f"it depends on others or on a condition ({tie[:60]!r})")
            parts[key] = type_of(full.get(key, key), properties[key], words_of(name), context)
            if isinstance(parts[key], Group | Many) or parts[key].name == "boolean":
                raise Unusable("too much to say in a sentence")
        except Unusable as why:
            raise Unusable(f"{name}.{key}: {why}") from None
    nouns = {key: short_noun(words_of(full.get(key, key))) for key in parts}
    title = next(
        (
            k
            for k in parts
            if k in needed
            and re.search(
                r"(^|_)(name|title|item|product|dish|description|service|article|sku|\w+_id|id)$", k
            )
        ),
        None,
    )

    def say(value: Any, today: date) -> list[Surface]:
        return [
            Surface(t)
            for t in dict.fromkeys(_record(value, parts, nouns, title, today, at) for at in range(3))
        ]

    return Group(
        name,
        "an object",
        {"type": "object"},
        lambda r, _: {},
        lambda v: isinstance(v, dict),
        say,
        splits=False,
        parts=parts,
        needed=needed,
        title=title,
    )


def _record(
    value: Mapping[str, Any],
    parts: Mapping[str, Type],
    nouns: Mapping[str, str],
    title: str | None,
    today: date,
    at: int,
) -> str:
    """An object in words.

    As in "omeprazole (dose 10 mg)", "phone +44 207 555 1234 and floor 3".
    """
    bits = []
    for key, v in value.items():
        if key != title:
            ways = [w.text for w in parts[key].say(v, today) if w.text]
            noun = "" if nouns[key] in lex.UNITS else f"{nouns[key]} "
            bits.append(f"{noun}{ways[min(at, len(ways) - 1)]}")
    if title is None:
        return ", ".join(bits)
    text = parts[title].say(value[title], today)[0].text
    return f"{text} ({', '.join(bits)})" if bits else text


def joined(bits: Sequence[str]) -> str:
    """ "a, b and c"."""
    return bits[0] if len(bits) == 1 else ", ".join(bits[:-1]) + f" and {bits[-1]}"


def _many(name: str, schema: Mapping[str, Any], owner: str, context: str) -> Type:
    items = schema.get("items")
    about = {"description": schema["description"]} if schema.get("description") else {}
    words = words_of(name)
    single = " ".join([*words.split()[:-1], stem(words.split()[-1])]) if words else name
    each = type_of(single, {**about, **items} if isinstance(items, Mapping) else about, owner, context)
    if isinstance(each, Many) or each.name in ("number", "boolean") or each.question in MOMENTS:
        raise Unusable(f"nobody can be sure which values {name} holds: give it one value, or an `enum`")
    low = max(1, int(schema.get("minItems") or 1))
    most = int(schema.get("maxItems") or 3)
    low = 2 if low == 1 and most > 1 and plural(words) else low  # "hive IDs" are several
    high = min(max(low, 3), most)
    choices = each.schema.get("enum")
    if isinstance(choices, list):
        low, high = min(low, max(1, len(choices))), min(high, len(choices))
    if low > 8 or high < low:
        raise Unusable(f"{name} wants lists of at least {low} values")

    def say(value: Any, today: date) -> list[Surface]:
        return [Surface(t) for t in dict.fromkeys(_listed(value, each, today, at) for at in range(3))]

    return Many(
        f"list of {each.name}",
        "several",
        {"type": "array"},
        lambda r, _: [],
        lambda v: isinstance(v, list),
        say,
        splits=False,
        question="" if choices else each.question,
        words=each.words,
        clauses=each.clauses,
        sizes=(low, high),
        each=each,
    )


def _listed(value: Sequence[Any], each: Type, today: date, at: int) -> str:
    bits = []
    for v in value:
        ways = [w.text for w in each.say(v, today) if w.text] or [json.dumps(v)]
        bits.append(ways[min(at, len(ways) - 1)])
    if len(bits) == 1 or not isinstance(each, Group | Many):
        return joined(bits)
    return "; ".join(bits)
