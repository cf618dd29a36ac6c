"""`write_report`: one self-contained HTML page about a run."""

from __future__ import annotations

import json
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from datetime import datetime
from pathlib import Path
from typing import Any

from looptool_kit.core.grading import told_kind
from looptool_kit.core.preview import show_call
from looptool_kit.core.records import (
    OPTIONAL_PARTS,
    PARTS,
    STATES,
    VERDICTS,
    Probe,
    Score,
    Verdict,
)
from looptool_kit.core.samples import Sample, ToolCall
from looptool_kit.core.stats import Paired, ScoreRow, aligned, paired, scoreboard, wilson
from looptool_kit.core.tables import write_text
from looptool_kit.report import figures
from looptool_kit.report.data import ReportData
from looptool_kit.report.render import drawn, render_template
from looptool_kit.report.words import meanings, told
from looptool_kit.stages.evaluate.robustness import changes

ENOUGH = "passed, but enough already"
"""Why a candidate did not join that failed no check."""
MAX_TOOLS = 200
"""Tools that are listed."""
WORST = 10
"""Failed probes that are shown whole."""


def write_report(data: ReportData, path: str | Path) -> Path:
    """Write the page to `path`, atomically, and return the path."""
    path = Path(path)
    write_text(path, render(data))
    return path


def render(data: ReportData) -> str:
    """The page as text."""
    histories = [iteration.history for iteration in data.iterations]
    worst_items = _worst(data)
    used = {name for s in data.scores for name in (s.kind, s.split)} | {i["sample"].kind for i in worst_items}
    return render_template(
        "report.html.jinja",
        data=data,
        flow=drawn(data.flow),
        # The figure is what a reader came for.
        verdict=sorted(data.verdict, key=lambda line: not line.startswith("Exact match")),
        made=datetime.now().astimezone(),
        facts=[(k, v) for k, v in data.settings.items() if not isinstance(v, Mapping)],
        folded=[(k, v) for k, v in data.settings.items() if isinstance(v, Mapping)],
        suites=_suites(data),
        robustness=_robustness(data),
        composition=_composition(data.compositions),
        state_names=STATES,
        most_tools=MAX_TOOLS,
        probed=_probed(data),
        errors=_errors(data),
        verdicts=_verdicts(data),
        noise=_noise(data.noise),
        expansions=_expansions(data),
        rewarded=figures.rewarded(histories),
        told=told,
        meanings=meanings(used),
        history=[(title, drawn(svg)) for title, svg in figures.history_figures(histories)],
        worst=worst_items,
        timings=_timings(data.timings),
    )


# --------------------------------------------------------------- sections


def _suites(data: ReportData) -> list[dict[str, Any]]:
    """For each suite: the scoreboard, its figure and the paired differences."""
    order = list(dict.fromkeys([*data.policies, *(s.policy for s in data.scores)]))
    out = []
    for suite in dict.fromkeys(s.suite for s in data.scores):
        scores = [s for s in data.scores if s.suite == suite]
        names = [p for p in order if any(s.policy == p for s in scores)]
        rows = sorted(scoreboard(scores), key=lambda r: names.index(r.policy))
        differences = _differences(scores, names)
        groups = list(
            dict.fromkeys(
                (r.group, r.value)
                for r in sorted(rows, key=lambda r: ("all", "split", "kind").index(r.group))
            )
        )
        cells: dict[tuple[str, str, str], ScoreRow] = {(r.policy, r.group, r.value): r for r in rows}
        overall = [(name, splits[0][1]) for name, splits in differences]
        out.append(
            {
                "name": suite,
                "policies": names,
                "result": _steps(names)[-1],
                "groups": groups,
                "cells": cells,
                "figure": drawn(figures.scoreboard_figure(rows, names)),
                "differences": differences,
                "difference_figure": (
                    drawn(figures.differences_figure(overall, "paired differences")) if overall else None
                ),
            }
        )
    return out


def _steps(names: Sequence[str]) -> list[str]:
    """The policies that are steps of the loop.

    Controls are left out where there is something else.
    """
    return [n for n in names if not n.startswith("control")] or list(names)


def _differences(scores: Sequence[Score], names: Sequence[str]) -> list[tuple[str, list[tuple[str, Paired]]]]:
    """(comparison, [(all or split, result)]) for the steps of the loop.

    Each step is compared with the one before it, the last one with the first and the controls.
    """
    steps = _steps(names)
    pairs = list(zip(steps, steps[1:], strict=False)) + ([(steps[0], steps[-1])] if len(steps) > 2 else [])
    pairs += [(control, steps[-1]) for control in names if control not in steps]
    by_policy = {n: [s for s in scores if s.policy == n] for n in names}
    splits = list(dict.fromkeys(s.split for s in scores))
    out = []
    for a, b in pairs:
        rows = []
        for split in ("", *(splits if len(splits) > 1 else ())):
            ids, before, after = aligned(
                *([s for s in by_policy[n] if not split or s.split == split] for n in (a, b))
            )
            if ids:
                rows.append((split or "all", paired(before, after)))
        if rows:
            out.append((f"{b} against {a}", rows))
    return out


