"""Expanders: new samples with the error pattern of a failed one in another scenario.

EDDE (LoopTool, section 3.5). An expander is a module of this package with two names:

    EXACT_LABELS: bool
    candidates(seeds, k, rngs, pool, run) -> list[list[Candidate]]

`EXACT_LABELS` says whether the labels are right by construction. If so, all candidates are made at once, and
of a seed only its sample and faults may be read: the stage's key holds nothing else of it. If not, a model
wrote them: the expander is asked for the children that are still missing, up to `expand.tries` times, and a
judge checks each label.

`candidates` returns one list for each of `seeds`, at most `k[i]` long. All chance comes from `rngs[i]`, and
the children of a seed do not depend on which other seeds are given, so that a stopped stage gives the same
rows when it resumes. `pool` is the dataset to draw values and tools from. Each child has `parent=seed.id`,
`source="expander"` and `strategy="expanders.<name>"`. The stage runs the rule tier and the deduplication over
them; an expander that adds a check named `novelty` itself is exempt from the latter. Settings beside those of
`[expand]` that decide the children are named in `SETTINGS`, where there are any. `inputs(run, j)`, where it
is there, gives what else decides them, such as the policy that is asked: name -> value, which counts by
content.

An expander that works seed by seed is `candidates = each(children)`. One that chooses over all seeds has
`AT_ONCE = True`, is given all of them in one call, and keeps what it has done by itself. What
`facts(seeds, run)` returns, counts by name, stands in the manifest, where those of several expanders add up:
`generated` and `proposer_tokens` count against a budget.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from random import Random
from typing import NamedTuple, Protocol, cast

from looptool_kit.core.grading import Fault
from looptool_kit.core.records import Check
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.lineage.error_seeds import ErrorSeed
from looptool_kit.run.folder import Run
from looptool_kit.stages._find import find

Children = Callable[[Sample, Sequence[Fault], int, Random, Samples], list[Sample]]
"""Seed with its right label, what the policy got wrong on it, how many children, chance, pool -> children."""


class Candidate(NamedTuple):
    """A child that an expander offers."""

    sample: Sample | None
    """None where a model's answer could not be used; the failed check says why."""
    checks: tuple[Check, ...] = ()
    """What the expander itself has checked."""
    raw: str = ""
    """The answer that could not be used."""
    group: str = ""
    """Candidates of one group are accepted together or not at all; empty: this one alone."""
    generated: int = 0
    """Tokens that the policy generated to try it."""


class Expander(Protocol):
    """A module that writes candidates from error seeds."""

    EXACT_LABELS: bool

    def candidates(
        self, seeds: Sequence[ErrorSeed], k: Sequence[int], rngs: Sequence[Random], pool: Samples, run: Run
    ) -> list[list[Candidate]]: ...


def each(children: Children) -> Callable[..., list[list[Candidate]]]:
    """Make `candidates` of a function that writes the children of one seed."""

    def candidates(
        seeds: Sequence[ErrorSeed], k: Sequence[int], rngs: Sequence[Random], pool: Samples, run: Run
    ) -> list[list[Candidate]]:
        return [
            [Candidate(child) for child in children(seed.sample, seed.probe.faults, count, rng, pool)]
            for seed, count, rng in zip(seeds, k, rngs, strict=True)
        ]

    return candidates


def find_expander(name: str) -> Expander:
    """Import the expander of that name.

    Raises:
        ValueError: There is none; the message lists those there are.
    """
    return cast(Expander, find(__name__, name))
