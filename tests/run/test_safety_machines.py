"""Machines that are not as they should be: file systems without locks, clocks that jump."""

from __future__ import annotations

import errno
import os
from datetime import UTC, datetime, timedelta
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest
from scripted_runs import SMALL, files, finished_loop, go

from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Verdicts
from looptool_kit.loop import Loop
from looptool_kit.report.plan import plan
from looptool_kit.run.folder import Run

NO_LOCKS = [errno.ENOLCK, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL]


def without_locks(monkeypatch: pytest.MonkeyPatch, number: int) -> None:
    """Let the file system have no locks."""

    def refuse(*_: object) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("fcntl.flock", refuse)


@pytest.mark.parametrize("number", NO_LOCKS, ids=errno.errorcode.get)
def test_without_locks_nothing_is_written_and_a_run_can_be_read(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    run.close()
    before, handles = (
        files(run.path),
        len(os.listdir("/proc/self/fd")) if Path("/proc/self/fd").exists() else 0,
    )
    without_locks(monkeypatch, number)
    for call in (lambda: Run.open(run.path), lambda: Run.create(tmp_path / "new", "cpu-quick")):
        with pytest.raises(RunError, match=r"has no locks .*local disk.*read_only=True"):
            call()
    with Run.open(run.path, read_only=True) as looking:
        assert {s.state for s in plan(looking)} == {"done"}
    assert files(run.path) == before and not (tmp_path / "new" / "run.toml").exists()
    assert not handles or len(os.listdir("/proc/self/fd")) == handles


class Backwards(datetime):
    """A clock that goes an hour back each time it is read."""

    reads = 0

    @classmethod
    def now(cls, tz: Any = None) -> datetime:  # type: ignore[override]
        cls.reads += 1
        return datetime(2026, 11, 27, tzinfo=UTC) - timedelta(hours=cls.reads)


def tables(path: Path) -> dict[str, bytes]:
    return {n: content for n, content in files(path).items() if n.endswith((".parquet", "weights"))}


def dated(path: Path, year: int) -> None:
    """Let all files of a folder say that they were written then."""
    at = datetime(year, 1, 1, tzinfo=UTC).timestamp()
    for file in path.rglob("*"):
        os.utime(file, (at, at))


def test_a_clock_that_goes_back_and_files_from_the_future_change_nothing(
    tmp_path: Path, trained: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = finished_loop(tmp_path / "whole")
    wanted = {name: content for name, content in tables(whole.path).items() if "weights" not in name}
    trained.clear()
    for name in ("folder", "decisions"):
        monkeypatch.setattr(import_module(f"looptool_kit.run.{name}"), "datetime", Backwards)
    for year, last in ((2099, 2), (1971, 3), (2038, None)):
        there = (tmp_path / "run" / "run.toml").exists()
        made = Run.open(tmp_path / "run") if there else Run.create(tmp_path / "run", "cpu-quick", **SMALL)
        with made as run:
            Loop(run, lambda _: None).run(last)
        dated(tmp_path / "run", year)
    assert trained == [1, 2, 3] and not (tmp_path / "run" / "superseded").exists()
    with Run.open(tmp_path / "run") as run:
        assert {s.state for s in plan(run)} == {"done"}
        assert {n: c for n, c in tables(run.path).items() if "weights" not in n} == wanted
        finished = [(run.manifest("policy", j) or {}) for j in (1, 2, 3)]
        assert finished[0]["finished"] > finished[1]["finished"] > finished[2]["finished"]
        assert all(m["seconds"] >= 0 for m in finished)
        row = run.table(Verdicts, "verdicts", 1)[0].sample_id
        for verdict in ("PRED_WRONG", "LABEL_WRONG", "BOTH_CORRECT"):
            run.decide("verdict", row, verdict, iteration=1)
            dated(run.path, 2099)
        assert run.decisions("verdict", 1)[row].value == "BOTH_CORRECT", "the last line counts, not the clock"
        run.set(compose__hppl=1)
        go(run)
        dated(run.path, 1971)
        go(run)
        assert {s.state for s in plan(run)} == {"done"}
