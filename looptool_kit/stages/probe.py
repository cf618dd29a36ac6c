"""Stage probe: greedy decoding of D_j by the new policy.

Each sample gets a perplexity and a match (GCP, LoopTool section 3.3).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from looptool_kit.core.errors import RunError
from looptool_kit.core.grading import grade
from looptool_kit.core.records import STATES, Probe, Probes
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.policy.policy import Policy, open_engine, policy_of
from looptool_kit.run.folder import Run
from looptool_kit.run.inputs import dataset, iteration_of
from looptool_kit.run.stage import Stage


def stages(run: Run, samples: Samples, policy: Policy, j: int) -> tuple[Stage, Stage]:
    """The stages of probing: the decoding, and the states of its rows.

    A threshold gives the rows their states. Both stages are as they stand, with what decides them.
    """
    # Decoding is a stage of its own, so that another threshold decodes nothing again.
    settings, decided = ["probe.max_new_tokens"], run.decisions("threshold", j).get("")
    raw = Stage(run, "probes_raw", j, ["probes_raw.parquet"], settings, samples=samples, policy=policy.key)
    if not decided:
        settings.append("probe.quantile" if run.settings.probe.threshold is None else "probe.threshold")
    prediction = Stage(
        run,
        "probes",
        j,
        ["probes.parquet"],
        settings,
        samples=samples,
        policy=policy.key,
        threshold=decided and [decided.value],
    )
    return raw, prediction


def threshold_of(run: Run, j: int) -> float | None:
    """The threshold that a person decided or the settings name.

    None: a quantile gives it.
    """
    chosen = run.decisions("threshold", j).get("")
    return float(str(chosen.value)) if chosen else run.settings.probe.threshold


def probe(
    run: Run, samples: Samples | None = None, policy: Policy | None = None, iteration: int | None = None
) -> Probes:
    """Probe D_j with its policy.

    Each sample gets prediction, token log-probs, perplexity, match, faults, and mastered, borderline or
    failed.

    Raises `ValueError` where the samples are a part of D_j, hold rows of it twice or are another dataset,
    and, unless `iteration` names the one that is meant, where they are not a dataset of the run or the policy
    is another iteration's.
    """
    by_policy = policy is not None and samples is None and iteration is None
    j = policy.iteration if policy and by_policy else iteration_of(run, samples, iteration=iteration)
    if policy and not iteration and policy.iteration != j:
        raise ValueError(
            f"the policy {policy.name} was trained on D{policy.iteration}, and these are the samples of D{j}:"
            f" what it does to them would replace the probes of iteration {j}. Give the policy"
            f" D{j}, or say iteration={j} if that is wanted."
        )
    samples = Samples(
        dataset(run, samples, j).by_id().values()
    )  # a dataset that repeats rows is asked about each once
    policy = policy or policy_of(run, j)
    raw_now, now = stages(run, samples, policy, j)
    if not now.done:
        with now.making():
            raw = _decode(run, samples, policy, raw_now)
            limit = threshold(list(raw), run.settings.probe.quantile, threshold_of(run, j))
            probes = Probes(
                p.model_copy(update={"state": "borderline"}) if p.correct and p.perplexity > limit else p
                for p in raw
            )
            counts = {state: sum(p.state == state for p in probes) for state in STATES}
            facts = counts | {"threshold": None if math.isinf(limit) else limit, "policy": policy.name}
            now.finish({"probes.parquet": probes}, **facts)
    return run.table(Probes, "probes", j)


def _decode(run: Run, samples: Samples, policy: Policy, now: Stage) -> Probes:
    if not now.done:
        with now.making():
            engine = open_engine(policy, run.settings.probe.batch)
            plan = engine.plan(samples)

            def work(batch: Sequence[int]) -> Probes:
                rows = [samples[i] for i in batch]
                completions = engine.generate(rows, Sampling(run.settings.probe.max_new_tokens))
                return Probes(
                    judge_completion(s, c[0], now.iteration) for s, c in zip(rows, completions, strict=True)
                )

            probes = run.batches("probes_raw", now.iteration, now.key, plan, Probes, work)
            now.finish({"probes_raw.parquet": probes}, rows=len(probes))
    return run.table(Probes, "probes_raw", now.iteration)


def judge_completion(sample: Sample, completion: Completion, iteration: int) -> Probe:
    """A completion measured against its sample's label.

    Raises `RunError` where the policy's probabilities are not numbers: it would count as sure of its answer.
    """
    if any(map(math.isnan, completion.logprobs)):
        raise RunError(
            f"the policy's probabilities for sample {sample.id} are not numbers (NaN): its weights are"
            " broken, or this GPU's 16-bit numbers are too small for the model. Train again with a"
            " lower learning rate, or take the engine `transformers` on the CPU."
        )
    answer = completion.answer(sample.tools)
    graded = grade(answer, sample.label, sample.tools)
    return Probe(
        sample_id=sample.id,
        iteration=iteration,
        text=completion.text,
        finish_reason=completion.finish_reason,
        tokens=completion.tokens,
        token_ids=completion.token_ids,
        logprobs=completion.logprobs,
        perplexity=completion.perplexity,
        match=graded.match,
        correct=graded.correct,
        state="mastered" if graded.correct else "failed",
        answer=answer,
        faults=graded.faults,
    )


def threshold(probes: Sequence[Probe], quantile: float, value: float | None = None) -> float:
    """The perplexity above which a correct answer is borderline.

    It is `value`, or that quantile of the correct answers' (infinity if there are none).
    """
    if value is not None:
        return value
    import numpy as np

    correct = [p.perplexity for p in probes if p.correct]
    return float(np.quantile(correct, quantile)) if correct else math.inf
