"""The `world` expander: children of a sample of the procedural world, labels exact by execution.

Half of the children keep kind, target tools, mentioned parameters and how implicitly values are said. The
others are contrasts on the same ground: other optional parameters are mentioned, a question becomes a request
that says all and the other way round, or what is asked is nothing that the tools do. Without them a policy
that once filled a parameter that nobody had mentioned learns to fill none at all, and one that learns to call
forgets to decline (contrast sets, arXiv 2004.02709). A question's contrast always says all, and comes first,
so that of the children that are kept no fewer say all than ask: a tool that is mostly asked about in a
dataset is asked about ever after. Where the error was a wrong tool, the tool that was confused with the right
one stays on offer.

A child of a search over made-up records is the same turn of another dialogue: pattern and relations stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random
from typing import Any

from looptool_kit import world
from looptool_kit.core.grading import Fault
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.lineage.error_seeds import ErrorSeed
from looptool_kit.run.folder import Run
from looptool_kit.stages.expand import Candidate, each
from looptool_kit.world.plans import MENTIONED
from looptool_kit.world.search import setup_of, variant
from looptool_kit.world.spec import specs

EXACT_LABELS = True
SETTINGS = tuple(f"search.{name}" for name in ("records", "hops", "top", "variants", "same", "words"))
"""What decides the children of searches."""
CONTRASTS = {
    "ask": ("single",),
    "single": ("ask", "decline"),
    "choice": ("ask", "decline"),
    "parallel": ("decline",),
}
"""Kinds that a policy mistakes for each other: whether the request says all that the tool needs, whether a
tool does what is asked.
"""


def candidates(
    seeds: Sequence[ErrorSeed], k: Sequence[int], rngs: Sequence[Random], pool: Samples, run: Run
) -> list[list[Candidate]]:
    """Draw at most `k[i]` children of each seed.

    Samples that the world did not make have none.
    """
    made = each(children)(seeds, k, rngs, pool, run)
    for seed, count, rng, found in zip(seeds, k, rngs, made, strict=True):
        if "facts" in seed.sample.meta:
            found += map(Candidate, searches(seed.sample, count, rng, run))
    return made


def searches(seed: Sample, k: int, rng: Random, run: Run) -> list[Sample]:
    """At most k children of a search over made-up records."""
    setup = setup_of(run.settings.search, run.settings.seed)
    found = [child for _ in range(k) if (child := variant(seed, setup, rng))]
    return [_child_of(seed, child) for child in found]


def _child_of(seed: Sample, child: Sample) -> Sample:
    origin = {"parent": seed.id, "source": "expander", "strategy": "expanders.world"}
    return child.model_copy(update=origin)


def children(seed: Sample, faults: Sequence[Fault], k: int, rng: Random, pool: Samples) -> list[Sample]:
    """Return at most k children of a sample with a plan.

    Other samples have none.
    """
    if "calls" not in seed.meta:
        return []
    confused = (
        tuple(f.got for f in faults if f.kind == "wrong_tool" and isinstance(f.got, str) and seed.tool(f.got))
        or None
    )
    out = []
    # Where each error seed has few children, all ways shall occur over the seeds.
    first = rng.randrange(12)
    for number in range(k):
        try:
            contrast = number % 2 == (0 if seed.kind == "ask" else 1)
            child = _contrast(seed, first + number // 2, confused, rng) if contrast else None
            child = child or world.variant(seed, rng, tools=confused)
        except ValueError:  # no scene fits this ground: fewer children, never a wrong one
            break
        out.append(_child_of(seed, child))
    return out


def _contrast(seed: Sample, number: int, tools: Sequence[str] | None, rng: Random) -> Sample | None:
    """A child that differs where a policy may overdo what it learns from the others.

    None where this ground has none.
    """
    last: dict[str, Any] = seed.meta["calls"][-1]  # type: ignore[index,assignment]
    optional = [p.name for p in specs()[last["tool"]].params if p.optional]
    ways = [*([None] if optional and seed.kind != "ask" else []), *CONTRASTS.get(seed.kind, ())]
    if not ways:
        return None
    kind = ways[number % len(ways)]
    mention = None
    if kind is None:
        others = {name for name in optional if rng.random() < MENTIONED}
        # At least one that the seed mentions is left out, or one that it does not is said.
        mention = sorted(
            others ^ {rng.choice(optional)} if others == {*optional} & {*last["mention"]} else others
        )
    try:
        child = world.variant(seed, rng, tools=tools, kind=kind, mention=mention)
    except ValueError:
        return None
    return child if kind == "decline" or child.meta["calls"][-1]["tool"] == last["tool"] else None  # type: ignore[call-overload,index]
