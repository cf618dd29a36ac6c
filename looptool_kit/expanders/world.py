"""Expander `world`: children of a sample that the procedural world made: the same error pattern in a new scenario, an exact label by execution.

The child keeps kind, target tools, mentioned parameters and how implicitly values are said; where the error was a wrong tool, the tool that was
confused with the right one stays on offer.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from looptool_kit.samples import Sample, Samples
from looptool_kit.seeders import world
from looptool_kit.toolcalls import Fault


def candidates(seed: Sample, faults: Sequence[Fault], k: int, rng: Random, pool: Samples) -> list[Sample]:
    """At most k children; none for samples that the world did not make."""
    if "calls" not in seed.meta:
        return []
    confused = tuple(f.got for f in faults if f.kind == "wrong_tool" and isinstance(f.got, str) and seed.tool(f.got))
    out = []
    for _ in range(k):
        try:
            child = world.variant(seed, rng, tools=confused or None)
        except ValueError:  # no scene fits this ground: fewer children, never a wrong one
            break
        out.append(child.model_copy(update={"parent": seed.id, "source": "expander", "strategy": "expanders.world"}))
    return out
