"""The suite `bfcl`: a policy's greedy answers to BFCL's entries.

The official checkers judge them, in an environment of their own (`env.py`).

For each category a table in the run folder, `bfcl/<category>.parquet`, one row an entry (`sample_id` is
BFCL's id, the same for every policy), and beside it what failed, as probes and samples. The data is for
evaluation only.
"""

from __future__ import annotations

import json
from collections.abc import Generator, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple

from looptool_kit.core.records import Scores
from looptool_kit.core.samples import Label, Sample
from looptool_kit.core.stats import wilson
from looptool_kit.core.terminal import cell, show
from looptool_kit.policy.engines import Completion
from looptool_kit.policy.policy import Policy
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate import Category, Entry, Judged, chosen, written
from looptool_kit.stages.evaluate.bfcl import weights as bfcl_weights
from looptool_kit.stages.evaluate.bfcl.env import VERSION, Worker, WorkerError, setup
from looptool_kit.stages.evaluate.bfcl.labels import messages_of, sample_of, tools_of
from looptool_kit.stages.evaluate.bfcl.multi_turn import Dialogue, play

__all__ = ["categories", "print_scores", "setup", "tables"]

SUITE = "bfcl"
MAX_NEW_TOKENS = 512
"""Length limit of one answer; parallel calls are long. One that is cut there counts as no call."""
NO_ROOM = "The prompt fills the model's context."
"""Stands for the official checker's words where it is not asked."""


class CategoryScore(NamedTuple):
    """A policy in one category."""

    category: str
    n: int
    correct: int
    accuracy: float
    lo: float
    """95%, Wilson."""
    hi: float


def categories(
    run: Run, policy: Policy, names: Sequence[str] | None = None, per_category: int | None = None
) -> Generator[Category]:
    """The named categories or groups (default: single-turn), while the official process runs.

    Raises `ValueError` for an unknown category, `FileNotFoundError` where the environment is not set up.
    """
    with Worker() as worker:
        for name in bfcl_weights.categories(names):
            yield _category(worker, name, per_category)


def tables(names: Sequence[str] | None = None) -> list[str]:
    """The tables of the named categories or groups, or of all."""
    return [f"{SUITE}/{c}" for c in bfcl_weights.categories(names or ["all"])]


def _category(worker: Worker, name: str, per_category: int | None) -> Category:
    rows = chosen(bfcl_weights.CATEGORIES[name], name, per_category)
    dialogues = name in bfcl_weights.MULTI_TURN

    def entries() -> list[Entry]:
        raw = worker.ask("entries", category=name)
        return [_entry(raw[i], name) for i in rows]

    return Category(
        SUITE,
        f"{SUITE}/{name}",
        entries,
        inputs={"entries": [VERSION, name, rows, MAX_NEW_TOKENS]},
        max_new_tokens=MAX_NEW_TOKENS,
        judge=partial(_judge_dialogue if dialogues else _judge, worker),
        facts={"bfcl": VERSION, "per_category": per_category},
        play=partial(play, worker, MAX_NEW_TOKENS) if dialogues else None,
    )


def _entry(row: Mapping[str, Any], category: str) -> Entry:
    """A row of `worker.Official.entries`.

    A dialogue's label is the ground truth of its turns, in words.
    """
    if category in bfcl_weights.MULTI_TURN:
        expected = "; ".join(
            f"turn {at}: {', '.join(turn) or 'no call'}" for at, turn in enumerate(row["truth"], 1)
        )
        sample = Sample(
            tools=tools_of(row["tools"]),
            messages=messages_of(row["turns"][0]),
            label=Label(reply=f"BFCL's ground truth: {expected}"),
            kind=category,
            split=category,
            source=SUITE,
            meta={"bfcl": row["id"]},
        )
    else:
        sample = sample_of(row, category)
    kind = next(g for g in ("multi_turn", "live", "non_live") if category in bfcl_weights.GROUPS[g])
    return Entry(sample, row["id"], category, kind, row, {"checker": [NO_ROOM]})


def _judge(worker: Worker, entry: Entry, completion: Completion) -> Judged:
    answer = completion.answer(entry.sample.tools)
    calls = None if answer.error else [[c.name, c.arguments] for c in answer.calls]
    verdict = _ask(worker, "check", id=entry.id, calls=calls)
    return _judged(verdict, written(completion))


def _judge_dialogue(worker: Worker, entry: Entry, played: Dialogue) -> Judged:
    if played.ended in ("", "steps"):
        turns = [[[[c.name, c.arguments] for c in step] for step in turn] for turn in played.turns]
        verdict = _ask(worker, "check_turns", id=entry.id, turns=turns)
    else:
        error_type = "context" if played.ended == "context" else "environment"
        verdict = {"error_type": error_type, "error": [played.ended]}
    extra = {
        **(written(played.last) if played.last else {}),
        "perplexity": played.perplexity,
        "messages": [m.model_dump(mode="json") for m in played.messages],
        "tools": [t.model_dump(mode="json") for t in played.tools],
    }
    return _judged(verdict, extra)


def _ask(worker: Worker, op: str, **arguments: Any) -> dict[str, Any]:
    try:
        verdict: dict[str, Any] = worker.ask(op, **arguments)
        return verdict
    except WorkerError as error:
        return {"error_type": "environment", "error": [str(error)]}


def _judged(verdict: Mapping[str, Any], extra: Mapping[str, Any]) -> Judged:
    checker = [e if isinstance(e, str) else json.dumps(e, default=str) for e in verdict["error"]]
    correct = bool(verdict.get("valid", False))
    return Judged(correct, verdict["error_type"], extra={"checker": checker, **extra})


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


def print_scores(run: Run, policy: Policy, scores: Scores) -> None:
    """The categories and the two versions' overall figures, on the terminal."""
    from rich.console import Console
    from rich.table import Table as Grid

    rows = by_category(scores)
    grid = Grid(title=f"BFCL, policy {policy.name}, official checkers of bfcl-eval {VERSION} (95% intervals)")
    for column in ("category", "n", "of", "correct", "accuracy"):
        grid.add_column(column, justify="left" if column == "category" else "right")
    for r in rows:
        of = bfcl_weights.CATEGORIES[r.category]
        grid.add_row(
            cell(r.category), str(r.n), str(of), str(r.correct), f"{r.accuracy:.3f} [{r.lo:.3f}, {r.hi:.3f}]"
        )
    show(grid)
    console = Console()
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
