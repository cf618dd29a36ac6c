"""The suite `bfcl`: greedy answers of a policy to BFCL's entries, judged by the official checkers in their
own environment (`env.py`).

For each category a table in the run folder, `bfcl/<category>.parquet`, one row an entry (`sample_id` is
BFCL's id, the same for every policy), and beside it what failed, as probes and samples that the views open:
`ProbeView(*bfcl.failures(run, policy))`. The data is for evaluation only.
"""

from __future__ import annotations

import json
import math
import random
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, NamedTuple

from looptool_kit.core.records import Probe, Probes, Score, Scores
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.stats import wilson
from looptool_kit.core.terminal import cell
from looptool_kit.core.toolcalls import grade, parse
from looptool_kit.policy.engines import Completion, Engine, Sampling
from looptool_kit.policy.engines.prompts import fits
from looptool_kit.policy.policy import Policy, open_engine
from looptool_kit.run.folder import Run, full_disk_explained
from looptool_kit.run.stage import Stage
from looptool_kit.stages.evaluate.bfcl import weights as bfcl_weights
from looptool_kit.stages.evaluate.bfcl.env import VERSION, Worker, WorkerError, setup
from looptool_kit.stages.evaluate.bfcl.labels import sample_of
from looptool_kit.stages.evaluate.bfcl.multi_turn import Dialogue, play

__all__ = ["evaluate", "failures", "print_scores", "setup"]

SUITE = "bfcl"
MAX_NEW_TOKENS = 512
"""Length limit of one answer; parallel calls are long. One that is cut there counts as no call."""
DIALOGUES = 8
"""Multi-turn dialogues that are played at once, and kept at once."""


class CategoryScore(NamedTuple):
    """A policy in one category."""

    category: str
    n: int
    correct: int
    accuracy: float
    lo: float
    """95%, Wilson."""
    hi: float


def evaluate(
    run: Run, policy: Policy, categories: list[str] | None = None, per_category: int | None = None
) -> Scores:
    """The policy's scores in the named categories or groups (default: single-turn), one row an entry; done
    once for each policy and choice.

    With `per_category`, that many entries of each category, the same ones for every policy and run. Stopped,
    it goes on with the next batch. Raises `ValueError` for an unknown category, `FileNotFoundError` where the
    environment is not set up.
    """
    rows: list[Score] = []
    with Worker() as worker, full_disk_explained(run.path):
        for category in bfcl_weights.categories(categories):
            rows += _category(run, policy, worker, category, per_category)
    return Scores(rows)


def chosen(n: int, category: str, per_category: int | None) -> list[int]:
    """The rows of a category's n entries that are evaluated: all, or a random choice that depends on the
    category alone; ascending.

    A smaller choice is contained in every larger one.
    """
    order = list(range(n))
    random.Random(f"bfcl {category}").shuffle(order)
    return sorted(order[:per_category])


def _category(run: Run, policy: Policy, worker: Worker, category: str, per_category: int | None) -> Scores:
    j, name = policy.iteration, f"{SUITE}/{category}"
    rows = chosen(bfcl_weights.CATEGORIES[category], category, per_category)
    files = [f"{name}.failed.samples.parquet", f"{name}.failed.probes.parquet", f"{name}.parquet"]
    now = Stage(run, name, j, files, entries=[VERSION, category, rows, MAX_NEW_TOKENS], policy=policy.key)
    if now.done:
        return run.table(Scores, name, j)
    with now.making():
        all_entries = worker.ask("entries", category=category)
        entries = [all_entries[i] for i in rows]
        engine = open_engine(policy, run.settings.probe.batch)
        multi = category in bfcl_weights.MULTI_TURN
        samples = [] if multi else [sample_of(e, category) for e in entries]
        plan = (
            [list(range(at, min(at + DIALOGUES, len(entries)))) for at in range(0, len(entries), DIALOGUES)]
            if multi
            else _plan(engine, samples)
        )

        def work(batch: Sequence[int]) -> Scores:
            if multi:
                return _dialogues(worker, engine, [entries[i] for i in batch], category, policy.name)
            return _answers(worker, engine, [(entries[i], samples[i]) for i in batch], policy.name)

        scores = run.batches(name, j, now.key, plan, Scores, work)
        failed = [(e, s) for e, s in zip(entries, scores, strict=True) if not s.correct]
        probes, their = _as_probes(failed, category, j)
        facts = {"policy": policy.name, "correct": sum(s.correct for s in scores), "rows": len(scores)}
        now.finish(
            dict(zip(files, (their, probes, scores), strict=True)),
            bfcl=VERSION,
            per_category=per_category,
            **facts,
        )
    return run.table(Scores, name, j)


