"""Operators on the shape of arguments: `nest`, `flatten`, `as_parts`, `as_list`."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Any

from looptool_kit.augment.evolve.step import (
    Arguments,
    Ground,
    Step,
    in_place,
    is_plain,
    is_type,
    of_arguments,
    one_value,
    replaced,
    styled,
    typed,
)
from looptool_kit.augment.renaming import parts_of
from looptool_kit.core.samples import Tool

GROUPS = (
    ("party", {"guests", "people", "adults", "children", "seating"}),
    ("route", {"origin", "destination", "from", "to", "pickup", "dropoff"}),
    ("when", {"date", "time", "start", "end", "duration", "until", "due", "day", "days"}),
    ("place", {"city", "country", "location", "street", "address", "branch", "room"}),
    ("recurrence", {"repeat", "frequency", "days", "period"}),
    ("conversion", {"currency", "units"}),
    ("price_range", {"price", "min", "max", "amount"}),
)
"""Name of an object, and the words of which each of its members has one."""
PARTS: dict[str, dict[str, Any]] = {
    "date": {
        "year": {"type": "integer"},
        "month": {"type": "integer", "minimum": 1, "maximum": 12},
        "day": {"type": "integer", "minimum": 1, "maximum": 31},
    },
    "time": {
        "hour": {"type": "integer", "minimum": 0, "maximum": 23},
        "minute": {"type": "integer", "minimum": 0, "maximum": 59},
    },
    "datetime": {
        "date": {"type": "string", "format": "date"},
        "time": {"type": "string", "description": "HH:MM"},
    },
}
"""Form of a moment -> its parts."""
ISO_DATE, CLOCK = re.compile(r"\d{4}-\d\d-\d\d"), re.compile(r"(?:[01]\d|2[0-3]):[0-5]\d")
READS = frozenset(
    {"search", "find", "list", "get", "check", "show", "track", "look", "fetch", "display", "inspect"}
)
"""First words of tools that look something up."""
_MANY_READ = frozenset(
    {
        "date", "city", "country", "tag", "artist", "flight", "genre", "skill", "symbol", "airport", "device",
        "id",
    }
)  # fmt: skip
_MANY_DONE = frozenset(["id", "recipient", "email"])
"""Last words of parameters of which one call can well take several: to look up, and to act on."""
ENDS = frozenset(
    {
        "cancel", "delete", "remove", "complete", "renew", "return", "refund", "transfer", "send", "share",
        "archive",
    }
)  # fmt: skip
"""First words of tools that do one thing to a record, and so as well to several."""
_OWN = frozenset(["trace", "idempotency", "token", "key", "request"])
"""Words of parameters that belong to the call itself."""


# ------------------------------------------------------------- nest, flatten


def nest(tool: Tool, members: Sequence[str], name: str) -> Step:
    """Put parameters into an object of that name.

    It is required if one of them is.
    """
    needed = [m for m in members if m in tool.required]
    inner = {"type": "object", "properties": {m: tool.properties[m] for m in members}}
    schema = {**inner, "required": needed} if needed else inner
    new = replaced(tool, members, {name: schema}, [name] if needed else [])

    def forward(arguments: Arguments) -> Arguments | None:
        if name in arguments:
            return None
        held = {k: v for k, v in arguments.items() if k in members}
        return in_place(arguments, members, {name: held}) if held else arguments

    def backward(arguments: Arguments) -> Arguments | None:
        if name not in arguments:
            return None if arguments.keys() & set(members) else arguments
        held = arguments[name]
        fits = isinstance(held, dict) and held and held.keys() <= set(members)
        if not fits or arguments.keys() & set(members):
            return None
        return in_place(arguments, [name], held)

    return of_arguments("nest", f"{', '.join(members)} into {name}", tool, new, forward, backward)


def draw_nest(ground: Ground) -> Step | None:
    """Draw two or three neighbouring parameters to nest.

    The object is named after what they share.
    """
    tool, rng = ground.tool, ground.rng
    flat = [n for n, p in tool.properties.items() if not is_type(p, "object")]
    if not is_plain(tool) or len(flat) < 2:
        return None
    groups = [(name, [n for n in flat if words & set(parts_of(n))]) for name, words in GROUPS]
    groups.append(("options", [n for n in flat if n not in tool.required]))
    groups.append(("details", [n for n in flat if "id" not in parts_of(n)]))
    usable = [
        (name, members[:3])
        for name, members in groups
        if len(members) > 1
        and name not in tool.properties
        and (len(members) < len(tool.properties) or name == "details")
    ]
    if not usable:
        return None
    # What has a name of its own comes before what is merely optional, that before anything at all.
    named = [u for u in usable if u[0] not in ("options", "details")]
    name, members = rng.choice(named or usable[:1])
    return nest(tool, members, styled(name.split("_"), list(tool.properties)))


def flatten(tool: Tool, name: str) -> Step:
    """Put an object's members among the parameters.

    Each with the object's name in front.
    """
    schema = tool.properties[name]
    inner = schema["properties"]
    flat = {m: styled([*parts_of(name), *parts_of(m)], list(tool.properties)) for m in inner}
    members = {f: m for m, f in flat.items()}
    needed = [flat[m] for m in schema.get("required", ())] if name in tool.required else []
    new = replaced(tool, [name], {flat[m]: s for m, s in inner.items()}, needed)

    def forward(arguments: Arguments) -> Arguments | None:
        if arguments.keys() & members.keys():
            return None
        if name not in arguments:
            return arguments
        held = arguments[name]
        if not isinstance(held, dict) or not held or held.keys() - inner.keys():
            return None
        return in_place(arguments, [name], {flat[m]: v for m, v in held.items()})

    def backward(arguments: Arguments) -> Arguments | None:
        if name in arguments:
            return None
        held = {members[f]: v for f, v in arguments.items() if f in members}
        return in_place(arguments, list(members), {name: held}) if held else arguments

    return of_arguments("flatten", f"{name} into {', '.join(members)}", tool, new, forward, backward)


def draw_flatten(ground: Ground) -> Step | None:
    """Draw an object whose members say by their names what they are."""
    tool = ground.tool
    objects = [
        n
        for n, p in tool.properties.items()
        if p.get("type") == "object"
        and p.get("properties")
        and all(isinstance(s, dict) for s in p["properties"].values())
        and not set(p) - {"type", "properties", "required", "description"}
        # Of a year alone nobody could tell that it is said.
        and not {*PARTS["date"], *PARTS["time"]} & set(p["properties"])
    ]
    if not is_plain(tool) or not objects:
        return None
    name = ground.rng.choice(objects)
    step = flatten(tool, name)
    whole = len(tool.properties) - 1 + len(tool.properties[name]["properties"])
    return step if len(step.new[0].properties) == whole else None  # else two would have one name


# ------------------------------------------------------------------ as_parts


def form_of(schema: dict[str, Any]) -> str:
    """Return the form of a parameter: `date`, `time`, `datetime` or empty."""
    told = str(schema.get("description", ""))
    if not is_type(schema, "string") or "enum" in schema or "default" in schema:
        return ""
    if schema.get("format") == "date" or told == "YYYY-MM-DD":
        return "date"
    return {"HH:MM": "time", "YYYY-MM-DDTHH:MM": "datetime"}.get(told, "")


def as_parts(tool: Tool, name: str) -> Step:
    """A date, a time or both as an object of their parts."""
    form = form_of(tool.properties[name])
    told = str(tool.properties[name].get("description", ""))
    parts = PARTS[form]
    schema: dict[str, Any] = {"type": typed(tool.properties[name], "object")}
    if told and not re.search("YYYY|HH:MM", told):
        schema["description"] = told
    schema |= {"properties": parts, "required": list(parts)}

    def forward(value: Any) -> Any:
        if not isinstance(value, str):
            return None
        if form == "datetime":
            day, _, clock = value.partition("T")
            return {"date": day, "time": clock} if CLOCK.fullmatch(clock) and _is_day(day) else None
        if not (_is_day(value) if form == "date" else CLOCK.fullmatch(value)):
            return None
        return {part: int(digits) for part, digits in zip(parts, re.split("[-:]", value), strict=True)}

    def backward(value: Any) -> Any:
        if not isinstance(value, dict) or value.keys() != parts.keys():
            return None
        if form == "datetime":
            return "T".join(map(str, value.values()))
        numbers = [value[part] for part in parts]
        if any(type(n) is not int or n < 0 for n in numbers):
            return None
        digits = [f"{n:02d}" for n in numbers]
        return ":".join(digits) if form == "time" else "-".join((digits[0].zfill(4), *digits[1:]))

    about = f"{name} in {', '.join(parts)}"
    return one_value("as_parts", about, tool, (name, name), schema, forward, backward)


def _is_day(text: str) -> bool:
    if not ISO_DATE.fullmatch(text):
        return False
    try:
        date.fromisoformat(text)
    except ValueError:
        return False
    return True


def draw_as_parts(ground: Ground) -> Step | None:
    """A parameter that takes a date or a time."""
    moments = [n for n, p in ground.tool.properties.items() if form_of(p)]
    return as_parts(ground.tool, ground.rng.choice(moments)) if is_plain(ground.tool) and moments else None


# ------------------------------------------------------------------- as_list


def as_list(tool: Tool, name: str) -> Step:
    """Turn a parameter into a list of one or more.

    Its name becomes the plural.
    """
    schema = tool.properties[name]
    told = {"description": f"One or more: {schema['description']}"} if schema.get("description") else {}
    item = {k: v for k, v in schema.items() if k != "description"}
    several = {"type": "array", **told, "items": item, "minItems": 1}

    def backward(value: Any) -> Any:
        return value[0] if isinstance(value, list) and len(value) == 1 else None

    names = name, plural(name)
    return one_value("as_list", f"{name} as {names[1]}", tool, names, several, lambda v: [v], backward)


def draw_as_list(ground: Ground) -> Step | None:
    """A text of which a call can well take several."""
    tool = ground.tool
    verb = parts_of(tool.name)[0]
    many = _MANY_READ if verb in READS else _MANY_DONE if verb in ENDS else frozenset()
    single = [
        n
        for n, p in tool.properties.items()
        if p.get("type") == "string"
        and not {"enum", "default"} & set(p)
        and parts_of(n)[-1] in many
        and not _OWN & set(parts_of(n))
        and (form_of(p) != "date" or n.lower() in ("date", "day"))
        and plural(n) not in tool.properties
    ]
    return as_list(tool, ground.rng.choice(single)) if is_plain(tool) and single else None


def plural(name: str) -> str:
    """The plural of a name whose last word is a noun."""
    if name.isupper():
        return f"{name}S"
    if re.search("[^aeiou]y$", name):
        return f"{name[:-1]}ies"
    return f"{name}es" if re.search("(?:s|x|ch|sh)$", name) else f"{name}s"
