"""Plans that somebody else proposes: what they are read from, whether this world allows them, their samples.

A plan says nothing about values and words, so that whoever proposes one cannot get a label wrong: either the
plan is one that the world itself could have drawn (`fault_of`), and then its sample is exact, or it is
refused with the reason.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Sequence
from functools import cached_property
from random import Random
from typing import Any, NamedTuple

from looptool_kit.core.samples import Frozen, Sample
from looptool_kit.world import MAX_TRIES, draw_scene
from looptool_kit.world.calls import Call, Impossible, Plan
from looptool_kit.world.plans import WEIGHTS, askable, draw_plan, varies
from looptool_kit.world.spec import Spec, domain_of, is_held, links, specs
from looptool_kit.world.tasks import sample_of

MAX_LINE = 4000
"""Characters of a line that is read as a plan; the world's own have some 400 at the most."""
NAMED = ("kind", "calls", "mode", "part", "link")
OF_CALL = ("tool", "mention", "implicit")
ONE_CALL = ("single", "choice", "finish", "ask", "decline")


class Prompt(Frozen):
    """What a proposer is asked.

    It is a tool list of the world, and plans that it allows.
    """

    tools: tuple[str, ...]
    """Names of the tools on offer."""
    examples: tuple[str, ...]
    """Plans, one line each."""

    @cached_property
    def specs(self) -> list[Spec]:
        """The tools."""
        return [specs()[name] for name in self.tools]

    @cached_property
    def key(self) -> str:
        """What the two plans of a pair have in common."""
        return json.dumps([self.tools, self.examples])


class Line(NamedTuple):
    """What a proposer wrote in place of a plan."""

    text: str
    tokens: int = 0
    """That a model generated for it."""


class Preferred(NamedTuple):
    """Two proposals to one prompt, one of them preferred.

    The proposer is to make that one more often than the other.
    """

    prompt: Prompt
    chosen: str
    rejected: str
    gap: float = 1.0
    """By how much the one was paid more, where proposals are paid."""


def line_of(plan: Plan) -> str:
    """A plan as one line of JSON, the kind first."""
    calls = [{name: call[name] for name in OF_CALL} for call in plan["calls"]]  # type: ignore[literal-required]
    parts = {"kind": plan["kind"], "calls": calls, "mode": plan["mode"], "part": plan["part"]}
    return json.dumps(parts | {"link": plan["link"]})


def read_plan(line: str, tools: Sequence[Spec]) -> tuple[Plan | None, str]:
    """Return the plan of a line that anybody may have written.

    Or None, and why it is not a plan that the world allows.
    """
    if len(line) > MAX_LINE:
        return None, f"longer than {MAX_LINE} characters"
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None, "not JSON"
    if reason := _misshapen(value):
        return None, reason
    calls = [Call(tool=c["tool"], mention=c["mention"], implicit=c["implicit"]) for c in value["calls"]]
    plan = Plan(kind=value["kind"], calls=calls, mode=value["mode"], part=value["part"], link=value["link"])
    reason = fault_of(plan, tools)
    return (None, reason) if reason else (plan, "")


def _misshapen(value: Any) -> str:
    def texts(found: Any) -> bool:
        return isinstance(found, list) and all(isinstance(text, str) for text in found)

    if not isinstance(value, dict) or set(value) != set(NAMED):
        return f"not an object with {', '.join(NAMED)}"
    if not all(isinstance(value[name], str) for name in ("kind", "mode", "part")) or not texts(value["link"]):
        return "kind, mode and part are not texts, or link is not a list of them"
    calls = value["calls"]
    if not isinstance(calls, list) or not all(isinstance(c, dict) and set(c) == set(OF_CALL) for c in calls):
        return f"calls are not objects with {', '.join(OF_CALL)}"
    if not all(isinstance(c["tool"], str) and texts(c["mention"]) and texts(c["implicit"]) for c in calls):
        return "a call's tool is not a text, or its mention or implicit is not a list of them"
    return ""


def fault_of(plan: Plan, tools: Sequence[Spec]) -> str:
    """Say why `draw_plan` could not have drawn this plan.

    The reason is empty where it could, for this tool list. So a plan without a fault has an exact label, as
    the world's own have.
    """
    kind, calls, known = plan["kind"], plan["calls"], specs()
    if kind not in WEIGHTS:
        return f"no kind {kind!r}"
    if unknown := [c["tool"] for c in calls if c["tool"] not in known or is_held(c["tool"])]:
        return f"no train tool {unknown[0]!r}"
    offered = {s.name for s in tools}
    if kind != "decline" and not {c["tool"] for c in calls} <= offered:
        return "calls a tool that is not on offer"
    if reason := next((r for c in calls if (r := _fault_of_call(c))), ""):
        return reason
    if len(calls) != 1 if kind in ONE_CALL else len(calls) not in (2, 3):
        return f"{len(calls)} calls are none of kind {kind}"
    if kind in ONE_CALL:
        return _fault_of_one(plan, tools)
    if plan["mode"] in {"parallel": ("same",), "multi_turn": ("again",)}.get(kind, ()):
        return _fault_of_same(plan)
    if kind == "parallel":
        distinct = len({c["tool"] for c in calls}) == len(calls)
        plain = plan["mode"] == "each" and not plan["part"] and not plan["link"]
        return "" if distinct and plain else "no parallel calls of different tools"
    return _fault_of_link(plan)