def _plan(engine: Engine, samples: Sequence[Sample]) -> list[list[int]]:
    """The engine's batches of what fits its context, and one batch of the rest."""
    fitting = [i for i, s in enumerate(samples) if fits(engine, s)]
    too_long = sorted(set(range(len(samples))) - set(fitting))
    return [[fitting[i] for i in batch] for batch in engine.plan([samples[i] for i in fitting])] + (
        [too_long] if too_long else []
    )


def _answers(
    worker: Worker, engine: Engine, rows: Sequence[tuple[Mapping[str, Any], Sample]], policy: str
) -> Scores:
    fitting = [fits(engine, sample) for _, sample in rows]
    asked = [sample for (_, sample), room in zip(rows, fitting, strict=True) if room]
    completions = iter(engine.generate(asked, Sampling(MAX_NEW_TOKENS)) if asked else [])
    out = []
    for (entry, sample), room in zip(rows, fitting, strict=True):
        if not room:
            out.append(
                _score(
                    entry["id"],
                    sample.split,
                    policy,
                    None,
                    {"error_type": "context", "error": ["The prompt fills the model's context."]},
                )
            )
            continue
        (completion,) = next(completions)
        answer = parse(completion.text, completion.finish_reason)
        calls = None if answer.error else [[c.name, c.arguments] for c in answer.calls]
        verdict = _ask(worker, "check", id=entry["id"], calls=calls)
        out.append(_score(entry["id"], sample.split, policy, completion, verdict))
    return Scores(out)


def _dialogues(
    worker: Worker, engine: Engine, entries: Sequence[Mapping[str, Any]], category: str, policy: str
) -> Scores:
    out = []
    for entry, played in zip(entries, play(worker, engine, entries, MAX_NEW_TOKENS), strict=True):
        if played.ended in ("", "steps"):
            turns = [[[[c.name, c.arguments] for c in step] for step in turn] for turn in played.turns]
            verdict = _ask(worker, "check_turns", id=entry["id"], turns=turns)
        else:
            verdict = {
                "error_type": "context" if played.ended == "context" else "environment",
                "error": [played.ended],
            }
        out.append(_score(entry["id"], category, policy, played.last, verdict, played))
    return Scores(out)


def _ask(worker: Worker, op: str, **arguments: Any) -> dict[str, Any]:
    try:
        return worker.ask(op, **arguments)
    except WorkerError as error:
        return {"error_type": "environment", "error": [str(error)]}


def _score(
    id: str,
    category: str,
    policy: str,
    said: Completion | None,
    verdict: Mapping[str, Any],
    played: Dialogue | None = None,
) -> Score:
    extra: dict[str, Any] = {
        "checker": [e if isinstance(e, str) else json.dumps(e, default=str) for e in verdict["error"]]
    }
    if said is not None:
        extra["finish_reason"] = said.finish_reason
        extra["perplexity"] = math.exp(-sum(said.logprobs) / max(1, len(said.logprobs)))
    if played is not None:
        extra["perplexity"] = played.perplexity
        extra["messages"] = [m.model_dump(mode="json") for m in played.messages]
        extra["tools"] = [t.model_dump(mode="json") for t in played.tools]
    return Score(
        sample_id=id,
        suite=SUITE,
        split=category,
        kind=next(g for g in ("multi_turn", "live", "non_live") if category in bfcl_weights.GROUPS[g]),
        policy=policy,
        correct=bool(verdict.get("valid", False)),
        text=said.text if said else "",
        error=verdict["error_type"],
        extra=extra,
    )


# ---------------------------------------------------------------- views


