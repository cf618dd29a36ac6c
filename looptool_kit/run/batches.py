"""The batches of a long stage: each is kept in a file of its own the moment it is done."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from itertools import chain
from pathlib import Path
from typing import Any, TypeVar

from looptool_kit import cluster
from looptool_kit.core.progress import bar
from looptool_kit.core.tables import Table
from looptool_kit.run.keys import batch_name

T = TypeVar("T", bound=Table[Any])


def through(
    parts: Path,
    title: str,
    plan: Sequence[Sequence[int]],
    kind: type[T],
    work: Callable[[Sequence[int]], T],
    supersede: Callable[[Path], None],
) -> T:
    """Do the batches that have no file yet.

    The workers of a cluster do them where one runs.

    Args:
        parts: The folder of their files.
        title: Of the progress bar.
        plan: The batches, as row numbers.
        kind: The table that each gives.
        work: What makes it.
        supersede: Moves a file aside that another version wrote in another form.

    Returns:
        All rows in row order.
    """
    files = {tuple(batch): parts / f"{batch_name(batch)}.parquet" for batch in plan}
    kept = {batch: _kept(kind, file, supersede) for batch, file in files.items()}
    todo = [batch for batch in plan if kept[tuple(batch)] is None]
    rows: dict[int, Any] = {}
    with bar(sum(map(len, plan)), title, "sample") as shown:
        for batch, done in chain(kept.items(), cluster.through(todo, work)):
            if done is None:
                continue
            if kept[tuple(batch)] is None:
                done.write(files[tuple(batch)])
            rows.update(zip(batch, done, strict=True))
            shown.update(len(batch))
    return kind(rows[i] for i in sorted(rows))


def _kept(kind: type[T], file: Path, supersede: Callable[[Path], None]) -> T | None:
    """A batch that is done; None where there is none that can be read."""
    try:
        return kind.read(file) if file.exists() else None
    except ValueError:
        supersede(file)
        return None
