"""The report's figures, drawn as the views draw theirs: SVG text in which every word is escaped."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Sequence, Set
from statistics import fmean
from typing import Any

from looptool_kit.core.grading import told_kind
from looptool_kit.core.records import STATES, Probe, State
from looptool_kit.core.stats import Clustered, Paired, ScoreRow
from looptool_kit.drawing import NEAR_ONE, forest, heatmap, histogram, intervals, lines
from looptool_kit.report.words import told

BINS = 35
"""Bars of the histogram of perplexities."""
MAX_TOOLS = 20
"""Tools of the heat map with a row of their own."""


def scoreboard_figure(rows: Sequence[ScoreRow], policies: Sequence[str]) -> str:
    """Draw the accuracy of each policy with 95% intervals.

    In order: one panel for all samples and for each split.
    """
    panels = list(dict.fromkeys((r.group, r.value) for r in rows if r.group != "kind"))
    if len(panels) == 2:  # one split only: the same figure twice
        panels = panels[:1]
    cells = {(r.policy, r.group, r.value): (r.lo, r.accuracy, r.hi) for r in rows}
    drawn = [(policy, [cells.get((policy, *panel)) for panel in panels]) for policy in policies]
    names = [told(value) for _, value in panels]
    return intervals(drawn, names, "exact match of each policy, with 95% intervals", 160 + 200 * len(panels))


def differences_figure(rows: Sequence[tuple[str, Paired | Clustered]], title: str) -> str:
    """Draw paired differences of named comparisons with their intervals.

    The first is on top.
    """
    return forest(rows, title, lambda share: f"{share:+z.0%}".replace("-", "−") if share else "0")


def perplexity_figure(probes: Iterable[Probe], threshold: float | None) -> str:
    """Stacked histogram of the probes' perplexity by state.

    Its axis spreads what is close to 1.
    """
    values: dict[State, list[float]] = {state: [] for state in STATES}
    for p in probes:
        if math.isfinite(p.perplexity):
            values[p.state].append(math.log(max(p.perplexity, 1.0) - NEAR_ONE))
    low = math.log(1 - NEAR_ONE)
    wide = max([math.log(1.05 - NEAR_ONE), *(v for logs in values.values() for v in logs)]) - low
    edges = [NEAR_ONE + math.exp(low + wide * i / BINS) for i in range(BINS + 1)]
    counts = {
        state: [sum(min(int((v - low) / wide * BINS), BINS - 1) == i for v in logs) for i in range(BINS)]
        for state, logs in values.items()
    }
    title = f"perplexity, threshold {threshold:.4g}" if threshold is not None else "perplexity"
    return histogram(edges, counts, title, "perplexity", width=640, origin=NEAR_ONE)


def error_counts(probes: Iterable[Probe], asking: Set[str] = frozenset()) -> Counter[tuple[str, str]]:
    """(tool, error kind) -> samples with that fault at that tool.

    A sample counts once for each pair. `asking` are ids of samples whose label asks back (`told_kind`).
    """
    return Counter(
        pair
        for p in probes
        for pair in {(f.tool or "(no tool)", told_kind(f.kind, p.sample_id in asking)) for f in p.faults}
    )


def errors_figure(counts: Counter[tuple[str, str]]) -> str:
    """Heat map of errors by tool and kind.

    The tools with most errors stand on top, the others together below; the commonest kind comes first.
    """
    by_tool, by_kind = Counter[str](), Counter[str]()
    for (tool, kind), n in counts.items():
        by_tool[tool] += n
        by_kind[kind] += n
    tools = sorted(by_tool, key=lambda tool: (-by_tool[tool], tool))
    kinds = sorted(by_kind, key=lambda kind: (-by_kind[kind], kind))
    shown, rest = tools[:MAX_TOOLS], tools[MAX_TOOLS:]
    grid = [[counts[t, k] for k in kinds] for t in shown]
    if rest:
        grid.append([sum(counts[t, k] for t in rest) for k in kinds])
        shown = [*shown, f"{len(rest)} other tools"]
    return heatmap(shown, [k.replace("_", " ") for k in kinds], grid, "samples by tool and kind of error")


HISTORY = (
    ("Mean reward", ("reward",)),
    ("Share of right completions", ("correct",)),
    ("Share of groups without variance", ("frac_reward_zero_std",)),
    ("Loss", ("loss",)),
    ("Share of pairs whose better answer is ahead", ("preferred",)),
    ("Completion length, tokens", ("completions/mean_length", "completion_length")),
)
"""Title -> the keys of the log, the first that is there."""
MIN_POINTS = 5
"""With fewer a quantity has no figure: a line between two points says no more than they do."""


def history_figures(histories: Sequence[Sequence[dict[str, Any]]]) -> list[tuple[str, str]]:
    """Draw the training history over steps.

    (title, figure) for each quantity that was logged often enough. One line for each iteration and
    trainer, steps run on.
    """
    out = []
    for title, keys in HISTORY:
        for trainer in ("SFT", "GRPO", "PREFERENCE"):
            series: dict[str, list[tuple[float, float]]] = {}
            done = 0
            for j, rows in enumerate(histories, 1):
                logged = [
                    next((r[k] for k in keys if _number(r.get(k))), None) for r in rows if _by(r) == trainer
                ]
                points = [value for value in logged if value is not None]
                if points:
                    series[f"iteration {j}"] = [(done + i, float(v)) for i, v in enumerate(points, 1)]
                    done += len(points)
            if done >= MIN_POINTS:
                full = f"{title} ({trainer})"
                span = (0.0, 1.0) if title.startswith("Share") else None
                out.append(
                    (full, lines(series, full, x_label="logged step", y_range=span, width=460, height=220))
                )
    return out


def rewarded(histories: Sequence[Sequence[dict[str, Any]]]) -> list[tuple[int, int, float, float | None]]:
    """What GRPO earned in each iteration that it trained in.

    (iteration, steps, mean reward, share of groups without variance).
    """
    out = []
    for j, rows in enumerate(histories, 1):
        steps = [r for r in rows if _by(r) == "GRPO" and _number(r.get("reward"))]
        alike = [r["frac_reward_zero_std"] for r in steps if _number(r.get("frac_reward_zero_std"))]
        if steps:
            out.append((j, len(steps), fmean(r["reward"] for r in steps), fmean(alike) if alike else None))
    return out


def _by(row: dict[str, Any]) -> str:
    """Which trainer logged a history row: its `trainer` where named, else GRPO where there is a reward."""
    trainer = str(row.get("trainer", "")).upper()
    named = trainer in ("SFT", "GRPO", "PREFERENCE")
    return trainer if named else "GRPO" if "reward" in row else "SFT"


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)
