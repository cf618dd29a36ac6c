"""Tools that run, with results drawn from their output types.

Results are memoised per (tool, arguments), as in RandomWorld, section 3.2. Makers and changers act on the
dialogue's state.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from random import Random
from typing import Any

import jsonschema_rs

from looptool_kit.core.samples import ToolCall
from looptool_kit.core.toolcalls import canonical
from looptool_kit.world.spec import Spec, specs
from looptool_kit.world.types import Type, draw


def new_state(today: date, held: bool = False) -> dict[str, Any]:
    """The state of one dialogue at its beginning.

    It holds today's date (ISO), whether results take held-out values, results so far, and the records that
    tools keep (by noun and id).
    """
    return {"today": today.isoformat(), "held": held, "memo": {}, "records": {}}


_VALIDATORS: dict[Spec, jsonschema_rs.Validator] = {}


def problem(call: ToolCall, known: Mapping[str, Spec] | None = None) -> str | None:
    """Say why a call cannot be executed, or return None.

    The tool may be unknown, the arguments may break the schema, or a value may be one that no recogniser
    accepts. `known` are the tools by name, by default the world's.
    """
    spec = (specs() if known is None else known).get(call.name)
    if spec is None:
        return f"unknown tool {call.name!r}"
    if spec not in _VALIDATORS:
        _VALIDATORS[spec] = jsonschema_rs.Draft202012Validator(
            {**spec.tool.parameters, "additionalProperties": False}
        )
    for error in _VALIDATORS[spec].iter_errors(call.arguments):
        return f"{'.'.join(map(str, error.instance_path)) or 'arguments'}: {error.message}"
    for name, value in call.arguments.items():
        if not spec.by_name[name].type.accepts(value):
            return f"{name}: {value!r} is not {spec.by_name[name].type.description}"
    return None


def execute(call: ToolCall, state: dict[str, Any], rng: Random) -> dict[str, Any]:
    """Execute a call and return its JSON result; `state` is changed.

    The result is `{"error": ...}` where its arguments are not valid or what it refers to does not exist.
    """
    wrong = problem(call)
    return {"error": wrong} if wrong else run(specs()[call.name], call.arguments, state, rng)


def run(spec: Spec, arguments: dict[str, Any], state: dict[str, Any], rng: Random) -> dict[str, Any]:
    """`execute` for arguments that are known to be valid."""
    kind = spec.cancels or spec.changes
    if kind is not None:
        records = state["records"].setdefault(kind.noun, {})
        key = next((arguments[p.name] for p in spec.params if p.type is kind and p.name in arguments), "")
        if key not in records:
            return {"error": f"no {kind.noun} {key}"}
        result = _output(spec, arguments, state, rng)
        if spec.cancels:
            del records[key]
        else:
            records[key].update({k: v for k, v in arguments.items() if v != key})
        return result
    if spec.lists is not None:
        return _listing(spec, arguments, state, rng)
    if spec.makes is not None:
        result = _output(spec, arguments, state, rng)
        key = next(result[k] for k, t in spec.out.items() if t is spec.makes)
        state["records"].setdefault(spec.makes.noun, {})[key] = {**arguments, **result}
        return result
    memo = f"{spec.name} {canonical(arguments)}"
    if memo not in state["memo"]:
        state["memo"][memo] = _output(spec, arguments, state, rng)
    return dict(state["memo"][memo])


def remember(spec: Spec, arguments: dict[str, Any], state: dict[str, Any]) -> None:
    """Put the record that a call refers to into the state.

    It was made before the dialogue began.
    """
    kind = spec.cancels or spec.changes
    for p in spec.params:
        if kind is not None and p.type is kind and p.name in arguments:
            state["records"].setdefault(kind.noun, {}).setdefault(
                arguments[p.name], {p.name: arguments[p.name]}
            )


def _output(spec: Spec, arguments: dict[str, Any], state: dict[str, Any], rng: Random) -> dict[str, Any]:
    out: dict[str, Any] = {}
    wanted = arguments.get(spec.picks[0], ()) if spec.picks else spec.out
    for name, t in spec.out.items():
        if name not in wanted:
            continue
        if name in arguments and t is spec.by_name[name].type:
            # Who asked for one vet is not given another.
            out[name] = arguments[name]
        elif isinstance(t, Type):
            out[name] = _bounded(t, arguments, rng, state)
        elif t[1:] in arguments:
            out[name] = arguments[t[1:]]
    return out


def _bounded(t: Type, arguments: dict[str, Any], rng: Random, state: dict[str, Any]) -> Any:
    """Draw a result that keeps to the bounds of the call.

    An argument `max_price` or `min_rating` bounds the field `price` or `rating` of every entry.
    """
    value = draw(t, rng, date.fromisoformat(state["today"]), state["held"])
    for key, bound in arguments.items():
        side, _, name = key.partition("_")
        if side in ("max", "min") and t.item is not None and name in t.item.fields:
            for row in value:
                for _ in range(60):
                    if row[name] <= bound if side == "max" else row[name] >= bound:
                        break
                    row[name] = draw(
                        t.item.fields[name], rng, date.fromisoformat(state["today"]), state["held"]
                    )
                else:
                    row[name] = bound
    return value


def _listing(spec: Spec, arguments: dict[str, Any], state: dict[str, Any], rng: Random) -> dict[str, Any]:
    assert spec.lists is not None
    records = state["records"].setdefault(spec.lists.noun, {})
    ((name, listed),) = ((k, t) for k, t in spec.out.items() if isinstance(t, Type) and t.item is not None)
    fields = listed.item.fields if listed.item else {}
    key = next(k for k, t in fields.items() if t is spec.lists)
    if not records:
        for row in _bounded(listed, arguments, rng, state):
            # What the call filtered by holds for every row that it lists.
            row.update({k: v for k, v in arguments.items() if k in fields})
            records[row[key]] = row
    return {
        **{k: v for k, v in _output(spec, arguments, state, rng).items() if k != name},
        name: [{k: r[k] for k in fields if k in r} for r in records.values()],
    }
