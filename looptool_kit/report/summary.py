"""Results of a run: scoreboard, judge against planted errors, report."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from looptool_kit.core.records import EVIDENCE, TOKENS, Expansions, Probes, Verdicts
from looptool_kit.core.stats import Paired, aligned, paired, wilson
from looptool_kit.core.tables import read_lines
from looptool_kit.core.terminal import cell, say, show
from looptool_kit.core.toolcalls import Answer
from looptool_kit.lineage.newer import newer_decisions, newer_in_words
from looptool_kit.llm.store import spent
from looptool_kit.report.about import decided, made_with, tools
from looptool_kit.report.data import IterationData, ReportData
from looptool_kit.report.flow import flow_of
from looptool_kit.report.html import worst, write_report
from looptool_kit.report.planted import ids_of, judge_against_truth, planted_labels, rows_of
from looptool_kit.report.rewarded import reward_lines
from looptool_kit.report.taken import timings
from looptool_kit.run.folder import Run
from looptool_kit.stages.compose import PART_WORDS, composition
from looptool_kit.stages.evaluate.stage import best, finished, scores


def views(splits: Iterable[str]) -> dict[str, frozenset[str]]:
    """How held-out scores are read: name -> splits.

    Tools that the policy trained on and others apart, since a policy may adapt and forget.

    `own tools` are all splits but `unseen_tools`, which is `other tools`; each own split stands for itself
    where there are several.
    """
    names = list(dict.fromkeys(splits))
    own = [s for s in names if s != "unseen_tools"]
    mixed = own and len(own) < len(names)
    splits_of = {"all": frozenset(names)} | ({"own tools": frozenset(own)} if mixed else {})
    if len(own) > 1:
        splits_of |= {s.replace("_", " "): frozenset({s}) for s in own}
    return splits_of | ({"other tools": frozenset({"unseen_tools"})} if mixed else {})


def print_scoreboard(run: Run) -> None:
    """Print exact match, the composition of datasets, and the result in words.

    Exact match is that of every policy in percent, with 95% Wilson intervals.
    """
    from rich.table import Table as Grid

    scores_of = scores(run)
    columns = views(s.split for table in scores_of.values() for s in table)
    grid = Grid(title="held-out exact match, % (95% intervals)")
    grid.add_column("policy")
    for name, splits in columns.items():
        count = max((sum(s.split in splits for s in table) for table in scores_of.values()), default=0)
        grid.add_column(cell(f"{name}\nn = {count}"), justify="right")
    for policy, table in scores_of.items():
        cells = [[s.correct for s in table if s.split in splits] for splits in columns.values()]
        grid.add_row(
            cell(policy),
            *(
                f"{percent(sum(c) / len(c))} ({'–'.join(map(percent, wilson(sum(c), len(c))))})" if c else ""
                for c in cells
            ),
        )
    if scores_of:
        show(grid)
    else:
        say(f"No policy has been evaluated yet. Next: looptool loop {shlex.quote(str(run.path))}")
    grid = Grid(title="rows of each dataset")
    rows_of = composition(run)
    for part in rows_of[0] if rows_of else ():
        grid.add_column(cell(PART_WORDS.get(part, part)), justify="right")
    for row in rows_of:
        grid.add_row(*(cell(v) for v in row.values()))
    if rows_of:
        show(grid)
    for line in [*paid(run), *headline(run), *flipped(run), *reward_lines(run)]:
        say(line)


def headline(run: Run) -> list[str]:
    """The result of a run, in sentences.

    Exact match before and after, own tools and others apart, and the labels that were planted wrong.
    """
    scores_of = scores(run)
    if len(scores_of) < 2:
        return []
    before, best_name = list(scores_of)[0], best(run)
    after = best_name if best_name in scores_of else list(scores_of)[-1]
    lines = [f"By the development samples {after} is the best policy."] if best_name else []
    if after == before:
        return [
            *lines,
            (
                f"So nothing was gained on {len(scores_of[before])} unseen requests: the run keeps the model"
                " it started from."
            ),
        ]
    for name, splits in views(s.split for s in scores_of[after]).items():
        _, a, b = aligned(
            *([s for s in scores_of[policy] if s.split in splits] for policy in (before, after))
        )
        if not a or name not in ("all", "own tools", "other tools"):
            continue
        change = paired(a, b)
        points = (
            f"{signed_points(change.difference)} points [{signed_points(change.lo)},"
            f" {signed_points(change.hi)}]"
        )
        start = "the model it started from" if before == "base" else before
        change_text = f"{percent(change.mean_a)}% before, {percent(change.mean_b)}% after"
        if name == "all":
            lines.append(
                f"Exact match on {change.n} unseen requests: {change_text}{in_words(after)} ({start} against"
                f" {after}), {points}{doubt(change)}."
            )
        else:
            lines.append(f"  {name}: {change_text}, {points}{doubt(change)}.")
    if judged := planted_labels(run):
        clauses = [f"{judged['mistaken']} replaced by another wrong one"] if judged["mistaken"] else []
        clauses += (
            [f"of the right labels {judged['wrongly']} replaced by a wrong one"] if judged["wrongly"] else []
        )
        repaired = f"{judged['found']} of {judged['planted']} found and replaced by the right one"
        lines.append(f"Labels planted wrong: {'; '.join([repaired, *clauses])}.")
    return lines


def flipped(run: Run) -> list[str]:
    """Count the held-out samples that changed sides.

    Between the first and the last policy, and how to see each.
    """
    scores_of = scores(run)
    if len(scores_of) < 2:
        return []
    before, after = list(scores_of)[0], list(scores_of)[-1]
    _, a, b = aligned(scores_of[before], scores_of[after])
    if not a:
        return []
    change = paired(a, b)
    return [
        f"{after} against {before}: {change.fixed} fixed, {change.broken} broken; see each:"
        f" looptool view {shlex.quote(str(run.path))}, or"
        f" CompareView(run, {before!r}, {after!r}) in a notebook."
    ]


def in_words(policy: str) -> str:
    """The number of iterations behind a policy, in words.

    Empty for a policy that stands for none.
    """
    from num2words import num2words

    count = int(policy[1:]) - 1 if policy[1:].isdigit() else 0
    return f" {num2words(count)} iteration{'s' * (count != 1)} of the loop" if count else ""


def doubt(change: Paired) -> str:
    """What to think of a change whose interval holds zero."""
    return ", which chance alone may do" if change.lo <= 0 <= change.hi else ""


def percent(share: float) -> str:
    """A share in whole percent, without the sign."""
    return f"{100 * share:.0f}"


def signed_points(share: float) -> str:
    """A difference of shares in whole percentage points, with its sign."""
    return f"{100 * share:+z.0f}"


def paid(run: Run) -> list[str]:
    """A line for each model that was called for this run.

    It has answers, tokens, and money where the settings name prices.
    """
    settings = run.settings
    endpoints = [e for e in (settings.generator_llm, settings.judge_llm, *settings.jury.others) if e]
    return [
        f"calls to {model}: {t.answered:,} answers, {t.tokens_in:,} tokens read, {t.tokens_out:,} written"
        + (f", {t.money:,.2f} spent" if t.money else "")
        for model, t in spent(run.path / "calls.sqlite", endpoints).items()
    ]


def report_run(run: Run) -> Path:
    """Write `report.html` from what the run folder holds, and return its path."""
    return write_report(report_data(run), run.path / "report.html")


def report_data(run: Run) -> ReportData:
    """What the report of a run shows."""
    scores_of = scores(run)
    return ReportData(
        name=run.name,
        settings=run.settings.model_dump(mode="json"),
        iterations=[_iteration(run, j) for j in run.iterations],
        scores=[s for table in scores_of.values() for s in table],
        policies=list(scores_of),
        robustness=list(finished(run, "robustness")),
        compositions=composition(run),
        noise=judge_against_truth(run),
        timings=timings(run),
        verdict=headline(run),
        flow=flow_of(run),
        decided=decided(run),
        newer=newer_in_words(newer_decisions(run)),
        made_with=made_with(run),
        tools=tools(run),
    )


def history(run: Run, iteration: int) -> list[dict[str, Any]]:
    """The trainers' log rows of an iteration, each with its `trainer`."""
    from looptool_kit.policy.policy import training_folder

    rows = []
    for facts in (run.manifest("policy", iteration) or {}).get("trainings", []):
        path = training_folder(run, iteration, facts) / "history.jsonl"
        rows += [{"trainer": facts.get("trainer", ""), **row} for row in read_lines(path)]
    return rows


