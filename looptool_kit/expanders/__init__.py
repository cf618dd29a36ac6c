"""Expanders: new samples that keep the error pattern of a failed one and change the scenario (EDDE, LoopTool section 3.5).

An expander is a module of this package with one function

    candidates(seed, faults, k, rng, pool) -> list[Sample]

`seed` is the error seed with its right label, `faults` what the policy got wrong on it, `k` how many children are wanted (LoopTool: 4), `rng` a
`random.Random` that decides everything random, `pool` the dataset to draw values and tools from. It returns at most `k` samples, fewer (or none)
where the seed does not allow more; each has `parent=seed.id`, `source="expander"`, `strategy="expanders.<name>"` and an exact label. The caller
runs the rule tier, deduplication and a judge over them.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from random import Random
from typing import Protocol, cast

from looptool_kit.samples import Sample, Samples
from looptool_kit.toolcalls import Fault


class Expander(Protocol):
    """Writes candidates from one error seed."""

    def __call__(self, seed: Sample, faults: Sequence[Fault], k: int, rng: Random, pool: Samples) -> list[Sample]: ...


def names() -> list[str]:
    """The expanders on offer."""
    return sorted(m.name for m in iter_modules(__path__))


def find_expander(name: str) -> Expander:
    """The `candidates` function of the expander of that name; ValueError naming those there are."""
    if name not in names():
        raise ValueError(f"there is no expander {name!r}; choose one of {', '.join(names())}")
    return cast(Expander, import_module(f"{__name__}.{name}").candidates)
