"""The source `procedural`: sampled tools and tasks over them (RandomWorld), without a model.

The held-out splits are those of the source `world`, so that both are scored on the same samples, and one of
its own: `unseen_types`, whose tools are about things that no training tool is about. Errors are planted.
"""

from __future__ import annotations

from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed._band import Knobs, Sieve
from looptool_kit.stages.seed._draw import BLOCK, Reject, Seeded, development_seed, held_out_seed, pool_of
from looptool_kit.stages.seed.world import held_out_of
from looptool_kit.world.procedural import Procedural, generate

SETTINGS = ("seeds.domains", "seeds.noise", "procedural")
MADE_UP = True
SPLIT = "unseen_types"


def draw(run: Run, count: int, have: Samples | None, reject: Reject) -> Seeded:
    """Draw seed data as `_draw` says.

    Each sample is one turn of an environment of its own.
    """
    settings, wanted = run.settings, run.settings.seeds
    how = Procedural(**settings.procedural.model_dump(), seed=settings.seed)
    sieve = Sieve.of(run)
    clean = _within(sieve, wanted.first, f"{settings.seed}", how)
    development = _drawn(settings.development, f"{development_seed(run)}", how, clean)

    def block(number: int, _: list[Sample]) -> Samples:
        return _within(sieve, BLOCK, f"{settings.seed}/fresh/{number}", how)

    pool, truth = pool_of(run, clean, development, block, count)
    own = generate(wanted.held_out, f"{held_out_seed(run)}", how, SPLIT)
    return pool, Samples([*held_out_of(run), *own]), development, truth


def _within(sieve: Sieve | None, count: int, seed: str, how: Procedural) -> Samples:
    """`count` samples, inside of the band where there is one; they are not steered into it."""
    if sieve is None:
        return _drawn(count, seed, how)

    def draw(number: int, size: int, _: Knobs) -> list[Sample]:
        return [*_drawn(size, f"{seed}/band/{number}", how)]

    return sieve.fill(draw, count)


def _drawn(count: int, seed: str, how: Procedural, besides: Samples | None = None) -> Samples:
    try:
        return generate(count, seed, how, besides=besides or Samples())
    except ValueError as error:
        raise RunError(f"seeds.source is `procedural`: {error}") from None
