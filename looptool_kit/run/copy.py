"""A copy of a run folder, to work on."""

from __future__ import annotations

import shutil
from pathlib import Path

from looptool_kit.core.records import Probes


def copy_run(source: Path, folder: Path) -> None:
    """Copy a run folder, whole or not at all.

    With the tables that a recording leaves out. A recording has no `probes_raw.parquet`, because its
    probes hold the decoded answers too. Without that table a new threshold would decode again.
    """
    # No name that a person gives a folder of their own, as `.git` is: what stands there is removed.
    unfinished = folder.with_name(f".{folder.name}.copying")
    shutil.rmtree(unfinished, ignore_errors=True)
    shutil.copytree(source, unfinished, symlinks=True)  # what a link points at does not join the copy
    for file in unfinished.glob("iterations/*/probes.parquet"):
        raw = file.with_name("probes_raw.parquet")
        if not raw.exists():
            rows = (
                p.model_copy(update={"state": "mastered" if p.correct else "failed"})
                for p in Probes.read(file)
            )
            Probes(rows).write(raw)
    unfinished.rename(folder)
