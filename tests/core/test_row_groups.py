"""A part of a table is read from the row groups that hold it."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest

from looptool_kit.core import columns
from looptool_kit.core.records import Truth, Truths
from looptool_kit.core.samples import Label


def test_a_range_of_rows_reads_no_other_groups(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("looptool_kit.core.tables.GROUP_ROWS", 10)
    whole = Truths(Truth(sample_id=str(n), label=Label(reply=f"{n}.")) for n in range(45))
    path = whole.write(tmp_path / "truth.parquet")
    asked: list[list[int]] = []
    batches = pq.ParquetFile.iter_batches

    def counted(self: pq.ParquetFile, *args: object, row_groups: list[int], **more: object) -> object:
        asked.append(row_groups)
        return batches(self, *args, row_groups=row_groups, **more)

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    assert columns.GROUP_ROWS == 1024  # larger than the groups that are there
    for start in range(0, 48, 3):
        for stop in range(start, 48, 5):
            assert Truths.read(path, rows=range(start, stop)) == whole[start:stop]
            needed = range(start // 10, -(-min(stop, 45) // 10)) if start < min(stop, 45) else []
            assert asked.pop() == list(needed)
    assert Truths.read(path) == whole and asked == [[0, 1, 2, 3, 4]]
