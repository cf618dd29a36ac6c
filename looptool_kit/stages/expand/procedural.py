"""The `procedural` expander: tasks over sampled tools that are shaped as the error seed, labels exact.

As many calls at once, the question for something that is missing, or the result to tell. Nothing else is
taken from the seed: what a policy gets wrong about one tool it practises on tools that it has never seen.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from looptool_kit.core.samples import Sample, Samples
from looptool_kit.lineage.error_seeds import ErrorSeed
from looptool_kit.run.folder import Run
from looptool_kit.stages.expand import Candidate
from looptool_kit.world.procedural import Procedural, environment, sample_of

EXACT_LABELS = True
SETTINGS = ("procedural",)
MAX_TRIES = 40
"""Environments that are drawn for one child."""


def candidates(
    seeds: Sequence[ErrorSeed], k: Sequence[int], rngs: Sequence[Random], pool: Samples, run: Run
) -> list[list[Candidate]]:
    """Draw at most `k[i]` children of each seed.

    A request to decline has none.
    """
    how = Procedural(**run.settings.procedural.model_dump(), seed=run.settings.seed)
    return [
        [Candidate(child) for child in children(seed.sample, count, rng, how)]
        for seed, count, rng in zip(seeds, k, rngs, strict=True)
    ]


def children(seed: Sample, count: int, rng: Random, how: Procedural) -> list[Sample]:
    """Up to `count` children; fewer where hardly any task has that shape."""
    label, told = seed.label, bool(seed.messages) and seed.messages[-1].role == "tool"
    if not (label.calls or label.asks or told):
        return []
    found: dict[str, Sample] = {}
    for _ in range(MAX_TRIES * count):
        if len(found) == count:
            break
        made = environment(rng, how, lacking=label.asks)
        fits = [t for t, calls in enumerate(made.turns) if len(calls) == len(label.calls)]
        if fits or not label.calls:
            child = sample_of(made, rng.choice(fits) if label.calls else 0 if label.asks else len(made.turns))
            origin = {"parent": seed.id, "source": "expander", "strategy": "expanders.procedural"}
            found[child.id] = child.model_copy(update=origin)
    return list(found.values())
