"""The source `world`: samples of the procedural world.

Their labels are right by construction; errors are planted.
"""

from __future__ import annotations

from looptool_kit import world
from looptool_kit.core.records import HELD_OUT_SPLITS
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed._draw import (
    BLOCK,
    DEVELOPMENT_SEED,
    HELD_OUT_SEED,
    Reject,
    Seeded,
    stream,
    truths,
)

SETTINGS = ("seeds.domains", "seeds.noise")


def draw(run: Run, count: int, have: Samples | None, reject: Reject) -> Seeded:
    """Seed data of the domains `seeds.domains`, as `_draw` says."""
    settings, wanted = run.settings, run.settings.seeds
    # Tool lists that few samples share cover more tools; ones that many share are cheaper to train on.
    per_list = min(world.PER_LIST, max(4, wanted.first // 8))
    clean = world.generate(wanted.first, seed=settings.seed, domains=wanted.domains, per_list=per_list)
    first, truth = world.plant_noise(clean, wanted.noise, seed=settings.seed)
    held_out = Samples(
        row
        for split in HELD_OUT_SPLITS
        for row in world.generate(
            wanted.held_out,
            seed=HELD_OUT_SEED + settings.seed,
            split=split,
            domains=() if split == "unseen_tools" else wanted.domains,
            per_list=3,
        )
    )
    development = Samples()
    if wanted.development:
        ids = {s.id for s in clean}
        like = world.generate(
            wanted.development, seed=DEVELOPMENT_SEED + settings.seed, domains=wanted.domains, per_list=3
        )
        development = Samples(s for s in like if s.id not in ids)

    def block(number: int, _: list[Sample]) -> Samples:
        return world.generate(
            BLOCK, seed=f"{settings.seed}/fresh/{number}", domains=wanted.domains, per_list=4
        )

    fresh, more = stream(block, [*clean, *development], count - len(first), run)
    return Samples([*first, *fresh]), held_out, development, truths(truth | more)
