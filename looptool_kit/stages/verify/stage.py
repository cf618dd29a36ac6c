"""Stage verify: a judge compares label and prediction of failed samples.

This is JGLV of LoopTool, section 3.4. What a judge is given and returns is in the package's `__init__.py`.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache, partial
from typing import Any

from looptool_kit.core.records import VERDICTS, Probe, Probes, Verdicts
from looptool_kit.core.samples import Frozen, Sample, Samples
from looptool_kit.core.tables import Table
from looptool_kit.policy.policy import open_engine, policy_of
from looptool_kit.run.folder import Run
from looptool_kit.run.inputs import iteration_of, matched
from looptool_kit.run.stage import Stage
from looptool_kit.stages.verify import Case, Context, Logprobs, decided_by, find_judge, merits_of


class LabelScore(Frozen):
    """The policy's log-probabilities of a label, as kept between interruptions."""

    logprobs: tuple[float, ...]


class LabelScores(Table[LabelScore]):
    """One row for each failed sample."""

    row_type = LabelScore


def stage(run: Run, probes: Probes, j: int) -> Stage:
    """The stage as it stands and what decides its result."""
    files, settings = ["verdicts.parquet"], ("verify", *decided_by(run.settings))
    failed = probes.where(_failed)
    return Stage(run, "verdicts", j, files, settings, failed=failed, merits=_merits(run))


def _merits(run: Run) -> dict[str, Any]:
    return merits_of(run.path / "judge_check", run.settings.verify.judge)


def _failed(probe: Probe) -> bool:
    return probe.state == "failed"


def verify(
    run: Run, probes: Probes | None = None, iteration: int | None = None, again: bool = False
) -> Verdicts:
    """Judge each failed sample of D_j; unjudged rows say why.

    Args:
        probes: All of iteration j; None takes the run's.
        iteration: j, where the probes do not tell.
        again: Judge once more although the stage has finished. Paid answers come from the store, so only
            calls that failed are made.

    Raises:
        ValueError: Not all failed probes are given, or one twice, or they are of another dataset.
    """
    j = iteration_of(run, probes, iteration=iteration)
    samples = run.table(Samples, "samples", j).by_id()
    failed = (run.table(Probes, "probes", j) if probes is None else probes).where(_failed)
    if strange := [p.sample_id for p in failed if p.sample_id not in samples]:
        raise ValueError(
            f"{len(strange)} of these probes are of samples that are not in D{j} of {run.path}, as"
            f" {strange[0]}: probe D{j} again."
        )
    if probes is not None and run.has("probes", j):
        own = run.table(Probes, "probes", j).where(_failed)
        failed = matched(failed, own, f"the failed probes of iteration {j}", run)
    now = stage(run, failed, j)
    if again or not now.done:
        with now.making():
            verdicts, facts = _judged(now, [samples[p.sample_id] for p in failed], failed)
            now.finish({"verdicts.parquet": verdicts}, **facts)
    return run.table(Verdicts, "verdicts", j)


def _judged(
    now: Stage, samples: Sequence[Sample], failed: Sequence[Probe]
) -> tuple[Verdicts, dict[str, Any]]:
    """The verdicts, and the judge's facts and their counts for the manifest."""
    run, j = now.run, now.iteration
    cases = [Case(s, p.answer, p.logprobs) for s, p in zip(samples, failed, strict=True)]
    label_logprobs = cache(partial(_label_logprobs, now, samples))
    context = Context(run.settings, run.path / "calls.sqlite", label_logprobs, {}, _merits(run))
    judged = find_judge(run.settings.verify.judge)(cases, context)
    verdicts = Verdicts(
        v.model_copy(update={"sample_id": s.id, "iteration": j}) for v, s in zip(judged, samples, strict=True)
    )
    unjudged = [v for v in verdicts if v.status == "unjudged"]
    counts: dict[str, int] = {name: sum(v.verdict == name for v in verdicts) for name in VERDICTS}
    counts |= {"unjudged": len(unjudged), "judge_failed": sum(not v.judge for v in unjudged)}
    return verdicts, context.facts | counts


def _label_logprobs(now: Stage, samples: Sequence[Sample]) -> Sequence[Logprobs]:
    """The policy's log-probabilities of each sample's label, each batch kept at once."""
    if not samples:
        return []
    run, j = now.run, now.iteration
    engine = open_engine(policy_of(run, j), run.settings.probe.batch)

    def work(batch: Sequence[int]) -> LabelScores:
        rows = [samples[i] for i in batch]
        scored = engine.score(rows, [s.label for s in rows])
        return LabelScores(LabelScore(logprobs=logprobs) for logprobs in scored)

    kept = run.batches("verdicts", j, now.key, engine.plan(samples), LabelScores, work)
    return [row.logprobs for row in kept]
