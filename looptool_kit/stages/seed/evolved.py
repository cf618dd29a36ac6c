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
from looptool_kit.stages.seed._band import Knobs, Sieve, turned
from looptool_kit.stages.seed._draw import BLOCK, Reject, Seeded, development_seed, pool_of
from looptool_kit.stages.seed.world import held_out_of

SETTINGS = ("seeds.domains", "seeds.noise", "evolve", "traces")
MADE_UP = OF_DOMAINS = True
STRATEGY = "seeders.evolved"
MAX_ROUNDS = 8
"""Draws for what is still missing, after which the tools allow no more."""


def draw(run: Run, count: int, have: Samples | None, reject: Reject) -> Seeded:
    """Draw seed data as `_draw` says.

    A sample whose label cannot follow is rejected with the reason.
    """
    settings, wanted = run.settings, run.settings.seeds
    per_list = min(world.PER_LIST, max(4, wanted.first // 8))
    sieve = Sieve.of(run)
    clean = _filled(run, sieve, wanted.first, settings.seed, per_list, reject)
    like = _filled(run, None, settings.development, development_seed(run), 3, reject)
    known = {s.id for s in clean}
    development = Samples(s for s in like if s.id not in known)

    def block(number: int, _: list[Sample]) -> Samples:
        return _filled(run, sieve, BLOCK, f"{settings.seed}/fresh/{number}", 4, reject)

    pool, truth = pool_of(run, clean, development, block, count)
    return pool, held_out_of(run), development, truth


def _filled(
    run: Run, sieve: Sieve | None, count: int, seed: int | str, per_list: int, reject: Reject
) -> Samples:
    """`count` evolved samples, inside of the band where there is one; what is rejected is made up for."""
    domains, settings = run.settings.seeds.domains, run.settings.evolve
    buffer, rng = Buffer(settings.buffer, world.catalogue("train")), Random(f"{seed}/evolved")
    outcomes: list[Outcome] = []

    def drawn(number: int, size: int, knobs: Knobs) -> list[Sample]:
        name = f"{seed}/more/{number}" if number else seed
        rows = world.generate(size, seed=name, domains=domains, per_list=per_list)
        made = evolved(turned(rows, knobs, world.catalogue("train"), name), buffer, settings.steps, rng)
        outcomes.extend(made)
        return [o.sample for o in made if o.sample and not o.why]

    found: dict[str, Sample] = {}
    for number in range(0 if sieve else MAX_ROUNDS):
        if len(found) < count:
            found |= {s.id: s for s in drawn(number, count - len(found), Knobs())}
    if not sieve and len(found) < count:
        raise RunError(
            f"{len(found)} of {count} evolved samples were made in {MAX_ROUNDS} rounds; ask for fewer"
            " (seeds.first, seeds.fresh), or give more domains (seeds.domains)"
        )
    kept = sieve.fill(drawn, count) if sieve else Samples(list(found.values())[:count])
    for row, outcome in enumerate(outcomes, 1):
        if outcome.why:
            reject(f"evolved {seed}", row, outcome.parent.model_dump_json(), outcome.why)
    if dropped := Counter(o.why.split(":")[0] for o in outcomes if o.why):
        reasons = ", ".join(f"{why} {n}" for why, n in dropped.most_common())
        print(
            f"evolved {seed}: {len(kept)} samples; {dropped.total()} of {len(outcomes)} dropped ({reasons})"
        )
    return kept


def evolved(samples: Sequence[Sample], buffer: Buffer, steps: tuple[int, int], rng: Random) -> list[Outcome]:
    """Evolve samples in order.

    Those that stand together and share a tool list alike.
    """
    out: list[Outcome] = []
    for _, group in groupby(samples, key=lambda s: s.tools):
        for outcome in evolve(list(group), buffer, steps, rng):
            if outcome.sample:
                marks = {"source": "evolved", "strategy": STRATEGY, "parent": None}
                outcome = outcome._replace(sample=outcome.sample.model_copy(update=marks))
            out.append(outcome)
    return out