def _robustness(data: ReportData) -> dict[str, Any] | None:
    """The first and the last step of the loop under each perturbation."""
    policies = [p for p in data.policies if any(s.policy == p for s in data.robustness)] or list(
        dict.fromkeys(s.policy for s in data.robustness)
    )
    if not policies:
        return None
    steps = _steps(policies)
    rows = changes(data.robustness, [steps[0], steps[-1]])
    cells = {(c.perturbation, c.policy): c.result for c in rows}
    figure = figures.differences_figure(
        [(f"{c.perturbation.replace('_', ' ')}, {c.policy}", c.result) for c in rows],
        "change under each perturbation",
    )
    return {
        "names": {c.perturbation: c.result.n for c in rows},
        "policies": list(dict.fromkeys((steps[0], steps[-1]))),
        "cells": cells,
        "figure": drawn(figure),
    }


def _composition(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if not rows:
        return None
    parts = [
        k for k in dict.fromkeys(k for row in rows for k in row) if k not in ("dataset", "total", "iteration")
    ]
    usual = set(PARTS) - {
        "unjudged",
        *OPTIONAL_PARTS,
    }  # the paper's parts stand there also where they are empty
    parts = [p for p in parts if p in usual or any(row.get(p) for row in rows)]
    lines = []
    for number, row in enumerate(rows, 1):
        counts = [int(row.get(p) or 0) for p in parts]
        lines.append(
            (
                row.get("dataset") or f"D{row.get('iteration', number)}",
                counts,
                int(row.get("total") or sum(counts)),
            )
        )
    return {"heads": parts, "lines": lines, "most": max([1, *(total for _, _, total in lines)])}


def _probed(data: ReportData) -> list[dict[str, Any]]:
    out = []
    for number, iteration in enumerate(data.iterations, 1):
        if iteration.probes:
            states = Counter(p.state for p in iteration.probes)
            medians = {
                s: statistics.median(p.perplexity for p in iteration.probes if p.state == s) for s in states
            }
            figure = drawn(figures.perplexity_figure(iteration.probes, iteration.threshold))
            out.append(
                {
                    "number": number,
                    "n": len(iteration.probes),
                    "states": states,
                    "medians": medians,
                    "threshold": iteration.threshold,
                    "figure": figure,
                }
            )
    return out


def _errors(data: ReportData) -> dict[str, Any] | None:
    """The kinds of errors of every iteration, by a sample's first fault.

    Also the last iteration's heat map by tool.
    """
    probed = [(j, iteration.probes) for j, iteration in enumerate(data.iterations, 1) if iteration.probes]
    if not probed:
        return None
    asking = {
        j: {s.id for s in iteration.samples if s.label.asks} for j, iteration in enumerate(data.iterations, 1)
    }
    kinds = {
        j: Counter(told_kind(p.error, p.sample_id in asking[j]) for p in probes if p.error)
        for j, probes in probed
    }
    names = [k for k, _ in sum(kinds.values(), Counter[str]()).most_common()]
    last = figures.error_counts(probed[-1][1], asking[probed[-1][0]])
    return {
        "numbers": [j for j, _ in probed],
        "rows": [(name, [kinds[j][name] for j, _ in probed]) for name in names],
        "last": probed[-1][0],
        "cells": [(tool, kind, n) for (tool, kind), n in last.most_common(200)],
        "figure": drawn(figures.errors_figure(last)) if last else None,
    }


def _verdicts(data: ReportData) -> dict[str, Any] | None:
    judged = [(j, iteration.verdicts) for j, iteration in enumerate(data.iterations, 1) if iteration.verdicts]
    if not judged:
        return None
    counts = {
        j: Counter(v.verdict if v.status == "judged" and v.verdict else "unjudged" for v in rows)
        for j, rows in judged
    }
    lines = [(name, [counts[j][name] for j, _ in judged]) for name in (*VERDICTS, "unjudged")]
    return {"numbers": [j for j, _ in judged], "lines": lines, "totals": [len(rows) for _, rows in judged]}


def _noise(noise: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """The judge's precision, recall and abstention, with Wilson's intervals.

    Precision and recall are of LABEL_WRONG, from the counts of `ReportData.noise`.
    """
    if not noise:
        return None
    rows = []

    def share(words: str, k: Any, n: Any) -> None:
        if isinstance(k, int) and isinstance(n, int) and 0 <= k <= n:
            rows.append((words, k, n, k / n if n else None, *wilson(k, n)))

    share("Precision: flagged labels that really were wrong", noise.get("right"), noise.get("flagged"))
    share("Recall: wrong labels that were flagged", noise.get("right"), noise.get("planted"))
    share(
        "Recall among those where the prediction was the true answer",
        noise.get("right_of_correctable"),
        noise.get("correctable"),
    )
    if isinstance(noise.get("judged"), int) and isinstance(noise.get("unjudged"), int):
        share(
            "Abstained: failed samples left unjudged", noise["unjudged"], noise["judged"] + noise["unjudged"]
        )
    shown = (
        {"right", "flagged", "planted", "right_of_correctable", "correctable", "judged", "unjudged"}
        if rows
        else set()
    )
    return {"rows": rows, "others": [(k, v) for k, v in noise.items() if k not in shown]}


def _expansions(data: ReportData) -> list[dict[str, Any]]:
    """Candidates, accepted and failed ones, for each iteration and strategy."""
    out = []
    for number, iteration in enumerate(data.iterations, 1):
        for strategy in dict.fromkeys(e.strategy for e in iteration.expansions):
            candidates = [e for e in iteration.expansions if e.strategy == strategy]
            failed = Counter(
                next((c.name for c in e.checks if not c.passed), ENOUGH) for e in candidates if not e.accepted
            )
            accepted = sum(e.accepted for e in candidates)
            out.append(
                {
                    "number": number,
                    "strategy": strategy,
                    "n": len(candidates),
                    "accepted": accepted,
                    "failed": failed.most_common(4),
                }
            )
    return out


def _worst(data: ReportData) -> list[dict[str, Any]]:
    latest = next((iteration for iteration in reversed(data.iterations) if iteration.probes), None)
    if latest is None:
        return []
    samples, verdicts = latest.samples.by_id(), {v.sample_id: v for v in latest.verdicts}
    return [
        _item(samples[p.sample_id], p, verdicts.get(p.sample_id))
        for p in worst(latest.probes, samples.keys())
    ]


def worst(probes: Sequence[Probe], ids: Set[str]) -> list[Probe]:
    """The failed probes that the policy was surest of.

    Lowest perplexity first, a new tool and kind of error before others; only probes of samples with these
    ids.
    """
    failed = sorted(
        (p for p in probes if p.state == "failed" and p.sample_id in ids), key=lambda p: p.perplexity
    )
    seen: set[tuple[str, str]] = set()
    first: list[Probe] = []
    again: list[Probe] = []
    for probe in failed:
        key = (probe.error, probe.faults[0].tool if probe.faults else "")
        (again if key in seen else first).append(probe)
        seen.add(key)
    return (first + again)[:WORST]


def _item(sample: Sample, probe: Probe, verdict: Verdict | None) -> dict[str, Any]:
    label = _calls(sample.label.calls) or sample.label.reply or "(a plain reply)"
    return {
        "sample": sample,
        "probe": probe,
        "faults": [fault.told(sample.label.asks) for fault in probe.faults],
        "verdict": verdict,
        "label": label,
        "prediction": (
            _calls(probe.answer.calls) if probe.answer.calls and not probe.answer.error else probe.text
        ),
        "tools": [
            (t.name, t.description, json.dumps(t.parameters, indent=2, ensure_ascii=False))
            for t in sample.tools
        ],
        "context": [(m.role, m.content or _calls(m.tool_calls)) for m in sample.messages],
    }


def _calls(calls: Sequence[ToolCall]) -> str:
    return "\n".join(map(show_call, calls))


def _timings(rows: Sequence[Mapping[str, Any]]) -> dict[str, Any] | None:
    if not rows:
        return None
    stages = list(dict.fromkeys(str(r["stage"]) for r in rows))
    numbers = sorted({int(r["iteration"]) for r in rows})
    seconds: Counter[tuple[str, int]] = Counter()
    for r in rows:
        seconds[str(r["stage"]), int(r["iteration"])] += r["seconds"]
    lines = [(s, [seconds.get((s, j)) for j in numbers], sum(seconds[s, j] for j in numbers)) for s in stages]
    totals = [sum(seconds[s, j] for s in stages) for j in numbers]
    return {
        "numbers": numbers,
        "lines": lines,
        "totals": totals,
        "total": sum(totals),
        "most": max([1e-9, *(t for _, _, t in lines)]),
    }
