"""How unlikely a policy finds labels: the mean negative log-likelihood of their tokens."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from looptool_kit.core.samples import Frozen, Sample, Samples
from looptool_kit.core.tables import Table
from looptool_kit.policy.engines import Engine
from looptool_kit.policy.policy import open_engine, policy_of
from looptool_kit.run.folder import Run

Score = Callable[[Sequence[Sample]], list[float]]
"""Samples -> the loss of each one's label."""


class LabelLoss(Frozen):
    """The loss of one sample's label under a policy."""

    sample_id: str
    loss: float
    """Mean negative log-likelihood of the label's tokens, end token included, in nats."""


class LabelLosses(Table[LabelLoss]):
    """One row a sample."""

    row_type = LabelLoss


def loss(logprobs: Sequence[float]) -> float:
    """Mean negative log-likelihood of a label, in nats per token.

    That is -(1/T) sum log p(t_i | t_1 .. t_{i-1}) (ToolACE, section 2.2), and 0 without tokens.
    """
    return -sum(logprobs) / max(1, len(logprobs))


def losses(samples: Sequence[Sample], engine: Engine) -> list[float]:
    """The loss of every sample's label under the engine's policy."""
    return [loss(logps) for logps in engine.score(samples, [s.label for s in samples])]


def under_base(run: Run) -> Score:
    """Return the scorer of losses under a run's untrained policy.

    Its engine opens with the first samples.
    """
    return lambda samples: losses(samples, open_engine(policy_of(run, 0), run.settings.probe.batch))


def kept_losses(
    run: Run, name: str, iteration: int, key: str, samples: Samples, open_policy: Callable[[], Engine]
) -> LabelLosses:
    """Compute the losses of samples in order; keep each batch.

    Each is kept at once, as `Run.batches` does.

    Args:
        run: Keeps the batches.
        name: Of the stage whose batches they are.
        iteration: Where they are kept.
        key: What decides them.
        samples: What to score.
        open_policy: Opens the engine; not called without samples.
    """
    if not samples:
        return LabelLosses()
    engine = open_policy()

    def work(batch: Sequence[int]) -> LabelLosses:
        rows = [samples[i] for i in batch]
        found = losses(rows, engine)
        return LabelLosses(LabelLoss(sample_id=s.id, loss=x) for s, x in zip(rows, found, strict=True))

    return run.batches(name, iteration, key, engine.plan(samples), LabelLosses, work)
