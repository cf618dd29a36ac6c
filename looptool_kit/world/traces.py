"""Longer tasks of two to six calls, of which the user names what must be found only by its properties.

"Rent the cheapest of the SUVs for three days starting tomorrow in Rome, then add GPS to that rental": the
search is not said, its result is a reference. Labels are right by execution: each argument is either said, or
stands in exactly one earlier result, in the place that the words name.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from random import Random
from typing import Any, cast

from pydantic import JsonValue

from looptool_kit.core.samples import Label, Message, Sample
from looptool_kit.text.recognise import today_in
from looptool_kit.world import grammar as g
from looptool_kit.world.building import Trace, build, perform
from looptool_kit.world.calls import Impossible
from looptool_kit.world.execute import new_state
from looptool_kit.world.grammar import Scene
from looptool_kit.world.references import is_lookup
from looptool_kit.world.routes import Edge, Route, draw_route, edges, every_link, open_to
from looptool_kit.world.spec import Spec, domain_of, specs

__all__ = ["SPLIT", "Trace", "draw_trace", "edges", "generate", "open_to", "replay", "samples_of"]

SPLIT, LENGTH = "unseen_traces", (3, 4)
"""The held-out split, and how many tools a trace of it calls."""
DISTRACTORS = (1, 2)
"""Tools on offer beside those of a trace."""
MAX_TRIES = 60
"""Scenes for one trace, after which its route counts as impossible."""


# -------------------------------------------------------------- tools on offer


def offer(route: Route, names: Collection[str], rng: Random) -> list[Spec]:
    """Offer the route's tools and a few others, shuffled.

    None but its source could give a value that is taken.

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
    """Return links by type of these tools into the route's parameters.

    The route fills such a parameter from another tool.
    """
    filled = {(e.second, e.parameter): e.first for e in route.edges}
    return [e for e in every_link(names) if filled.get((e.second, e.parameter), e.first) != e.first]


# ------------------------------------------------------------------- samples


def samples_of(trace: Trace, split: str = "train") -> list[Sample]:
    """Return one sample for each step.

    It has what was done so far, and the calls for which everything is there. Calls that wait for nothing are
    one step, as in the kind `parallel`: no order among them would be exact.
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
    """The one tool that the whole trace would be.

    It takes what the user gives, and returns what the last call gives. HardGen words its queries at the level
    of this tool. It is never on offer.
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


def replay(sample: Sample) -> list[dict[str, Any]]:
    """Execute the calls in a sample's context again.

    A sample of this module shows these results.

    Raises:
        ValueError: The sample has no trace.
    """
    stated, meta = today_in(sample.messages[0].content), sample.meta
    if "trace" not in meta or stated is None:
        raise ValueError(f"sample {sample.id} is not a step of a trace")
    places: Any = dict(zip(cast(list[str], meta["targets"]), cast(list[Any], meta["taken"]), strict=True))
    state = new_state(stated[0])
    calls = [c for m in sample.messages for c in m.tool_calls]
    return [perform(c, places[c.name], state, str(meta["trace"])) for c in calls]


def draw_trace(
    target: str,
    names: frozenset[str],
    length: tuple[int, int],
    rng: Random,
    *,
    open_links: bool = True,
    held: bool = False,
) -> Trace | None:
    """Draw a trace to a target over these tools.

    None where none was found.

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
    """Draw `n` samples of the split `unseen_traces`.

    They are one step each of `n` traces, so that none tells another.

    Raises:
        ValueError: These domains have too few traces.
    """
    rng, names = Random(f"{seed}/{SPLIT}"), open_to(domains)
    targets = sorted({e.second for e in edges(names)})
    out: list[Sample] = []
    seen: set[str] = set()
    deck: list[str] = []
    for _ in range(MAX_TRIES * n if targets else 0):
        if len(out) == n:
            break
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
