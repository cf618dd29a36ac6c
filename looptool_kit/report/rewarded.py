"""What the answers of an evaluation would earn in training: a second outcome, finer than exact match.

The greedy answers stand in the tables of scores. Their rewards are worked out from these, so that nothing is
generated, and they are paired by sample like exact match.
"""

from __future__ import annotations

from collections.abc import Iterable

from looptool_kit.core.records import Score
from looptool_kit.core.samples import Samples
from looptool_kit.core.stats import mean_interval
from looptool_kit.core.wire.form import PROJECTS, WireForm
from looptool_kit.policy.recorded_form import of_run
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate.stage import best, scores
from looptool_kit.stages.train.rewards import find_reward

OUTCOME = "graded"
"""The reward that is reported, whatever the policy was trained by: it tells near misses from far ones."""


def rewards_of(
    samples: Samples, rows: Iterable[Score], name: str = OUTCOME, form: WireForm = PROJECTS
) -> dict[str, float]:
    """Compute what the policy's answer to each sample earns.

    Sample id -> reward; the answers are written in `form`. Scores of other samples are left out, and so
    are rows that hold no answer.
    """
    reward, known = find_reward(name), samples.by_id()
    return {
        row.sample_id: reward(
            form.parse(
                row.text,
                "length" if row.error == "truncated" else "stop",
                known[row.sample_id].tools,
            ),
            known[row.sample_id],
        )
        for row in rows
        if row.sample_id in known and (row.text or row.error)
    }


def reward_lines(run: Run) -> list[str]:
    """Compare the mean graded reward before and after.

    In a sentence, with the interval of their paired difference. Empty where fewer than two policies were
    evaluated.
    """
    found = scores(run)
    if len(found) < 2:
        return []
    before, kept = list(found)[0], best(run)
    after = kept if kept in found else list(found)[-1]
    samples = run.table(Samples, "held_out", 0, missing_ok=True)
    form = of_run(run)
    a, b = (rewards_of(samples, found[policy], form=form) for policy in (before, after))
    if after == before or not (both := [i for i in a if i in b]):
        return []
    changes = [b[i] - a[i] for i in both]
    low, high = mean_interval(changes)
    of_a, of_b = (sum(values[i] for i in both) / len(both) for values in (a, b))
    return [
        f"Graded reward (-2 to 1) of the same answers, n = {len(both)}: {of_a:.2f} {before}, {of_b:.2f}"
        f" {after}, difference {sum(changes) / len(changes):+z.2f} [{low:+z.2f}, {high:+z.2f}]."
    ]
