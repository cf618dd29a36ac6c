"""The `repeat` expander: the error seed itself in place of each child.

An arm of the ablation uses it: what repeating does that expansion does not. A seed comes as often as children
are wanted, also where other expanders could write fewer for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from looptool_kit.core.records import Check
from looptool_kit.core.samples import Samples
from looptool_kit.lineage.error_seeds import ErrorSeed
from looptool_kit.run.folder import Run
from looptool_kit.stages.expand import Candidate

STRATEGY = "expanders.repeat"
EXACT_LABELS = True
EXEMPT = Check(name="novelty", passed=True, detail="the error seed itself")
"""The stage's own check of novelty would reject it."""


def candidates(
    seeds: Sequence[ErrorSeed], k: Sequence[int], rngs: Sequence[Random], pool: Samples, run: Run
) -> list[list[Candidate]]:
    """Each seed `k[i]` times; nothing is drawn."""
    marks = {"source": "expander", "strategy": STRATEGY}
    return [
        [Candidate(seed.sample.model_copy(update={**marks, "parent": seed.sample.id}), (EXEMPT,))] * count
        for seed, count in zip(seeds, k, strict=True)
    ]
