"""Stage verify: a judge compares label and prediction of every failed sample (JGLV, LoopTool section 3.4)."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

from looptool_kit.engines import Engine
from looptool_kit.judges import find_batch_judge, find_judge
from looptool_kit.policies import open_engine, policy_of
from looptool_kit.records import Probe, Probes, Verdict, Verdicts
from looptool_kit.run import Run, full_disk_explained, key
from looptool_kit.samples import Sample, Samples
from looptool_kit.toolcalls import render_answer


def verify(run: Run, probes: Probes | None = None, iteration: int | None = None, again: bool = False) -> Verdicts:
    """One verdict for each failed sample of D_j: PRED_WRONG, LABEL_WRONG, BOTH_CORRECT, BOTH_WRONG, or unjudged with the reason.

    `again` judges once more although the stage has finished: paid answers come from the store, so only calls that failed are made.
    """
    j = iteration or run.iteration_of(probes)
    probes = probes if probes is not None else run.table(Probes, "probes", j)
    samples = run.table(Samples, "samples", j).by_id()
    failed = [p for p in probes if p.state == "failed"]
    settings = run.settings
    batch = find_batch_judge(settings.verify.judge)
    made_from = key(Probes(failed), settings.verify, *([settings.judge_llm, settings.generator_llm, settings.jury] if batch else []))
    if again or not run.done("verdicts", j, made_from):
        started = time.monotonic()
        rows = [samples[p.sample_id] for p in failed]
        facts: dict[str, Any] = {}
        with full_disk_explained(run.path):
            if batch:
                made, facts = batch(rows, [p.answer for p in failed], settings, run.path / "calls.sqlite")
                verdicts = Verdicts(v.model_copy(update={"sample_id": s.id, "iteration": j}) for v, s in zip(made, rows, strict=True))
            else:
                verdicts = _one_by_one(run, rows, failed, j, made_from)
            verdicts.write(run.folder(j) / "verdicts.parquet")
            facts |= {v: sum(x.verdict == v for x in verdicts) for v in ("PRED_WRONG", "LABEL_WRONG", "BOTH_CORRECT", "BOTH_WRONG")}
            unjudged = [v for v in verdicts if v.status == "unjudged"]
            run.finish("verdicts", j, made_from, started, **facts, unjudged=len(unjudged), judge_failed=sum(not v.judge for v in unjudged))
    return run.table(Verdicts, "verdicts", j)


def _one_by_one(run: Run, rows: Sequence[Sample], failed: Sequence[Probe], j: int, made_from: str) -> Verdicts:
    judge = find_judge(run.settings.verify.judge)
    engine = open_engine(policy_of(run, j), run.settings.probe.batch) if failed else None

    def work(batch: Sequence[int]) -> Verdicts:
        assert engine is not None
        scored = label_logprobs(engine, [rows[i] for i in batch])
        return Verdicts(_verdict(judge, rows[i], failed[i], logps, j) for i, logps in zip(batch, scored, strict=True))

    return run.batches("verdicts", j, made_from, engine.plan(rows) if engine else [], Verdicts, work)


def label_logprobs(engine: Engine, samples: Sequence[Sample]) -> list[tuple[float, ...]]:
    """The policy's log-probabilities of each sample's label."""
    return engine.score(samples, [render_answer(s.label) for s in samples])


def _verdict(judge: object, sample: Sample, probe: Probe, label_logps: tuple[float, ...], iteration: int) -> Verdict:
    try:
        verdict: Verdict = judge(sample, probe.answer, label_logprobs=label_logps, prediction_logprobs=probe.logprobs)  # type: ignore[operator]
    except Exception as error:  # noqa: BLE001 - a judge that failed is never a verdict; the row says so and can be judged later
        return Verdict(sample_id=sample.id, iteration=iteration, status="unjudged", rationale=f"the judge failed: {type(error).__name__}: {error}")
    return verdict.model_copy(update={"sample_id": sample.id, "iteration": iteration})
