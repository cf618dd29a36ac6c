"""What the sources of seed samples share.

These are the seeds of the splits, the pool with its planted errors, and the stream behind D_1.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count as count_from

from looptool_kit.core.records import Truth, Truths
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.toolcalls import canonical_calls
from looptool_kit.run.folder import Run
from looptool_kit.world.noise import plant_noise

_DEVELOPMENT_SEED, _HELD_OUT_SEED = 3_000_000, 7_000_000
"""Added to the run's seed."""
BLOCK = 100
"""Fresh seed samples that are drawn at a time: a longer pool begins with a shorter one."""
NOISE_BLOCK = 10
"""Fresh seed samples among which the share of planted errors is kept."""
Seeded = tuple[Samples, Samples, Samples, Truths]
"""What a source makes: the pool, the held-out samples, the development samples, the truth behind planted
errors.
"""
Reject = Callable[[str, int, str, str], None]
"""As `Run.reject`."""
Block = Callable[[int, list[Sample]], Samples]
"""Number of the block, and the clean rows of the stream before it -> `BLOCK` samples."""


def development_seed(run: Run) -> int:
    """What the development samples are drawn from."""
    return _DEVELOPMENT_SEED + run.settings.seed


def held_out_seed(run: Run) -> int:
    """What the held-out splits are drawn from.

    Runs of one seed are scored on the same samples, runs of different seeds on independent ones.
    """
    return _HELD_OUT_SEED + run.settings.seed


def pool_of(
    run: Run, clean: Samples, besides: Sequence[Sample], block: Block, count: int
) -> tuple[Samples, Truths]:
    """Return the pool and the right labels behind its planted errors.

    Args:
        run: Its settings say how many labels get an error.
        clean: D_1 without errors.
        besides: Samples that must not come in the stream behind D_1.
        block: As for `stream`.
        count: The length of the pool.
    """
    first, truth = plant_noise(clean, run.settings.seeds.noise, seed=run.settings.seed)
    fresh, more = stream(block, [*clean, *besides], count - len(first), run)
    labels = Truths(Truth(sample_id=i, label=label) for i, label in (truth | more).items())
    return Samples([*first, *fresh]), labels


def stream(
    block: Block, before: Sequence[Sample], count: int, run: Run
) -> tuple[list[Sample], dict[str, Label]]:
    """Draw the first `count` seed samples after D_1, with planted errors.

    `block(number, clean rows so far)` draws `BLOCK` samples. A row depends on those before it alone, never on
    `count`. Returns the samples, fewer where there are no more, and the truth behind the errors.
    """
    settings = run.settings
    clean: list[Sample] = []
    rows: list[Sample] = []
    truth: dict[str, Label] = {}
    senses = {_sense(s) for s in before}
    for number in count_from(0):
        new = [s for s in block(number, clean) if _sense(s) not in senses] if len(rows) < count else []
        if not new:
            break
        senses |= {_sense(s) for s in new}
        clean += new
        for at in range(0, len(new), NOISE_BLOCK):
            few = Samples(new[at : at + NOISE_BLOCK])
            errors = round(settings.seeds.noise * (len(rows) + len(few))) - round(
                settings.seeds.noise * len(rows)
            )
            noised, labels = plant_noise(few, errors / len(few), seed=f"{settings.seed}/{len(rows)}")
            rows += noised
            truth |= labels
    return rows[:count], {s.id: truth[s.id] for s in rows[:count] if s.id in truth}


def _sense(sample: Sample) -> tuple[str, tuple[str, ...], int]:
    return sample.request.lower(), tuple(canonical_calls(sample.label.calls)), len(sample.messages)
