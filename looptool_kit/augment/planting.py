"""Known errors planted in any sample's label, by kind.

A judge can be asked about them (the report card, `studies/judge_check.py`). Where the world's own planter
(`world/noise.py`) knows the tool it makes the error; else the schema and the other labels of the dataset do.
A planter never reads what the judge reads: otherwise the judge would be checked against itself. Every planted
label differs from the truth under ToolMatch.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable
from random import Random
from typing import Any

from looptool_kit.core.samples import Label, Sample, ToolCall
from looptool_kit.core.toolcalls import canonical, match
from looptool_kit.text.grounding import is_default
from looptool_kit.world import noise

Values = dict[tuple[str, str], list[Any]]
"""(tool, parameter) -> the distinct values that labels of the dataset hold."""

OTHER_NAME_SHARE = 0.5
"""Share of wrong parameter names that are the name of another parameter of the tool, where one is free."""
_FACTORS = (10, 60, 100, 1000)
"""Between hours and minutes, metres and kilometres, shares and percent, millimetres and centimetres."""
_UNITS = {
    "celsius": "fahrenheit", "fahrenheit": "celsius", "metric": "imperial", "imperial": "metric",
    "km": "miles", "miles": "km", "kg": "lb", "lb": "kg", "cm": "m", "m": "cm", "meters": "feet",
    "feet": "meters", "minutes": "hours", "hours": "minutes", "kilometers": "miles", "usd": "EUR",
    "eur": "USD", "gbp": "EUR",
}  # fmt: skip
"""The name of a unit -> one that is taken for it."""
_COUNTS = re.compile(
    r"\b(?:seconds?|minutes?|hours?|days?|weeks?|months?|years?|(?:kilo|centi|milli)?met(?:er|re)s?|km|cm|mm|miles?"
    r"|feet|inch(?:es)?|kilograms?|kg|grams?|mg|pounds?|lit(?:er|re)s?|ml|percent(?:age)?|rate|celsius|kelvin"
    r"|degrees|hertz|hz|volts?|watts?|amount|price|budget|dollars|cents|euros|distance|height|width|length"
    r"|weight|duration|speed|radius)\b",
    re.IGNORECASE,
)
"""Words of a parameter that counts in a unit."""

Plant = Callable[[Sample, Random, Values], Label | None]


def values_of(samples: Iterable[Sample]) -> Values:
    """What the labels of a dataset hold, in a fixed order."""
    found: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    for call in (c for s in samples for c in s.label.calls):
        for name, value in call.arguments.items():
            found[call.name, name][canonical(value)] = value
    return {slot: [of[c] for c in sorted(of)] for slot, of in found.items()}


def plant(sample: Sample, kind: str, rng: Random, values: Values) -> Label | None:
    """A label with one error of that kind.

    None where this sample has no place for it. Raises `KeyError` for an unknown kind.
    """
    if sample.label.asks != (kind == "call_instead_of_asking") or not (
        sample.label.calls or sample.label.asks
    ):
        return None
    wrong = KINDS[kind](sample, rng, values)
    if (
        wrong is None
        or match(wrong, sample.label)
        or match(_needed(wrong, sample), _needed(sample.label, sample))
    ):
        return None
    return wrong


def _needed(label: Label, sample: Sample) -> Label:
    """A label without its optional nulls and defaults: a planted error must be more than one left out."""

    def kept(call: ToolCall) -> dict[str, Any]:
        tool = sample.tool(call.name)
        if tool is None:
            return call.arguments
        return {
            k: v
            for k, v in call.arguments.items()
            if k in tool.required or v is not None and not is_default(v, tool.properties.get(k))
        }

    calls = tuple(ToolCall(name=c.name, arguments=kept(c)) for c in label.calls)
    return label.model_copy(update={"calls": calls})


def in_other_words(sample: Sample) -> Label | None:
    """The same calls with a default said, or left out.

    None where no schema has one.
    """
    for at, call in enumerate(sample.label.calls):
        tool = sample.tool(call.name)
        for name, schema in (tool.properties if tool else {}).items():
            if (
                not isinstance(schema, dict)
                or "default" not in schema
                or tool is None
                or name in tool.required
            ):
                continue
            if name not in call.arguments:
                return _with(sample, at, {**call.arguments, name: schema["default"]})
            if canonical(call.arguments[name]) == canonical(schema["default"]):
                return _with(sample, at, {k: v for k, v in call.arguments.items() if k != name})
    return None


def _with(sample: Sample, at: int, arguments: dict[str, Any], name: str = "") -> Label:
    calls = list(sample.label.calls)
    calls[at] = ToolCall(name=name or calls[at].name, arguments=arguments)
    return Label(calls=tuple(calls))


def _other(schema: Any, value: Any, known: list[Any], rng: Random) -> Any:
    """Another value for a parameter, or the same without a choice.

    It is of the enum, of other labels, or near a number.
    """
    schema = schema if isinstance(schema, dict) else {}
    if isinstance(value, bool):
        return not value
    choices = [
        v for v in schema.get("enum") or known if type(v) is type(value) and canonical(v) != canonical(value)
    ]
    if choices:
        return rng.choice(choices)
    return value + rng.choice((-1, 1, 10)) if isinstance(value, int | float) else value


def _wrong_value(sample: Sample, rng: Random, values: Values) -> Label | None:
    places = [(i, c, k, v) for i, c in enumerate(sample.label.calls) for k, v in c.arguments.items()]
    for at, call, name, value in rng.sample(places, len(places)):
        tool = sample.tool(call.name)
        other = _other(
            tool.properties.get(name) if tool else None, value, values.get((call.name, name), []), rng
        )
        if canonical(other) != canonical(value):
            return _with(sample, at, {**call.arguments, name: other})
    return None


def _extra_parameter(sample: Sample, rng: Random, values: Values) -> Label | None:
    places = [
        (i, c, k, schema)
        for i, c in enumerate(sample.label.calls)
        if (tool := sample.tool(c.name)) is not None
        for k, schema in tool.properties.items()
        if k not in c.arguments
    ]
    for at, call, name, schema in rng.sample(places, len(places)):
        schema = schema if isinstance(schema, dict) else {}
        default = canonical(schema["default"]) if "default" in schema else None
        choices = [
            v for v in schema.get("enum") or values.get((call.name, name)) or [] if canonical(v) != default
        ]
        if choices:
            return _with(sample, at, {**call.arguments, name: rng.choice(choices)})
    return None


def _wrong_tool(sample: Sample, rng: Random, values: Values) -> Label | None:
    at = rng.randrange(len(sample.label.calls))
    call = sample.label.calls[at]
    others = [t for t in sample.tools if t.name not in {c.name for c in sample.label.calls}]
    for tool in rng.sample(others, len(others)):
        shared = {k: v for k, v in call.arguments.items() if k in tool.properties}
        made = {
            k: rng.choice(values[tool.name, k])
            for k in tool.required
            if k not in shared and values.get((tool.name, k))
        }
        if all(k in shared or k in made for k in tool.required):
            return _with(sample, at, shared | made, tool.name)
    return None


def _extra_call(sample: Sample, rng: Random, values: Values) -> Label | None:
    call = rng.choice(sample.label.calls)
    return Label(calls=(*sample.label.calls, call))


def _question_instead_of_call(sample: Sample, rng: Random, values: Values) -> Label | None:
    return Label(reply="Could you tell me more about what you need?", asks=True)


def _swapped_values(sample: Sample, rng: Random, values: Values) -> Label | None:
    """Two values of one sort in each other's place, in one call or in two calls of one tool."""
    slots = [(i, k) for i, c in enumerate(sample.label.calls) for k in c.arguments]
    calls = sample.label.calls

    def value(slot: tuple[int, str]) -> Any:
        return calls[slot[0]].arguments[slot[1]]

    pairs = [
        (a, b)
        for n, a in enumerate(slots)
        for b in slots[n + 1 :]
        if type(value(a)) is type(value(b)) and isinstance(value(a), str | int | float)
        if canonical(value(a)) != canonical(value(b)) and calls[a[0]].name == calls[b[0]].name
        if (a[0] == b[0]) != (a[1] == b[1])
        and not {_choices(sample, calls[s[0]], s[1]) for s in (a, b)} - {""}
    ]
    if not pairs:
        return None
    a, b = rng.choice(pairs)
    label = _with(sample, a[0], {**calls[a[0]].arguments, a[1]: value(b)})
    return _with(
        sample.model_copy(update={"label": label}), b[0], {**label.calls[b[0]].arguments, b[1]: value(a)}
    )


