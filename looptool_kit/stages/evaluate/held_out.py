"""The run's own held-out samples: unseen values, unseen phrasings, unseen tools; exact match by the one
matcher.
"""

from __future__ import annotations

from collections.abc import Sequence

from looptool_kit.core.records import Score, Scores
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.toolcalls import grade, parse
from looptool_kit.policy.engines import Engine, Sampling
from looptool_kit.policy.policy import Policy
from looptool_kit.run.folder import Run
from looptool_kit.run.stage import Stage


def stage(run: Run, policy: Policy, name: str, samples: Samples) -> Stage:
    """A policy's scores on these samples as they stand, and what decides them."""
    return Stage(
        run,
        name,
        policy.iteration,
        [f"{name}.parquet"],
        ["evaluate.max_new_tokens"],
        samples=samples,
        policy=policy.key,
    )


def score(engine: Engine, samples: Sequence[Sample], policy: str, max_new_tokens: int) -> Scores:
    """Greedy answers of a policy, graded."""
    rows = []
    for sample, (completion,) in zip(
        samples, engine.generate(samples, Sampling(max_new_tokens)), strict=True
    ):
        graded = grade(parse(completion.text, completion.finish_reason), sample.label, sample.tools)
        rows.append(
            Score(
                sample_id=sample.id,
                suite="held_out",
                split=sample.split,
                kind=sample.kind,
                policy=policy,
                correct=graded.correct,
                text=completion.text,
                error=graded.error,
                faults=graded.faults,
            )
        )
    return Scores(rows)
