"""The report's figures, as plain plotly dictionaries.

They have no colours of the page, which adds its light or dark theme.

Every text that a model or a dataset wrote passes `label`, because plotly reads a little HTML in its texts.
"""

from __future__ import annotations

import html
import math
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any

from looptool_kit.core.records import Probe
from looptool_kit.core.stats import Clustered, Paired, ScoreRow
from looptool_kit.core.terminal import visible

Figure = dict[str, Any]
PALETTE = ("#3b7dd8", "#e0802b", "#2a9d78", "#b05cc6", "#c9a20c", "#d2516f", "#5aa9c9", "#8a8f98")
STATE_COLORS = {"mastered": "#2484c6", "borderline": "#c48a00", "failed": "#d0405a"}
_STEPS = (1, 1.01, 1.02, 1.05, 1.1, 1.2, 1.3, 1.5, 2, 3, 5, 10, 20, 50, 100, 300, 1000, 10_000, 100_000)


def label(text: object, longest: int = 40) -> str:
    """A text for plotly: visible, one short line, without markup."""
    line = " ".join(visible(text).split())
    return html.escape(line if len(line) <= longest else line[: longest - 1] + "…", quote=False)


def scoreboard_figure(rows: Sequence[ScoreRow], policies: Sequence[str]) -> Figure:
    """Accuracy of each policy (x, in order), as dots with 95% intervals.

    For all samples and for each split.
    """
    series = list(dict.fromkeys((r.group, r.value) for r in rows if r.group != "kind"))
    if len(series) == 2:  # one split only: the same figure twice
        series = series[:1]
    place = {policy: i for i, policy in enumerate(policies)}
    traces = []
    for s, (group, value) in enumerate(series):
        bars = [r for r in rows if (r.group, r.value) == (group, value) and r.policy in place]
        shift = 0.0 if len(series) == 1 else (s / (len(series) - 1) - 0.5) * 0.5
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": label(value.replace("_", " ")),
                "x": [place[r.policy] + shift for r in bars],
                "y": [r.accuracy for r in bars],
                "error_y": {
                    "type": "data",
                    "symmetric": False,
                    "array": [r.hi - r.accuracy for r in bars],
                    "arrayminus": [r.accuracy - r.lo for r in bars],
                    "thickness": 1.5,
                    "width": 4,
                },
                "marker": {
                    "size": 11 if group == "all" else 8,
                    "color": PALETTE[s % len(PALETTE)],
                    "symbol": "diamond" if group == "all" else "circle",
                },
                "customdata": [[label(r.policy), r.correct, r.n, r.lo, r.hi] for r in bars],
                "hovertemplate": (
                    "%{customdata[0]}: %{y:.1%} (%{customdata[1]} of %{customdata[2]})"
                    "<br>95%: %{customdata[3]:.1%} to %{customdata[4]:.1%}"
                ),
            }
        )
    axis = {
        "tickvals": list(place.values()),
        "ticktext": [label(p, 24) for p in policies],
        "range": [-0.5, len(policies) - 0.5],
        "zeroline": False,
    }
    return _figure(
        traces,
        360,
        xaxis=axis,
        yaxis={"range": [0, 1.02], "tickformat": ".0%", "title": {"text": "exact match"}},
        legend=_LEGEND,
    )


def differences_figure(rows: Sequence[tuple[str, Paired | Clustered]]) -> Figure:
    """Paired differences (x) of named comparisons (y), with 95% intervals.

    The first comparison is on top; a line stands at zero.
    """
    trace = {
        "type": "scatter",
        "mode": "markers",
        "x": [d.difference for _, d in rows],
        "y": list(range(len(rows))),
        "error_x": {
            "type": "data",
            "symmetric": False,
            "array": [d.hi - d.difference for _, d in rows],
            "arrayminus": [d.difference - d.lo for _, d in rows],
            "thickness": 1.5,
            "width": 5,
            "color": PALETTE[7],
        },
        "marker": {
            "size": 10,
            "color": [
                PALETTE[7]
                if d.lo <= 0 <= d.hi
                else STATE_COLORS["mastered"]
                if d.lo > 0
                else STATE_COLORS["failed"]
                for _, d in rows
            ],
        },
        "hovertemplate": "%{x:+.1%}<extra></extra>",
    }
    reach = max([0.05, *(abs(v) for _, d in rows for v in (d.lo, d.hi))]) * 1.08
    return _figure(
        [trace],
        90 + 38 * len(rows),
        xaxis={"range": [-reach, reach], "tickformat": "+.0%", "zeroline": True, "zerolinewidth": 2},
        yaxis={
            "tickvals": list(range(len(rows))),
            "ticktext": [label(name, 44).replace(" against ", "<br>against ") for name, _ in rows],
            "range": [len(rows) - 0.5, -0.5],
            "zeroline": False,
        },
        showlegend=False,
    )


