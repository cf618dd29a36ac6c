"""The tables that a stage is given: which iteration they belong to, and whether they are whole."""

from __future__ import annotations

from collections.abc import Sequence, Set
from typing import Any, TypeVar

from looptool_kit.core.samples import Samples
from looptool_kit.core.tables import Table
from looptool_kit.run.decisions import rows_of
from looptool_kit.run.folder import Run

T = TypeVar("T", bound=Table[Any])
OWN_RUN = "a run of its own (write them to a file and Run.create(FOLDER, seeds__source=FILE))"


def iteration_of(run: Run, *tables: Sequence[Any] | None, iteration: int | None = None) -> int:
    """The iteration that tables given to a stage belong to; the newest where none is given.

    A dataset is known by its rows, any other table by what its rows say.

    Args:
        iteration: The iteration, where the caller names it.

    Raises:
        ValueError: It cannot be known: a part of a dataset or another one, an empty table, tables of
            several iterations.
    """
    if iteration is not None:
        if iteration < 1:
            raise ValueError(
                f"iteration={iteration}: iterations count from 1. Leave it out for the newest one."
            )
        return iteration
    given_tables = [table for table in tables if table is not None]
    if not given_tables:
        return run.iteration
    numbers: set[int] = set()
    for table in given_tables:
        if isinstance(table, Samples):
            numbers.add(_dataset(run, table))
        else:
            numbers |= {int(row.iteration) for row in table}
    if len(numbers) == 1:
        return numbers.pop()
    what = (
        f"rows of the iterations {', '.join(map(str, sorted(numbers)))}"
        if numbers
        else "no rows, so nothing that tells their iteration"
    )
    raise ValueError(
        f"the tables given hold {what}. Give whole tables of one iteration, or say which with iteration=."
    )


def _dataset(run: Run, samples: Samples) -> int:
    datasets: dict[int, set[str]] = {}
    for j in reversed(run.iterations):
        table = run.table(Samples, "samples", j)
        if table == samples:
            return j
        datasets[j] = {s.id for s in table}
    for j, ids in datasets.items():
        whole({s.id for s in samples}, ids, f"D{j}", run)
    raise ValueError(
        f"these {len(samples)} samples are not a dataset of {run.path} (it has"
        f" {', '.join(f'D{j}' for j in run.iterations) or 'none'}). Give a D_j as it is, say which it"
        f" stands for with iteration=, or make {OWN_RUN}."
    )


def given(run: Run, kind: type[T], table: T | None, name: str, iteration: int) -> T:
    """The table that a stage was given, or that of the run.

    Raises:
        ValueError: Only a part of the run's table was given.
    """
    if table is None:
        return run.table(kind, name, iteration)
    if run.has(name, iteration):
        rows = rows_of(run.stored(kind, name, iteration))
        whole(rows_of(table), rows, f"the {name} of iteration {iteration}", run)
    return table


def whole(given: Set[str], rows: Set[str], name: str, run: Run) -> None:
    """Raise `ValueError` where only a part of a stage's input was given.

    Its result would take the place of the whole one's.

    Args:
        given: Ids of the rows that were given.
        rows: Ids of all rows.
        name: What they are rows of.
    """
    if given < rows:
        raise ValueError(
            f"{len(given)} rows of {name} of {run.path}, which has {len(rows)}, were given: what is made of"
            f" a part would take the place of what was made of the whole. Give all of it, or make {OWN_RUN}."
        )
