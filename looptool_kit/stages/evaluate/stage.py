"""Stage evaluate: score a policy on a suite, and choose the best.

The default suite is the run's held-out splits.
"""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from typing import Any, Literal

from looptool_kit.core.errors import full_disk_explained
from looptool_kit.core.grading import grade
from looptool_kit.core.records import Probe, Probes, Score, Scores
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.tables import Table
from looptool_kit.core.wire.form import WireForm
from looptool_kit.policy.engines import Engine, Sampling
from looptool_kit.policy.engines.prompts import fits
from looptool_kit.policy.policy import Policy, open_engine, policy_of
from looptool_kit.policy.recorded_form import of_run
from looptool_kit.run.folder import Run
from looptool_kit.run.stage import Stage
from looptool_kit.stages.evaluate import Category, Entry, Judged, find_suite, held_out

Name = Literal["scores", "development_scores"]
TOGETHER = 8
"""Dialogues that are played at once, and kept at once."""
CONTEXT = Judged(False, "context")
"""Said of an entry whose prompt does not fit the model's context."""
KEPT = {"failed": ("failed.probes", "failed.samples"), "samples": ("samples",), "nothing": ()}
"""`Category.keep` -> the tables that stand beside the scores."""


def evaluate(
    run: Run,
    policy: Policy,
    suite: str = "held_out",
    categories: Sequence[str] | None = None,
    per_category: int | None = None,
) -> Scores:
    """Score a policy on a suite, one row an entry.

    Done once for each policy and choice.

    Stopped, it resumes with the next batch. An entry whose prompt does not fit the model's context is wrong,
    with the error `context`.

    Args:
        run: Where the tables are kept, in the folder of the policy's iteration.
        policy: Who answers, greedily.
        suite: Name of a module or folder of `stages/evaluate`.
        categories: Categories of the suite or groups of them; None: the suite's default.
        per_category: That many entries of each category, the same ones for every policy; None: all.

    Raises:
        ValueError: An unknown suite or category, or a policy that is not the run's (suite `held_out`).
        FileNotFoundError: The suite needs something that is not there (see its `setup`).
    """
    parts = find_suite(suite).categories(run, policy, categories, per_category)
    with full_disk_explained(run.path), closing(parts):
        return Scores(row for category in parts for row in evaluate_category(run, policy, category))


def develop(run: Run, policy: Policy) -> Scores:
    """The policy's scores on the run's development samples.

    The setting `seeds.development` says how many there are; `best_policy` chooses by them.
    """
    return evaluate(run, policy, categories=["development"])


def stage(run: Run, policy: Policy, category: Category) -> Stage:
    """A policy's scores on a category, and what decides them."""
    files = [f"{category.table}.{kind}.parquet" for kind in KEPT[category.keep]]
    files.append(f"{category.table}.parquet")
    inputs = {**category.inputs, "policy": policy.key}
    return Stage(run, category.table, policy.iteration, files, category.settings, **inputs)


def evaluate_category(run: Run, policy: Policy, category: Category) -> Scores:
    """The policy's scores on one category of a suite."""
    now = stage(run, policy, category)
    if not now.done:
        with now.making():
            entries = category.entries()
            scores = _answered(run, policy, category, entries, now) if entries else Scores()
            kept: list[Table[Any]] = []
            if category.keep == "samples":
                kept = [Samples(e.sample for e in entries)]
            elif category.keep == "failed":
                wrong = [(e.sample, s) for e, s in zip(entries, scores, strict=True) if not s.correct]
                kept = list(_failed(wrong, now.iteration, of_run(run)))
            facts = {"policy": policy.name, "correct": sum(s.correct for s in scores), "rows": len(scores)}
            now.finish(dict(zip(now.files, [*kept, scores], strict=True)), **facts, **category.facts)
    return run.table(Scores, category.table, policy.iteration)


def _answered(run: Run, policy: Policy, category: Category, entries: Sequence[Entry], now: Stage) -> Scores:
    """The entries' scores, in batches that are kept."""
    engine = open_engine(policy, run.settings.probe.batch)
    too_long: list[int] = []
    if category.play:
        rows = range(len(entries))
        plan = [list(rows[at : at + TOGETHER]) for at in range(0, len(entries), TOGETHER)]
    else:
        plan, too_long = _plan(engine, [e.sample for e in entries])

    def work(batch: Sequence[int]) -> Scores:
        some = [entries[i] for i in batch]
        if list(batch) == too_long:
            return Scores(_row(category, e, policy.name, "", CONTEXT) for e in some)
        return score(engine, category, some, policy.name)

    batches = plan + ([too_long] if too_long else [])
    return run.batches(category.table, now.iteration, now.key, batches, Scores, work)


def _plan(engine: Engine, samples: Sequence[Sample]) -> tuple[list[list[int]], list[int]]:
    """Batches of what fits the engine's context, and other rows."""
    try:
        return engine.plan(samples), []
    except ValueError:  # one of them does not fit
        fitting = [i for i, s in enumerate(samples) if fits(engine, s)]
    batches = engine.plan([samples[i] for i in fitting]) if fitting else []
    too_long = sorted(set(range(len(samples))) - set(fitting))
    return [[fitting[i] for i in batch] for batch in batches], too_long


