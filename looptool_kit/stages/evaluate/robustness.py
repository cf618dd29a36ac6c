"""The suite `robustness`: what a policy loses when held-out samples are perturbed and their labels stay exact
(`perturb.py`; RUIE-Bench's idea, arXiv 2503.03201, on tool calls).

A category is a perturbation. Each has a table in the run folder, `robustness/<name>.parquet`, one row a
perturbed sample; a row's `extra` says which sample it was made `of`, that one's `split`, and whether the
policy was right `before`. The samples stand beside it in `<name>.samples.parquet`. The reference is the
policy's table of held-out scores; originals that it lacks are evaluated into `robustness/none.parquet`.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from random import Random
from typing import NamedTuple

from pydantic import JsonValue

from looptool_kit.augment.perturb import PERTURBATIONS, names, perturb
from looptool_kit.checks.rules import passes
from looptool_kit.core.records import Probe, Probes, Score, Scores
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.stats import Paired, paired
from looptool_kit.core.terminal import cell
from looptool_kit.core.toolcalls import Grade, grade, parse
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.policy.engines.prompts import fits
from looptool_kit.policy.policy import Policy, open_engine
from looptool_kit.run.folder import Run, full_disk_explained
from looptool_kit.run.stage import Stage
from looptool_kit.stages.evaluate import held_out

__all__ = ["Change", "changes", "evaluate", "failures", "finished", "perturbed", "print_run", "print_scores"]

SUITE = "robustness"
NONE = "none"
"""The category of the samples as they are."""


class Change(NamedTuple):
    """What a perturbation does to a policy."""

    perturbation: str
    policy: str
    result: Paired
    """The same samples before (`mean_a`) and after (`mean_b`); a drop is a negative `difference`."""


def evaluate(
    run: Run, policy: Policy, categories: list[str] | None = None, per_category: int | None = None
) -> Scores:
    """The policy's scores under the named perturbations (default: all), one row a perturbed sample; done once
    for each policy and choice.

    With `per_category`, that many held-out samples for each, the same ones for every policy of the run.
    Stopped, it goes on with the next batch. Raises `ValueError` for an unknown perturbation, `RunError` for a
    run without held-out samples.
    """
    from tqdm.auto import tqdm

    wanted = names(categories)
    with full_disk_explained(run.path):
        made = {
            name: perturbed(run, name, per_category) for name in tqdm(wanted, desc="perturbing", unit="kind")
        }
        before = _before(
            run, policy, {original.id: original for pairs, _ in made.values() for original, _ in pairs}
        )
        return Scores(
            row
            for name, (pairs, left_out) in made.items()
            for row in _category(run, policy, name, pairs, before, left_out)
        )


def perturbed(
    run: Run, name: str, per_category: int | None = None
) -> tuple[list[tuple[Sample, Sample]], dict[str, int]]:
    """(original, perturbed) held-out samples, the first `per_category` of one random order for all
    perturbations; and how many were left out, why.

    Everything follows from the run's seed; a smaller choice is part of a larger one.
    """
    held, left_out = run.table(Samples, "held_out", 0), Counter[str]()
    pairs: list[tuple[Sample, Sample]] = []
    order = list(held)
    Random(f"{run.settings.seed} {SUITE}").shuffle(order)
    for sample in order:
        if len(pairs) == per_category:
            break
        other = perturb(name, sample, Random(f"{run.settings.seed} {name} {sample.id}"), held)
        if other is None:
            left_out["do not apply"] += 1
        elif not passes(other):
            left_out["fail the rule tier"] += 1
        else:
            pairs.append((sample, other))
    return pairs, dict(left_out)


def _before(run: Run, policy: Policy, originals: Mapping[str, Sample]) -> dict[str, bool]:
    """Whether the policy is right on each original: from its held-out scores, the rest evaluated."""
    done = held_out.stage(run, policy, "scores", run.table(Samples, "held_out", 0)).done
    known = {s.sample_id: s.correct for s in run.table(Scores, "scores", policy.iteration)} if done else {}
    if rest := [s for i, s in originals.items() if i not in known]:
        known |= {s.sample_id: s.correct for s in _answered(run, policy, NONE, Samples(rest), {}, {})}
    return known


def _category(
    run: Run,
    policy: Policy,
    name: str,
    pairs: Sequence[tuple[Sample, Sample]],
    before: Mapping[str, bool],
    left_out: Mapping[str, int],
) -> Scores:
    about: dict[str, dict[str, JsonValue]] = {
        p.id: {"of": o.id, "split": o.split, "before": before[o.id]} for o, p in pairs
    }
    return _answered(run, policy, name, Samples(p for _, p in pairs), about, left_out)


def _answered(
    run: Run,
    policy: Policy,
    category: str,
    samples: Samples,
    about: Mapping[str, dict[str, JsonValue]],
    left_out: Mapping[str, int],
) -> Scores:
    """The policy's graded answers, done once and kept; `about` is what each row shall remember of its sample."""
    j, name, length = policy.iteration, f"{SUITE}/{category}", run.settings.evaluate.max_new_tokens
    files = [f"{name}.samples.parquet", f"{name}.parquet"]
    now = Stage(run, name, j, files, ["evaluate.max_new_tokens"], samples=samples, policy=policy.key)
    if now.done:
        return run.table(Scores, name, j)
    with now.making():
        engine = open_engine(policy, run.settings.probe.batch) if samples else None
        fitting = [i for i, s in enumerate(samples) if engine and fits(engine, s)]
        too_long = sorted(set(range(len(samples))) - set(fitting))
        plan = (
            [[fitting[i] for i in batch] for batch in engine.plan([samples[i] for i in fitting])]
            if engine and fitting
            else []
        )

        def work(batch: Sequence[int]) -> Scores:
            said: Iterable[list[Completion] | list[None]] = [[None]] * len(batch)
            if engine and list(batch) != too_long:
                said = engine.generate([samples[i] for i in batch], Sampling(length))
            return Scores(
                _score(samples[i], category, policy.name, one, about)
                for i, (one,) in zip(batch, said, strict=True)
            )

        scores = run.batches(name, j, now.key, plan + ([too_long] if too_long else []), Scores, work)
        facts = {
            "policy": policy.name,
            "correct": sum(s.correct for s in scores),
            "rows": len(scores),
            "left_out": dict(left_out),
        }
        now.finish(dict(zip(files, (samples, scores), strict=True)), **facts)
    return run.table(Scores, name, j)


