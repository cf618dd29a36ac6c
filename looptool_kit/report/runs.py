"""The run folders below a folder, one line each: how far they are and how their policies score."""

from __future__ import annotations

import os
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from looptool_kit.audit.desk import is_desk
from looptool_kit.core.errors import RunError
from looptool_kit.run.folder import SUPERSEDED, Run
from looptool_kit.run.manifest import read_manifest
from looptool_kit.run.run_toml import read_settings

DEPTH = 3
"""How far below the folder a run is looked for: the arms of a comparison lie two deep."""
NEVER = ("iterations", "seed", SUPERSEDED, "judge_check")
"""Folders of a run, which hold no other."""


class RunLine(NamedTuple):
    """What is said about one run."""

    path: Path
    state: str
    """`finished`, `not started`, at which iteration it is, what is left after the last, that it is the review
    desk of an audit, or that it cannot be read.
    """
    first: str
    """The first evaluated policy with its share of held-out samples right; empty before."""
    last: str
    preset: str
    changed: datetime | None
    """When its last stage finished."""
    error: str = ""
    """Why it cannot be read."""


def runs(folder: Path) -> list[RunLine]:
    """List the runs in or below a folder, newest first.

    By their last change; one that cannot be read says why.
    """
    lines = [_line(path) for path in _folders(folder, DEPTH)]
    return sorted(lines, key=lambda line: line.changed.timestamp() if line.changed else 0.0, reverse=True)


def _folders(folder: Path, depth: int) -> Iterator[Path]:
    if (folder / "run.toml").is_file():
        yield folder
    below = sorted(e.name for e in os.scandir(folder) if e.is_dir(follow_symlinks=False)) if depth else []
    for name in below:
        if name not in NEVER and not name.startswith("."):
            yield from _folders(folder / name, depth - 1)


def _line(path: Path) -> RunLine:
    try:
        run = Run(path, read_settings(path), read_only=True)
    except RunError as error:
        return RunLine(path, "cannot be read", "", "", "", None, str(error))
    at = [0, *run.iterations]
    scored = [m for j in at if (m := run.manifest("scores", j))]
    counted = [(m["policy"], m.get("correct", 0), m.get("rows", 0)) for m in scored]
    said = [f"{policy} {100 * correct / max(1, rows):.0f}% of {rows}" for policy, correct, rows in counted]
    first, last = (said[0], said[-1]) if len(said) > 1 else ("", "".join(said))
    return RunLine(path, _state(run), first, last, run.settings.preset, _changed(run, at))


def _state(run: Run) -> str:
    if is_desk(run):
        return "review desk of an audit"
    count = run.settings.iterations
    if run.manifest("scores", count + 1):
        return "finished"
    if not run.iterations:
        return "not started"
    if run.iteration <= count:
        return f"iteration {run.iteration} of {count}"
    # What the last iteration has made: it is trained on and evaluated, and that is all.
    return f"D{count + 1} to {'evaluate' if run.manifest('policy', count + 1) else 'train'}"


def _changed(run: Run, iterations: list[int]) -> datetime | None:
    files = [file for j in iterations for file in run.folder(j).glob("*.json")]
    times = [m["finished"] for file in files if "finished" in (m := read_manifest(file) or {})]
    return datetime.fromisoformat(max(times)) if times else None