def _choices(sample: Sample, call: ToolCall, name: str) -> str:
    """The choices of a parameter as text, empty where any value will do."""
    tool = sample.tool(call.name)
    schema = tool.properties.get(name) if tool else None
    return canonical(schema["enum"]) if isinstance(schema, dict) and "enum" in schema else ""


def _wrong_parameter_name(sample: Sample, rng: Random, values: Values) -> Label | None:
    """A value under another parameter's name, else under the right name as another style writes it."""
    places = [(i, c, k) for i, c in enumerate(sample.label.calls) for k in c.arguments]
    if not places:
        return None
    at, call, name = rng.choice(places)
    tool = sample.tool(call.name)
    free = [k for k in (tool.properties if tool else ()) if k not in call.arguments]
    other = rng.choice(free) if free and rng.random() < OTHER_NAME_SHARE else _restyled(name)
    return _with(sample, at, {(other if k == name else k): v for k, v in call.arguments.items()})


def _restyled(name: str) -> str:
    head, *rest = name.split("_")
    if rest:
        return head + "".join(part.title() for part in rest)
    snake = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", name).lower()
    return snake if snake != name else f"{name}s"


def _wrong_unit(sample: Sample, rng: Random, values: Values) -> Label | None:
    """A number counted in another unit, or the name of another unit."""
    places: list[tuple[int, ToolCall, str, Any]] = []
    for at, call in enumerate(sample.label.calls):
        tool = sample.tool(call.name)
        arguments: dict[str, Any] = call.arguments
        for name, value in arguments.items():
            schema = tool.properties.get(name) if tool else None
            described = str(schema.get("description", "")) if isinstance(schema, dict) else ""
            if isinstance(value, str) and value.lower() in _UNITS:
                places.append((at, call, name, _UNITS[value.lower()]))
            elif (
                type(value) in (int, float)
                and value
                and _COUNTS.search(f"{name} {described}".replace("_", " "))
            ):
                factor = rng.choice(_FACTORS)
                places.append(
                    (at, call, name, value * factor if type(value) is int else round(value / factor, 6))
                )
    if not places:
        return None
    at, call, name, other = rng.choice(places)
    return _with(sample, at, {**call.arguments, name: other})


def _first(spoil: noise.Spoil, generic: Plant | None = None) -> Plant:
    def planted(sample: Sample, rng: Random, values: Values) -> Label | None:
        wrong = spoil(sample, rng)
        return generic(sample, rng, values) if wrong is None and generic else wrong

    return planted


KINDS: dict[str, Plant] = {
    "wrong_value": _first(noise.wrong_value, _wrong_value),
    "wrong_slot": _first(noise.wrong_slot),
    "off_by_one_date": _first(noise.off_by_one_date),
    "missing_parameter": _first(noise.missing_parameter),
    "extra_parameter": _first(noise.extra_parameter, _extra_parameter),
    "wrong_type": _first(noise.wrong_type),
    "wrong_tool": _first(noise.wrong_tool, _wrong_tool),
    "missing_call": _first(noise.missing_call),
    "extra_call": _extra_call,
    "question_instead_of_call": _question_instead_of_call,
    "wrong_parameter_name": _wrong_parameter_name,
    "swapped_values": _swapped_values,
    "wrong_unit": _wrong_unit,
    "call_instead_of_asking": _first(noise.call_instead_of_asking),
}
"""The kinds of error, in the order in which a report card lists them."""
