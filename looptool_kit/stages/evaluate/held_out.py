"""The suite `held_out`: the run's own held-out and development samples.

Held-out samples have unseen values, phrasings or tools; all are graded by exact match.
"""

from __future__ import annotations

from collections.abc import Generator, Sequence

from looptool_kit.core.records import Scores
from looptool_kit.core.samples import Samples
from looptool_kit.core.stats import wilson
from looptool_kit.policy.policy import Policy, policy_of
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate import Category, of_samples

SUITE = "held_out"
TABLES = {"held_out": "scores", "development": "development_scores"}
"""Category, which is also the name of its samples in `seed/`, -> its scores."""


def categories(
    run: Run, policy: Policy, names: Sequence[str] | None = None, per_category: int | None = None
) -> Generator[Category]:
    """The held-out samples, or `development`.

    Raises `ValueError` for another name, for a part of them, or for a policy that is not the run's.
    """
    if per_category:
        raise ValueError(
            f"the samples of {run.path} are evaluated as a whole: leave out per_category (their number is the"
            " setting seeds.held_out)."
        )
    in_run = policy.iteration == 0 or run.manifest("policy", policy.iteration)
    if in_run and policy.key != policy_of(run, policy.iteration).key:
        raise ValueError(
            f"the policy {policy.name!r} is not that of {run.path}: its scores would replace the"
            " run's own. Evaluate it in a run of its own."
        )
    for name in _names(names):
        yield category(run, name)


def category(run: Run, name: str = SUITE) -> Category:
    """The held-out or the development samples of a run."""
    samples, length = run.table(Samples, name, 0), run.settings.evaluate.max_new_tokens
    return of_samples(SUITE, TABLES[name], samples, length, keep="nothing")


def tables(names: Sequence[str] | None = None) -> list[str]:
    """The score table of the held-out samples or of named categories."""
    return [TABLES[name] for name in _names(names)]


def samples_of(run: Run, table: str) -> Samples:
    """The samples that a table of scores is about."""
    return run.table(Samples, next(name for name, scores in TABLES.items() if scores == table), 0)


def print_scores(run: Run, policy: Policy, scores: Scores) -> None:
    """The share of right answers in each split, with its 95% interval."""
    for split in dict.fromkeys(s.split for s in scores):
        right = [s.correct for s in scores if s.split == split]
        low, high = wilson(sum(right), len(right))
        print(f"{policy.name}, {split}: {sum(right)} of {len(right)} right (95%: {low:.0%} to {high:.0%})")


def _names(names: Sequence[str] | None) -> list[str]:
    for name in names or ():
        if name not in TABLES:
            raise ValueError(f"the suite {SUITE} has no category {name!r}; choose from {', '.join(TABLES)}")
    return list(names or [SUITE])
