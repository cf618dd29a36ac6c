"""How likely a policy finds the held-out labels: a finer measure than exact match, and free of sampling."""

from __future__ import annotations

from looptool_kit.core.samples import Frozen, Samples
from looptool_kit.core.tables import Table
from looptool_kit.policy.label_loss import kept_losses
from looptool_kit.policy.policy import open_engine, policy_of
from looptool_kit.run.folder import Run
from looptool_kit.run.stage import Stage

NAME = "label_logprobs"


class LabelLogprob(Frozen):
    """The label of one held-out sample."""

    sample_id: str
    logprob: float
    """Mean natural-log probability of a token of the label (nats)."""


class LabelLogprobs(Table[LabelLogprob]):
    """The held-out labels under one policy."""

    row_type = LabelLogprob


def label_logprobs(run: Run, j: int) -> dict[str, float]:
    """Compute the log-probability of each held-out label with calls.

    Mean natural log a token: id -> nats. Under the policy of iteration j; it is measured once, in batches
    that are kept. Plain replies are left out: there are many right ones.
    """
    policy = policy_of(run, j)
    samples = Samples(s for s in run.table(Samples, "held_out", 0) if s.label.calls)
    now = Stage(run, NAME, j, [f"{NAME}.parquet"], held_out=samples, policy=policy.key)
    if not now.done:
        with now.making():
            losses = kept_losses(
                run, NAME, j, now.key, samples, lambda: open_engine(policy, run.settings.probe.batch)
            )
            rows = (LabelLogprob(sample_id=row.sample_id, logprob=-row.loss) for row in losses)
            now.finish({now.files[0]: LabelLogprobs(rows)})
    return measured(run, j)


def measured(run: Run, j: int) -> dict[str, float]:
    """What `label_logprobs` has measured; nothing where it has not."""
    return {row.sample_id: row.logprob for row in run.table(LabelLogprobs, NAME, j, missing_ok=True)}
