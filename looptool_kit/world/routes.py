"""Which tools a longer task calls, and which result feeds which parameter.

Links by type (RandomWorld, arXiv 2506.11045), routes by FunReason-MT's sampler (arXiv 2510.24645): towards a
target, only tools whose prerequisites have been called.
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Collection, Iterable, Mapping, Sequence
from functools import lru_cache
from random import Random
from typing import NamedTuple

from looptool_kit.world.spec import Spec, domain_of, is_held, links, specs
from looptool_kit.world.types import Type, quoted

PER_TYPE = 12
"""Links of one type at the most: dates alone would make two thirds of all."""
FED, FED_OPTIONAL = 0.75, 0.2
"""Shares of the required and of the optional parameters that a route fills from a result, where one fits."""
FAN_IN = 0.5
"""How often a tool that joins a route takes a second value from it, where one fits."""
HELD_OF_256, _SALT = 64, b"19"
"""A quarter of the pairs of links is held out. By this salt pairs of `music` are among them, which is
none of the embedded model's domains.
"""
MAX_TRIES = 40
"""Draws of prerequisites before a target counts as out of reach within the length."""


class Edge(NamedTuple):
    """An output that fills a parameter.

    Of a list, `field` is `list.field of its entries`.
    """

    first: str
    field: str
    second: str
    parameter: str


class Route(NamedTuple):
    """Tools in the order of their calls, and the links between them."""

    tools: tuple[str, ...]
    edges: tuple[Edge, ...]

    def into(self, tool: str) -> list[Edge]:
        """The links that fill a tool's parameters."""
        return [e for e in self.edges if e.second == tool]

    def steps(self) -> list[list[str]]:
        """The tools by the step at which their needs are met.

        Those of one step wait for nothing.
        """
        at: dict[str, int] = {}
        for tool in self.tools:
            at[tool] = max((at[e.first] + 1 for e in self.into(tool)), default=0)
        return [[t for t in self.tools if at[t] == step] for step in range(max(at.values()) + 1)]


def outputs(spec: Spec) -> Iterable[tuple[str, Type]]:
    """Yield (field, type) of what a tool gives back.

    Of a list it yields the fields of its entries, as `list.field`.
    """
    for name, kind in spec.out.items():
        if isinstance(kind, Type) and kind.item is not None:
            yield from ((f"{name}.{sub}", t) for sub, t in kind.item.fields.items())
        elif isinstance(kind, Type):
            yield name, kind


def fits(kind: Type, wanted: Type) -> bool:
    """Whether a value of one type can be another's argument.

    It is the argument itself, or the one item of a list. No choice, no boolean and no text of the speaker's
    own can: two tools that take such a one mean two things.
    """
    if wanted.item is not None:
        wanted = wanted.item
    own = (
        "enum" in kind.schema
        or kind.schema.get("type") == "boolean"
        or (kind.say is quoted and not kind.noun)
    )
    return not own and kind.is_a(wanted)


def sayable(edge: Edge) -> bool:
    """Whether a request can name the value without the call.

    Or after it ("that rental").
    """
    spec, (name, _, sub) = specs()[edge.first], edge.field.partition(".")
    if not sub:
        return name in spec.refer or spec.out[name] is spec.makes
    kind: Type = spec.out[name].item.fields[sub]
    return name in spec.refer and (edge.field in spec.refer or bool(kind.noun))


def in_one_breath(edge: Edge) -> bool:
    """Whether one request may ask for both.

    Nobody books a table and cancels it at once.
    """
    first, second = specs()[edge.first], specs()[edge.second]
    undone = second.cancels or second.changes or second.later
    return not (first.makes and undone and second.by_name[edge.parameter].type is first.makes)


def every_link(names: Collection[str]) -> Iterable[Edge]:
    """All links by type between different tools of these, sayable or not."""
    chosen = [specs()[name] for name in sorted(names)]
    for first in chosen:
        for field, kind in outputs(first):
            for second in chosen:
                for p in second.params:
                    if second is not first and fits(kind, p.type):
                        yield Edge(first.name, field, second.name, p.name)