def perplexity_figure(probes: Iterable[Probe], threshold: float | None) -> Figure:
    """Stacked histogram of the probes' perplexity (logarithmic) by state, with the threshold of D_HPPL."""
    values = {
        s: [
            math.log10(max(p.perplexity, 1.0)) for p in probes if p.state == s and math.isfinite(p.perplexity)
        ]
        for s in STATE_COLORS
    }
    everything = [v for vs in values.values() for v in vs]
    edge = [math.log10(max(threshold, 1.0))] if threshold is not None and math.isfinite(threshold) else []
    top = max([0.05, *everything, *edge]) * 1.02
    traces = _bars(values, top)
    nice = [s for s in _STEPS if math.log10(s) <= top]
    ticks: list[float] = []
    for step in nice:  # the smallest steps crowd at the left end of a long axis
        if not ticks or math.log10(step) - math.log10(ticks[-1]) >= top / 8:
            ticks.append(step)
    dashed = {"dash": "dash", "width": 2, "color": PALETTE[0]}
    line = [
        {"type": "line", "x0": x, "x1": x, "y0": 0, "y1": 1, "yref": "paper", "line": dashed} for x in edge
    ]
    note = [
        {
            "x": x,
            "y": 1,
            "yref": "paper",
            "yanchor": "top",
            "xanchor": "left",
            "showarrow": False,
            "text": f" threshold {threshold:.4g}",
        }
        for x in edge
    ]
    return _figure(
        traces,
        300,
        barmode="stack",
        bargap=0,
        xaxis={
            "tickvals": [math.log10(t) for t in ticks],
            "ticktext": [f"{t:g}" for t in ticks],
            "range": [0, top],
            "title": {"text": "perplexity"},
        },
        yaxis={"title": {"text": "samples"}, "rangemode": "tozero"},
        shapes=line,
        annotations=note,
        legend=_LEGEND,
    )


def _bars(values: dict[str, list[float]], top: float) -> list[Figure]:
    """The bars of each state's perplexities.

    These are given as their logarithms; bars reach from 1 to 10 to the power `top`.
    """
    import numpy as np

    edges = np.linspace(0.0, top, 36)
    middle, width = ((edges[1:] + edges[:-1]) / 2).tolist(), float(edges[1] - edges[0])
    bounds = [[10**a, 10**b] for a, b in zip(edges[:-1].tolist(), edges[1:].tolist(), strict=True)]
    return [
        {
            "type": "bar",
            "name": state,
            "x": middle,
            "y": np.histogram(logs, edges)[0].tolist(),
            "width": width * 0.94,
            "marker": {"color": STATE_COLORS[state]},
            "customdata": bounds,
            "hovertemplate": "%{customdata[0]:.3f} to %{customdata[1]:.3f}: %{y}",
        }
        for state, logs in values.items()
    ]


def error_counts(probes: Iterable[Probe]) -> Counter[tuple[str, str]]:
    """(tool, error kind) -> samples with that fault at that tool.

    A sample counts once for each pair.
    """
    return Counter(pair for p in probes for pair in {(f.tool or "(no tool)", f.kind) for f in p.faults})