def score(engine: Engine, category: Category, entries: Sequence[Entry], policy: str) -> Scores:
    """Ask a policy and judge its answers.

    Every prompt must fit the engine's context.
    """
    answers: Sequence[Any]
    if category.play:
        answers = category.play(engine, entries)
    else:
        completions = engine.generate([e.sample for e in entries], Sampling(category.max_new_tokens))
        answers = [one for (one,) in completions]
    return Scores(
        _row(category, entry, policy, answer.text, category.judge(entry, answer))
        for entry, answer in zip(entries, answers, strict=True)
    )


def _row(category: Category, entry: Entry, policy: str, text: str, judged: Judged) -> Score:
    return Score(
        sample_id=entry.id or entry.sample.id,
        suite=category.suite,
        split=entry.split or entry.sample.split,
        kind=entry.kind or entry.sample.kind,
        policy=policy,
        correct=judged.correct,
        text=text,
        error=judged.error,
        faults=judged.faults,
        extra={**entry.extra, **judged.extra},
    )


# ----------------------------------------------------------------- views


def failures(
    run: Run, policy: Policy, suite: str = "held_out", category: str | None = None
) -> tuple[Probes, Samples]:
    """Return what a policy failed, as (probes, samples).

    Of a category, a group or all that was evaluated: `ProbeView(*failures(run, policy, "bfcl"))`.
    """
    j, probes, samples = policy.iteration, list[Probe](), list[Sample]()
    for table in find_suite(suite).tables([category] if category else None):
        if run.manifest(table, j) is None:
            continue
        failed = (
            run.table(Probes, f"{table}.failed.probes", j, missing_ok=True),
            run.table(Samples, f"{table}.failed.samples", j, missing_ok=True),
        )
        if wrong := [] if failed[0] else [s for s in run.table(Scores, table, j) if not s.correct]:
            kept = run.table(Samples, f"{table}.samples", j, missing_ok=True)
            sample_of = (kept or held_out.samples_of(run, table)).by_id()
            failed = _failed([(sample_of[s.sample_id], s) for s in wrong], j, of_run(run))
        probes += failed[0]
        samples += failed[1]
    return Probes(probes), Samples({s.id: s for s in samples}.values())


def _failed(wrong: Sequence[tuple[Sample, Score]], iteration: int, form: WireForm) -> tuple[Probes, Samples]:
    """What failed, as the views take it.

    A dialogue's row holds it as it was played, and has no faults: its label is words.
    """
    probes, samples = [], []
    for sample, row in wrong:
        if played := _played(row):
            sample = Sample.model_validate(sample.model_dump() | played)
        probes.append(probe_of(row, sample, form, iteration))
        samples.append(sample)
    return Probes(probes), Samples(samples)


def _played(row: Score) -> dict[str, Any]:
    """What a dialogue's row holds of how it was played."""
    return {name: row.extra[name] for name in ("tools", "messages") if name in row.extra}


def probe_of(row: Score, sample: Sample, form: WireForm, iteration: int = 0) -> Probe:
    """Turn an evaluated answer into a probe.

    As the views take it; `form` is that of its policy.
    """
    finish_reason: Any = row.extra.get("finish_reason", "stop")
    answer = form.parse(row.text, finish_reason, sample.tools)
    faults = () if _played(row) else row.faults
    if not (faults or row.correct or _played(row)):
        faults = grade(answer, sample.label, sample.tools).faults
    return Probe(
        sample_id=sample.id,
        iteration=iteration,
        text=row.text,
        finish_reason=finish_reason,
        perplexity=float(str(row.extra.get("perplexity", 1.0))),
        match=row.correct or row.error == "wrong_reply",
        correct=row.correct,
        state="mastered" if row.correct else "failed",
        answer=answer,
        faults=faults,
    )


def finished(run: Run, suite: str) -> Scores:
    """All scores of a suite's evaluated policies and categories.

    Policies come in training order.
    """
    at = [(j, table) for j in (0, *run.iterations) for table in find_suite(suite).tables()]
    return Scores(row for j, table in at if run.manifest(table, j) for row in run.table(Scores, table, j))


# -------------------------------------------------------------- policies


def scores(run: Run, name: Name = "scores") -> dict[str, Scores]:
    """Return all finished scores of a run by policy.

    In training order. `name` chooses held-out scores or those on development samples.
    """
    by_policy = {}
    for j in (0, *run.iterations):
        manifest = run.manifest(name, j)
        if manifest is not None and run.has(name, j):
            by_policy[str(manifest["policy"])] = run.table(Scores, name, j)
    return by_policy


def best(run: Run) -> str | None:
    """Name of the policy with the most development samples right.

    Of equals it is the earliest, the one that training starts from among them. None where none was scored on
    development samples.
    """
    right = {
        name: sum(s.correct for s in table)
        for name, table in scores(run, "development_scores").items()
        if table
    }
    return max(right, key=lambda name: right[name]) if right else None


def best_policy(run: Run) -> Policy:
    """The best policy by the development samples.

    Without such samples it is the last one. Raises `RunError` where nothing has been trained.
    """
    name = best(run)
    trained = [j for j in run.iterations if run.manifest("policy", j)]
    return policy_of(run, max(trained, default=1) if name is None else 0 if name == "base" else int(name[1:]))
