"""A table of many rows is a folder of files: read as one, replaced as a whole, told where a part lacks."""

from __future__ import annotations

import os
import signal
import stat
import subprocess
import sys
from collections.abc import Iterator
from itertools import product
from pathlib import Path

import pandas as pd
import pyarrow.dataset as ds
import pyarrow.parquet as pq
import pytest
from scripted_runs import SMALL, files, go

from looptool_kit.core import parts
from looptool_kit.core.records import Truth, Truths
from looptool_kit.core.samples import Label, Message, Sample, Samples
from looptool_kit.core.tables import Stored, column, write_text
from looptool_kit.run.copy import copy_run
from looptool_kit.run.folder import Run


@pytest.fixture
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    """Row groups of ten rows, files of twenty."""
    monkeypatch.setattr("looptool_kit.core.tables.GROUP_ROWS", 10)
    monkeypatch.setattr(parts, "MAX_FILE_ROWS", 20)


def rows(count: int, word: str = "") -> Truths:
    return Truths(Truth(sample_id=str(n), label=Label(reply=f"{word}{n}.")) for n in range(count))


def test_many_rows_become_files_that_are_read_as_one_table(small: None, tmp_path: Path) -> None:
    whole = rows(45)
    path = whole.write(tmp_path / "truth.parquet")
    assert [f.name for f in sorted(path.iterdir())] == [f"part-0000{n}-of-00003.parquet" for n in range(3)]
    assert [pq.ParquetFile(f).metadata.num_rows for f in sorted(path.iterdir())] == [20, 20, 5]
    assert Truths.read(path) == whole == Stored(Truths, path).table()
    ids = [row.sample_id for row in whole]
    assert column(path, "sample_id") == ids
    assert Stored(Truths, path, keep={"sample_id": {"3", "44"}}).table() == Truths([whole[3], whole[44]])
    # Others see one dataset.
    assert (
        ds.dataset(path).to_table()["sample_id"].to_pylist()
        == ids
        == list(pd.read_parquet(path)["sample_id"])
    )
    assert rows(20).write(tmp_path / "few.parquet").is_file(), "what fits one file is one"
    assert Truths().write(tmp_path / "none.parquet").is_file() and not Truths.read(tmp_path / "none.parquet")
    assert sorted(p.name for p in tmp_path.iterdir()) == ["few.parquet", "none.parquet", "truth.parquet"]


