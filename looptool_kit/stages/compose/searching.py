"""New samples of searches in a run whose seed data are of another source (`search.share`).

All arms of a comparison share D1 and its seed data, so another kind of sample can only join later.
"""

from __future__ import annotations

from looptool_kit.checks import contamination
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.policy.lengths import too_long
from looptool_kit.run.folder import Run
from looptool_kit.world.search import drawn

SETTINGS = tuple(
    f"search.{name}" for name in ("share", "records", "hops", "top", "patterns", "variants", "same", "words")
)
"""What decides them."""


def searches(run: Run, j: int) -> Samples:
    """Return the samples of searches that are new in D_{j+1}.

    What cannot be used is rejected with the reason.
    """
    settings = run.settings
    count = round(settings.search.share * settings.seeds.first)
    if not count:
        return Samples()
    rows = drawn(settings.search, count, settings.seed, f"D{j + 1}")
    overlong, known = too_long(settings.model), contamination.read_if_set(settings.contamination)

    def fault(sample: Sample) -> str:
        check = contamination.check_sample(sample, known) if known else None
        return f"contamination: {check.detail}" if check and not check.passed else overlong(sample)

    faults = {s.id: reason for s in rows if (reason := fault(s))}
    for row, sample in enumerate(rows, 1):
        if sample.id in faults and not run.manifest("composition", j):
            run.reject(f"searches D{j + 1}", row, sample.model_dump_json(), faults[sample.id])
    return Samples(s for s in rows if s.id not in faults)
