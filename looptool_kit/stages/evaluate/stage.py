"""Stage evaluate: a policy on the held-out splits and on the development samples, and which policy is the
best.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from looptool_kit.core.records import Scores
from looptool_kit.core.samples import Samples
from looptool_kit.policy.policy import Policy, open_engine, policy_of
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate import held_out

Name = Literal["scores", "development_scores"]


def evaluate(run: Run, policy: Policy) -> Scores:
    """The policy's scores on the run's held-out samples, one row a sample; done once for each policy."""
    return _scored(run, policy, "scores", run.table(Samples, "held_out", 0))


def develop(run: Run, policy: Policy) -> Scores:
    """The policy's scores on the run's development samples (setting `seeds.development`), by which
    `best_policy` chooses.
    """
    return _scored(run, policy, "development_scores", run.table(Samples, "development", 0))


def _scored(run: Run, policy: Policy, name: Name, samples: Samples) -> Scores:
    known = policy.iteration == 0 or run.manifest("policy", policy.iteration)
    if known and policy.key != policy_of(run, policy.iteration).key:
        raise ValueError(
            f"the policy {policy.name!r} is not that of {run.path}: its scores would take the place of the"
            " run's own. Evaluate it in a run of its own."
        )
    now = held_out.stage(run, policy, name, samples)
    if not now.done:
        with now.making():
            engine = open_engine(policy, run.settings.probe.batch)

            def work(batch: Sequence[int]) -> Scores:
                return held_out.score(
                    engine, [samples[i] for i in batch], policy.name, run.settings.evaluate.max_new_tokens
                )

            scores = run.batches(name, now.iteration, now.key, engine.plan(samples), Scores, work)
            facts = {"correct": sum(s.correct for s in scores), "rows": len(scores)}
            now.finish({f"{name}.parquet": scores}, policy=policy.name, **facts)
    return run.table(Scores, name, now.iteration)


def scores(run: Run, name: Name = "scores") -> dict[str, Scores]:
    """All finished scores of a run, held-out ones or those on development samples, by policy, in training
    order.
    """
    found = {}
    for j in (0, *run.iterations):
        manifest = run.manifest(name, j)
        if manifest is not None and run.has(name, j):
            found[str(manifest["policy"])] = run.table(Scores, name, j)
    return found


def best(run: Run) -> str | None:
    """Name of the policy with the most development samples right, the earliest of equals, the one that
    training starts from among them; None where none was scored on development samples.
    """
    found = {
        name: sum(s.correct for s in table)
        for name, table in scores(run, "development_scores").items()
        if table
    }
    return max(found, key=lambda name: found[name]) if found else None


def best_policy(run: Run) -> Policy:
    """The best policy by the development samples, without such samples the last one. Raises `RunError` where
    nothing has been trained.
    """
    name = best(run)
    trained = [j for j in run.iterations if run.manifest("policy", j)]
    return policy_of(run, max(trained, default=1) if name is None else 0 if name == "base" else int(name[1:]))
