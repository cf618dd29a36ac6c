"""Label errors as annotators make them, planted on purpose.

They let verification be measured against the truth.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache
from random import Random
from typing import Any

from pydantic import JsonValue

from looptool_kit.core.samples import Label, Sample, Samples, Tool, ToolCall
from looptool_kit.core.toolcalls import match
from looptool_kit.text.words import COMMANDS, STOP, stems
from looptool_kit.world.spec import Param, Spec, domain_of, specs
from looptool_kit.world.types import DATE, DATETIME, NUMBER, TIME, Type, draw, is_date, quoted

Spoil = Callable[[Sample, Random], Label | None]
"""One kind of error: the wrong label, or None where this sample has no place for it."""


def plant_noise(samples: Samples, share: float, seed: int | str) -> tuple[Samples, dict[str, Label]]:
    """Give a share of the samples a wrong label.

    Only samples that have calls, or ask, get one; refusals and summaries stay as they are. Every wrong label
    differs from the truth under ToolMatch. The rows themselves do not tell: a noised sample keeps source,
    parent and meta.

    Args:
        samples: The samples.
        share: The share of all samples, in [0, 1].
        seed: What the errors are drawn from.

    Returns:
        The samples in their order, and for each noised one its new id -> the true label.

    Raises:
        ValueError: The share is outside of [0, 1].
    """
    if not 0 <= share <= 1:
        raise ValueError(f"share of noise is {share}; give a number between 0 and 1")
    rng = Random(f"noise/{seed}")
    eligible = [i for i, s in enumerate(samples) if s.label.calls or s.label.asks]
    chosen = rng.sample(eligible, min(len(eligible), round(share * len(samples))))
    rows, truth = list(samples), {}
    taken = {s.id for s in samples}
    for i in sorted(chosen):
        wrong = _spoil(rows[i], rng)
        if wrong is None:
            continue
        noised = rows[i].model_copy(update={"label": wrong})
        if noised.id in taken:
            continue
        taken.add(noised.id)
        truth[noised.id] = rows[i].label
        rows[i] = noised
    return Samples(rows), truth


def _spoil(sample: Sample, rng: Random) -> Label | None:
    kinds: list[Spoil] = (
        [call_instead_of_asking]
        if sample.label.asks
        else rng.choices(list(SPOILS), list(SPOILS.values()), k=12) + list(SPOILS)
    )
    for kind in kinds:
        wrong = kind(sample, rng)
        if wrong is not None and not match(wrong, sample.label):
            return wrong
    return None


def _with(sample: Sample, at: int, arguments: dict[str, JsonValue], name: str = "") -> Label:
    calls = list(sample.label.calls)
    calls[at] = ToolCall(name=name or calls[at].name, arguments=arguments)
    return Label(calls=tuple(calls))


def _any(
    sample: Sample, rng: Random, fits: Callable[[Any, Tool, str], bool]
) -> tuple[int, ToolCall, str] | None:
    """A random argument of the label that fits."""
    places = [
        (i, c, k)
        for i, c in enumerate(sample.label.calls)
        for k, v in c.arguments.items()
        if (tool := sample.tool(c.name)) is not None and fits(v, tool, k)
    ]
    return rng.choice(places) if places else None


def _param(tool: str, name: str) -> Param | None:
    spec = specs().get(tool)
    return spec.by_name.get(name) if spec else None


def _today(sample: Sample) -> date:
    today = next(
        (
            w.strip(".,")
            for m in sample.messages
            if m.role == "system"
            for w in m.content.split()
            if is_date(w.strip(".,"))
        ),
        None,
    )
    return date.fromisoformat(today) if today else date(2026, 1, 1)


def _near(t: Type, value: Any, rng: Random, today: date) -> Any:
    """Draw another value, if possible near the right one."""
    if isinstance(value, bool):
        return not value
    if isinstance(value, int | float) and rng.random() < 0.6:
        return value + rng.choice((-1, 1, 10)) if t.accepts(value + 1) else value
    for _ in range(30):
        other = draw(t, rng, today)
        if other != value:
            return other
    return value


def wrong_value(sample: Sample, rng: Random) -> Label | None:
    """Another value of the same type."""
    picked = _any(sample, rng, lambda v, tool, k: _param(tool.name, k) is not None)
    if picked is None:
        return None
    at, call, key = picked
    p = _param(call.name, key)
    assert p is not None
    return _with(sample, at, {**call.arguments, key: _near(p.type, call.arguments[key], rng, _today(sample))})


def wrong_slot(sample: Sample, rng: Random) -> Label | None:
    """The value of another argument of the same sort."""
    picked = _any(
        sample, rng, lambda v, tool, k: isinstance(v, str | int | float) and "enum" not in _schema(tool, k)
    )
    if picked is None:
        return None
    at, call, key = picked
    shape = _shape(sample, call.name, key)
    others = [
        v
        for c in sample.label.calls
        for k, v in c.arguments.items()
        if (c is not call or k != key) and v != call.arguments[key] and _shape(sample, c.name, k) == shape
        if not isinstance(v, str) or _same_sort(_param(c.name, k), _param(call.name, key))
    ]
    return _with(sample, at, {**call.arguments, key: rng.choice(others)}) if others else None


def _schema(tool: Tool, name: str) -> dict[str, Any]:
    """A parameter's schema; empty where foreign data has none for it."""
    schema = tool.properties.get(name)
    return schema if isinstance(schema, dict) else {}


