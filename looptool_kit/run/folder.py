"""A run: the folder that holds the whole truth of a loop, and the rules by which stages write to it.

    run.toml                        settings and the format of the folder
    seed/                           pool.parquet, held_out.parquet, truth.parquet (the labels behind planted noise)
    iterations/01/samples.parquet   D_1; then policy/ (adapter, history), scores, probes, verdicts, expansions, composition.json
    iterations/02/samples.parquet   D_2, composed in iteration 1; ...
    decisions.jsonl                 what people decided: append-only
    rejected.jsonl                  rows that could not be used, with file, row and reason
    report.html

A stage's table is finished when its manifest (`<stage>.json`, written last) stands beside it and names the
same inputs; anything else is redone. Long stages keep each finished batch in `<stage>.parts/`, so that a
killed stage repeats at most one batch.
"""

from __future__ import annotations

import hashlib
import json
import os
import resource
import shutil
import sys
import time
from collections.abc import Callable, Mapping, Sequence, Set
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Self, TypeVar

from pydantic import BaseModel, JsonValue

from looptool_kit import trust
from looptool_kit.config import Settings, dump_settings, load_preset, load_settings, with_overrides
from looptool_kit.core.errors import RunError, full_disk_explained, no_writing
from looptool_kit.core.samples import Samples
from looptool_kit.core.tables import Stored, Table, append_lines, write_json, write_text
from looptool_kit.run import lock
from looptool_kit.run.decisions import TABLES, Decision, check, check_rows, read_file, read_line, rows_of

__all__ = ["FORMAT", "Decision", "Run", "RunError", "full_disk_explained", "key"]

FORMAT = 2
SUPERSEDED = "superseded"
T = TypeVar("T", bound=Table[Any])
R = TypeVar("R", bound=BaseModel)


