"""How procedural tasks are asked for and answered."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import date
from random import Random
from typing import Any

from looptool_kit.world import grammar as g
from looptool_kit.world.grammar import Said, Scene
from looptool_kit.world.procedural.kinds import Kind
from looptool_kit.world.procedural.plans import Plan, Step
from looptool_kit.world.types import is_date

WANTED = 0.5
"""Share of the requests for several calls that say only what is wanted, not the way there.

The way is said only where one call follows the other: "first a, then b" is no request for both at once.
"""
FIND = ("find", "look up", "get", "fetch", "search for", "give me", "tell me", "show me")
NEXT = (
    "{a}, then {b}",
    "{a} and then {b}",
    "{a}, and after that {b}",
    "{a}; next, {b}",
    "first {a}, then {b}",
)
FOR = ("for", "that belongs to", "that goes with", "linked to")
ASKED = ("{x}", "{x}", "Sure. {x}", "Happy to help. {x}")
TOLD = (
    "The {noun} is {value}.",
    "It is {value}.",
    "I found the {noun}: {value}.",
    "The {noun} you want is {value}.",
)


def request(plan: Plan, values: Mapping[Kind, Any], scene: Scene) -> str:
    """Write the user's words.

    They say what is wanted and all values that the calls need; of longer plans sometimes the way, too.
    `values` holds what is said; what is not in it is left out.
    """
    chain = len(plan.steps) == len(plan.levels())
    if chain and len(plan.steps) > 1 and scene.rng.random() >= WANTED:
        bodies = [_asking(s, values, plan.found, scene) for s in plan.steps]
        body = bodies[0]
        for at, more in enumerate(bodies[1:]):
            joint = scene.choose(tuple(t for t in NEXT if at == len(bodies) - 2 or not t.startswith("first")))
            body = joint.replace("{a}", body).replace("{b}", more)
    else:
        own = [f"my {s.tool.output.noun}" for s in plan.steps[:-1] if not s.takes]
        said = _said(values, scene) + own
        whose = "my" if not plan.steps[-1].takes else "the"
        body = _together(scene.choose(FIND), f"{whose} {plan.goal.noun}", said, _late(values, scene), scene)
    return g.frame(Said("do", body, "", ()), scene)


def _asking(step: Step, values: Mapping[Kind, Any], found: Sequence[Kind], scene: Scene) -> str:
    """One call in words; what an earlier one found is "that parcel"."""
    here = {k: values[k] for k in step.takes.values() if k in values}
    refs = [f"that {k.noun}" for k in step.takes.values() if k in found]
    whose = "the" if step.takes else "my"
    said = _said(here, scene) + refs
    return _together(scene.choose(FIND), f"{whose} {step.tool.output.noun}", said, _late(here, scene), scene)


def _together(verb: str, what: str, said: Sequence[str], late: Sequence[str], scene: Scene) -> str:
    for_whom = f" {scene.choose(FOR)} {g.listed(said)}" if said else ""
    return " ".join([f"{verb} {what}{for_whom}", *late])


def _said(values: Mapping[Kind, Any], scene: Scene) -> list[str]:
    return [
        k.said.replace("{}", g.surface(k.type, v, scene, None, False).text)
        for k, v in values.items()
        if not k.late
    ]


def _late(values: Mapping[Kind, Any], scene: Scene) -> list[str]:
    return [g.surface(k.type, v, scene, "@", False).text for k, v in values.items() if k.late]


def question(kind: Kind, rng: Random) -> str:
    """Ask for a thing of a kind."""
    return rng.choice(ASKED).format(x=kind.type.question)


def reply_of(
    goal: Kind, result: Mapping[str, Any], today: date, rng: Random
) -> tuple[str, tuple[tuple[str, ...], ...]]:
    """Tell a result; also return the wordings that count."""
    value = result[goal.parameter]
    ways = [s.text for s in goal.type.say(value, today) if s.text]
    if is_date(value):
        ways = [w for w in ways if w != "today"]
    return rng.choice(TOLD).format(noun=goal.noun, value=value), (tuple(dict.fromkeys([str(value), *ways])),)
