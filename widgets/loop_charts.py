"""The charts of `LoopMap`.

The flow of samples, the errors by tool and kind, and what training fixed and broke.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import pairwise
from typing import Any

from looptool_kit.core.preview import table_html
from looptool_kit.core.stats import aligned, flips
from looptool_kit.drawing import heatmap
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate.stage import scores

STATIC_FLOWS = 10
"""Flows that are listed in a notebook without a kernel, the largest first."""


def flow_table(counts: Mapping[tuple[str, str], int], first: int) -> str:
    """The largest flows from iteration `first` on, as an HTML table."""
    flows = [(source.split("/"), target.split("/"), n) for (source, target), n in counts.items()]
    flows = sorted((flow for flow in flows if int(flow[0][0][1:]) >= first), key=lambda flow: -flow[2])
    rows = [[f"{s[0]} {s[2]}", f"{t[0]} {t[2]}", n] for s, t, n in flows[:STATIC_FLOWS]]
    words = f"the {STATIC_FLOWS} largest of {len(flows)} flows" if len(flows) > STATIC_FLOWS else "flows"
    return table_html(("from", "to", "samples"), rows, words)


def error_map(
    tools: Sequence[str], kinds: Sequence[str], values: Sequence[Sequence[float]], iteration: int, before: int
) -> str:
    """Samples by tool and kind of error, as SVG.

    `before`: the iteration subtracted, 0 for none.
    """
    against = f" against D{before}" if before else ""
    title = f"errors of D{iteration}{against}: samples by tool and kind"
    names = [k.replace("_", " ") for k in kinds]
    return heatmap(tools, names, values, title, diverging=bool(before), width=900)


def held_out_flips(run: Run) -> list[dict[str, Any]]:
    """What each policy fixed and broke of the held-out samples (see `LoopMap.flips`)."""
    out = []
    for (before, a), (after, b) in pairwise(scores(run).items()):
        if both := len(aligned(a, b)[0]):
            fixed, broken = flips(a, b)
            row = {"before": before, "after": after, "samples": both}
            out.append({**row, "fixed": len(fixed), "broken": len(broken)})
    return out
