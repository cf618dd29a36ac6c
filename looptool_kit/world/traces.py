"""Longer tasks of two to six calls, of which the user names what must be found only by its properties.

"Rent the cheapest of the SUVs in Rome for three days starting tomorrow, then add GPS to that rental": the
search is not said, its result is a reference. Labels are right by execution: each argument is either said, or
stands in exactly one earlier result, in the place that the words name.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any, NamedTuple

from pydantic import JsonValue

from looptool_kit.core.samples import Label, Message, Sample, ToolCall
from looptool_kit.core.toolcalls import canonical
from looptool_kit.world import frames
from looptool_kit.world import grammar as g
from looptool_kit.world.calls import Call, Impossible, arguments
from looptool_kit.world.execute import execute, new_state, remember
from looptool_kit.world.grammar import Scene
from looptool_kit.world.plans import HINTED, MENTIONED
from looptool_kit.world.references import Found, References, found, is_lookup, later
from looptool_kit.world.routes import Edge, Route, draw_route, edges, every_link, open_to
from looptool_kit.world.spec import Spec, domain_of, specs
from looptool_kit.world.types import quoted

SPLIT, LENGTH = "unseen_traces", (3, 4)
"""The held-out split, and how many tools a trace of it calls."""
DISTRACTORS = (1, 2)
"""Tools on offer beside those of a trace."""
_DOUBLED = re.compile(r"\b([a-z]+) \1\b")
MAX_TRIES = 60
"""Scenes for one trace, after which its route counts as impossible."""


class Trace(NamedTuple):
    """A task and its executed calls, in order."""

    route: Route
    request: str
    calls: tuple[ToolCall, ...]
    given: tuple[dict[str, Any], ...]
    """Of each call, the arguments that the user says."""
    taken: tuple[dict[str, tuple[int, str]], ...]
    """Of each call, parameter -> (number of the call, field) that its value is taken from."""
    results: tuple[dict[str, Any], ...]
    tools: tuple[Spec, ...]
    """Those on offer."""
    today: date
    seed: str
    """What the results are drawn from."""

    @property
    def id(self) -> str:
        """A name for its samples to share."""
        return self.seed


def perform(call: ToolCall, taken: Collection[str], state: dict[str, Any], seed: str) -> dict[str, Any]:
    """Execute a call of a trace; a record that the user names was made before the dialogue.

    Args:
        call: The call.
        taken: Its parameters that come from earlier results.
        state: The dialogue's state, which is changed.
        seed: The trace's; the same call in the same state gives the same result.
    """
    remember(specs()[call.name], {k: v for k, v in call.arguments.items() if k not in taken}, state)
    return execute(call, state, Random(f"{seed}/{call.name} {canonical(call.arguments)}"))


class _Builder:
    """One try at the calls of a route."""

    def __init__(self, route: Route, scene: Scene, seed: str) -> None:
        self.route, self.scene, self.seed = route, scene, seed
        self.number = {tool: i for i, tool in enumerate(route.tools)}
        self.state = new_state(scene.today, scene.held)
        self.calls: list[ToolCall] = []
        self.given: list[dict[str, Any]] = []
        self.taken: list[dict[str, tuple[int, str]]] = []
        self.results: list[dict[str, Any]] = []
        self.unsaid: list[set[str]] = []
        """Of each call, the parameters that the words for its sources say already."""
        self.hints: list[tuple[str, ...]] = []
        self.found: dict[str, Found] = {}

    def add(self, tool: str) -> None:
        """Draw and execute the next call.

        Raises:
            Impossible: The draw does not allow it.
        """
        spec, into = specs()[tool], self.route.into(tool)
        fixed, taken = self._taken(into)
        fed, known = set(fixed), dict[str, Any]()
        for edge in into:
            known |= self.calls[self.number[edge.first]].arguments | self._entry(edge)
        mention = _mentioned(spec, self.route, fed, self.scene.rng)
        self._share(spec, into, mention, fixed, taken)
        hinted = tuple(
            m
            for m in mention
            if m not in fixed and self.scene.rng.random() < HINTED * spec.by_name[m].type.hints
        )
        wanted = Call(tool=tool, mention=mention, implicit=list(hinted))
        drawn = arguments(spec, wanted, self.scene, fixed, known if spec.changes else None, known)
        self._within_limits(spec, drawn, into)
        call = ToolCall(name=tool, arguments=drawn)
        result = perform(call, taken, self.state, self.seed)
        if "error" in result:
            raise Impossible(str(result["error"]))
        self.calls.append(call)
        self.taken.append(taken)
        self.given.append({k: v for k, v in drawn.items() if k not in taken})
        self.results.append(result)
        self.unsaid.append(set(fixed))
        self.hints.append(hinted)
        if fields := {e.field for e in self.route.edges if e.first == tool}:
            self.found[tool] = found(spec, drawn, result, fields, self.scene)

    def _taken(self, into: Sequence[Edge]) -> tuple[dict[str, Any], dict[str, tuple[int, str]]]:
        """Parameter -> value, and parameter -> place of what the links fill."""
        values: dict[str, Any] = {}
        places: dict[str, tuple[int, str]] = {}
        for edge in into:
            value = self.found[edge.first].value(edge.field)
            p = specs()[edge.second].by_name[edge.parameter]
            values[edge.parameter] = [value] if p.type.item is not None else value
            places[edge.parameter] = (self.number[edge.first], edge.field)
        return values, places

    def _entry(self, edge: Edge) -> dict[str, Any]:
        return self.found[edge.first].entry or self.results[self.number[edge.first]]

    def _share(
        self,
        spec: Spec,
        into: Sequence[Edge],
        mention: Sequence[str],
        fixed: dict[str, Any],
        taken: dict[str, tuple[int, str]],
    ) -> None:
        """What a call and its source both take is said once: "the cheapest flight on Friday"."""
        if spec.changes:
            return
        own = set(fixed)
        for edge in into:
            source, at = specs()[edge.first], self.number[edge.first]
            for name, value in self.calls[at].arguments.items():
                p, q = spec.by_name.get(name), source.by_name[name]
                if p is None or name not in mention or p.type is not q.type or p.type.say is quoted:
                    continue
                if name in own:
                    raise Impossible(f"{name} of {spec.name} is said twice")
                if name in fixed and fixed[name] != value:
                    raise Impossible(f"two sources of {spec.name} say {name}")
                fixed[name] = value
                if name in self.taken[at]:
                    taken[name] = self.taken[at][name]

    def _within_limits(self, spec: Spec, drawn: dict[str, Any], into: Sequence[Edge]) -> None:
        """No amount above a limit that a source was asked with."""
        limits = [
            v
            for e in into
            for k, v in self.calls[self.number[e.first]].arguments.items()
            if k.startswith("max_") and specs()[e.first].by_name[k].type.name.startswith("money")
        ]
        amounts = [v for k, v in drawn.items() if spec.by_name[k].type.name.startswith("money")]
        if any(amount > limit for amount in amounts for limit in limits):
            raise Impossible("an amount above the limit just named")

    def request(self) -> str:
        """Everything that the user says: each call but those whose results have words of their own."""
        names = References(self.route, self.calls, self.found, self.hints, self.scene)
        bodies: list[tuple[str, bool]] = []
        said: list[str] = []
        for i, tool in enumerate(self.route.tools):
            if is_lookup(self.route, tool):
                continue
            spec = specs()[tool]
            into = self.route.into(tool)
            rest = {k: v for k, v in self.calls[i].arguments.items() if k not in self.unsaid[i]}
            phrase = g.say(spec, rest, self.scene, implicit=self.hints[i], refs=later(into), only_do=True)
            bodies.append((names.resolved(phrase.body, into), bool(names.sources(tool) & set(said))))
            said.append(tool)
        return g.frame(g.Said("do", _joined(bodies, self.scene), "", ()), self.scene)


def _joined(bodies: Sequence[tuple[str, bool]], scene: Scene) -> str:
    """Several requests in one breath; each with whether it builds on one before it."""
    if len(bodies) == 1:
        return bodies[0][0]
    if len(bodies) == 2:
        # "Only vans and get me a table" wants a pause.
        paused = ", " in bodies[0][0]
        options = frames.STEPS if bodies[1][1] else frames.ALONGSIDE
        template = scene.choose(options, lambda t: not (paused and t.startswith("{a} and")))
        return g.joined(template, {"a": bodies[0][0], "b": bodies[1][0]})
    out = bodies[0][0]
    for number, (body, builds) in enumerate(bodies[1:], 2):
        last = number == len(bodies)
        out += f", {'and ' if last else ''}{'then ' if builds else ''}{body}"
    return out


def _mentioned(spec: Spec, route: Route, fed: Collection[str], rng: Random) -> list[str]:
    """The parameters of a call: the required ones, those that a link fills, some that the words can say."""
    lookup = is_lookup(route, spec.name)
    templates = [w for e in route.edges if e.first == spec.name for w in spec.refer.get(_head(e), ())]
    sayable = {p.name for p in spec.params if not lookup or all(f"{{?{p.name}}}" in w for w in templates)}
    chosen = {p.name for p in spec.params if p.name in sayable and rng.random() < MENTIONED}
    if spec.changes and not chosen and not set(fed) - {p.name for p in spec.params if p.type is spec.changes}:
        chosen = set(rng.sample([p.name for p in spec.params if p.optional], 1)) if _optional(spec) else set()
    return [p.name for p in spec.params if not p.optional or p.name in fed or p.name in chosen]


def _head(edge: Edge) -> str:
    return edge.field.partition(".")[0]


def _optional(spec: Spec) -> bool:
    return any(p.optional for p in spec.params)


def build(route: Route, tools: Sequence[Spec], scene: Scene, seed: str) -> Trace:
    """The trace of a route.

    Raises:
        Impossible: This draw does not allow it; another one may.
    """
    builder = _Builder(route, scene, seed)
    for tool in route.tools:
        builder.add(tool)
    _check_calls(builder)
    trace = Trace(
        route,
        builder.request(),
        tuple(builder.calls),
        tuple(builder.given),
        tuple(builder.taken),
        tuple(builder.results),
        tuple(tools),
        scene.today,
        seed,
    )
    if _DOUBLED.search(trace.request):
        raise Impossible("a word said twice in a row")
    _check_values(trace)
    return trace


def _check_calls(builder: _Builder) -> None:
    """Nothing is asked for twice, and nothing else about what is changed: before or after it?"""
    if len({canonical([c.name, c.arguments]) for c in builder.calls}) < len(builder.calls):
        raise Impossible("the same call twice")
    edges = builder.route.edges
    for edge in edges:
        spec = specs()[edge.second]
        done = spec.by_name[edge.parameter].type in (spec.cancels, spec.changes)
        if done and sum(e.first == edge.first for e in edges) > 1:
            raise Impossible("something else is done with what is changed")


def _check_values(trace: Trace) -> None:
    """Each value that is taken stands in exactly one result, and nowhere in what the user says."""
    said = [canonical(v) for given in trace.given for v in given.values()]
    for i, places in enumerate(trace.taken):
        for name, (source, field) in places.items():
            value = trace.calls[i].arguments[name]
            value = value[0] if isinstance(value, list) else value
            holders = [k for k, result in enumerate(trace.results[:i]) if _count(result, value)]
            if holders != [source] or _count(trace.results[source], value) > 1:
                raise Impossible(f"{field} does not stand in exactly one result")
            if str(value).lower() in trace.request.lower() or str(value) == trace.today.isoformat():
                raise Impossible(f"the user says {field}")
            if canonical(value) in [v for v in said if v != canonical(trace.given[i].get(name))]:
                raise Impossible(f"{field} is said of something else")


def _count(node: Any, value: Any) -> int:
    """How often a value stands in a result."""
    if isinstance(node, dict):
        return sum(_count(v, value) for v in node.values())
    if isinstance(node, list):
        return sum(_count(v, value) for v in node)
    return int(type(node) is type(value) and node == value)


# -------------------------------------------------------------- tools on offer


def offer(route: Route, names: Collection[str], rng: Random) -> list[Spec]:
    """The route's tools and a few others, shuffled; none but its source could give a value that is taken.

    Raises:
        Impossible: Another tool of the route gives one.
    """
    if rivals(route, route.tools):
        raise Impossible("two tools of the route give one value")
    homes = {domain_of()[t].name for t in route.tools}
    others = sorted(set(names) - set(route.tools))
    near = [n for n in others if domain_of()[n].name in homes]
    chosen = list(route.tools)
    wanted = len(chosen) + rng.choice(DISTRACTORS)
    for name in [*rng.sample(near, len(near)), *rng.sample(others, len(others))]:
        if len(chosen) < wanted and name not in chosen and not rivals(route, [*chosen, name]):
            chosen.append(name)
    rng.shuffle(chosen)
    return [specs()[name] for name in chosen]


def rivals(route: Route, names: Sequence[str]) -> list[Edge]:
    """Links by type of these tools into a parameter that the route fills from another one."""
    filled = {(e.second, e.parameter): e.first for e in route.edges}
    return [e for e in every_link(names) if filled.get((e.second, e.parameter), e.first) != e.first]


# ------------------------------------------------------------------- samples


def samples_of(trace: Trace, split: str = "train") -> list[Sample]:
    """One sample a step: what was done so far, and the calls for which everything is there.

    Calls that wait for nothing are one step, as in the kind `parallel`: no order among them would be exact.
    """
    number = {tool: i for i, tool in enumerate(trace.route.tools)}
    steps = [[number[t] for t in step] for step in trace.route.steps()]
    messages = [
        Message(role="system", content=f"Today is {trace.today:%A}, {trace.today.isoformat()}."),
        Message(role="user", content=trace.request),
    ]
    out = []
    for at, step in enumerate(steps):
        calls = tuple(trace.calls[i] for i in step)
        out.append(
            Sample(
                tools=tuple(s.tool for s in trace.tools),
                messages=tuple(messages),
                label=Label(calls=calls),
                kind="hard",
                split=split,
                source="world",
                strategy="world.traces",
                meta=_meta(trace, at, steps),
            )
        )
        messages.append(Message(role="assistant", tool_calls=calls))
        messages += [
            Message(
                role="tool",
                name=trace.calls[i].name,
                content=json.dumps(trace.results[i], ensure_ascii=False),
            )
            for i in step
        ]
    return out


def _meta(trace: Trace, step: int, steps: Sequence[Sequence[int]]) -> dict[str, JsonValue]:
    targets: list[JsonValue] = [c.name for c in trace.calls]
    taken: list[JsonValue] = [{name: list(place) for name, place in places.items()} for places in trace.taken]
    return {
        "kind": "hard",
        "trace": trace.id,
        "step": step + 1,
        "of": len(steps),
        "targets": targets,
        "taken": taken,
        "unsaid": [t for t in trace.route.tools if is_lookup(trace.route, t)],
        "advanced": advanced(trace),
    }


def advanced(trace: Trace) -> dict[str, JsonValue]:
    """The one tool that the whole trace would be: what the user gives in, what the last call gives out.

    HardGen words its queries at the level of this tool. It is never on offer.
    """
    known = [specs()[c.name] for c in trace.calls]
    properties: dict[str, JsonValue] = {}
    for spec, given in zip(known, trace.given, strict=True):
        for name in given:
            if properties.get(name, spec.by_name[name].schema) != spec.by_name[name].schema:
                name_of = f"{spec.name}_{name}"
            else:
                name_of = name
            properties[name_of] = spec.by_name[name].schema
    last = known[-1]
    return {
        "name": f"{last.name}_in_one",
        "description": f"{g.capital(', then '.join(s.gist for s in known))}.",
        "parameters": {"type": "object", "properties": properties},
        "output": list(trace.results[-1]),
    }


def draw_trace(
    target: str,
    names: frozenset[str],
    length: tuple[int, int],
    rng: Random,
    *,
    open_links: bool = True,
    held: bool = False,
) -> Trace | None:
    """A trace to a target over these tools; None where none was found.

    Args:
        target: A train tool.
        names: The tools that it may call and that may be on offer.
        length: Fewest and most tools.
        rng: The random stream.
        open_links: As for `routes.edges`.
        held: One that is kept for `unseen_traces`.
    """
    links = edges(names, open_links)
    for _ in range(MAX_TRIES):
        route = draw_route(links, target, length, rng, held)
        if route is None:
            return None
        today = date(2025, 1, 1) + timedelta(days=rng.randrange(1095))
        try:
            return build(route, offer(route, names, rng), Scene(rng, today), f"{rng.getrandbits(48):012x}")
        except Impossible:
            continue
    return None


def generate(n: int, seed: int | str, domains: Sequence[str] = ()) -> list[Sample]:
    """Draw `n` samples of the split `unseen_traces`: one step each of `n` traces, so that none tells another.

    Raises:
        ValueError: These domains have too few traces.
    """
    rng, names = Random(f"{seed}/{SPLIT}"), open_to(domains)
    targets = sorted({e.second for e in edges(names)})
    out: list[Sample] = []
    seen: set[str] = set()
    deck: list[str] = []
    for _ in range(MAX_TRIES * n if targets else 0):
        deck = deck or rng.sample(targets, len(targets))
        trace = draw_trace(deck.pop(), names, LENGTH, rng, held=True)
        if trace is None or trace.request.lower() in seen:
            continue
        seen.add(trace.request.lower())
        out.append(rng.choice(samples_of(trace, SPLIT)))
        if len(out) == n:
            return out
    raise ValueError(
        f"{len(out)} of {n} samples of {SPLIT} were found in the domains {', '.join(domains) or '(all)'}: ask"
        " for fewer (traces.held_out), or name more domains (seeds.domains)"
    )
