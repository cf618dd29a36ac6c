"""The source `evolved`: samples of the world over evolved tools (ToolACE, section 2.1), without a model.

The held-out splits are those of the source `world`, over the tools as they are, so that both sources are
scored on the same samples. Errors are planted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from itertools import groupby
from random import Random

from looptool_kit import world
from looptool_kit.augment.evolve import Buffer, Outcome, evolve
from looptool_kit.core.errors import RunError
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed._draw import BLOCK, DEVELOPMENT_SEED, Reject, Seeded, stream, truths
from looptool_kit.stages.seed.world import held_out_of

SETTINGS = ("seeds.domains", "seeds.noise", "evolve")
STRATEGY = "seeders.evolved"
MAX_ROUNDS = 8
"""Draws for what is still missing, after which the tools allow no more."""


def draw(run: Run, count: int, have: Samples | None, reject: Reject) -> Seeded:
    """Seed data as `_draw` says. A sample whose label cannot follow is rejected with the reason."""
    settings, wanted = run.settings, run.settings.seeds
    per_list = min(world.PER_LIST, max(4, wanted.first // 8))
    clean = _filled(run, wanted.first, settings.seed, per_list, reject)
    first, truth = world.plant_noise(clean, wanted.noise, seed=settings.seed)
    like = _filled(run, wanted.development, DEVELOPMENT_SEED + settings.seed, 3, reject)
    known = {s.id for s in clean}
    development = Samples(s for s in like if s.id not in known)

    def block(number: int, _: list[Sample]) -> Samples:
        return _filled(run, BLOCK, f"{settings.seed}/fresh/{number}", 4, reject)

    fresh, more = stream(block, [*clean, *development], count - len(first), run)
    return Samples([*first, *fresh]), held_out_of(run), development, truths(truth | more)


def _filled(run: Run, count: int, seed: int | str, per_list: int, reject: Reject) -> Samples:
    """`count` evolved samples; what is rejected is made up for."""
    domains, settings = run.settings.seeds.domains, run.settings.evolve
    buffer, rng = Buffer(settings.buffer, world.catalogue("train")), Random(f"{seed}/evolved")
    found: dict[str, Sample] = {}
    outcomes: list[Outcome] = []
    for attempt in range(MAX_ROUNDS):
        if len(found) >= count:
            break
        name = f"{seed}/more/{attempt}" if attempt else seed
        drawn = world.generate(count - len(found), seed=name, domains=domains, per_list=per_list)
        outcomes += evolved(drawn, buffer, settings.steps, rng)
        found = {o.sample.id: o.sample for o in outcomes if o.sample and not o.why}
    else:
        raise RunError(
            f"{len(found)} of {count} evolved samples were made in {MAX_ROUNDS} rounds; ask for fewer"
            " (seeds.first, seeds.fresh), or give more domains (seeds.domains)"
        )
    for row, outcome in enumerate(outcomes, 1):
        if outcome.why:
            reject(f"evolved {seed}", row, outcome.parent.model_dump_json(), outcome.why)
    if dropped := Counter(o.why.split(":")[0] for o in outcomes if o.why):
        reasons = ", ".join(f"{why} {n}" for why, n in dropped.most_common())
        print(
            f"evolved {seed}: {len(found)} samples; {dropped.total()} of {len(outcomes)} rejected ({reasons})"
        )
    return Samples(list(found.values())[:count])


def evolved(samples: Sequence[Sample], buffer: Buffer, steps: tuple[int, int], rng: Random) -> list[Outcome]:
    """Evolve samples in order, those that stand together and share a tool list alike."""
    out: list[Outcome] = []
    for _, group in groupby(samples, key=lambda s: s.tools):
        for outcome in evolve(list(group), buffer, steps, rng):
            if outcome.sample:
                marks = {"source": "evolved", "strategy": STRATEGY, "parent": None}
                outcome = outcome._replace(sample=outcome.sample.model_copy(update=marks))
            out.append(outcome)
    return out
