"""Operators on values and limits: `enum_codes`, `unit`, `bound`, `require`."""

from __future__ import annotations

import re
from typing import Any, NamedTuple, TypeGuard

from looptool_kit.augment.evolve.step import (
    Arguments,
    Ground,
    Step,
    is_plain,
    is_type,
    of_arguments,
    one_value,
    typed,
    with_properties,
)
from looptool_kit.augment.renaming import parts_of
from looptool_kit.core.samples import Tool
from looptool_kit.text.words import STOP


class Unit(NamedTuple):
    """A unit that another replaces."""

    old: str
    new: str
    factor: float
    """What a value in the old unit is multiplied with."""


UNITS = (
    Unit("minutes", "seconds", 60), Unit("minutes", "hours", 1 / 60), Unit("hours", "minutes", 60),
    Unit("weeks", "days", 7), Unit("seconds", "minutes", 1 / 60), Unit("percent", "share", 1 / 100),
)  # fmt: skip
"""Units that the rule tier reads in a request (`text.grounding.numbers`), so that it can check the value."""
DECIMALS = 2
"""Digits that a value may get behind the point; nobody writes 20 minutes in hours."""
ROOM, PERCENT = 2, 100
"""Times the largest known value that a bound leaves; but nothing that may count percent goes beyond 100."""
STEPS = (1, 2, 5)
"""First digits of a bound."""
CODE_LENGTHS = (3, 1)
"""Letters of a code, the usual length first."""


# ---------------------------------------------------------------- enum_codes


def codes_of(choices: list[Any]) -> dict[str, str]:
    """Return a short code for each choice.

    Empty where the choices give none that tells them apart.
    """
    if not all(isinstance(c, str) and re.fullmatch("[a-z]+(?:[_ -][a-z]+)*", c) for c in choices):
        return {}
    for length in CODE_LENGTHS:
        codes = {c: re.sub("[^a-z]", "", c)[:length].upper() for c in choices}
        plain = {v.lower() for v in codes.values()}
        # A code that is a word of its own would be said by requests that mean another choice.
        if len(plain) == len(choices) and not plain & (STOP | set(choices)):
            return codes
    return {}


def enum_codes(tool: Tool, name: str) -> Step:
    """Codes for a parameter's choices; the description says what each stands for."""
    schema = tool.properties[name]
    holder = schema["items"] if schema.get("type") == "array" else schema
    codes = codes_of(holder["enum"])
    choices = {code: choice for choice, code in codes.items()}
    key = ", ".join(f"{code}: {choice.replace('_', ' ')}" for choice, code in codes.items())
    told = str(schema.get("description", "")).rstrip(".")
    coded = {**holder, "enum": list(choices)}
    new = {**schema, "items": coded} if holder is not schema else coded
    new = {**new, "description": f"{told}. {key}" if told else key}
    if "default" in new:
        new["default"] = codes[new["default"]]

    def turn(table: dict[str, str], value: Any) -> Any:
        if isinstance(value, list) and holder is not schema and value:
            turned = [table.get(v) if isinstance(v, str) else None for v in value]
            return None if None in turned else turned
        return table.get(value) if isinstance(value, str) and holder is schema else None

    about = f"{name}: {key}"
    maps = (lambda v: turn(codes, v)), (lambda v: turn(choices, v))
    return one_value("enum_codes", about, tool, (name, name), new, *maps)


def draw_enum_codes(ground: Ground) -> Step | None:
    """A parameter with choices."""
    tool = ground.tool
    chosen = []
    for name, schema in tool.properties.items():
        holder = schema.get("items") if schema.get("type") == "array" else schema
        fits = (
            isinstance(holder, dict) and is_type(holder, "string") and codes_of(holder.get("enum") or [None])
        )
        if fits and schema.get("default") is None:
            chosen.append(name)
    return enum_codes(tool, ground.rng.choice(chosen)) if is_plain(tool) and chosen else None


# ---------------------------------------------------------------------- unit


def unit(tool: Tool, name: str, to: Unit) -> Step:
    """A parameter in another unit, which its name says, its values scaled."""
    schema = tool.properties[name]
    other = other_name(name, to)
    told = {k: v for k, v in schema.items() if k not in ("description", "type")}
    words = str(schema.get("description", "")).replace("in percent", "as a share")
    words = re.sub(rf"\b{to.old}\b", _like(to.new), words, flags=re.IGNORECASE)
    for word in ("minimum", "maximum", "default"):
        if word in told:
            told[word] = scaled(told[word], to.factor)
    whole = is_type(schema, "integer") and to.factor > 1
    new = {"type": typed(schema, "integer" if whole else "number"), **told}
    words = f"{words[:1].upper()}{words[1:]}, between 0 and 1" if to.new == "share" else words
    if words and words.lower() != to.new:
        new["description"] = words

    def forward(value: Any) -> Any:
        return scaled(value, to.factor) if _is_number(value) else None

    def backward(value: Any) -> Any:
        return scaled(value, 1 / to.factor) if _is_number(value) else None

    return one_value("unit", f"{name} as {other}", tool, (name, other), new, forward, backward)


