"""The Parquet files of a table: one, or a folder of them where it has many rows.

Such a folder is one dataset to pyarrow and pandas. It has the name that the file would have,
`samples.parquet`, and holds `part-00000-of-00004.parquet` and so on: a folder that lacks one is refused. The
parts are read one after the other, and of each only the row groups and columns that are wanted.
"""

from __future__ import annotations

import os
import shutil
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import Any

MAX_FILE_ROWS = 1 << 18
"""Rows of one file: 60 MB of usual samples. Fewer rows stay one file, as all recorded runs are."""


def files_of(path: Path) -> list[Path]:
    """The files of a table, in the order of its rows.

    Raises:
        LookupError: A folder lacks a part, or holds none.
    """
    if not path.is_dir():
        return [path]
    found = sorted(path.glob("part-*-of-*.parquet"))
    if not found or [file.name for file in found] != [_name(n, len(found)) for n in range(len(found))]:
        there = ", ".join(file.name for file in found[:3]) or "none"
        raise LookupError(f"the folder does not hold all parts of a table: {there} ...")
    return found


def _name(number: int, count: int) -> str:
    return f"part-{number:05d}-of-{count:05d}.parquet"


def write_groups(path: Path, groups: Iterable[Any]) -> None:
    """Write Arrow tables as the row groups of one table, atomically.

    A kill leaves the old table or the new one; where either is a folder, possibly none.

    Args:
        path: The file, or the folder where the rows are more than `MAX_FILE_ROWS`.
        groups: One at least; all have one schema.
    """
    import pyarrow.parquet as pq

    path.parent.mkdir(parents=True, exist_ok=True)
    # Named as the files of `tables.atomic`: what a kill leaves is swept away with them.
    place = Path(tempfile.mkdtemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent))
    try:
        files, source = list[Path](), iter(groups)
        group = next(source)
        while group is not None:
            files.append(place / str(len(files)))
            files[-1].touch()
            rows = 0
            with pq.ParquetWriter(files[-1], group.schema, compression="zstd") as out:
                while group is not None and rows < MAX_FILE_ROWS:
                    out.write_table(group)
                    rows += group.num_rows
                    group = next(source, None)
            with open(files[-1], "rb") as done:
                os.fsync(done.fileno())
        made = files[0]
        if len(files) > 1:
            (made := place / "parts").mkdir()
            for number, file in enumerate(files):
                file.rename(made / _name(number, len(files)))
        if path.is_dir() or (made.is_dir() and path.exists()):  # nothing is renamed over a folder
            os.replace(path, place / "replaced")
        os.replace(made, path)
    finally:
        shutil.rmtree(place, ignore_errors=True)


def copy(source: Path, target: Path) -> None:
    """Copy a table, whatever number of files it is."""
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copy(source, target)


def batches(path: Path, columns: Sequence[str], rows: range | None, size: int) -> Iterator[tuple[int, Any]]:
    """The rows of a table in batches.

    Each with the number of its first row, from 0.

    Args:
        columns: Those that are read; names that the table has not are left out.
        rows: Only these; whole row groups that hold none of them are not read.
        size: Rows of a batch, at most.
    """
    import pyarrow.parquet as pq

    before = 0
    for part in files_of(path):
        with pq.ParquetFile(part) as file:
            there = range(before, before + file.metadata.num_rows)
            here = there if rows is None else range(max(before, rows.start), min(there.stop, rows.stop))
            names = [name for name in file.schema_arrow.names if name in columns]
            groups, first = _groups(file.metadata, here, before)
            for batch in file.iter_batches(batch_size=size, row_groups=groups, columns=names):
                wanted = range(max(first, here.start), min(first + len(batch), here.stop))
                if wanted:
                    yield wanted.start, batch.slice(wanted.start - first, len(wanted))
                first += len(batch)
            before = there.stop


def _groups(metadata: Any, rows: range, before: int) -> tuple[list[int], int]:
    """The row groups that hold any of the rows, and the number of the first row in them."""
    sizes = [metadata.row_group(g).num_rows for g in range(metadata.num_row_groups)]
    starts = list(accumulate(sizes, initial=before))
    groups = [
        g for g, size in enumerate(sizes) if rows and starts[g] < rows.stop and rows.start < starts[g] + size
    ]
    return groups, starts[groups[0]] if groups else before
