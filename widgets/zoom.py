"""Charts to zoom and hover in, by plotly: only for notebooks, whose JupyterLab has plotly's own viewer.

`chart.show("plotly_mimetype")` asks no host for anything; other renderers of plotly may.
"""

from __future__ import annotations

import html
from typing import TYPE_CHECKING

from looptool_kit.core.records import STATES, Probe, Probes
from looptool_kit.core.samples import Samples
from looptool_kit.core.terminal import visible
from looptool_kit.drawing import SERIES
from looptool_kit.run.folder import Run

if TYPE_CHECKING:
    from plotly.graph_objects import Figure

COLOURS = {"mastered": SERIES[0], "borderline": SERIES[2], "failed": SERIES[1]}
MAX_WORDS = 120
"""Characters of a request under the pointer."""


def perplexity_chart(run: Run) -> Figure:
    """Make a chart of every probe.

    A dot at its perplexity, by iteration and state. Under the pointer stands the request. Perplexities
    are on a logarithmic axis; a line marks the threshold of each iteration (LoopTool, section 3.3).
    """
    import plotly.graph_objects as go

    by_state: dict[str, list[tuple[float, float, str]]] = {state: [] for state in STATES}
    for j in run.iterations:
        requests = {s.id: s.request for s in run.table(Samples, "samples", j)}
        probes = run.table(Probes, "probes", j, missing_ok=True)
        for at, probe in enumerate(probes):
            # Spread over the height of an iteration's band, the same way each time.
            height = j + 0.7 * (at % 89 / 88 - 0.5)
            by_state[probe.state].append((probe.perplexity, height, _under_pointer(probe, requests)))
    chart = go.Figure(
        [
            go.Scattergl(
                x=[x for x, _, _ in dots],
                y=[y for _, y, _ in dots],
                text=[words for _, _, words in dots],
                name=f"{state} ({len(dots)})",
                mode="markers",
                marker={"color": COLOURS[state], "size": 6, "opacity": 0.7},
                hovertemplate="perplexity %{x:.3f}<br>%{text}<extra></extra>",
            )
            for state, dots in by_state.items()
        ]
    )
    for j in run.iterations:
        threshold = (run.manifest("probes", j) or {}).get("threshold")
        if threshold is not None:
            line = {"color": "grey", "dash": "dot"}
            chart.add_shape(type="line", x0=threshold, x1=threshold, y0=j - 0.4, y1=j + 0.4, line=line)
    ticks = list(run.iterations)
    chart.update_layout(
        template="none",
        height=120 + 130 * max(1, len(ticks)),
        xaxis={"type": "log", "title": {"text": "perplexity of the greedy answer"}},
        yaxis={"tickvals": ticks, "ticktext": [f"D{j}" for j in ticks], "autorange": "reversed"},
        legend={"orientation": "h", "y": 1, "yanchor": "bottom"},
        margin={"t": 40, "b": 50, "l": 40, "r": 20},
    )
    return chart


def _under_pointer(probe: Probe, requests: dict[str, str]) -> str:
    """Plotly reads a little HTML in its texts, so what a model or a dataset wrote is escaped."""
    words = " ".join(visible(requests.get(probe.sample_id, "")).split())
    words = words if len(words) <= MAX_WORDS else f"{words[: MAX_WORDS - 1]}…"
    return f"{html.escape(words, quote=False)}<br>{html.escape(probe.error.replace('_', ' ') or 'right')}"
