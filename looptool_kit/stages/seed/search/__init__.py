"""The source `search`: dialogues that answer questions by searching records (ToolForge, arXiv 2512.16149).

The records are made up, and every label follows from them: no language model. With `search.file` they are a
file's, in HotpotQA's form, and a model writes tools and calls. No errors are planted.
"""

from __future__ import annotations

from itertools import count as count_from

from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Truths
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed._band import Knobs, Sieve
from looptool_kit.stages.seed._draw import BLOCK, Reject, Seeded
from looptool_kit.world.search import SPLITS, drawn

SETTINGS = (
    "search.file", "search.records", "search.hops", "search.top", "search.patterns", "search.variants",
    "search.same", "search.words",
)  # fmt: skip
MADE_UP = True


def draw(run: Run, count: int, have: Samples | None, reject: Reject) -> Seeded:
    """Seed data of the record base, or of a file's records.

    Held-out samples are about names, and those of `unseen_tools` over tools, that no other sample has.
    """
    settings = run.settings
    if settings.search.file:
        from looptool_kit.stages.seed.search.written import written

        return written(run, count, have, reject)
    try:
        pool = _pool(run, count)
        development = drawn(settings.search, settings.development, settings.seed, "development")
        held_out = [
            sample
            for split in SPLITS
            for sample in drawn(settings.search, settings.seeds.held_out, settings.seed, "held_out", split)
        ]
    except ValueError as error:
        raise RunError(f"{run.path / 'run.toml'}: {error}") from None
    known = {s.id for s in pool}
    return Samples(pool), Samples(held_out), Samples(s for s in development if s.id not in known), Truths()


def _pool(run: Run, count: int) -> list[Sample]:
    """The pool, inside of the band where there is one; a longer one begins with a shorter one."""
    settings, sieve = run.settings, Sieve.of(run)
    if sieve is None:
        return drawn(settings.search, count, settings.seed, "pool")
    found: dict[str, Sample] = {}
    for block in count_from(0):
        if len(found) >= count:
            break

        def some(number: int, size: int, knobs: Knobs, block: int = block) -> list[Sample]:
            return drawn(settings.search, size, settings.seed, f"band/{block}/{number}")

        found |= {s.id: s for s in sieve.fill(some, settings.seeds.first if block == 0 else BLOCK)}
    return list(found.values())[:count]