def _iteration(run: Run, j: int) -> IterationData:
    probes = _outlines(run, j)
    shown = {p.sample_id for p in worst(probes, ids_of(run, "samples", j))}
    # Only their labels tell whether they should have declined or asked.
    shown |= {p.sample_id for p in probes if any(f.kind == "should_have_declined" for f in p.faults)}
    samples, whole = rows_of(run, shown, j)
    by_id = {p.sample_id: p for p in whole}
    return IterationData(
        samples=samples,
        probes=Probes(by_id.get(p.sample_id, p) for p in probes),
        verdicts=_verdicts(run, j),
        expansions=run.table(Expansions, "expansions", j, missing_ok=True),
        history=history(run, j),
        threshold=(run.manifest("probes", j) or {}).get("threshold"),
    )


def _outlines(run: Run, j: int) -> Probes:
    """The probes without what the report says of few: text, answer and tokens."""
    if not (run.folder(j) / "probes.parquet").exists():
        return Probes()
    few = {"text": "", "answer": Answer()}
    return Probes(p.model_copy(update=few) for p in run.stored(Probes, "probes", j, without=TOKENS))


def _verdicts(run: Run, j: int) -> Verdicts:
    if not (run.folder(j) / "verdicts.parquet").exists():
        return Verdicts()
    return Verdicts(run.stored(Verdicts, "verdicts", j, without=EVIDENCE))
