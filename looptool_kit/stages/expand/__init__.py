"""Expanders: new samples that keep the error pattern of a failed one and change the scenario (EDDE, LoopTool
section 3.5).

An expander is a module of this package with one function

    candidates(seed, faults, k, rng, pool) -> list[Sample]

`seed` is the error seed with its right label, `faults` what the policy got wrong on it, `k` how many children
are wanted (LoopTool: 4), `rng` a `random.Random` that decides everything random, `pool` the dataset to draw
values and tools from. It returns at most `k` samples, fewer (or none) where the seed does not allow more;
each has `parent=seed.id`, `source="expander"`, `strategy="expanders.<name>"` and an exact label. The caller
runs the rule tier and deduplication over them.

An expander that asks a model works on many seeds at once, so that many calls are in flight. It has instead

    candidates_batch(seeds, k, rngs, pool, run) -> list[list[Candidate]]

with one list for each of `seeds` (`flow.ErrorSeed`: sample, probe and verdict), at most `k[i]` long. Its
labels are not exact: the caller has them judged.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from random import Random
from types import ModuleType
from typing import NamedTuple, Protocol, cast

from looptool_kit.core.records import Check
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.toolcalls import Fault
from looptool_kit.lineage.error_seeds import ErrorSeed
from looptool_kit.run.folder import Run

WRITERS = ("generator_llm", "judge_llm")
"""The settings that decide what an expander that asks a model gives, and what the judge then accepts."""


class Expander(Protocol):
    """Writes candidates from one error seed."""

    def __call__(
        self, seed: Sample, faults: Sequence[Fault], k: int, rng: Random, pool: Samples
    ) -> list[Sample]: ...


class Candidate(NamedTuple):
    """What a model wrote for a seed."""

    sample: Sample | None
    """None where the answer could not be used; the failed check says why."""
    checks: tuple[Check, ...]
    """What the expander itself has checked."""
    raw: str = ""
    """The answer that could not be used."""


class BatchExpander(Protocol):
    """Writes candidates from many error seeds at once."""

    def __call__(
        self, seeds: Sequence[ErrorSeed], k: Sequence[int], rngs: Sequence[Random], pool: Samples, run: Run
    ) -> list[list[Candidate]]: ...


def names() -> list[str]:
    """The expanders on offer."""
    return sorted(m.name for m in iter_modules(__path__))


def find_expander(name: str) -> Expander:
    """The `candidates` function of the expander of that name; ValueError naming those there are, or where it
    works in batches.
    """
    module = _module(name)
    if not hasattr(module, "candidates"):
        raise ValueError(
            f"the expander {name!r} works on many seeds at once: take find_batch_expander({name!r})"
        )
    return cast(Expander, module.candidates)


def find_batch_expander(name: str) -> BatchExpander | None:
    """The `candidates_batch` function of the expander of that name, None where it works seed by seed;
    ValueError naming those there are.
    """
    return cast("BatchExpander | None", getattr(_module(name), "candidates_batch", None))


def _module(name: str) -> ModuleType:
    if name not in names():
        raise ValueError(f"there is no expander {name!r}; choose one of {', '.join(names())}")
    return import_module(f"{__name__}.{name}")
