"""Plans and their calls: which tool is called with what."""

from __future__ import annotations

import json
from typing import Any, TypedDict

from looptool_kit.core.samples import Message, ToolCall
from looptool_kit.world.execute import run
from looptool_kit.world.grammar import Scene
from looptool_kit.world.spec import NOTHING, Spec
from looptool_kit.world.types import draw


class Call(TypedDict):
    """One call of a plan."""

    tool: str
    mention: list[str]
    """Names of the parameters that are in the call, in schema order."""
    implicit: list[str]
    """Those of them that are said implicitly."""


class Plan(TypedDict):
    """What a sample is about, apart from its values and wording."""

    kind: str
    calls: list[Call]
    """The calls of the whole task in order; for decline, the one that no tool on offer can do."""
    mode: str
    """parallel: each | same; multi_step: first | second; multi_turn: build | again; else empty."""
    part: str
    """ask: the missing parameter; parallel same, multi_turn again: the parameter that changes."""
    link: list[str]
    """multi_step, multi_turn build: output field of the first call and the parameter of the second that it
    fills.
    """


class Impossible(Exception):
    """These tools or this draw do not allow the plan.

    Whoever catches it draws another one.
    """


def arguments(
    spec: Spec,
    call: Call,
    scene: Scene,
    fixed: dict[str, Any] | None = None,
    unlike: dict[str, Any] | None = None,
    known: dict[str, Any] | None = None,
) -> dict[str, Any]:
    """Draw values for the mentioned parameters, in schema order.

    They are legal together, none equals its default, and no two of a type are the same. `fixed` values are
    taken over. `unlike` holds, by parameter, a value that it must not take. `known` is the result that the
    call builds on and that they have to fit.
    """
    fixed = fixed or {}
    if scene.values:
        told = scene.values.pop(0)
        if set(told) != set(call["mention"]) or any(told[k] != v for k, v in fixed.items()):
            raise Impossible(f"the given arguments of {spec.name} are others")
        return told
    for _ in range(60):
        out: dict[str, Any] = {}
        for p in spec.params:
            if p.name in fixed:
                out[p.name] = fixed[p.name]
            elif p.name in call["mention"]:
                taken = [
                    v for k, v in out.items() if spec.by_name[k].type is p.type and not isinstance(v, bool)
                ]
                for _ in range(40):
                    value = draw(p.type, scene.rng, scene.today, scene.held, p.name in call["implicit"])
                    bare = p.default is NOTHING or value != p.default
                    if (
                        bare
                        and value not in taken
                        and not (unlike and p.name in unlike and value == unlike[p.name])
                    ):
                        break
                else:
                    raise Impossible(f"{spec.name}.{p.name} has too few values")
                out[p.name] = value
        if (spec.where is None or spec.where(out)) and (
            spec.fits is None or not known or spec.fits(out, known)
        ):
            return out
    raise Impossible(f"`where` or `fits` of {spec.name} is too narrow")


def result_of(spec: Spec, args: dict[str, Any], state: dict[str, Any], scene: Scene) -> dict[str, Any]:
    return scene.results.pop(0) if scene.results else run(spec, args, state, scene.rng)


def call_of(spec: Spec, args: dict[str, Any]) -> ToolCall:
    return ToolCall(name=spec.name, arguments=args)


def exchange(call: ToolCall, result: dict[str, Any]) -> list[Message]:
    return [
        Message(role="assistant", tool_calls=(call,)),
        Message(role="tool", name=call.name, content=json.dumps(result, ensure_ascii=False)),
    ]