def _numbers(ground: Ground, name: str) -> list[float]:
    """The known values of a parameter that are numbers."""
    values: list[Any] = [call.arguments.get(name) for call in ground.calls]
    return [v for v in values if _is_number(v)]


def _is_number(value: Any) -> TypeGuard[int | float]:
    return isinstance(value, int | float) and not isinstance(value, bool)


def scaled(value: float, factor: float) -> float | None:
    """Multiply a value by the factor, or return None.

    An integer where it is one; None where it has too many digits.
    """
    exact = value * round(factor) if factor >= 1 else value / round(1 / factor)
    if not abs(exact) < 1e12 or abs(exact - round(exact, DECIMALS)) > 1e-9:
        return None
    return int(exact) if float(exact).is_integer() else round(exact, DECIMALS)


def _like(word: str) -> Any:
    return lambda m: word.upper() if m[0].isupper() else word.capitalize() if m[0][0].isupper() else word


def other_name(name: str, to: Unit) -> str:
    """Return the name with the new unit instead of the old.

    Behind the name where it had none.
    """
    if re.search(to.old, name, re.IGNORECASE):
        return re.sub(to.old, _like(to.new), name, count=1, flags=re.IGNORECASE)
    if name.isupper():
        return f"{name}_{to.new.upper()}"
    return f"{name}{to.new.capitalize()}" if re.search("[a-z][A-Z]", name) else f"{name}_{to.new}"


def draw_unit(ground: Ground) -> Step | None:
    """Draw another unit for a number.

    Its name or description tells the unit; it is scaled to one that suits all known values.
    """
    tool = ground.tool
    ways = []
    for name, schema in tool.properties.items():
        told = f"{' '.join(parts_of(name))} {schema.get('description', '')}".lower()
        for to in UNITS:
            known = _numbers(ground, name)
            limits = [schema[k] for k in ("minimum", "maximum", "default") if k in schema]
            if (
                is_type(schema, "integer", "number")
                and not {"enum", "multipleOf"} & set(schema)
                and len(re.findall(rf"\b{to.old}\b", told)) == 1
                and other_name(name, to) not in tool.properties
                and all(_is_number(v) and scaled(v, to.factor) is not None for v in (*known, *limits))
            ):
                ways.append((name, to))
    return unit(tool, *ground.rng.choice(ways)) if is_plain(tool) and ways else None


# ------------------------------------------------------------ bound, require


def bound(tool: Tool, name: str, low: float, high: float) -> Step:
    """Give a number a least and a greatest value.

    Calls within them stay.
    """
    schema = {**tool.properties[name], "minimum": low, "maximum": high}
    new = with_properties(tool, {**tool.properties, name: schema}, tool.required)

    def same(arguments: Arguments) -> Arguments | None:
        value = arguments.get(name)
        return None if _is_number(value) and not low <= value <= high else arguments

    return of_arguments("bound", f"{name} from {low:g} to {high:g}", tool, new, same, same)


def draw_bound(ground: Ground) -> Step | None:
    """A number without limits, of which some values are known."""
    tool = ground.tool
    known: dict[str, list[float]] = {}
    for name, schema in tool.properties.items():
        values = _numbers(ground, name)
        limited = {"enum", "minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum"} & set(schema)
        if is_type(schema, "integer", "number") and not limited and values and min(values) >= 0:
            known[name] = values
    if not is_plain(tool) or not known:
        return None
    name = ground.rng.choice(list(known))
    largest = max(known[name])
    highest = next(
        digit * 10**power
        for power in range(16)
        for digit in STEPS
        if digit * 10**power >= ROOM * largest or power == 15
    )
    highest = PERCENT if largest <= PERCENT < highest else highest
    return bound(tool, name, 1 if min(known[name]) >= 1 else 0, highest)


def require(tool: Tool, name: str) -> Step:
    """Make an optional parameter required.

    Calls without it have no other form.
    """
    schema = {k: v for k, v in tool.properties[name].items() if k != "default"}
    new = with_properties(tool, {**tool.properties, name: schema}, [*tool.required, name])

    def same(arguments: Arguments) -> Arguments | None:
        return arguments if name in arguments else None

    return of_arguments("require", name, tool, new, same, same, demands=True)


def draw_require(ground: Ground) -> Step | None:
    """An optional parameter that all known calls give."""
    tool = ground.tool
    given = [
        n
        for n in tool.properties
        if n not in tool.required
        and ground.calls
        and all(n in c.arguments for c in ground.calls)
        # An object of nothing but options that must be there asks for nothing.
        and not is_type(tool.properties[n], "object")
    ]
    return require(tool, ground.rng.choice(given)) if is_plain(tool) and given else None
