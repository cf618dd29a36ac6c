"""From a route to an executed trace: arguments, calls and the one request that asks for all of them."""

from __future__ import annotations

import re
from collections.abc import Collection, Sequence
from datetime import date
from itertools import combinations, product
from random import Random
from typing import Any, NamedTuple

from looptool_kit.core.samples import ToolCall
from looptool_kit.core.toolcalls import canonical
from looptool_kit.world import frames
from looptool_kit.world import grammar as g
from looptool_kit.world.calls import Call, Impossible, arguments
from looptool_kit.world.execute import execute, new_state, remember
from looptool_kit.world.grammar import Scene
from looptool_kit.world.plans import HINTED, MENTIONED
from looptool_kit.world.references import Found, References, found, is_lookup, later
from looptool_kit.world.routes import Edge, Route, outputs
from looptool_kit.world.spec import Spec, specs
from looptool_kit.world.types import CITY, DATE, DATETIME, PAST_DATE, quoted

_DOUBLED = re.compile(r"\b([a-z]+) \1\b")


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
    """Execute a call of a trace.

    A record that the user names was made before the dialogue.

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
        step_of = {t: n for n, step in enumerate(self.route.steps()) for t in step}
        before = 0
        # By steps: "then" in front of what waits for nothing said would contradict the label.
        for tool in sorted(self.route.tools, key=step_of.__getitem__):
            if is_lookup(self.route, tool):
                continue
            i, spec = self.number[tool], specs()[tool]
            into = self.route.into(tool)
            rest = {k: v for k, v in self.calls[i].arguments.items() if k not in self.unsaid[i]}
            refs = later(into)
            phrase = g.say(
                spec,
                rest,
                self.scene,
                implicit=self.hints[i],
                refs=refs,
                only_do=True,
                late=frozenset(refs),
            )
            waits = step_of[tool] > before and bool(names.sources(tool) & set(said))
            bodies.append((names.resolved(phrase.body, into), waits))
            said.append(tool)
            before = step_of[tool]
        return g.frame(g.Said("do", _joined(bodies, self.scene), "", ()), self.scene)


def _joined(bodies: Sequence[tuple[str, bool]], scene: Scene) -> str:
    """Several requests in one breath; each with whether it waits for the one before it."""
    if len(bodies) == 1:
        return bodies[0][0]
    if len(bodies) == 2:
        # "Only vans and get me a table" wants a pause.
        paused = ", " in bodies[0][0]
        options = frames.STEPS if bodies[1][1] else frames.ALONGSIDE
        template = scene.choose(options, lambda t: not (paused and t.startswith("{a} and")))
        return g.joined(template, {"a": bodies[0][0], "b": bodies[1][0]})
    out = bodies[0][0]
    for number, (body, waits) in enumerate(bodies[1:], 2):
        # "Reserve the book, then list my events on that day and book a table on that day".
        joins = not waits and bodies[number - 2][1]
        words = [", " if waits or not joins else " "]
        words += ["and "] * (joins or number == len(bodies)) + ["then "] * waits
        out += "".join(words) + body
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
    step_of = {t: n for n, step in enumerate(builder.route.steps()) for t in step}
    for maker, lister in product((specs()[t] for t in step_of), repeat=2):
        listed = maker.makes is not None and maker.makes is lister.lists
        if listed and step_of[maker.name] <= step_of[lister.name]:
            raise Impossible("a list of what is only just made")
    edges = builder.route.edges
    for one, other in combinations(edges, 2):
        at_once = step_of[one.second] == step_of[other.second] and one[:2] == other[:2]
        if at_once and _is_thing(one) and _acts(one.second) != _acts(other.second):
            raise Impossible("a look at what is just being used: before or after it?")
    for edge in edges:
        spec = specs()[edge.second]
        done = spec.by_name[edge.parameter].type in (spec.cancels, spec.changes)
        if done and sum(e.first == edge.first for e in edges) > 1:
            raise Impossible("something else is done with what is changed")


def _is_thing(edge: Edge) -> bool:
    """Whether a link hands on what something is, and not only a day or a place."""
    kind = dict(outputs(specs()[edge.first]))[edge.field]
    return not any(kind.is_a(t) for t in (DATE, PAST_DATE, DATETIME, CITY))


def _acts(tool: str) -> bool:
    spec = specs()[tool]
    return any((spec.makes, spec.changes, spec.cancels))


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
