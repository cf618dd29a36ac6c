"""Procedural plans: tools are added where their inputs match what is known, until the length is reached.

A plan is exact: every kind of thing in it is either said or found, once, and no other tool on offer finds
one. So whoever reads what is said, what is wanted and the tools can work the calls out from behind.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from random import Random
from typing import NamedTuple

from looptool_kit.world.calls import Impossible
from looptool_kit.world.procedural.kinds import Either, Kind
from looptool_kit.world.procedural.tools import Signature

NEWEST, TAKEN = 0.7, 0.8
"""Chances that the next tool builds on the newest result, and that it takes what is known rather than
something new.
"""
LOOKED_AT = 6
"""Tools that may come next of which the one is taken that builds most on what is known, and asks least."""
TRIES = 12
"""Draws of a plan of one length, of which the longest is taken."""
MAX_SAID = 4
"""Things that a request names at the most."""


class Step(NamedTuple):
    """One call of a plan."""

    tool: Signature
    takes: dict[str, Kind]
    """Parameter -> the kind of thing that fills it."""


class Plan(NamedTuple):
    """Calls in an order that works.

    The last one finds what is wanted.
    """

    steps: tuple[Step, ...]
    distractors: tuple[Signature, ...]

    @property
    def goal(self) -> Kind:
        """What is wanted."""
        return self.steps[-1].tool.output

    @property
    def found(self) -> list[Kind]:
        """The kinds of its results, in order."""
        return [s.tool.output for s in self.steps]

    @property
    def said(self) -> list[Kind]:
        """The kinds that the user has to name, in order."""
        taken = (k for s in self.steps for k in s.takes.values())
        return [k for k in dict.fromkeys(taken) if k not in self.found]

    def levels(self) -> list[list[Step]]:
        """The calls in turns.

        Each turn makes all those whose inputs are known by then.
        """
        left, known, out = list(self.steps), set(self.said), []
        while left:
            now = [s for s in left if set(s.takes.values()) <= known]
            out.append(now)
            known |= {s.tool.output for s in now}
            left = [s for s in left if s not in now]
        return out


def draw_plan(pool: Sequence[Signature], rng: Random, length: int, branch: float, distractors: int) -> Plan:
    """Draw a plan of `length` calls.

    It has fewer where that many are not possible.

    Args:
        pool: The tools to take.
        rng: Where chance comes from.
        length: Calls, where tools that the goal does not need are pruned.
        branch: Chance that a tool begins a branch of its own, instead of building on what was found.
        distractors: Further tools on offer at the most.

    Raises:
        Impossible: These tools do not allow an exact plan.
    """
    best: Plan | None = None
    for _ in range(TRIES):
        try:
            plan = _grown(pool, rng, length + (rng.random() < branch), branch)
        except Impossible:
            continue
        if len(plan.steps) <= length and (best is None or len(plan.steps) > len(best.steps)):
            best = plan
        if best and len(best.steps) == length:
            break
    if best is None:
        raise Impossible("no exact plan")
    return best._replace(distractors=tuple(_distractors(best, pool, rng, distractors)))


def _grown(pool: Sequence[Signature], rng: Random, length: int, branch: float) -> Plan:
    """One plan; what its goal does not need is pruned."""
    steps = [_step(rng.choice(pool), (), (), rng)]
    for _ in range(length - 1):
        found = [s.tool.output for s in steps]
        known = {k for s in steps for k in s.takes.values()} | set(found)
        used = {s.tool for s in steps}
        anchors = [] if rng.random() < branch else [found[-1] if rng.random() < NEWEST else rng.choice(found)]
        ways = [
            s for s in pool
            if s.output not in known and s not in used
            and (not anchors or any(_fits(anchors[0], i) for i in s.inputs))
        ]  # fmt: skip
        if not ways:
            break
        few = rng.sample(ways, min(LOOKED_AT, len(ways)))
        step = _step(max(few, key=lambda s: _built_on(s, found)), anchors, found, rng)
        if step.tool.output not in step.takes.values():
            steps.append(step)
    plan = Plan(tuple(_needed(steps)), ())
    _check(plan)
    return plan


def _built_on(tool: Signature, found: Sequence[Kind]) -> int:
    """Parameters that results can fill, minus those that they cannot."""
    can = [any(_fits(k, i) for k in found) for i in tool.inputs]
    return 2 * sum(can) - len(can)


@cache  # a few hundred kinds, asked about for every tool of the pool at every step
def _fits(kind: Kind, wanted: Kind | Either) -> bool:
    return kind.type.is_a(wanted.type)


def _step(tool: Signature, anchors: Sequence[Kind], found: Sequence[Kind], rng: Random) -> Step:
    """The tool with each parameter filled by what was found, or by something that the user names."""
    takes: dict[str, Kind] = {}
    for wanted in tool.inputs:
        members = wanted.members if isinstance(wanted, Either) else (wanted,)
        ways = [k for k in found if _fits(k, wanted) and k not in takes.values()]
        here = [k for k in ways if k in anchors] or (ways if rng.random() < TAKEN else [])
        new = [m for m in members if m not in found and m not in takes.values()]
        if not here and not new:
            raise Impossible("a parameter that nothing can fill")
        takes[wanted.parameter] = rng.choice(here or new)
    return Step(tool, takes)


def _needed(steps: Sequence[Step]) -> list[Step]:
    """The steps that the last one builds on, and itself."""
    wanted, kept = {steps[-1].tool.output}, []
    for step in reversed(steps):
        if step.tool.output in wanted:
            wanted |= set(step.takes.values())
            kept.append(step)
    return kept[::-1]


def _check(plan: Plan) -> None:
    found, said = plan.found, plan.said
    known = {*found, *said}
    if len(said) > MAX_SAID or not (said or any(not s.takes for s in plan.steps)):
        raise Impossible("too much to say, or nothing")
    if len({tuple(s.takes.values()) for s in plan.steps if not s.takes}) < sum(
        not s.takes for s in plan.steps
    ):
        raise Impossible("two things of the user's own")
    taken = {k for s in plan.steps for k in s.takes.values()}
    if sum(not s.takes for s in plan.steps) and not taken & set(found) and len(plan.steps) > 1:
        raise Impossible("nothing is built on")
    for step in plan.steps:
        for wanted in step.tool.inputs:
            if isinstance(wanted, Either) and len(known & set(wanted.members)) > 1:
                raise Impossible("either of two things that are both known")


def _distractors(plan: Plan, pool: Sequence[Signature], rng: Random, count: int) -> Iterator[Signature]:
    """Tools that find nothing of what the plan is about; those that take the same things come first."""
    about = {*plan.found, *plan.said}
    outputs = set(about)
    others = [s for s in pool if s.output not in outputs]
    rng.shuffle(others)
    for tool in sorted(others, key=lambda s: not (set(_kinds(s)) & about)):
        if count and tool.output not in outputs:
            outputs.add(tool.output)
            count -= 1
            yield tool


def _kinds(tool: Signature) -> Iterable[Kind]:
    return (m for i in tool.inputs for m in (i.members if isinstance(i, Either) else (i,)))
