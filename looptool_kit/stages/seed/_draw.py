"""What the sources of seed samples share.

These are the splits, the stream behind D_1, and planted errors.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import count as count_from

from looptool_kit.core.records import Truth, Truths
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.toolcalls import canonical_calls
from looptool_kit.run.folder import Run
from looptool_kit.world.noise import plant_noise

DEVELOPMENT_SEED = 3_000_000
"""Added to the run's seed for the development samples."""
HELD_OUT_SEED = 7_000_000
"""Added to the run's seed for the held-out splits: runs of one seed are scored on the same samples, runs of
different seeds on independent ones.
"""
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


def stream(
    block: Callable[[int, list[Sample]], Samples], before: Sequence[Sample], count: int, run: Run
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


def truths(labels: dict[str, Label]) -> Truths:
    """The table of the right labels behind planted errors."""
    return Truths(Truth(sample_id=i, label=label) for i, label in labels.items())