def _same_sort(a: Param | None, b: Param | None) -> bool:
    """Tell whether two texts may be mixed up.

    They are of one type, or both in the speaker's own words. A note's ID is not taken for what to write into
    it.
    """
    if a is None or b is None:
        return a is b
    s, t = a.type, b.type
    return s.is_a(t) or t.is_a(s) or s.name == t.name or (s.say is quoted and t.say is quoted)


def _shape(sample: Sample, tool: str, key: str) -> tuple[Any, ...]:
    offered = sample.tool(tool)
    schema = _schema(offered, key) if offered else {}
    return tuple(schema.get(k) for k in ("type", "format", "description")) + ("enum" in schema,)


def missing_parameter(sample: Sample, rng: Random) -> Label | None:
    """One argument left out, an optional one where there is any."""
    optional = _any(sample, rng, lambda v, tool, k: k not in tool.required)
    picked = optional if optional and rng.random() < 0.8 else _any(sample, rng, lambda v, tool, k: True)
    return (
        _with(sample, picked[0], {k: v for k, v in picked[1].arguments.items() if k != picked[2]})
        if picked
        else None
    )


def extra_parameter(sample: Sample, rng: Random) -> Label | None:
    """An optional argument that nobody asked for."""
    places = [
        (i, c, k)
        for i, c in enumerate(sample.label.calls)
        if c.name in specs()
        for k in specs()[c.name].by_name
        if k not in c.arguments
    ]
    if not places:
        return None
    at, call, key = rng.choice(places)
    spec = specs()[call.name]
    given = {**call.arguments, key: draw(spec.by_name[key].type, rng, _today(sample))}
    return _with(sample, at, {p.name: given[p.name] for p in spec.params if p.name in given})


def wrong_tool(sample: Sample, rng: Random) -> Label | None:
    """Another tool on offer, taken for the right one.

    It is about the same thing, and the dialogue holds all that it needs. Or the call that answered the
    request's first step is made again.
    """
    at = rng.randrange(len(sample.label.calls))
    call = sample.label.calls[at]
    if call.name not in specs():
        return None
    ways = [
        (t.name, filled)
        for t in sample.tools
        if t.name != call.name and t.name in specs() and _akin(specs()[call.name], specs()[t.name])
        if (filled := _filled(specs()[t.name], call)) is not None
    ]
    last_user = max((i for i, m in enumerate(sample.messages) if m.role == "user"), default=0)
    ways += [
        (c.name, dict(c.arguments))
        for m in sample.messages[last_user:]
        for c in m.tool_calls
        if c.name != call.name
    ]
    if not ways:
        return None
    name, arguments = rng.choice(ways)
    return _with(sample, at, arguments, name)


def _akin(a: Spec, b: Spec) -> bool:
    """Tell whether somebody might take two tools for each other.

    They are of one domain, or have a telling word in common.
    """
    return domain_of()[a.name] is domain_of()[b.name] or bool(_topic(a) & _topic(b))


