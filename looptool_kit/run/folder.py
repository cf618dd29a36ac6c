"""A run: the folder that holds all of a loop, and how stages write to it.

    run.toml                        settings and the format of the folder
    seed/                           pool.parquet, held_out.parquet, truth.parquet (labels behind noise)
    iterations/01/samples.parquet   D_1; then policy/ (adapter, history), scores, probes, verdicts,
                                    expansions, composition.json
    iterations/02/samples.parquet   D_2, composed in iteration 1; ...
    decisions.jsonl                 what people decided: append-only
    rejected.jsonl                  rows that could not be used, with file, row and reason
    report.html

A stage's table is finished when its manifest (`<stage>.json`, written last) stands beside it and names the
same inputs; anything else is made again. Long stages keep each finished batch in `<stage>.parts/`, so that a
killed stage repeats at most one batch.
"""

from __future__ import annotations

import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, JsonValue

from looptool_kit import cluster, trust
from looptool_kit.config import Settings, dump_settings, load_preset, with_overrides
from looptool_kit.core.errors import RunError, full_disk_explained, no_writing
from looptool_kit.core.samples import Samples
from looptool_kit.core.tables import Stored, Table, append_lines, write_json, write_text
from looptool_kit.core.terminal import visible
from looptool_kit.run import lock
from looptool_kit.run.batches import through
from looptool_kit.run.decision_checks import check_written
from looptool_kit.run.decisions import TABLES, Decision, DecisionLog, check, check_rows, lost, rows_of
from looptool_kit.run.keys import marked
from looptool_kit.run.manifest import read_manifest
from looptool_kit.run.run_toml import FORMAT, no_run, read_settings

SUPERSEDED = "superseded"
T = TypeVar("T", bound=Table[Any])
R = TypeVar("R", bound=BaseModel)