def errors_figure(counts: Counter[tuple[str, str]], most: int = 20) -> Figure:
    """Heat map of errors: tools (y) by kind of error (x).

    The tools with most errors stand on top, the others together below; the commonest kind comes first.
    """
    by_tool, by_kind = Counter[str](), Counter[str]()
    for (tool, kind), n in counts.items():
        by_tool[tool] += n
        by_kind[kind] += n
    tools = [t for t, _ in sorted(by_tool.items(), key=lambda kv: (-kv[1], kv[0]))]
    kinds = [k for k, _ in sorted(by_kind.items(), key=lambda kv: (-kv[1], kv[0]))]
    shown, rest = tools[:most], tools[most:]
    grid = [[counts[t, k] for k in kinds] for t in shown]
    names = [label(t, 28) for t in shown]
    if rest:
        grid.append([sum(counts[t, k] for t in rest) for k in kinds])
        names.append(f"{len(rest)} other tools")
    trace = {
        "type": "heatmap",
        "z": [[n or None for n in row] for row in grid],
        "x": list(range(len(kinds))),
        "y": list(range(len(names))),
        "text": [[str(n) if n else "" for n in row] for row in grid],
        "texttemplate": "%{text}",
        "showscale": False,
        "xgap": 2,
        "ygap": 2,
        "hoverinfo": "skip",
        "colorscale": [[0, "#f3c9a5"], [0.5, "#e0802b"], [1, "#9c3b12"]],
        "zmin": 0,
    }
    return _figure(
        [trace],
        150 + 24 * len(names),
        margin={"l": 10, "r": 64, "t": 24, "b": 10},
        xaxis={
            "tickvals": list(range(len(kinds))),
            "ticktext": [label(k.replace("_", " ")) for k in kinds],
            "tickangle": -55,
            "ticklabeloverflow": "allow",
            "range": [-0.5, len(kinds) - 0.5],
            "side": "top",
            "showgrid": False,
            "zeroline": False,
        },
        yaxis={
            "tickvals": list(range(len(names))),
            "ticktext": names,
            "range": [len(names) - 0.5, -0.5],
            "showgrid": False,
            "zeroline": False,
        },
        showlegend=False,
    )


HISTORY = (
    ("reward", "Mean reward", ("reward",)),
    ("correct", "Share of right completions", ("correct",)),
    ("flat", "Share of groups without variance", ("frac_reward_zero_std",)),
    ("loss", "Loss", ("loss",)),
    ("preferred", "Share of pairs whose better answer is ahead", ("preferred",)),
    ("length", "Completion length, tokens", ("completions/mean_length", "completion_length")),
)


def history_figures(histories: Sequence[Sequence[dict[str, Any]]]) -> list[tuple[str, Figure]]:
    """Training history over steps: (title, figure) for each quantity that was logged.

    One line for each iteration and trainer, steps run on.
    """
    out = []
    for _, title, keys in HISTORY:
        panels: dict[str, list[dict[str, Any]]] = {}
        done: Counter[str] = Counter()
        for j, rows in enumerate(histories, 1):
            for trainer in ("SFT", "GRPO", "PREFERENCE"):
                points: list[tuple[int, float]] = []
                for row in rows:
                    value = next((row[k] for k in keys if _number(row.get(k))), None)
                    if value is not None and trainer_of(row) == trainer:
                        points.append((done[trainer] + len(points) + 1, value))
                if points:
                    done[trainer] += len(points)
                    panels.setdefault(trainer, []).append(
                        {
                            "type": "scatter",
                            "mode": "lines+markers" if len(points) < 40 else "lines",
                            "name": f"iteration {j}",
                            "x": [x for x, _ in points],
                            "y": [y for _, y in points],
                            "marker": {"size": 5, "color": PALETTE[(j - 1) % len(PALETTE)]},
                            "line": {"width": 2, "color": PALETTE[(j - 1) % len(PALETTE)]},
                            "hovertemplate": "%{y:.3g}",
                        }
                    )
        for trainer, traces in panels.items():
            y: dict[str, Any] = {"rangemode": "tozero"}
            if title.startswith("Share"):
                y = {"range": [-0.03, 1.03], "tickformat": ".0%"}
            # A graded reward leaves what a share can be.
            elif title == "Mean reward" and all(0 <= v <= 1 for t in traces for v in t["y"]):
                y = {"range": [-0.03, 1.03]}
            out.append(
                (
                    f"{title} ({trainer})",
                    _figure(
                        traces,
                        250,
                        xaxis={"title": {"text": "logged step"}, "zeroline": False},
                        yaxis=y,
                        legend=_LEGEND,
                    ),
                )
            )
    return out


def trainer_of(row: dict[str, Any]) -> str:
    """Which trainer logged a history row.

    Its `trainer` where named, else GRPO where there is a reward.
    """
    trainer = str(row.get("trainer", "")).upper()
    named = trainer in ("SFT", "GRPO", "PREFERENCE")
    return trainer if named else "GRPO" if "reward" in row else "SFT"


_LEGEND = {"orientation": "h", "y": 1.02, "yanchor": "bottom", "x": 0}


def _number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


def _figure(traces: list[dict[str, Any]], height: int, **layout: Any) -> Figure:
    axes = {
        k: {"automargin": True, "fixedrange": True, **v} for k, v in layout.items() if k in ("xaxis", "yaxis")
    }
    return {
        "data": traces,
        "layout": {"height": height, "margin": {"l": 10, "r": 12, "t": 24, "b": 10}, **layout, **axes},
    }
