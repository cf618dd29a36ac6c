"""The source `world`: samples of the procedural world.

Their labels are right by construction; errors are planted.
"""

from __future__ import annotations

from collections.abc import Sequence

from looptool_kit import world
from looptool_kit.core.records import HELD_OUT_SPLITS
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed._band import Knobs, Sieve, turned
from looptool_kit.stages.seed._draw import BLOCK, Reject, Seeded, development_seed, held_out_seed, pool_of
from looptool_kit.world import traces

SETTINGS = ("seeds.domains", "seeds.noise", "traces")
MADE_UP = OF_DOMAINS = True


def draw(run: Run, count: int, have: Samples | None, reject: Reject) -> Seeded:
    """Seed data of the domains `seeds.domains`, as `_draw` says."""
    settings, wanted = run.settings, run.settings.seeds
    # Tool lists that few samples share cover more tools; ones that many share are cheaper to train on.
    per_list = min(world.PER_LIST, max(4, wanted.first // 8))
    sieve = Sieve.of(run)
    clean = within(sieve, wanted.first, settings.seed, wanted.domains, per_list)
    development = Samples()
    if settings.development:
        known = {s.id for s in clean}
        like = world.generate(
            settings.development, seed=development_seed(run), domains=wanted.domains, per_list=3
        )
        development = Samples(s for s in like if s.id not in known)

    def block(number: int, _: list[Sample]) -> Samples:
        return within(sieve, BLOCK, f"{settings.seed}/fresh/{number}", wanted.domains, 4)

    pool, truth = pool_of(run, clean, development, block, count)
    return pool, held_out_of(run), development, truth


def within(
    sieve: Sieve | None, count: int, seed: int | str, domains: Sequence[str], per_list: int
) -> Samples:
    """`count` train samples, inside of the band where there is one."""
    if sieve is None:
        return world.generate(count, seed=seed, domains=domains, per_list=per_list)

    def draw(number: int, size: int, knobs: Knobs) -> list[Sample]:
        rows = world.generate(size, seed=f"{seed}/band/{number}", domains=domains, per_list=per_list)
        return turned(rows, knobs, world.catalogue("train"), f"{seed}/band/{number}")

    return sieve.fill(draw, count)


def held_out_of(run: Run) -> Samples:
    """Draw the held-out splits over the world's tools as they are.

    `unseen_traces` is among them where it is asked for.
    """
    wanted = run.settings.seeds
    seed = held_out_seed(run)
    longer = traces.generate(run.settings.traces.held_out, seed, wanted.domains)
    usual = [
        row
        for split in HELD_OUT_SPLITS
        for row in world.generate(
            wanted.held_out,
            seed=seed,
            split=split,
            domains=() if split == "unseen_tools" else wanted.domains,
            per_list=3,
        )
    ]
    return Samples([*usual, *longer])
