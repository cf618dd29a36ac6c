"""Stage evaluate: a policy on the held-out splits, and what changed against another policy."""

from __future__ import annotations

import time
from collections.abc import Sequence

from looptool_kit.policies import Policy, open_engine
from looptool_kit.records import Scores
from looptool_kit.run import Run, full_disk_explained
from looptool_kit.suites import held_out


def evaluate(run: Run, policy: Policy) -> Scores:
    """The policy's scores on the run's held-out samples, one row a sample; done once for each policy."""
    j, name = policy.iteration, "scores"
    samples, made_from = held_out.chosen(run, policy)
    if not run.done(name, j, made_from):
        started = time.monotonic()
        with full_disk_explained(run.path):
            engine = open_engine(policy, run.settings.probe.batch)

            def work(batch: Sequence[int]) -> Scores:
                return held_out.score(engine, [samples[i] for i in batch], policy.name, run.settings.evaluate.max_new_tokens)

            scores = run.batches(name, j, made_from, engine.plan(samples), Scores, work)
            scores.write(run.folder(j) / f"{name}.parquet")
            run.finish(name, j, made_from, started, policy=policy.name, correct=sum(s.correct for s in scores), rows=len(scores))
    return run.table(Scores, name, j)


def scores(run: Run) -> dict[str, Scores]:
    """All finished held-out scores of a run, by policy, in training order."""
    found = {}
    for j in (0, *run.iterations):
        manifest = run.manifest("scores", j)
        if manifest is not None:
            found[str(manifest["policy"])] = run.table(Scores, "scores", j)
    return found
