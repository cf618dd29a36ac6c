"""Label errors of the kinds that annotators make, planted on purpose, so that verification can be measured against the truth."""

from __future__ import annotations

from collections.abc import Callable
from datetime import date, timedelta
from random import Random
from typing import Any

from pydantic import JsonValue

from looptool_kit.samples import Label, Sample, Samples, Tool, ToolCall
from looptool_kit.seeders.world.spec import Param, specs
from looptool_kit.seeders.world.types import Type, draw, is_date
from looptool_kit.toolcalls import match

Spoil = Callable[[Sample, Random], Label | None]
"""One kind of error: the wrong label, or None where this sample has no place for it."""


def plant_noise(samples: Samples, share: float, seed: int | str) -> tuple[Samples, dict[str, Label]]:
    """Give a `share` (in [0, 1]) of the samples that have calls, or ask, a wrong label; repeatable from `seed`.

    Returns the samples in their order, and for each noised one its new id -> the true label. The rows themselves do not tell: a noised sample keeps
    source, parent and meta. Every wrong label differs from the truth under ToolMatch. Samples whose label is a refusal or a summary stay as they are.
    Raises ValueError for a share outside [0, 1].
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
    kinds: list[Spoil] = [call_instead_of_asking] if sample.label.asks else rng.choices(list(SPOILS), list(SPOILS.values()), k=12) + list(SPOILS)
    for kind in kinds:
        wrong = kind(sample, rng)
        if wrong is not None and not match(wrong, sample.label):
            return wrong
    return None


def _with(sample: Sample, at: int, arguments: dict[str, JsonValue], name: str = "") -> Label:
    calls = list(sample.label.calls)
    calls[at] = ToolCall(name=name or calls[at].name, arguments=arguments)
    return Label(calls=tuple(calls))


def _any(sample: Sample, rng: Random, fits: Callable[[Any, Tool, str], bool]) -> tuple[int, ToolCall, str] | None:
    """A random argument of the label that fits."""
    found = [
        (i, c, k)
        for i, c in enumerate(sample.label.calls)
        for k, v in c.arguments.items()
        if (tool := sample.tool(c.name)) is not None and fits(v, tool, k)
    ]
    return rng.choice(found) if found else None


def _param(tool: str, name: str) -> Param | None:
    spec = specs().get(tool)
    return spec.by_name.get(name) if spec else None


def _today(sample: Sample) -> date:
    found = next((w.strip(".,") for m in sample.messages if m.role == "system" for w in m.content.split() if is_date(w.strip(".,"))), None)
    return date.fromisoformat(found) if found else date(2026, 1, 1)


def _near(t: Type, value: Any, rng: Random, today: date) -> Any:
    """Another value of the type, near the right one where that has a meaning."""
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
    """The value of another argument of the same type and format."""
    picked = _any(sample, rng, lambda v, tool, k: isinstance(v, str | int | float) and "enum" not in tool.properties[k])
    if picked is None:
        return None
    at, call, key = picked
    shape = _shape(sample, call.name, key)
    others = [
        v
        for c in sample.label.calls
        for k, v in c.arguments.items()
        if (c is not call or k != key) and v != call.arguments[key] and _shape(sample, c.name, k) == shape
    ]
    return _with(sample, at, {**call.arguments, key: rng.choice(others)}) if others else None


def _shape(sample: Sample, tool: str, key: str) -> tuple[Any, ...]:
    found = sample.tool(tool)
    schema = found.properties.get(key, {}) if found else {}
    return tuple(schema.get(k) for k in ("type", "format", "description")) + ("enum" in schema,)


def missing_parameter(sample: Sample, rng: Random) -> Label | None:
    """One argument left out, an optional one where there is any."""
    optional = _any(sample, rng, lambda v, tool, k: k not in tool.required)
    picked = optional if optional and rng.random() < 0.8 else _any(sample, rng, lambda v, tool, k: True)
    return _with(sample, picked[0], {k: v for k, v in picked[1].arguments.items() if k != picked[2]}) if picked else None


def extra_parameter(sample: Sample, rng: Random) -> Label | None:
    """An optional argument that nobody asked for."""
    places = [(i, c, k) for i, c in enumerate(sample.label.calls) if c.name in specs() for k in specs()[c.name].by_name if k not in c.arguments]
    if not places:
        return None
    at, call, key = rng.choice(places)
    spec = specs()[call.name]
    given = {**call.arguments, key: draw(spec.by_name[key].type, rng, _today(sample))}
    return _with(sample, at, {p.name: given[p.name] for p in spec.params if p.name in given})


def wrong_tool(sample: Sample, rng: Random) -> Label | None:
    """Another tool on offer, with what arguments it shares and made-up ones for the rest."""
    at = rng.randrange(len(sample.label.calls))
    call = sample.label.calls[at]
    others = [t for t in sample.tools if t.name != call.name and t.name in specs()]
    if not others:
        return None
    other = specs()[rng.choice(others).name]
    arguments: dict[str, JsonValue] = {}
    for p in other.params:
        same = [v for k, v in call.arguments.items() if k == p.name or p.type.accepts(v)]
        if same:
            arguments[p.name] = same[0]
        elif not p.optional:
            arguments[p.name] = draw(p.type, rng, _today(sample))
    return _with(sample, at, arguments, other.name)


def wrong_type(sample: Sample, rng: Random) -> Label | None:
    """A number or boolean written as a string."""
    picked = _any(sample, rng, lambda v, tool, k: isinstance(v, int | float))
    if picked is None:
        return None
    at, call, key = picked
    value = call.arguments[key]
    return _with(sample, at, {**call.arguments, key: str(value).lower() if isinstance(value, bool) else str(value)})


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
    known = given if isinstance(given, dict) else {}
    today = _today(sample)
    arguments = {
        p.name: known[p.name] if p.name in known else draw(p.type, rng, today) for p in specs()[name].params if p.name in known or not p.optional
    }
    return Label(calls=(ToolCall(name=name, arguments=arguments),))


SPOILS: dict[Spoil, int] = {
    wrong_value: 20, wrong_slot: 12, missing_parameter: 16, extra_parameter: 12, wrong_tool: 12, wrong_type: 8, missing_call: 10, off_by_one_date: 10,
}  # fmt: skip
"""How often each kind is tried."""
