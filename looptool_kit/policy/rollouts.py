"""Several sampled answers of a policy to each sample: GRPO's own where there are enough, else new ones."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from looptool_kit.core.records import Rollout, Rollouts
from looptool_kit.core.samples import Frozen, Sample, Samples
from looptool_kit.core.tables import Table
from looptool_kit.policy.engines import Completion, Engine, Sampling
from looptool_kit.run.folder import Run

MIN_ROLLOUTS = 4
"""Rollouts of one sample in one GRPO step from which they are taken in place of new ones."""
BATCH = 16
"""Samples whose rollouts are kept at once."""


class Group(Frozen):
    """The rollouts of one sample."""

    sample_id: str
    rollouts: tuple[Rollout, ...]
    generated: int = 0
    """Tokens that were generated for them now; 0 for GRPO's own."""


class Groups(Table[Group]):
    """One row a sample."""

    row_type = Group


def of_grpo(run: Run, iteration: int) -> dict[str, tuple[Rollout, ...]]:
    """Return GRPO's own rollouts in an iteration.

    Of each sample those of the last step that asked it, which are nearest to the policy that GRPO ends with.
    Samples with fewer than `MIN_ROLLOUTS` are left out, and all where they are whole episodes.
    """
    if run.settings.episodes.prompts:
        return {}
    found: dict[str, tuple[Rollout, ...]] = {}
    for path in sorted((run.folder(iteration) / "policy" / "grpo" / "rollouts").glob("step-*.parquet")):
        step: dict[str, list[Rollout]] = {}
        for rollout in Rollouts.read(path):
            step.setdefault(rollout.sample_id, []).append(rollout)
        found |= {sample: tuple(rows) for sample, rows in step.items()}
    return {sample: rows for sample, rows in found.items() if len(rows) >= MIN_ROLLOUTS}


def sampled(
    run: Run,
    name: str,
    iteration: int,
    key: str,
    samples: Samples,
    known: Mapping[str, tuple[Rollout, ...]],
    open_engine: Callable[[], Engine],
    sampling: Sampling,
) -> Groups:
    """Return a group of rollouts for each sample, in order.

    The `known` ones, else `sampling.n` new ones. Each batch is kept at once, as `Run.batches` does.

    Args:
        run: Keeps the batches.
        name: Of the stage whose batches they are.
        iteration: Where they are kept.
        key: What decides them.
        samples: Those that are asked.
        known: Sample id -> rollouts that are there.
        open_engine: Called where anything is to be generated.
        sampling: How.
    """
    missing = [i for i, s in enumerate(samples) if s.id not in known]
    found = {s.id: Group(sample_id=s.id, rollouts=known[s.id]) for s in samples if s.id in known}
    if missing:
        engine = open_engine()
        asked = Samples(samples[i] for i in missing)
        plan = [batch[at : at + BATCH] for batch in engine.plan(asked) for at in range(0, len(batch), BATCH)]

        def work(batch: Sequence[int]) -> Groups:
            rows = [asked[i] for i in batch]
            return Groups(map(_group, rows, engine.generate(rows, sampling)))

        made = run.batches(name, iteration, key, plan, Groups, work)
        found |= {group.sample_id: group for group in made}
    return Groups(found[s.id] for s in samples)


def _group(sample: Sample, completions: Sequence[Completion]) -> Group:
    rollouts = tuple(
        Rollout(step=0, sample_id=sample.id, text=c.text, finish_reason=c.finish_reason, reward=0.0)
        for c in completions
    )
    return Group(sample_id=sample.id, rollouts=rollouts, generated=sum(len(c.token_ids) for c in completions))
