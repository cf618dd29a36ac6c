"""Stage verify: a judge compares label and prediction of every failed sample (JGLV, LoopTool section 3.4)."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from looptool_kit.core.records import Probe, Probes, Verdict, Verdicts
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.toolcalls import render_answer
from looptool_kit.policy.engines import Engine
from looptool_kit.policy.policy import open_engine, policy_of
from looptool_kit.run.folder import Run, whole
from looptool_kit.run.stage import Stage
from looptool_kit.stages.verify import decided_by, find_batch_judge, find_judge


def stage(run: Run, probes: Probes, j: int) -> Stage:
    """The stage as it stands and what decides its result."""
    failed = Probes(p for p in probes if p.state == "failed")
    return Stage(
        run, "verdicts", j, ["verdicts.parquet"], ("verify", *decided_by(run.settings)), failed=failed
    )


def verify(
    run: Run, probes: Probes | None = None, iteration: int | None = None, again: bool = False
) -> Verdicts:
    """One verdict for each failed sample of D_j: PRED_WRONG, LABEL_WRONG, BOTH_CORRECT, BOTH_WRONG, or
    unjudged with the reason.

    `again` judges once more although the stage has finished: paid answers come from the store, so only calls
    that failed are made. Raises `ValueError` where not all failed probes are given.
    """
    j = run.iteration_of(probes, said=iteration)
    if probes is None:
        probes = run.table(Probes, "probes", j)
    elif run.has("probes", j):
        all_failed = {p.sample_id for p in run.table(Probes, "probes", j) if p.state == "failed"}
        whole(
            {p.sample_id for p in probes if p.state == "failed"},
            all_failed,
            f"the failed probes of iteration {j}",
            run,
        )
    samples = run.table(Samples, "samples", j).by_id()
    failed = [p for p in probes if p.state == "failed"]
    if strange := [p.sample_id for p in failed if p.sample_id not in samples]:
        raise ValueError(
            f"{len(strange)} of these probes are of samples that are not in D{j} of {run.path}, as"
            f" {strange[0]}: probe D{j} again."
        )
    settings, batch, now = run.settings, find_batch_judge(run.settings.verify.judge), stage(run, probes, j)
    if again or not now.done:
        rows = [samples[p.sample_id] for p in failed]
        facts: dict[str, Any] = {}
        with now.making():
            if batch:
                made, facts = batch(rows, [p.answer for p in failed], settings, run.path / "calls.sqlite")
                verdicts = Verdicts(
                    v.model_copy(update={"sample_id": s.id, "iteration": j})
                    for v, s in zip(made, rows, strict=True)
                )
            else:
                verdicts = _one_by_one(run, rows, failed, j, now.key)
            facts |= {
                v: sum(x.verdict == v for x in verdicts)
                for v in ("PRED_WRONG", "LABEL_WRONG", "BOTH_CORRECT", "BOTH_WRONG")
            }
            unjudged = [v for v in verdicts if v.status == "unjudged"]
            facts |= {"unjudged": len(unjudged), "judge_failed": sum(not v.judge for v in unjudged)}
            now.finish({"verdicts.parquet": verdicts}, **facts)
    return run.table(Verdicts, "verdicts", j)


def _one_by_one(
    run: Run, rows: Sequence[Sample], failed: Sequence[Probe], j: int, made_from: str
) -> Verdicts:
    judge = find_judge(run.settings.verify.judge)
    engine = open_engine(policy_of(run, j), run.settings.probe.batch) if failed else None

    def work(batch: Sequence[int]) -> Verdicts:
        assert engine is not None
        scored = label_logprobs(engine, [rows[i] for i in batch])
        return Verdicts(
            _verdict(judge, rows[i], failed[i], logps, j) for i, logps in zip(batch, scored, strict=True)
        )

    return run.batches("verdicts", j, made_from, engine.plan(rows) if engine else [], Verdicts, work)


def label_logprobs(engine: Engine, samples: Sequence[Sample]) -> list[tuple[float, ...]]:
    """The policy's log-probabilities of each sample's label."""
    return engine.score(samples, [render_answer(s.label) for s in samples])


def _verdict(
    judge: object, sample: Sample, probe: Probe, label_logps: tuple[float, ...], iteration: int
) -> Verdict:
    try:
        verdict: Verdict = judge(
            sample, probe.answer, label_logprobs=label_logps, prediction_logprobs=probe.logprobs
        )  # type: ignore[operator]
    except Exception as error:  # noqa: BLE001 - a judge that failed is never a verdict; the row says so and can be judged later
        return Verdict(
            sample_id=sample.id,
            iteration=iteration,
            status="unjudged",
            rationale=f"the judge failed: {type(error).__name__}: {error}",
        )
    return verdict.model_copy(update={"sample_id": sample.id, "iteration": iteration})