def test_a_range_of_rows_opens_no_other_groups(
    small: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = rows(65)
    path = whole.write(tmp_path / "truth.parquet")
    read = list[int]()
    taken = pq.ParquetFile.iter_batches

    def counted(self: pq.ParquetFile, *args: object, **more: object) -> Iterator[object]:
        for batch in taken(self, *args, **more):
            read.extend(batch["sample_id"].to_pylist())
            yield batch

    monkeypatch.setattr(pq.ParquetFile, "iter_batches", counted)
    for start, stop in product(range(0, 70, 7), repeat=2):
        assert Truths.read(path, rows=range(start, stop)) == whole[start:stop]
        there = range(start, min(stop, 65))
        needed = range(start // 10 * 10, min(-(-there.stop // 10) * 10, 65)) if there else range(0)
        assert [int(n) for n in read] == list(needed)
        read.clear()


def test_a_table_is_replaced_as_a_whole(small: None, tmp_path: Path) -> None:
    path = tmp_path / "truth.parquet"
    for count in (45, 5, 70, 45, 45, 5, 5):  # folder, file, folder, other parts, the same parts, file, file
        rows(count, "new ").write(path)
        assert Truths.read(path) == rows(count, "new ") and path.is_dir() == (count > 20)
        assert list(tmp_path.iterdir()) == [path]

    def broken() -> Iterator[Truth]:
        yield from rows(30, "other ")
        raise OSError("the disk is gone")

    for count in (45, 5):
        rows(count).write(path)
        with pytest.raises(OSError, match="disk"):
            Truths.write_rows(path, broken())
        assert Truths.read(path) == rows(count) and list(tmp_path.iterdir()) == [path]


def test_a_folder_that_lacks_a_part_is_not_read_as_a_shorter_table(small: None, tmp_path: Path) -> None:
    path = rows(65).write(tmp_path / "truth.parquet")
    kept = sorted(path.iterdir())
    for lost in (kept[0], kept[1], kept[-1]):
        text = lost.read_bytes()
        lost.unlink()
        for read in (lambda: Truths.read(path), lambda: column(path, "sample_id")):
            with pytest.raises(ValueError, match=r"truth\.parquet .*does not hold all parts"):
                read()
        lost.write_bytes(text)
    kept[1].write_bytes(b"PAR1")
    with pytest.raises(ValueError, match=r"truth\.parquet is not a readable"):
        Truths.read(path)
    for file in kept:
        file.unlink()
    with pytest.raises(ValueError, match=r"truth\.parquet .*none"):
        Truths.read(path)


KILLED = """
import os, signal, sys
from looptool_kit.core import parts, tables
from looptool_kit.core.records import Truth, Truths
from looptool_kit.core.samples import Label
tables.GROUP_ROWS, parts.MAX_FILE_ROWS = 10, 20
def rows():
    for n in range(45):
        if n == int(sys.argv[2]):
            os.kill(os.getpid(), signal.SIGKILL)
        yield Truth(sample_id=str(n), label=Label(reply="killed"))
Truths.write_rows(sys.argv[1], rows())
"""


@pytest.mark.parametrize("before", [45, 5])
def test_a_kill_leaves_the_old_table_and_what_it_left_is_swept(
    small: None, tmp_path: Path, before: int
) -> None:
    run = Run.create(tmp_path / "run", "cpu-quick")
    path = rows(before).write(run.folder(1) / "truth.parquet")
    run.close()
    for at in (15, 44):  # in the first file; two are whole
        done = subprocess.run([sys.executable, "-c", KILLED, str(path), str(at)], check=False)
        assert done.returncode == -signal.SIGKILL
    assert Truths.read(path) == rows(before) and len(os.listdir(path.parent)) == 3
    Run.open(run.path).close()
    assert Truths.read(path) == rows(before) and os.listdir(path.parent) == [path.name]


def test_a_run_whose_tables_are_folders_is_the_run_of_files(
    tmp_path: Path, trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    plain = Run.create(tmp_path / "plain", "cpu-quick", **SMALL)
    go(plain)
    monkeypatch.setattr("looptool_kit.core.tables.GROUP_ROWS", 4)
    monkeypatch.setattr(parts, "MAX_FILE_ROWS", 8)
    run = Run.create(tmp_path / "parts", "cpu-quick", **SMALL)
    go(run)
    assert (run.folder(1) / "samples.parquet").is_dir() and (run.folder(1) / "probes.parquet").is_dir()
    for j in plain.iterations:
        assert run.table(Samples, "samples", j) == plain.table(Samples, "samples", j)
        for file in plain.folder(j).glob("*.json"):
            before, now = plain.manifest(file.stem, j), run.manifest(file.stem, j)
            assert before is not None and now is not None and now["key"] == before["key"], file.name
    trained.clear()
    kept = files(run.path)
    go(run)
    assert not trained and files(run.path) == kept, "it is finished"
    # Another seed of the same run: the tables go to superseded/ as they are.
    old = Samples.read(run.folder(1) / "samples.parquet")
    run.supersede(run.folder(1) / "samples.parquet")
    aside = run.path / "superseded" / "0001" / "iterations" / "01" / "samples.parquet"
    assert aside.is_dir() and Samples.read(aside) == old and not (run.folder(1) / "samples.parquet").exists()
    run.close()
    copy_run(run.path, tmp_path / "copy")
    assert Samples.read(tmp_path / "copy" / aside.relative_to(run.path)) == old


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_others_may_read_what_the_umask_lets_them(tmp_path: Path, umask: int, mode: int) -> None:
    sample = Sample(tools=(), messages=(Message(role="user", content="Hello"),), label=Label(reply="Hi."))
    before = os.umask(umask)
    try:
        made = [Samples([sample]).write(tmp_path / name) for name in ("a.parquet", "a.jsonl")]
        write_text(tmp_path / "report.html", "x")
        made.append(tmp_path / "report.html")
        assert {stat.S_IMODE(path.stat().st_mode) for path in made} == {mode}
        made[-1].chmod(0o640)  # a person's own choice stays
        write_text(made[-1], "y")
        assert stat.S_IMODE(made[-1].stat().st_mode) == 0o640 and made[-1].read_text() == "y"
    finally:
        os.umask(before)
