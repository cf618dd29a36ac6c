"""How long a loop still takes: from what its finished stages took, before that from the forecast."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from looptool_kit.core.terminal import duration
from looptool_kit.report.forecast import stage_seconds
from looptool_kit.report.plan import plan
from looptool_kit.run.folder import Run

Taken = Mapping[tuple[str, int], float | None]
"""(manifest, iteration) -> seconds of a finished stage; None for one to come."""


def time_left(run: Run) -> Callable[[], str]:
    """Make a function that says how long the loop still takes.

    It says nothing where nothing tells. A bar calls it many times a second: it looks into the run folder
    once a second at the most.
    """
    steps = plan(run)
    stands = {(s.name, s.iteration): s.state == "done" for s in steps}
    known, before = stage_seconds(run.settings) or {}, {stage: _state(run, *stage) for stage in stands}
    looked = done = -1.0
    since, left, current = time.monotonic(), 0.0, 0.0

    def taken(name: str, j: int) -> float | None:
        # Its time is not compared with the clock, which may be set while the loop runs.
        made = _state(run, name, j) not in (None, before[name, j])
        return float((run.manifest(name, j) or {}).get("seconds", 0)) if stands[name, j] or made else None

    def words() -> str:
        nonlocal looked, done, since, left, current
        now = time.monotonic()
        if now - looked >= 1:
            looked = now
            stages = {stage: taken(*stage) for stage in stands}
            if (count := sum(seconds is not None for seconds in stages.values())) != done:
                waiting = expected(stages, known)
                done, since, left, current = count, now, sum(waiting), (waiting or [0.0])[0]
        rest = left - min(now - since, current)
        minutes = max(1, round(rest / 60))
        about = f"{minutes} min" if minutes < 60 else duration(60 * minutes)
        return f"whole loop: about {about} left" if left else ""

    return words


def _state(run: Run, name: str, j: int) -> tuple[int, int] | None:
    """What tells one manifest of a stage from the next; None where there is none."""
    try:
        found = (run.folder(j) / f"{name}.json").stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def expected(stages: Taken, known: Mapping[tuple[str, int], float]) -> list[float]:
    """Estimate the seconds of each stage to come, in order.

    Empty where nothing tells about one that takes long.

    Args:
        stages: Those of the loop, in order.
        known: Seconds of long stages by the forecast; it is corrected by how the finished ones took.
    """
    ready = [(known[stage], seconds) for stage, seconds in stages.items() if seconds and stage in known]
    pace = sum(s for _, s in ready) / sum(k for k, _ in ready) if ready else 1.0
    waiting = []
    for (name, j), seconds in stages.items():
        if seconds is not None:
            continue
        # The first training is another work than the later ones.
        alike = [
            s for (n, i), s in stages.items() if n == name and s is not None and (n != "policy" or i > 1)
        ]
        if alike:
            waiting.append(alike[-1])
        elif known:
            waiting.append(known.get((name, j), 0.0) * pace)
        else:
            return []
    return waiting