def _fault_of_call(call: Call) -> str:
    spec, mention = specs()[call["tool"]], call["mention"]
    if mention != [p.name for p in spec.params if p.name in mention]:
        return f"mentions of {spec.name} are no parameters of it in their order"
    if missing := [p.name for p in spec.params if not p.optional and p.name not in mention]:
        return f"{spec.name} needs {missing[0]}"
    optional = [p.name for p in spec.params if p.optional]
    if spec.changes and optional and all(spec.by_name[m].type is spec.changes for m in mention):
        return f"{spec.name} would change nothing"
    hinted = call["implicit"]
    known = len(set(hinted)) == len(hinted) and set(hinted) <= set(mention)
    return "" if known and all(spec.by_name[m].type.hints for m in hinted) else "cannot be said implicitly"


def _fault_of_one(plan: Plan, tools: Sequence[Spec]) -> str:
    spec, part = specs()[plan["calls"][0]["tool"]], plan["part"]
    if plan["mode"] or plan["link"] or (part and plan["kind"] != "ask"):
        return "one call has no mode, part or link"
    if plan["kind"] == "ask":
        if part not in spec.by_name or not askable(spec, spec.by_name[part], tools):
            return f"nothing has to be asked about {part!r}"
        return "what is missing is said" if part in plan["calls"][0]["implicit"] else ""
    if plan["kind"] == "decline":
        near = domain_of()[spec.name].name in {domain_of()[s.name].name for s in tools}
        # As in `plans`: a record that a listing would find could still be dealt with in two steps.
        if spec in tools or (near and any(t.lists or t.changes for t in tools)):
            return "a tool on offer may do what is to be declined"
    return ""


def _fault_of_same(plan: Plan) -> str:
    """Of two calls of one tool that differ in one value."""
    if len(plan["calls"]) != 2 or plan["link"]:
        return "the same twice is two calls without a link"
    (one, two), part = plan["calls"], plan["part"]
    spec = specs()[one["tool"]]
    if two["tool"] != one["tool"] or two["mention"] != one["mention"] or not set(two["implicit"]) <= {part}:
        return "the second call differs in more than the part"
    p = spec.by_name.get(part)
    return "" if p and not p.optional and varies(spec, p) else f"{part!r} cannot be said to differ"


def _fault_of_link(plan: Plan) -> str:
    """Of two calls of which the second takes a value from the first."""
    modes = ("first", "second") if plan["kind"] == "multi_step" else ("build",)
    if len(plan["calls"]) != 2 or plan["part"] or plan["mode"] not in modes or len(plan["link"]) != 2:
        return f"no linked calls of kind {plan['kind']}"
    first, second = (specs()[c["tool"]] for c in plan["calls"])
    field, parameter = plan["link"]
    if (first.name, field, second.name, parameter) not in links():
        return f"{second.name}.{parameter} takes nothing from {first.name}.{field}"
    if plan["kind"] == "multi_step" and first.makes and (second.cancels or second.changes):
        return "nobody makes and changes a thing in one breath"
    return "the linked value is said" if parameter in plan["calls"][1]["implicit"] else ""


def rendered(plan: Plan, tools: Sequence[Spec], rng: Random) -> Sample:
    """Render a plan without faults as a train sample.

    Its values and words are drawn. Raises ValueError where no scene fits it.
    """
    for _ in range(MAX_TRIES):
        try:
            return sample_of(plan, tools, draw_scene(rng, "train"), "train")
        except Impossible:
            continue
    raise ValueError(f"no scene fits a plan of kind {plan['kind']} with {plan['calls'][0]['tool']}")


def drawn(kind: str, tools: Sequence[Spec], rng: Random) -> Plan | None:
    """Draw a plan of that kind for a tool list.

    The world itself draws it; None where the list allows none.
    """
    try:
        return draw_plan(kind, tools, "train", rng, Counter())
    except Impossible:
        return None


def features(plan: Plan, tools: Sequence[Spec]) -> dict[str, float]:
    """What a plan is like, by name.

    A proposer can learn to prefer these features: kind and tools, how many optional parameters are mentioned
    and values said implicitly, how many other tools of the same and of other domains are on offer, and how
    many calls there are.
    """
    known, calls = specs(), plan["calls"]
    targets = {c["tool"] for c in calls}
    homes = {domain_of()[name].name for name in targets}
    others = [domain_of()[s.name].name in homes for s in tools if s.name not in targets]
    counts = {
        "optional": sum(known[c["tool"]].by_name[m].optional for c in calls for m in c["mention"]),
        "implicit": sum(len(c["implicit"]) for c in calls),
        "near": sum(others),
        "far": len(others) - sum(others),
        "calls": len(calls),
    }
    named = {f"kind={plan['kind']}": 1.0, **{f"tool={name}": 1.0 for name in sorted(targets)}}
    return named | {name: float(count) for name, count in counts.items()}


def distance(a: dict[str, float], b: dict[str, float]) -> float:
    """Sum of the differences of two plans' features."""
    return sum(abs(a.get(name, 0.0) - b.get(name, 0.0)) for name in sorted({*a, *b}))