def _as_probes(
    failed: Iterable[tuple[Mapping[str, Any], Score]], category: str, iteration: int
) -> tuple[Probes, Samples]:
    """What failed, as the views take it. A dialogue's label is the ground truth of its turns, in words."""
    probes, samples = [], []
    for entry, score in failed:
        extra: Any = score.extra
        if category in bfcl_weights.MULTI_TURN:
            expected = "; ".join(
                f"turn {at}: {', '.join(turn) or 'no call'}" for at, turn in enumerate(entry["truth"], 1)
            )
            sample = Sample.model_validate(
                {"tools": extra["tools"], "messages": extra["messages"], "label": Label(reply=f"BFCL's ground truth: {expected}"),
                 "kind": category, "split": category, "source": SUITE, "meta": {"bfcl": entry["id"]}}
            )  # fmt: skip
        else:
            sample = sample_of(entry, category)
        finish_reason = extra.get("finish_reason", "stop")
        answer = parse(score.text, finish_reason)
        probes.append(
            Probe(
                sample_id=sample.id,
                iteration=iteration,
                text=score.text,
                finish_reason=finish_reason,
                perplexity=extra.get("perplexity", 1.0),
                match=False,
                correct=False,
                state="failed",
                answer=answer,
                faults=(
                    ()
                    if category in bfcl_weights.MULTI_TURN
                    else grade(answer, sample.label, sample.tools).faults
                ),
            )
        )
        samples.append(sample)
    return Probes(probes), Samples(samples)


def failures(run: Run, policy: Policy, category: str | None = None) -> tuple[Probes, Samples]:
    """(probes, samples) of the entries that a policy failed, of one category or of all that were evaluated:
    `ProbeView(*failures(run, policy))`.
    """
    names = [
        c
        for c in bfcl_weights.CATEGORIES
        if category in (None, c) and run.manifest(f"{SUITE}/{c}", policy.iteration)
    ]
    tables = [
        (
            run.table(Probes, f"{SUITE}/{c}.failed.probes", policy.iteration),
            run.table(Samples, f"{SUITE}/{c}.failed.samples", policy.iteration),
        )
        for c in names
    ]
    return Probes(p for probes, _ in tables for p in probes), Samples(
        {s.id: s for _, samples in tables for s in samples}.values()
    )


# --------------------------------------------------------------- figures


def by_category(scores: Scores) -> list[CategoryScore]:
    """n, accuracy and interval of each category, in the benchmark's order."""
    out = []
    for category in bfcl_weights.CATEGORIES:
        rows = [s.correct for s in scores if s.suite == SUITE and s.split == category]
        if rows:
            out.append(
                CategoryScore(
                    category, len(rows), sum(rows), sum(rows) / len(rows), *wilson(sum(rows), len(rows))
                )
            )
    return out


def print_scores(scores: Scores, policy: str) -> None:
    """The categories and the two versions' overall figures, on the terminal."""
    from rich.console import Console
    from rich.table import Table as Grid

    rows = by_category(scores)
    grid = Grid(title=f"BFCL, policy {policy}, official checkers of bfcl-eval {VERSION} (95% intervals)")
    for column in ("category", "n", "of", "correct", "accuracy"):
        grid.add_column(column, justify="left" if column == "category" else "right")
    for r in rows:
        of = bfcl_weights.CATEGORIES[r.category]
        grid.add_row(
            cell(r.category), str(r.n), str(of), str(r.correct), f"{r.accuracy:.3f} [{r.lo:.3f}, {r.hi:.3f}]"
        )
    console = Console()
    console.print(grid)
    results = {r.category: (r.correct, r.n) for r in rows}
    versions: tuple[bfcl_weights.Version, ...] = ("v3", "v4")
    for version in versions:
        total = bfcl_weights.overall(results, version)
        if left := [c for c in total.missing if c in bfcl_weights.CATEGORIES]:
            console.print(
                f"no overall by {version}'s weights, not evaluated: {', '.join(left)}", highlight=False
            )
            continue
        agentic = (
            f" (agentic, not run here, counts 0 as officially: {', '.join(total.missing)})"
            if total.missing
            else ""
        )
        console.print(
            f"overall by {version}'s weights: {total.value:.4f} [{total.lo:.4f}, {total.hi:.4f}]{agentic}",
            highlight=False,
        )