@lru_cache(maxsize=1024)
def _topic(spec: Spec) -> frozenset[str]:
    return frozenset(stems(f"{spec.name} {spec.description}")) - STOP - COMMANDS


def _filled(other: Spec, call: ToolCall) -> dict[str, JsonValue] | None:
    """Another tool's arguments out of a call's, each used once.

    None where a required one is left open, or where much of what was said would be lost: nobody takes a
    transfer for a list of standing orders.
    """
    own_params = specs()[call.name].by_name
    values = [(own_params[k], v) for k, v in call.arguments.items() if k in own_params]
    out: dict[str, JsonValue] = {}
    for p in other.params:
        filler = next(
            ((i, w) for i, (q, v) in enumerate(values) if (w := _read_as(q, p, v)) is not None), None
        )
        if filler is not None:
            values.pop(filler[0])
            out[p.name] = filler[1]
        elif not p.optional:
            return None
    return out if out and len(out) >= min(2, len(call.arguments)) else None


def _read_as(given: Param, wanted: Param, value: JsonValue) -> JsonValue:
    """A parameter's value as it would be put into another one.

    None where nobody would put it there.
    """
    a, b = given.type, wanted.type
    if a.name == DATETIME.name and isinstance(value, str) and b.name in (DATE.name, TIME.name):
        value = value[:10] if b.name == DATE.name else value[11:]
    elif not (
        a.is_a(b)
        or b.is_a(a)
        or _family(a) == _family(b)
        or (given.name, a.schema) == (wanted.name, b.schema)
    ):
        return None
    return value if b.accepts(value) else None


def _family(t: Type) -> str | int:
    """Kinds of numbers and times, whatever their range.

    A duration is one, an amount of money another. All else stands by itself.
    """
    return t.name.split()[0] if t.is_a(NUMBER) or t.name == TIME.name else id(t)


def wrong_type(sample: Sample, rng: Random) -> Label | None:
    """A number or boolean written as a string."""
    picked = _any(sample, rng, lambda v, tool, k: isinstance(v, int | float))
    if picked is None:
        return None
    at, call, key = picked
    value = call.arguments[key]
    return _with(
        sample, at, {**call.arguments, key: str(value).lower() if isinstance(value, bool) else str(value)}
    )


def missing_call(sample: Sample, rng: Random) -> Label | None:
    """One of several calls left out."""
    calls = list(sample.label.calls)
    if len(calls) < 2:
        return None
    calls.pop(rng.randrange(len(calls)))
    return Label(calls=tuple(calls))


def off_by_one_date(sample: Sample, rng: Random) -> Label | None:
    """A date one day or one week off."""
    picked = _any(sample, rng, lambda v, tool, k: isinstance(v, str) and is_date(v[:10]))
    if picked is None:
        return None
    at, call, key = picked
    text = str(call.arguments[key])
    moved = date.fromisoformat(text[:10]) + timedelta(days=rng.choice((-1, 1, 1, 7)))
    return _with(sample, at, {**call.arguments, key: moved.isoformat() + text[10:]})


def call_instead_of_asking(sample: Sample, rng: Random) -> Label | None:
    """A call with a made-up value where a question is due."""
    targets = sample.meta.get("targets")
    name = targets[0] if isinstance(targets, list) and targets else None
    if not isinstance(name, str) or name not in specs():
        return None
    given = sample.meta.get("given")
    values = given if isinstance(given, dict) else {}
    today = _today(sample)
    arguments = {
        p.name: values[p.name] if p.name in values else draw(p.type, rng, today)
        for p in specs()[name].params
        if p.name in values or not p.optional
    }
    return Label(calls=(ToolCall(name=name, arguments=arguments),))


SPOILS: dict[Spoil, int] = {
    wrong_value: 20, wrong_slot: 24, missing_parameter: 16, extra_parameter: 12, wrong_tool: 60,
    wrong_type: 8, missing_call: 10, off_by_one_date: 10,
}  # fmt: skip
"""How often each kind is tried: most often those that few samples have a place for."""
