"""Two calls of which the second builds on the first's result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from looptool_kit.core.samples import ToolCall
from looptool_kit.world import grammar as g
from looptool_kit.world.calls import Call, Impossible, Plan, arguments, call_of, result_of
from looptool_kit.world.execute import new_state, remember
from looptool_kit.world.grammar import Scene
from looptool_kit.world.spec import Spec, specs
from looptool_kit.world.types import Type, quoted


def linked(plan: Plan, scene: Scene) -> tuple[ToolCall, g.Said, dict[str, Any], ToolCall, str]:
    """A call, and a second one that builds on its result.

    Returns the first call with its request and result, the second call, and the words for what it takes from
    the result.
    """
    one, two = plan["calls"]
    first, second = specs()[one["tool"]], specs()[two["tool"]]
    args = arguments(first, one, scene)
    state = new_state(scene.today, scene.held)
    remember(first, args, state)
    phrase = g.say(first, args, scene, implicit=tuple(one["implicit"]), only_do=True)
    result = result_of(first, args, state, scene)
    field, parameter = plan["link"]
    name, _, sub = field.partition(".")
    noun = second.by_name[parameter].type.noun
    if sub:
        value, ref = pick(result[name], sub, first.out[name].item.fields, noun, scene)
    else:
        value, ref = result[name], f"that {noun}"
    # "Find flights on Friday and check whether the cheapest is on time": what both calls take is said once.
    fixed = {parameter: value, **shared(first, second, args, two)}
    record = next((r for r in result[name] if r[sub] == value), {}) if sub else result
    more = arguments(second, two, scene, fixed, {**record, **args} if second.changes else None, record)
    limits = [
        v for k, v in args.items() if k.startswith("max_") and first.by_name[k].type.name.startswith("money")
    ]
    if any(
        v > limit
        for k, v in more.items()
        if second.by_name[k].type.name.startswith("money")
        for limit in limits
    ):
        raise Impossible("an amount above the limit just named")
    return call_of(first, args), phrase, result, call_of(second, more), ref


def shared(first: Spec, second: Spec, args: dict[str, Any], call: Call) -> dict[str, Any]:
    """Arguments of the first call that the second one takes too.

    Texts of the speaker's own are left out: they are meant for one call.
    """
    if second.changes:
        return {}
    same = [m for m in call["mention"] if m in args and second.by_name[m].type is first.by_name[m].type]
    return {m: args[m] for m in same if second.by_name[m].type.say is not quoted}


def unsaid(plan: Plan, call: ToolCall, more: ToolCall) -> dict[str, Any]:
    """The arguments that the second call's own request must mention."""
    first, second = specs()[call.name], specs()[more.name]
    names = {plan["link"][1], *shared(first, second, call.arguments, plan["calls"][1])}
    return {k: v for k, v in more.arguments.items() if k not in names}


def superlatives(rows: list[dict[str, Any]], fields: Mapping[str, Type]) -> list[tuple[str, dict[str, Any]]]:
    """Return words that single out one of several results ("cheapest").

    Each comes with that result.
    """
    ways: list[tuple[str, dict[str, Any]]] = []
    for low, high, names in (
        ("cheapest", "most expensive", [n for n, t in fields.items() if t.name.startswith("money")]),
        ("shortest", "longest", [n for n, t in fields.items() if t.name.startswith("duration")]),
        (
            "earliest",
            "latest",
            sorted(
                n
                for n in fields
                if n in ("start", "departs") or (n in ("date", "time") and {"date", "time"} <= set(fields))
            ),
        ),
        ("lowest-rated", "best-rated", [n for n in fields if n == "rating"]),
    ):
        # Of a date and a time the date counts first; of two prices nobody knows which is meant.
        keys = [
            tuple(str(r[n]) if isinstance(r[n], str) else r[n] for n in names)
            for r in rows
            if all(n in r for n in names)
        ]
        if (len(names) == 1 or names == ["date", "time"]) and len({k[0] for k in keys}) == len(rows):
            ways += [(low, rows[keys.index(min(keys))])] * (low != "lowest-rated") + [
                (high, rows[keys.index(max(keys))])
            ]
    return ways


def pick(
    rows: list[dict[str, Any]], sub: str, fields: dict[str, Type], noun: str, scene: Scene
) -> tuple[Any, str]:
    """One of several results and the words that single it out."""
    if len({str(r[sub]) for r in rows}) < len(rows):
        raise Impossible("two results of the same name")
    ways = superlatives(rows, fields)
    if ways and scene.rng.random() < 0.7:
        word, row = scene.rng.choice(ways)
        return row[sub], f"the {word} {noun}"
    naming = {
        "title": "called",
        "task": "called",
        "work": "called",
        "product": "called",
        "city": "for",
        "company": "from",
    }
    # What ties a person to a thing only the field's name tells.
    of_person = {"recipient": "to", "author": "by", "owner": "of", "name": "called"}
    ties = {n: naming.get(t.name) or of_person.get(n) for n, t in fields.items()}
    name_fields = [
        (n, word)
        for n, word in ties.items()
        if word and n != sub and len({str(r[n]) for r in rows}) == len(rows)
    ]
    if name_fields and scene.rng.random() < 0.8:
        name, word = scene.rng.choice(name_fields)
        row = scene.rng.choice(rows)
        surface = g.surface(fields[name], row[name], scene, None, False).text
        return row[sub], f"the {noun} {word} {surface}"
    at, word = scene.rng.choice([(0, "first"), (-1, "last")])
    return rows[at][sub], f"the {word} {noun} on the list"