def _score(
    sample: Sample,
    category: str,
    policy: str,
    said: Completion | None,
    about: Mapping[str, dict[str, JsonValue]],
) -> Score:
    """The row of one answer; None: the prompt fills the model's context."""
    graded = (
        grade(parse(said.text, said.finish_reason), sample.label, sample.tools)
        if said
        else Grade(False, False, ())
    )
    extra = dict(about.get(sample.id, {}))
    if said:
        extra |= {
            "finish_reason": said.finish_reason,
            "perplexity": math.exp(-sum(said.logprobs) / max(1, len(said.logprobs))),
        }
    return Score(
        sample_id=sample.id,
        suite=SUITE,
        split=category,
        kind=sample.kind,
        policy=policy,
        correct=graded.correct,
        text=said.text if said else "",
        error=graded.faults[0].kind if graded.faults else "" if said else "context",
        faults=graded.faults,
        extra=extra,
    )


# ----------------------------------------------------------------- views


def finished(run: Run) -> Scores:
    """The rows of every policy and perturbation that were evaluated, policies in training order."""
    at = [(j, f"{SUITE}/{name}") for j in (0, *run.iterations) for name in PERTURBATIONS]
    return Scores(row for j, name in at if run.manifest(name, j) for row in run.table(Scores, name, j))


