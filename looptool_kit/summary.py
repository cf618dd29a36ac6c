"""What a run came to: the scoreboard on the terminal, the judge against planted errors, the report on disk."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, TypeVar

from looptool_kit.calls import spent
from looptool_kit.compose import composition
from looptool_kit.evaluate import scores
from looptool_kit.records import Expansions, Probes, Verdicts
from looptool_kit.report import IterationData, ReportData, duration, write_report
from looptool_kit.run import Run
from looptool_kit.samples import Samples
from looptool_kit.seed import Truths
from looptool_kit.suites import robustness
from looptool_kit.tables import Table
from looptool_kit.toolcalls import grade

T = TypeVar("T", bound=Table[Any])
STAGES = ("seed", "policy", "scores", "probes_raw", "verdicts", "expansions", "composition")


def print_scoreboard(run: Run) -> None:
    """Accuracy of every policy on each split with 95% Wilson intervals, the paired change from the first to the last, and the composition."""
    from rich.console import Console
    from rich.table import Table as Grid

    from looptool_kit.stats import aligned, paired, scoreboard

    found = scores(run)
    console = Console()
    rows = scoreboard([s for table in found.values() for s in table])
    columns = list(dict.fromkeys((r.group, r.value) for r in rows if r.group in ("all", "split")))
    columns.sort(key=lambda c: c[0] != "all")
    grid = Grid(title="held-out exact match (95% intervals)")
    grid.add_column("policy")
    for group, value in columns:
        grid.add_column("all" if group == "all" else value.replace("_", " "), justify="right")
    for name in found:
        cells = {(r.group, r.value): r for r in rows if r.policy == name}
        grid.add_row(name, *(f"{c.accuracy:.2f} [{c.lo:.2f}, {c.hi:.2f}]" if (c := cells.get(at)) else "" for at in columns))
    console.print(grid)
    trained = [name for name in found if name != "base"]
    if len(trained) > 1:
        first, last = found[trained[0]], found[trained[-1]]
        _, a, b = aligned(first, last)
        change = paired(a, b)
        console.print(
            f"{trained[0]} -> {trained[-1]}: {change.difference:+.3f} [{change.lo:+.3f}, {change.hi:+.3f}], "
            f"{change.fixed} fixed, {change.broken} broken, McNemar p = {change.p:.3f}, n = {change.n}"
        )
    grid = Grid(title="composition")
    rows_of = composition(run)
    for column in rows_of[0] if rows_of else ():
        grid.add_column(column, justify="right")
    for row in rows_of:
        grid.add_row(*(str(v) for v in row.values()))
    console.print(grid)
    for line in paid(run):
        console.print(line)
    judged = judge_against_truth(run)
    if judged:
        console.print(
            "judge against planted errors: "
            f"precision {judged['right']}/{judged['flagged']}, recall {judged['right_of_correctable']}/{judged['correctable']} of those whose "
            f"prediction was right, unjudged {judged['unjudged']} of {judged['judged'] + judged['unjudged']}"
        )


def paid(run: Run) -> list[str]:
    """A line for each model that was called for this run: answers, tokens, and money where the settings say prices."""
    settings = run.settings
    endpoints = [e for e in (settings.generator_llm, settings.judge_llm, *settings.jury.others) if e]
    return [
        f"calls to {model}: {t.answered:,} answers, {t.tokens_in:,} tokens read, {t.tokens_out:,} written"
        + (f", {t.money:,.2f} spent" if t.money else "")
        for model, t in spent(run.path / "calls.sqlite", endpoints).items()
    ]


def judge_against_truth(run: Run) -> dict[str, Any] | None:
    """How LABEL_WRONG stands against planted errors, over all iterations' failed samples; None where none were planted.

    `flagged`: LABEL_WRONG verdicts; `right`: those on a planted error; `correctable`: planted errors among the failed where the prediction equals the
    truth; `right_of_correctable`: those flagged; `planted`, `judged`, `unjudged`: counts of failed samples.
    """
    truth = {t.sample_id: t.label for t in _table(run, Truths, "truth", 0)}
    if not truth:
        return None
    out = dict.fromkeys(("planted", "flagged", "right", "correctable", "right_of_correctable", "judged", "unjudged"), 0)
    for j in run.iterations:
        samples = _table(run, Samples, "samples", j).by_id()
        probes = {p.sample_id: p for p in _table(run, Probes, "probes", j)}
        for verdict in _table(run, Verdicts, "verdicts", j):
            if verdict.sample_id not in samples:  # left behind by a dataset that was composed anew
                continue
            planted = verdict.sample_id in truth
            flagged = verdict.verdict == "LABEL_WRONG"
            right = planted and grade(probes[verdict.sample_id].answer, truth[verdict.sample_id], samples[verdict.sample_id].tools).correct
            out["planted"] += planted
            out["flagged"] += flagged
            out["right"] += flagged and planted
            out["correctable"] += right
            out["right_of_correctable"] += right and flagged
            out["judged"] += verdict.status == "judged"
            out["unjudged"] += verdict.status == "unjudged"
    return out


def report_run(run: Run) -> Path:
    """Write `report.html` from what the run folder holds, and return its path."""
    found = scores(run)
    return write_report(
        ReportData(
            name=run.path.name,
            settings=run.settings.model_dump(mode="json"),
            iterations=[_iteration(run, j) for j in run.iterations],
            scores=[s for table in found.values() for s in table],
            policies=list(found),
            robustness=list(robustness.finished(run)),
            compositions=composition(run),
            noise=judge_against_truth(run),
            timings=timings(run),
        ),
        run.path / "report.html",
    )


def took(run: Run) -> str:
    """Wall time of all finished stages together, and the most memory that the process of one of them held."""
    manifests = [m for j in (0, *run.iterations) for stage in STAGES if (m := run.manifest(stage, j))]
    return f"stages: {duration(sum(m['seconds'] for m in manifests))}, peak memory {max((m['peak_mb'] for m in manifests), default=0):,} MiB"


def timings(run: Run) -> list[dict[str, Any]]:
    """Seconds of each finished stage: rows of stage, iteration, seconds."""
    out = []
    for j in (0, *run.iterations):
        for stage in STAGES:
            manifest = run.manifest(stage, j)
            if manifest:
                out.append({"stage": stage.replace("_raw", "").replace("policy", "train"), "iteration": j, "seconds": manifest["seconds"]})
    return out


def history(run: Run, iteration: int) -> list[dict[str, Any]]:
    """The trainers' log rows of an iteration, each with its `trainer`."""
    rows = []
    for facts in (run.manifest("policy", iteration) or {}).get("trainings", []):
        path = run.folder(iteration) / "policy" / facts["folder"] / "history.jsonl"
        rows += [{"trainer": facts["trainer"], **json.loads(line)} for line in path.read_text(encoding="utf-8").splitlines()]
    return rows


def _iteration(run: Run, j: int) -> IterationData:
    return IterationData(
        samples=_table(run, Samples, "samples", j),
        probes=_table(run, Probes, "probes", j),
        verdicts=_table(run, Verdicts, "verdicts", j),
        expansions=_table(run, Expansions, "expansions", j),
        history=history(run, j),
        threshold=(run.manifest("probes", j) or {}).get("threshold"),
    )


def _table(run: Run, kind: type[T], name: str, j: int) -> T:
    path = run.folder(j) / f"{name}.parquet"
    return kind.read(path) if path.exists() else kind()
