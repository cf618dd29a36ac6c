"""The `evolve` expander: the error seed's request over evolved tools, labels exact (ToolACE, section 2.1).

The words stay, but for a sentence about a parameter that the tool gains; the tools that the label calls take
another form (`looptool_kit.augment.evolve`), and the label with them. Works on any sample.
"""

from __future__ import annotations

from collections.abc import Sequence
from random import Random

from looptool_kit.augment.evolve import Buffer, evolve
from looptool_kit.core.records import Check
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.lineage.error_seeds import ErrorSeed
from looptool_kit.run.folder import Run
from looptool_kit.stages.expand import Candidate

STRATEGY = "expanders.evolve"
EXACT_LABELS = True
SETTINGS = ("evolve",)


def candidates(
    seeds: Sequence[ErrorSeed], k: Sequence[int], rngs: Sequence[Random], pool: Samples, run: Run
) -> list[list[Candidate]]:
    """Return at most `k[i]` children of each seed.

    What cannot follow is a candidate with a failed check.
    """
    settings = run.settings.evolve
    corpus = [tool for sample in pool for tool in sample.tools]
    return [
        children(seed.sample, count, rng, Buffer(settings.buffer, corpus), settings.steps)
        for seed, count, rng in zip(seeds, k, rngs, strict=True)
    ]


def children(
    seed: Sample, count: int, rng: Random, buffer: Buffer, steps: tuple[int, int]
) -> list[Candidate]:
    """Evolve the tools that the label calls.

    All tools where it calls none. A child repeats the seed's words, so that the stage's deduplication
    would reject it: it has a check `novelty` of its own, that its tools are others than the seed's and
    its siblings'.
    """
    called = list(dict.fromkeys(c.name for c in seed.label.calls if seed.tool(c.name)))
    seen = {seed.id: "the seed"}
    out: list[Candidate] = []
    for _ in range(count if seed.tools else 0):
        (outcome,) = evolve([seed], buffer, steps, rng, called)
        if outcome.sample is None:
            out.append(Candidate(seed, (Check(name="evolve", passed=False, detail=outcome.why),)))
            continue
        child = outcome.sample.model_copy(update={"source": "expander", "strategy": STRATEGY})
        twin = seen.get(child.id, "")
        seen.setdefault(child.id, child.id)
        out.append(Candidate(child, (Check(name="novelty", passed=not twin, detail=twin),)))
    return out
