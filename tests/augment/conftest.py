"""Samples of every split, and all their perturbations."""

from __future__ import annotations

from random import Random

import pytest

from looptool_kit import world
from looptool_kit.augment import perturb as p
from looptool_kit.core.samples import Sample, Samples


@pytest.fixture(scope="session")
def pool() -> Samples:
    return Samples(s for split in world.SPLITS for s in world.generate(24, 11, split, per_list=3))


@pytest.fixture(scope="session")
def made(pool: Samples) -> dict[str, list[tuple[Sample, Sample]]]:
    """Perturbation -> (original, perturbed)."""
    out: dict[str, list[tuple[Sample, Sample]]] = {}
    for name in p.PERTURBATIONS:
        both = [(s, p.perturb(name, s, Random(s.id), pool)) for s in pool]
        out[name] = [(s, other) for s, other in both if other is not None]
    return out
