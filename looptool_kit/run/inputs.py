"""The tables that a stage is given: which iteration they belong to, and whether they are whole."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import zip_longest
from typing import Any, TypeVar

from looptool_kit.core.samples import Samples
from looptool_kit.core.tables import Table
from looptool_kit.run.decisions import row_of
from looptool_kit.run.folder import Run

T = TypeVar("T", bound=Table[Any])
OWN_RUN = "a run of its own (write them to a file and Run.create(FOLDER, seeds__source=FILE))"


def iteration_of(run: Run, *tables: Sequence[Any] | None, iteration: int | None = None) -> int:
    """Return the iteration that a stage's tables belong to.

    The newest where no table is given. A dataset is known by its rows, any other table by what its rows
    say.

    Args:
        iteration: The iteration, where the caller names it.

    Raises:
        ValueError: It cannot be known: a part of a dataset or another one, an empty table, tables of
            several iterations. Or the tables say another one than the caller.
    """
    given_tables = [table for table in tables if table is not None]
    if iteration is not None:
        if iteration < 1:
            raise ValueError(
                f"iteration={iteration}: iterations count from 1. Leave it out for the newest one."
            )
        said = {int(row.iteration) for t in given_tables if not isinstance(t, Samples) for row in t}
        if others := sorted(said - {iteration}):
            raise ValueError(
                f"iteration={iteration} was said, and the tables given hold rows of iteration"
                f" {', '.join(map(str, others))}. Give the tables of iteration {iteration} (left out, they"
                " are the run's), or leave iteration= out."
            )
        return iteration
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
    datasets: dict[int, list[str]] = {}
    for j in reversed(run.iterations):
        table = run.table(Samples, "samples", j)
        if table == samples:
            return j
        datasets[j] = [s.id for s in table]
    ids = [s.id for s in samples]
    for j, rows in datasets.items():
        if Counter(ids) == Counter(rows):
            return j
    for j, rows in datasets.items():
        _whole(ids, rows, f"D{j}", run)
    raise ValueError(
        f"these {len(samples)} samples are not a dataset of {run.path} (it has"
        f" {', '.join(f'D{j}' for j in run.iterations) or 'none'}). Give a D_j as it is, say which it"
        f" stands for with iteration=, or make {OWN_RUN}."
    )


def dataset(run: Run, samples: Samples | None, iteration: int) -> Samples:
    """Return D_j for a stage that was given samples.

    The run's own where they are its rows, in whatever order. Other samples than those of the run's
    datasets stand for D_j, as the caller said.

    Raises:
        ValueError: They are a part of D_j, hold rows of it more than once, or are another dataset.
    """
    if samples is None:
        return run.table(Samples, "samples", iteration)
    if iteration not in run.iterations:
        return samples
    ids, own = Counter(s.id for s in samples), run.table(Samples, "samples", iteration)
    if ids == Counter(s.id for s in own):
        return own
    _whole(ids.elements(), (s.id for s in own), f"D{iteration}", run)
    for j in run.iterations:
        if j != iteration and ids == Counter(s.id for s in run.table(Samples, "samples", j)):
            raise ValueError(
                f"these samples are D{j} of {run.path}, and iteration={iteration} was said: what is made of"
                f" them would replace what was made of D{iteration}. Say iteration={j}, or make"
                f" {OWN_RUN}."
            )
    return samples


def given(run: Run, kind: type[T], table: T | None, name: str, iteration: int) -> T:
    """Return the table that a stage was given, or the run's.

    In the order of the run's own.

    Raises:
        ValueError: It has not the rows of the run's table.
    """
    if table is None:
        return run.table(kind, name, iteration)
    if run.has(name, iteration):
        what = f"the {name} of iteration {iteration}"
        return matched(table, run.stored(kind, name, iteration), what, run)
    return table


def matched(table: T, own: Iterable[Any], name: str, run: Run) -> T:
    """Return the table in the order of the run's rows.

    So that what is made of it is the same.

    Args:
        table: The rows that were given.
        own: The run's rows; they are read several times.
        name: What they are, for messages.
        run: The run.

    Raises:
        ValueError: Rows are missing, stand there more than once, or are not the run's.
    """
    if all(a == b for a, b in zip_longest(table, own)):
        return table
    ids, rows = Counter(map(row_of, table)), Counter(map(row_of, own))
    if ids != rows:
        _whole(ids.elements(), rows.elements(), name, run)
        row = next(iter(ids - rows))
        raise ValueError(
            f"{row!r} is not a row of {name} of {run.path}. Give that table as it is, or make {OWN_RUN}."
        )
    if Counter(row.model_dump_json() for row in table) == Counter(row.model_dump_json() for row in own):
        return type(table)(own)
    place = {row_of(row): at for at, row in enumerate(own)}
    return type(table)(sorted(table, key=lambda row: place[row_of(row)]))


def _whole(given: Iterable[str], rows: Iterable[str], name: str, run: Run) -> None:
    """Raise `ValueError` where rows of a stage's input are missing or stand there more than once.

    What is made of them would replace the whole one's. Rows that are not in `rows` are another
    matter.

    Args:
        given: Ids of the rows that were given.
        rows: Ids of all rows.
        name: What they are rows of.
    """
    have, wanted = Counter(given), Counter(rows)
    if not have.keys() <= wanted.keys() or have == wanted:
        return
    if have.keys() < wanted.keys() or not have - wanted:
        raise ValueError(
            f"{have.total()} rows of {name} of {run.path}, which has {wanted.total()}, were given: what is"
            f" made of a part would replace what was made of the whole. Give all of it, or make"
            f" {OWN_RUN}."
        )
    row = next(iter(have - wanted))
    raise ValueError(
        f"{row!r} stands {have[row]} times among the rows given of {name} of {run.path}, and {wanted[row]}"
        f" times there: what is made of them would take its place. Give it as it is, or make {OWN_RUN}."
    )