class Run:
    """A run folder, open for reading or (with the lock held) for writing; a context manager that closes it."""

    def __init__(self, path: Path, settings: Settings, read_only: bool = False) -> None:
        self.path, self.settings, self.read_only = path, settings, read_only
        self._lock = None if read_only else lock.take(path)
        self._decided: tuple[bytes, list[Decision | None]] = (b"", [])
        self._rows: dict[tuple[str, int, int], frozenset[str]] = {}

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, preset={self.settings.preset!r})"

    @classmethod
    def create(cls, path: str | Path, preset: str = "cpu", **overrides: Any) -> Run:
        """Make a run folder from a preset (see `config.load_preset` for overrides), or open the one that is
        there.

        Raises `RunError` if the folder holds a run with other settings, or something else.
        """
        path = Path(path)
        settings = load_preset(preset, **overrides)
        if (path / "run.toml").exists():
            run = cls.open(path)
            if run.settings != settings:
                raise RunError(
                    f"{path} holds a run with other settings (see {path / 'run.toml'}). Open it as it is with"
                    f" Run.open or `looptool loop {path}`, or give another folder."
                )
            trust.confirm(path, trust.acts(settings))  # whoever calls this has given them
            return run
        if path.exists() and any(p.name != ".lock" for p in path.iterdir()):
            raise RunError(f"{path} is not empty and holds no run.toml. Give a new folder.")
        try:
            path.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise RunError(
                no_writing(error, path) or f"{path} cannot be made: {error}. Give another folder."
            ) from None
        run = cls(path, settings)
        with full_disk_explained(path):
            write_text(path / "run.toml", dump_settings(settings, FORMAT))
        trust.confirm(path, trust.acts(settings))
        return run

    @classmethod
    def open(cls, path: str | Path, read_only: bool = False) -> Run:
        """Open an existing run; unless `read_only`, take its lock, until `close` or the end of the process.

        Raises `RunError` if there is none, if another version wrote it, or if another process works on it.
        """
        path = Path(path)
        file = path / "run.toml"
        if not file.exists():
            raise RunError(f"there is no run in {path} (no run.toml). Make one with `looptool init {path}`.")
        return cls(path, _settings(path), read_only)

    def close(self) -> None:
        """Give the lock back and let go of what was read; the run can still be looked at."""
        if self._lock:
            lock.release(self._lock)
        self._lock, self.read_only, self._decided = None, True, (b"", [])

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def writable(self) -> None:
        """Raise `RunError` where the run was opened to look at, or closed: every stage asks before it makes
        anything.
        """
        if self.read_only:
            raise RunError(
                f"{self.path} was opened to look at only (or closed), so nothing in it is made or changed."
                f" Open it with Run.open({str(self.path)!r})."
            )
        if self._lock and not self._lock.stands():
            raise RunError(
                f"{self.path} is not locked by this run any more (its .lock or the whole folder was replaced,"
                " or this is a forked process), so nothing in it is made or changed. Open it anew with"
                f" Run.open({str(self.path)!r})."
            )

    def set(self, **overrides: Any) -> Settings:
        """Change settings, e.g. `run.set(probe__quantile=0.8)`, here and in `run.toml`; the next call of a
        stage that depends on them redoes it.

        What else was changed in the file since the run was opened stays. Raises `ValueError` for an unknown
        setting or value, `RunError` for a run opened to look at or a file that cannot be read; then nothing
        is changed.
        """
        self.writable()
        before = _settings(
            self.path
        )  # which may have been changed by hand, or by another Run, since this one was opened
        settings = with_overrides(before, **overrides)
        with full_disk_explained(self.path):
            write_text(self.path / "run.toml", dump_settings(settings, FORMAT))
        trust.confirm_given(self.path, settings, overrides, before)
        self.settings = settings
        return settings

    # ------------------------------------------------------------- places

    def folder(self, iteration: int) -> Path:
        """The folder of iteration j (0: the seed stage)."""
        return self.path / "seed" if iteration == 0 else self.path / "iterations" / f"{iteration:02d}"

    @property
    def iterations(self) -> list[int]:
        """The iterations that have a dataset, in order, as far as the settings go: what lies beyond a lowered
        `iterations` is kept, and no part.
        """
        found = lock.numbered(self.path / "iterations", 2)
        return [
            j
            for j, folder in found.items()
            if 1 <= j <= self.settings.iterations + 1 and (folder / "samples.parquet").exists()
        ]

    @property
    def iteration(self) -> int:
        """The iteration that is worked on: the newest one with a dataset, 0 before seeding."""
        return max(self.iterations, default=0)

    def iteration_of(self, *given: Sequence[Any] | None, said: int | None = None) -> int:
        """The iteration that is `said`, or that tables given to a stage belong to: a dataset's by its rows,
        any other's by what its rows say; without either, the newest.

        Raises `ValueError` where that cannot be known: a part of a dataset or another one, an empty table,
        tables of several iterations.
        """
        if said is not None:
            if said < 1:
                raise ValueError(
                    f"iteration={said}: iterations count from 1. Leave it out for the newest one."
                )
            return said
        tables = [table for table in given if table is not None]
        if not tables:
            return self.iteration
        found: set[int] = set()
        for table in tables:
            found |= (
                {self._dataset(table)}
                if isinstance(table, Samples)
                else {int(row.iteration) for row in table}
            )
        if len(found) == 1:
            return found.pop()
        what = (
            f"rows of the iterations {', '.join(map(str, sorted(found)))}"
            if found
            else "no rows, so nothing that tells their iteration"
        )
        raise ValueError(
            f"the tables given hold {what}. Give whole tables of one iteration, or say which with iteration=."
        )

    def _dataset(self, samples: Samples) -> int:
        there: dict[int, set[str]] = {}
        for j in reversed(self.iterations):
            table = self.table(Samples, "samples", j)
            if table == samples:
                return j
            there[j] = {s.id for s in table}
        for j, ids in there.items():
            whole({s.id for s in samples}, ids, f"D{j}", self)
        raise ValueError(
            f"these {len(samples)} samples are no dataset of {self.path} (it has"
            f" {', '.join(f'D{j}' for j in self.iterations) or 'none'}). Give a D_j as it is, say which it"
            f" stands for with iteration=, or make {OWN_RUN}."
        )

    def table(self, kind: type[T], name: str, iteration: int, rows: range | None = None) -> T:
        """A finished table of the run, or some of its rows; raises `RunError` where the stage has not
        finished.
        """
        path = self.folder(iteration) / f"{name}.parquet"
        if not path.exists():
            raise RunError(
                f"{path} does not exist yet: run the stage that makes {name} first (`looptool loop"
                f" {self.path}` runs all)."
            )
        try:
            return kind.read(path, rows=rows)
        except ValueError as error:
            raise RunError(str(error)) from None

    def stored(self, kind: type[Table[R]], name: str, iteration: int, **less: Any) -> Stored[R]:
        """As `table`, to be gone through row by row without holding it; `less` as for `Stored`."""
        path = self.folder(iteration) / f"{name}.parquet"
        if not path.exists():
            raise RunError(
                f"{path} does not exist yet: run the stage that makes {name} first (`looptool loop"
                f" {self.path}` runs all)."
            )
        return Stored(kind, path, **less)

    def manifest(self, name: str, iteration: int) -> dict[str, Any] | None:
        """The manifest of a finished stage, None where it has not finished, or where the file holds no
        manifest.
        """
        return lock.read_manifest(self.folder(iteration) / f"{name}.json")

    def has(self, name: str, iteration: int) -> bool:
        """Whether a stage has finished and its table is there."""
        return (
            self.manifest(name, iteration) is not None
            and (self.folder(iteration) / f"{name}.parquet").exists()
        )

    # ------------------------------------------------------------- stages

    def done(self, name: str, iteration: int, key: str) -> bool:
        """Whether a stage has finished on these very inputs."""
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
        """Move what a new result takes the place of to `superseded/<number>/`, under its path in the run;
        nothing is deleted.
        """
        self.writable()
        lock.refuse_links(self.path)
        old = self.path / SUPERSEDED
        number = 1 + max(lock.numbered(old, 4), default=0)
        for path in paths:
            if path.exists():
                target = old / f"{number:04d}" / path.relative_to(self.path)
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
        """Do the planned batches of row numbers that have not been done, keeping each at once; all rows in
        row order.

        `plan` must depend on the inputs and the machine's settings alone, so that a resumed stage finds the
        batches of the stopped one.
        """
        from tqdm.auto import tqdm

        self.writable()
        parts = self.folder(iteration) / f"{name}.parts"
        if (parts / "key").exists() and (parts / "key").read_text() != key:
            self.supersede(parts)
        parts.mkdir(parents=True, exist_ok=True)
        write_text(parts / "key", key)
        rows: dict[int, Any] = {}
        with tqdm(total=sum(map(len, plan)), desc=f"{name} {iteration}", unit="sample") as bar:
            for batch in plan:
                path = parts / f"{_numbers(batch)}.parquet"
                done = kind.read(path) if path.exists() else work(batch)
                if not path.exists():
                    done.write(path)
                rows.update(zip(batch, done, strict=True))
                bar.update(len(batch))
        return kind(rows[i] for i in sorted(rows))

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
        """Append a person's decision; on disk when this returns, in force at the next compose. `value="undo"`
        takes back the last one.

        The same row can stand in several datasets: with `iteration` a decision or undo holds there only.
        Raises `ValueError`, naming what is possible, for an unknown subject, row, iteration or value;
        `RunError` on a read-only run.
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
        """Append one decision for each row of `values` (row -> value) in a single write; otherwise as
        `decide`.
        """
        import getpass

        self.writable()
        for row, value in values.items():
            check(subject, row, value)
        check_rows(subject, values, {j: self._rows_of(subject, j) for j in self.iterations}, iteration)
        time, author = datetime.now(UTC).isoformat(timespec="milliseconds"), author or getpass.getuser()
        made = [
            Decision(
                time=time,
                author=author,
                subject=subject,
                row=row,
                value=value,
                reason=reason,
                iteration=iteration,
            )
            for row, value in values.items()
        ]
        append_lines(self.path / "decisions.jsonl", (d.model_dump(mode="json") for d in made))
        return made

    def _rows_of(self, subject: str, iteration: int) -> frozenset[str] | None:
        """The rows of an iteration that can be decided on, read once for each state of the file; None where
        there is no such table.
        """
        name, kind = TABLES.get(subject, ("", Samples))
        file = self.folder(iteration) / f"{name}.parquet"
        if not name or not file.exists():
            return None
        at = subject, iteration, file.stat().st_mtime_ns
        if at not in self._rows:
            self._rows[at] = rows_of(self.table(kind, name, iteration))
        return self._rows[at]

    def decisions(self, subject: str, iteration: int | None = None) -> dict[str, Decision]:
        """The decisions in force on a subject, by row, in the order in which they were made; with
        `iteration`, those that hold there.
        """
        stacks: dict[str, list[tuple[int, Decision]]] = {}
        for number, decision in enumerate(self._all_decisions()):
            if (
                decision
                and decision.subject == subject
                and (iteration is None or decision.iteration in (None, iteration))
            ):
                stack = stacks.setdefault(decision.row, [])
                if decision.value != "undo":
                    stack.append((number, decision))
                elif alike := [k for k, (_, d) in enumerate(stack) if d.iteration == decision.iteration]:
                    del stack[alike[-1]]
        return {
            d.row: d
            for _, d in sorted((stack[-1] for stack in stacks.values() if stack), key=lambda pair: pair[0])
        }

    def _all_decisions(self) -> list[Decision | None]:
        """Every line of the decisions file, None for one that is none; of these a whole line is reported."""
        file = self.path / "decisions.jsonl"
        text = read_file(file)
        # Views ask after every decision: only lines that were added since are parsed, or deciding would cost
        # more with each one made.
        known, decisions = self._decided if text.startswith(self._decided[0]) else (b"", [])
        whole = text[len(known) : text.rfind(b"\n") + 1]
        lines = enumerate(whole.split(b"\n")[:-1], len(decisions) + 1)
        decisions = decisions + [read_line(line, file, number) for number, line in lines]
        self._decided = (known + whole, decisions)
        rest = text[len(known) + len(whole) :]  # of a write that was cut short, or goes on
        return [*decisions, read_line(rest, file, len(decisions) + 1, whole=False)]

    def reject(self, file: str, row: int, raw: str, reason: str) -> None:
        """Set a bad row aside in `rejected.jsonl`."""
        self.writable()
        append_lines(self.path / "rejected.jsonl", [{"file": file, "row": row, "reason": reason, "raw": raw}])


def _settings(path: Path) -> Settings:
    """The settings in a run's `run.toml`; raises `RunError` where it is none of this version."""
    import tomllib

    file = path / "run.toml"
    try:
        found = tomllib.loads(file.read_text(encoding="utf-8")).get("format")
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RunError(f"{file} is not valid TOML: {error}. Mend that line.") from None
    except OSError as error:
        raise RunError(
            f"{file} cannot be read ({error.strerror}). Put it back, or make a new run in another folder."
        ) from None
    if found != FORMAT:
        raise RunError(
            f"{path} was written in run format {found}, this version of looptool_kit reads format {FORMAT}."
            " Nothing in it was touched. Use the version that made it, or start a new run in another folder."
        )
    try:
        return load_settings(file)
    except ValueError as error:
        raise RunError(str(error)) from None


def key(*parts: Any) -> str:
    """A short hash of what a stage depends on: settings, tables (by content), text. What is at its default in
    rows and settings adds nothing.
    """
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Table | Stored):
            for row in part:
                digest.update(row.model_dump_json(exclude_defaults=True).encode("utf-8", "surrogatepass"))
        elif hasattr(part, "model_dump_json"):
            digest.update(part.model_dump_json(exclude_defaults=True).encode("utf-8", "surrogatepass"))
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


OWN_RUN = "a run of its own (write them to a file and Run.create(FOLDER, seeds__source=FILE))"


def whole(given: Set[str], there: Set[str], name: str, run: Run) -> None:
    """Raise `ValueError` where only a part of a stage's input was given: its result would take the place of
    the whole one's.
    """
    if given < there:
        raise ValueError(
            f"{len(given)} rows of {name} of {run.path}, which has {len(there)}, were given: what is made of"
            f" a part would take the place of what was made of the whole. Give all of it, or make {OWN_RUN}."
        )


def _numbers(batch: Sequence[int]) -> str:
    """A batch's file is named by its rows, so that it is found again in a plan that cuts the rest in another
    way.
    """
    return f"{min(batch, default=0):05d}-{key(list(batch))[:8]}"