def failures(run: Run, policy: Policy, category: str | None = None) -> tuple[Probes, Samples]:
    """(probes, samples) of the perturbed samples that a policy failed, under one perturbation or all:
    `ProbeView(*failures(run, policy))`.
    """
    j = policy.iteration
    samples = {
        s.id: s
        for name in PERTURBATIONS
        if category in (None, name) and run.manifest(f"{SUITE}/{name}", j)
        for s in run.table(Samples, f"{SUITE}/{name}.samples", j)
    }
    failed = {
        s.sample_id: s
        for s in finished(run)
        if s.policy == policy.name and not s.correct and s.sample_id in samples
    }
    return Probes(_probe(score, j) for score in failed.values()), Samples(samples[i] for i in failed)


def _probe(score: Score, iteration: int) -> Probe:
    cut = score.extra.get("finish_reason") == "length"
    return Probe(
        sample_id=score.sample_id,
        iteration=iteration,
        text=score.text,
        finish_reason="length" if cut else "stop",
        perplexity=float(str(score.extra.get("perplexity", 1.0))),
        match=score.error == "wrong_reply",
        correct=False,
        state="failed",
        answer=parse(score.text, "length" if cut else "stop"),
        faults=score.faults,
    )


# --------------------------------------------------------------- figures


def changes(scores: Iterable[Score], policies: Sequence[str] | None = None) -> list[Change]:
    """Each policy under each perturbation against the same samples as they were, by perturbation, then policy
    in order of first occurrence.

    Of several policies that a perturbation was evaluated on, only the samples that all of them were given
    count, so that their changes compare.
    """
    rows: dict[str, dict[str, dict[str, Score]]] = {}
    for s in scores:
        if s.suite == SUITE and s.split in PERTURBATIONS and (policies is None or s.policy in policies):
            rows.setdefault(s.split, {}).setdefault(s.policy, {})[s.sample_id] = s
    out = []
    for name in (n for n in PERTURBATIONS if n in rows):
        common = set.intersection(*(set(found) for found in rows[name].values()))
        for policy, found in rows[name].items():
            if both := [s for i, s in found.items() if i in common]:
                out.append(
                    Change(
                        name,
                        policy,
                        paired([bool(s.extra["before"]) for s in both], [s.correct for s in both]),
                    )
                )
    return out


def print_scores(scores: Scores, policy: str) -> None:
    """Per perturbation the accuracy before and after it, for every policy that has rows in `scores`, on the
    terminal.
    """
    _print(scores, [policy, *(s.policy for s in scores)])


def print_run(run: Run, policy: str) -> None:
    """The same for a policy beside the first and the last one of the run that were evaluated, and how many
    samples were left out.
    """
    from rich.console import Console

    scores = finished(run)
    known = list(dict.fromkeys(s.policy for s in scores))
    _print(scores, [p for p in known if p in (known[0], policy, known[-1])])
    manifests = [
        (name, run.manifest(f"{SUITE}/{name}", j)) for j in (0, *run.iterations) for name in PERTURBATIONS
    ]
    left_out = {name: m["left_out"] for name, m in manifests if m and m["policy"] == policy and m["left_out"]}
    if left_out:
        said = [
            f"{name}: {', '.join(f'{n} {why}' for why, n in reasons.items())}"
            for name, reasons in left_out.items()
        ]
        Console().print(cell(f"held-out samples left out: {'; '.join(said)}"), highlight=False)


def _print(scores: Scores, policies: Sequence[str]) -> None:
    from rich.console import Console
    from rich.table import Table as Grid

    grid = Grid(title=f"{SUITE}: the same held-out samples before and after (95% intervals)")
    for column in ("perturbation", "policy", "n", "before", "after", "change"):
        grid.add_column(
            column, justify="left" if column in ("perturbation", "policy") else "right", no_wrap=True
        )
    last = ""
    for name, policy, r in changes(scores, policies):
        cells = (
            str(r.n),
            f"{r.mean_a:.2f}",
            f"{r.mean_b:.2f}",
            f"{r.difference:+.2f} [{r.lo:+.2f}, {r.hi:+.2f}]",
        )
        grid.add_row(cell("" if name == last else name), cell(policy), *cells)
        last = name
    Console().print(grid)