@lru_cache(maxsize=64)
def edges(names: frozenset[str], open_links: bool = True, per_type: int = PER_TYPE) -> tuple[Edge, ...]:
    """The links between tools that a request can follow.

    Args:
        names: The tools.
        open_links: Over domains and into optional parameters too, at most `per_type` links a type, the rarest
            tools first; otherwise those of `spec.links`, which two-step tasks have.
        per_type: As above.
    """
    if not open_links:
        every = [Edge(*k) for k in links() if k[0] in names and k[2] in names]
        return tuple(e for e in every if sayable(e) and in_one_breath(e))
    by_type: dict[str, list[Edge]] = {}
    for edge in every_link(names):
        if sayable(edge) and in_one_breath(edge):
            kind = specs()[edge.second].by_name[edge.parameter].type
            by_type.setdefault((kind.item or kind).name, []).append(edge)
    kept: list[Edge] = []
    for found in by_type.values():
        used: Counter[str] = Counter()
        for _ in range(min(per_type, len(found))):
            edge = min(found, key=lambda e: (used[e.first] + used[e.second], e))
            found.remove(edge)
            used.update((edge.first, edge.second))
            kept.append(edge)
    return tuple(sorted(kept))


def walk(needs: Mapping[str, Collection[str]], target: str, rng: Random) -> list[str] | None:
    """Return the tools that lead to a target.

    Each comes after its prerequisites; None where no tools lead there. Of those that are legal, one that the
    target still needs is next, directly or through others: a tool that is merely near would never end. A tool
    is called once.
    """
    wanted, waiting = {target}, [target]
    while waiting:
        more = set(needs.get(waiting.pop(), ())) - wanted
        wanted |= more
        waiting += more
    called: list[str] = []
    while target not in called:
        legal = sorted(t for t in wanted if t not in called and set(needs.get(t, ())) <= set(called))
        if not legal:
            return None
        called.append(target if target in legal else rng.choice(legal))
    return called


def draw_route(
    links: Sequence[Edge], target: str, length: tuple[int, int], rng: Random, held: bool = False
) -> Route | None:
    """Draw a route to the target.

    Where it is too short, it continues from there; None where there is none.

    Args:
        links: What may feed what.
        target: A tool.
        length: Fewest and most tools.
        rng: The random stream.
        held: A route that is kept for the split `unseen_traces`; otherwise one that is not.
    """
    into: dict[tuple[str, str], list[Edge]] = {}
    for edge in links:
        into.setdefault((edge.second, edge.parameter), []).append(edge)
    wanted = rng.randint(*length)
    for tries in range(MAX_TRIES):
        fed = {at: rng.choice(found) for at, found in into.items() if rng.random() < _share(*at)}
        needs: dict[str, set[str]] = {}
        for edge in fed.values():
            needs.setdefault(edge.second, set()).add(edge.first)
        tools = walk(needs, target, rng)
        if tools is None or len(tools) > length[1]:
            continue
        chosen = [e for e in fed.values() if e.second in tools]
        # Few tools lead far: late tries take what there is.
        least = wanted if tries < MAX_TRIES * 3 / 4 else length[0]
        _lengthen(tools, chosen, links, rng.randint(least, wanted), rng)
        route = Route(tuple(tools), tuple(chosen))
        route = Route(tuple(t for step in route.steps() for t in step), route.edges)
        if len(tools) >= least and is_held_route(route) == held:
            return route
    return None


def _share(tool: str, parameter: str) -> float:
    return FED_OPTIONAL if specs()[tool].by_name[parameter].optional else FED


def _lengthen(tools: list[str], chosen: list[Edge], links: Sequence[Edge], length: int, rng: Random) -> None:
    """Add legal tools that build on those called: with the target called, any."""
    while len(tools) < length:
        legal = [e for e in links if e.first in tools and e.second not in tools]
        if not legal:
            return
        edge = rng.choice(legal)
        tools.append(edge.second)
        chosen.append(edge)
        more = [e for e in legal if e.second == edge.second and e.parameter != edge.parameter]
        if more and rng.random() < FAN_IN:
            chosen.append(rng.choice(more))


def is_held_route(route: Route) -> bool:
    """Whether a route is kept for the split `unseen_traces`.

    It is where two of its links that meet in a tool are: a quarter of all such pairs, by a hash. So no longer
    trace that is trained on contains a held one.
    """
    return any(
        _held_pair(a, b)
        for i, a in enumerate(sorted(route.edges))
        for b in sorted(route.edges)[i + 1 :]
        if {a.first, a.second} & {b.first, b.second}
    )


def _held_pair(a: Edge, b: Edge) -> bool:
    text = f"{'.'.join(a)} {'.'.join(b)}"
    return hashlib.blake2b(text.encode(), digest_size=1, salt=_SALT).digest()[0] < HELD_OF_256


def open_to(domains: Collection[str] = ()) -> frozenset[str]:
    """The train tools of these domains; of all where none is named."""
    return frozenset(
        name for name in specs() if not is_held(name) and (not domains or domain_of()[name].name in domains)
    )