class Run:
    """A run folder, open for reading, or with the lock for writing."""

    def __init__(self, path: Path, settings: Settings, read_only: bool = False) -> None:
        self.path, self.settings, self.read_only = path, settings, read_only
        self._lock = None if read_only else lock.take(path)
        self._log = DecisionLog(path / "decisions.jsonl")
        self._rows: dict[tuple[str, int, tuple[int, int]], frozenset[str]] = {}
        self.annotator = os.environ.get("LOOPTOOL_ANNOTATOR", "")
        """Whose decisions those are that name nobody; empty: those of the machine's user."""
        self.announce: Callable[[str], object] = _print
        """Called before a stage makes again what took long, with what, why and for how long. The command asks
        there, and raises where the answer is no.
        """

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, preset={self.settings.preset!r})"

    @property
    def name(self) -> str:
        """The folder's name, also of one that was opened as `.`."""
        return self.path.resolve().name

    @classmethod
    def create(cls, path: str | Path, preset: str = "cpu", **overrides: Any) -> Run:
        """Make a run folder from a preset, or open the existing one.

        Args:
            overrides: Settings, named as for `config.load_preset`.

        Raises:
            RunError: The folder holds a run with other settings, or something else.
        """
        path = lock.named(path)
        settings = load_preset(preset, **overrides)
        if (path / "run.toml").exists():
            run = cls.open(path)
            if run.settings != settings:
                raise RunError(
                    f"{path} holds a run with other settings. To change them, edit {path / 'run.toml'}, then"
                    f" `looptool plan {path}` says what is made again; or give another folder. As it is, it"
                    f" is opened by `looptool loop {path}`, in Python by Run.open."
                )
            trust.confirm(path, trust.acts(settings))  # whoever calls this has given them
            return run
        if path.exists() and (not path.is_dir() or any(p.name != ".lock" for p in path.iterdir())):
            state = "is not empty" if path.is_dir() else "is a file"
            raise RunError(f"{path} {state} and holds no run.toml. Give a new folder.")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                no_writing(error, path) or f"{path} cannot be made: {error.strerror}. Give another folder."
            ) from None
        run = cls(path, settings)
        with full_disk_explained(path):
            write_text(path / "run.toml", dump_settings(settings, FORMAT))
        trust.confirm(path, trust.acts(settings))
        return run

    @classmethod
    def open(cls, path: str | Path, read_only: bool = False) -> Run:
        """Open an existing run; it says where decisions have lost their rows.

        Args:
            read_only: Take no lock, and change nothing. Else the lock is held until `close` or the end of the
                process.

        Raises:
            RunError: There is no run, another version wrote it, or another process works on it.
        """
        path = lock.named(path)
        file = path / "run.toml"
        if not file.exists():
            raise RunError(no_run(path))
        run = cls(path, read_settings(path), read_only)
        with suppress(RunError):  # whoever needs the table or the decisions is told
            # The last dataset is only trained on.
            decidable = (j for j in run.iterations if j <= run.settings.iterations)
            if gone := lost(run._log, run._rows_of, decidable):
                _print(gone)
        return run

    def close(self) -> None:
        """Release the lock; the run can still be read."""
        if self._lock:
            lock.release(self._lock)
        self._lock, self.read_only = None, True
        self._log = DecisionLog(self._log.file)

    def __reduce__(self) -> tuple[Any, ...]:
        """A worker of a cluster gets the run to read."""
        return Run, (self.path, self.settings, True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def writable(self) -> None:
        """Raise `RunError` where the run is read-only or closed.

        Every stage asks before it makes anything.
        """
        if self.read_only:
            kind = cluster.OnlyHere if cluster.Worker.inside else RunError
            raise kind(
                f"{self.path} was opened read-only (or closed), so nothing in it is made or changed."
                f" Open it with Run.open({str(self.path)!r})."
            )
        if self._lock and not self._lock.stands():
            raise RunError(
                f"{self.path} is not locked by this run any more (its .lock or the whole folder was replaced,"
                " or this is a forked process), so nothing in it is made or changed. Open it again with"
                f" Run.open({str(self.path)!r})."
            )

    def set(self, **overrides: Any) -> Settings:
        """Change settings, e.g. `run.set(probe__quantile=0.8)`, here and in `run.toml`.

        The next call of a stage that depends on them runs it again. Comments in the file stay, and other
        changes of it since the run was opened.

        Raises:
            ValueError: A setting or value is unknown; nothing is changed.
            RunError: The run is read-only, or its file cannot be read; nothing is changed.
        """
        self.writable()
        # The file may have been changed by hand, or by another Run, since this one was opened.
        before = read_settings(self.path)
        settings = with_overrides(before, **overrides)
        with full_disk_explained(self.path):
            file = self.path / "run.toml"
            write_text(file, dump_settings(settings, FORMAT, file.read_text(encoding="utf-8")))
        trust.confirm_given(self.path, settings, overrides, before)
        self.settings = settings
        return settings

    # ------------------------------------------------------------- places

    def folder(self, iteration: int) -> Path:
        """Return the folder of iteration j (0: the seed stage)."""
        return self.path / "seed" if iteration == 0 else self.path / "iterations" / f"{iteration:02d}"

    @property
    def iterations(self) -> list[int]:
        """The iterations that have a dataset, in order.

        What lies beyond a lowered setting `iterations` is kept, but is not one of them.
        """
        return [
            j
            for j, folder in lock.numbered(self.path / "iterations", 2).items()
            if 1 <= j <= self.settings.iterations + 1 and (folder / "samples.parquet").exists()
        ]

    @property
    def iteration(self) -> int:
        """The newest iteration with a dataset, 0 before seeding."""
        return max(self.iterations, default=0)

    def table(
        self, kind: type[T], name: str, iteration: int, rows: range | None = None, missing_ok: bool = False
    ) -> T:
        """Read a finished table of the run, or some rows.

        Args:
            missing_ok: Where the stage has not finished, the table is empty.

        Raises:
            RunError: The stage has not finished, or the file cannot be read.
        """
        if missing_ok and not (self.folder(iteration) / f"{name}.parquet").exists():
            return kind()
        try:
            return kind.read(self._finished(name, iteration), rows=rows)
        except ValueError as error:
            raise RunError(str(error)) from None

    def stored(self, kind: type[Table[R]], name: str, iteration: int, **less: Any) -> Stored[R]:
        """Open a table row by row, never held; `less` as `Stored`."""
        return Stored(kind, self._finished(name, iteration), **less)

    def _finished(self, name: str, iteration: int) -> Path:
        path = self.folder(iteration) / f"{name}.parquet"
        if not path.exists():
            if iteration > self.iteration >= 1:
                raise RunError(f"{self.path} has no D{iteration} yet: the newest is D{self.iteration}.")
            raise RunError(
                f"{path} does not exist yet: run the stage that makes {name} first (`looptool loop"
                f" {self.path}` runs all)."
            )
        return path

    def manifest(self, name: str, iteration: int) -> dict[str, Any] | None:
        """Return a finished stage's manifest; None where it cannot be read."""
        return read_manifest(self.folder(iteration) / f"{name}.json")

    def has(self, name: str, iteration: int) -> bool:
        """Tell whether a stage has finished and its table exists."""
        return (
            self.manifest(name, iteration) is not None
            and (self.folder(iteration) / f"{name}.parquet").exists()
        )

    # ------------------------------------------------------------- stages

    def done(self, name: str, iteration: int, key: str) -> bool:
        """Tell whether a stage has finished on these very inputs."""
        manifest = self.manifest(name, iteration)
        return manifest is not None and manifest.get("key") == key

    def finish(self, name: str, iteration: int, key: str, started: float, **facts: Any) -> None:
        """Write a stage's manifest, after everything else."""
        self.writable()
        parts = self.folder(iteration) / f"{name}.parts"
        write_json(
            self.folder(iteration) / f"{name}.json",
            {
                "stage": name,
                "iteration": iteration,
                "key": key,
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - started, 2),
                "peak_mb": (
                    resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                    // (1024**2 if sys.platform == "darwin" else 1024)
                ),
                **facts,
            },
        )
        shutil.rmtree(parts, ignore_errors=True)

    def supersede(self, *paths: Path) -> None:
        """Move what a new result replaces to `superseded/<number>/`.

        It keeps its path in the run, and nothing is deleted.
        """
        self.writable()
        lock.refuse_links(self.path)
        old = lock.unused(self.path / SUPERSEDED)
        for path in paths:
            if path.exists():
                target = old / path.relative_to(self.path)
                target.parent.mkdir(parents=True, exist_ok=True)
                os.replace(path, target)

    def batches(
        self,
        name: str,
        iteration: int,
        key: str,
        plan: Sequence[Sequence[int]],
        kind: type[T],
        work: Callable[[Sequence[int]], T],
    ) -> T:
        """Do the planned batches that are not done; keep each at once.

        Args:
            plan: It depends on the inputs and the machine's settings alone, so that a resumed stage finds the
                batches of the stopped one.

        Returns:
            All rows in row order.
        """
        self.writable()
        parts = self.folder(iteration) / f"{name}.parts"
        if marked(parts) != key and any(parts.glob("*")):
            self.supersede(parts)
        parts.mkdir(parents=True, exist_ok=True)
        write_text(parts / "key", key)
        title = f"{name.replace('_', ' ')} {iteration}"
        return through(parts, title, plan, kind, work, self.supersede)

    # ---------------------------------------------------------- decisions

    def decide(
        self,
        subject: str,
        row: str,
        value: JsonValue,
        reason: str = "",
        author: str | None = None,
        iteration: int | None = None,
    ) -> Decision:
        """Append a person's decision; the next compose follows it.

        Args:
            value: `"undo"` takes back the last one.
            iteration: The same row can stand in several datasets; a decision or undo holds in this one alone.

        Raises:
            ValueError: The subject, row, iteration or value is unknown, the message names what is possible;
                or the rule tier speaks against a label or sample that is written.
            RunError: The run is read-only.
        """
        return self.decide_all(subject, {row: value}, reason, author, iteration)[0]

    def decide_all(
        self,
        subject: str,
        values: Mapping[str, JsonValue],
        reason: str = "",
        author: str | None = None,
        iteration: int | None = None,
    ) -> list[Decision]:
        """Append one decision for each row of `values`, as `decide` does."""
        self.writable()
        for row, value in values.items():
            check(subject, row, value)
        check_rows(subject, values, {j: self._rows_of(subject, j) for j in self.iterations}, iteration)
        numbers = self.iterations if iteration is None else [iteration]
        check_written(subject, values, (self.folder(j) / "samples.parquet" for j in reversed(numbers)))
        return self._log.append(subject, values, reason, author or self.annotator, iteration)

    def _rows_of(self, subject: str, iteration: int) -> frozenset[str] | None:
        """The rows of an iteration that can be decided on, read once a state of the file; None: none yet."""
        name, kind = TABLES.get(subject, ("", Samples))
        file = self.folder(iteration) / f"{name}.parquet"
        if not name or not file.exists():
            # The last dataset is only trained on: no row of it comes to be decided on.
            never = name in ("verdicts", "expansions") and iteration > self.settings.iterations
            return frozenset() if never else None
        stat = file.stat()
        at = subject, iteration, (stat.st_mtime_ns, stat.st_ino)
        if at not in self._rows:
            self._rows[at] = rows_of(self.table(kind, name, iteration))
        return self._rows[at]

    def decisions(self, subject: str, iteration: int | None = None) -> dict[str, Decision]:
        """Return the decisions in force on a subject, by row.

        In the order in which they were made. With `iteration`, those that hold there.
        """
        return self._log.in_force(subject, iteration)

    def reject(self, file: str, row: int, raw: str, reason: str) -> None:
        """Record a bad row in `rejected.jsonl`."""
        self.writable()
        append_lines(self.path / "rejected.jsonl", [{"file": file, "row": row, "reason": reason, "raw": raw}])


def _print(text: str) -> None:
    print(visible(text), flush=True)
