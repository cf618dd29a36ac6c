"""How long the finished stages of a run took."""

from __future__ import annotations

from typing import Any

from looptool_kit.core.terminal import duration
from looptool_kit.run.folder import Run

STAGES = (
    "seed",
    "policy",
    "scores",
    "development_scores",
    "probes_raw",
    "frontier",
    "verdicts",
    "expansions",
    "augmented",
    "augment_losses",
    "composition",
)
"""Manifests whose time is told, as `looptool plan` counts it: `probes` has that of `probes_raw` again."""


def took(run: Run) -> str:
    """Wall time of all finished stages, and the most memory of one.

    The memory is that of the process which made the stage.
    """
    manifests = [m for j in (0, *run.iterations) for stage in STAGES if (m := run.manifest(stage, j))]
    return (
        f"stages: {duration(sum(m['seconds'] for m in manifests))}, peak memory"
        f" {max((m.get('peak_mb', 0) for m in manifests), default=0):,} MiB"
    )


def timings(run: Run) -> list[dict[str, Any]]:
    """Seconds of each finished stage: rows of stage, iteration, seconds."""
    out = []
    for j in (0, *run.iterations):
        for stage in STAGES:
            manifest = run.manifest(stage, j)
            if manifest:
                out.append(
                    {
                        "stage": stage.replace("_raw", "").replace("policy", "train"),
                        "iteration": j,
                        "seconds": manifest["seconds"],
                    }
                )
    return out
