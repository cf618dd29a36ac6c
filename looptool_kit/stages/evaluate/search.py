"""The suite `search`: how a policy searches records that no training sample is about.

Its samples are those that a run of the source `search` holds out, whatever the run's own source is; kind
`recovery` is the turn right after a search that failed. `seeds.held_out` says how many a split has.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from looptool_kit.core.records import Scores
from looptool_kit.core.samples import Samples
from looptool_kit.core.stats import wilson
from looptool_kit.policy.policy import Policy
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate import Category, chosen, of_samples
from looptool_kit.world.search import SPLITS, drawn

SUITE = "search"


def categories(
    run: Run, policy: Policy, names: Sequence[str] | None = None, per_category: int | None = None
) -> Generator[Category]:
    """The splits `unseen_records` and `unseen_tools`, or those named.

    Raises `ValueError` for another name.
    """
    settings = run.settings
    for split in _names(names):
        rows = drawn(settings.search, settings.seeds.held_out, settings.seed, "held_out", split)
        samples = Samples(rows[at] for at in chosen(len(rows), split, per_category))
        yield of_samples(SUITE, f"{SUITE}/{split}", samples, settings.evaluate.max_new_tokens)


def tables(names: Sequence[str] | None = None) -> list[str]:
    """The score tables of the splits."""
    return [f"{SUITE}/{split}" for split in _names(names)]


def print_scores(run: Run, policy: Policy, scores: Scores) -> None:
    """Print the share of right answers of each kind and split.

    Each comes with its 95% interval.
    """
    for split in dict.fromkeys(s.split for s in scores):
        rows = [s for s in scores if s.split == split]
        for kind in ("", *dict.fromkeys(sorted(s.kind for s in rows))):
            right = [s.correct for s in rows if not kind or s.kind == kind]
            low, high = wilson(sum(right), len(right))
            what = f"{split}, {kind or 'all'}"
            print(f"{policy.name}, {what}: {sum(right)} of {len(right)} right (95%: {low:.0%} to {high:.0%})")


def _names(names: Sequence[str] | None) -> list[str]:
    for name in names or ():
        if name not in SPLITS:
            raise ValueError(f"the suite {SUITE} has no category {name!r}; choose from {', '.join(SPLITS)}")
    return list(names or SPLITS)
