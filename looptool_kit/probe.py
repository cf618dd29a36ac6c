"""Stage probe: greedy decoding of every sample of D_j by the new policy, with perplexity and match (GCP, LoopTool section 3.3)."""

from __future__ import annotations

import math
import time
from collections.abc import Sequence

from looptool_kit.engines import Completion, Sampling
from looptool_kit.flow import threshold
from looptool_kit.policies import Policy, open_engine, policy_of
from looptool_kit.records import Probe, Probes
from looptool_kit.run import Run, full_disk_explained, key
from looptool_kit.samples import Sample, Samples
from looptool_kit.toolcalls import grade, parse


def probe(run: Run, samples: Samples | None = None, policy: Policy | None = None, iteration: int | None = None) -> Probes:
    """Probe D_j with its policy: prediction, token log-probs, perplexity, match, faults, and mastered / borderline / failed for each sample."""
    j = iteration or (policy.iteration if policy and samples is None else run.iteration_of(samples))
    samples = samples if samples is not None else run.table(Samples, "samples", j)
    samples = Samples(samples.by_id().values())  # a dataset that repeats rows is asked about each once
    policy = policy or policy_of(run, j)
    settings = run.settings.probe
    chosen = run.decisions("threshold", j).get("")
    value = float(str(chosen.value)) if chosen else settings.threshold
    made_from = key(samples, policy.key, settings.max_new_tokens, settings.batch)
    if not run.done("probes", j, key(made_from, settings, value)):
        started = time.monotonic()
        with full_disk_explained(run.path):
            raw = _decode(run, samples, policy, j, made_from)
            limit = threshold(list(raw), settings.quantile, value)
            probes = Probes(p.model_copy(update={"state": "borderline"}) if p.correct and p.perplexity > limit else p for p in raw)
            probes.write(run.folder(j) / "probes.parquet")
            counts = {state: sum(p.state == state for p in probes) for state in ("mastered", "borderline", "failed")}
            facts = counts | {"threshold": None if math.isinf(limit) else limit, "policy": policy.name}
            run.finish("probes", j, key(made_from, settings, value), started, **facts)
    return run.table(Probes, "probes", j)


def _decode(run: Run, samples: Samples, policy: Policy, j: int, made_from: str) -> Probes:
    raw = run.folder(j) / "probes_raw.parquet"
    if run.done("probes_raw", j, made_from):
        return Probes.read(raw)
    started = time.monotonic()
    engine = open_engine(policy, run.settings.probe.batch)
    plan = engine.plan(samples)

    def work(batch: Sequence[int]) -> Probes:
        rows = [samples[i] for i in batch]
        done = engine.generate(rows, Sampling(run.settings.probe.max_new_tokens))
        return Probes(judge_completion(s, c[0], j) for s, c in zip(rows, done, strict=True))

    probes = run.batches("probes_raw", j, made_from, plan, Probes, work)
    probes.write(raw)
    run.finish("probes_raw", j, made_from, started, rows=len(probes))
    return probes


def judge_completion(sample: Sample, completion: Completion, iteration: int) -> Probe:
    """A completion measured against its sample's label. Perplexity = exp(-(1/L) sum log p) over its own L tokens (LoopTool, section 3.3)."""
    answer = parse(completion.text, completion.finish_reason)
    graded = grade(answer, sample.label, sample.tools)
    mean = sum(completion.logprobs) / max(1, len(completion.logprobs))
    return Probe(
        sample_id=sample.id,
        iteration=iteration,
        text=completion.text,
        finish_reason=completion.finish_reason,
        tokens=completion.tokens,
        token_ids=completion.token_ids,
        logprobs=completion.logprobs,
        perplexity=math.exp(-mean),
        match=graded.match,
        correct=graded.correct,
        state="mastered" if graded.correct else "failed",
        answer=answer,
        faults=graded.faults,
    )
