"""A run: the folder that holds the whole truth of a loop, and the rules by which stages write to it.

    run.toml                        settings and the format of the folder
    seed/                           pool.parquet, held_out.parquet, truth.parquet (the labels behind planted noise)
    iterations/01/samples.parquet   D_1; then policy/ (adapter, history), scores, probes, verdicts, expansions, composition.json
    iterations/02/samples.parquet   D_2, composed in iteration 1; ...
    decisions.jsonl                 what people decided: append-only
    rejected.jsonl                  rows that could not be used, with file, row and reason
    report.html

A stage's table is finished when its manifest (`<stage>.json`, written last) stands beside it and names the same inputs; anything else is redone. Long
stages keep each finished batch in `<stage>.parts/`, so that a killed stage repeats at most one batch.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import resource
import shutil
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, TypeVar

from pydantic import JsonValue

from looptool_kit.config import Settings, dump_settings, load_preset, load_settings, with_overrides
from looptool_kit.samples import Frozen, Samples
from looptool_kit.tables import Table, write_json, write_text

FORMAT = 2
T = TypeVar("T", bound=Table[Any])
_locks: dict[Path, int] = {}


class RunError(Exception):
    """A run folder cannot be used as asked; the message says which, why and what to do."""


class Decision(Frozen):
    """Something a person decided about a row; the last decision on a row and subject counts, an `undo` takes it back."""

    time: str
    author: str
    subject: str
    """verdict, expansion or threshold."""
    row: str
    """Sample id (for an expansion: the child's); empty for the threshold."""
    value: JsonValue
    """verdict: a verdict's name, or {"verdict": ..., "label": {...}}. expansion: "accept", "reject" or {"edit": a sample}, which joins in the
    child's place. threshold: the perplexity. "undo" takes the last one back."""
    reason: str = ""
    iteration: int | None = None
    """The iteration whose row was decided on; None: that row in any iteration."""


class Run:
    """A run folder, open for reading or (with the lock held) for writing."""

    def __init__(self, path: Path, settings: Settings, read_only: bool = False) -> None:
        self.path, self.settings, self.read_only = path, settings, read_only
        self._decided: tuple[bytes, list[Decision | None]] = (b"", [])

    def __repr__(self) -> str:
        return f"Run({str(self.path)!r}, preset={self.settings.preset!r})"

    @classmethod
    def create(cls, path: str | Path, preset: str = "cpu", **overrides: Any) -> Run:
        """Make a run folder from a preset (see `config.load_preset` for overrides), or open the one that is there.

        Raises `RunError` if the folder holds a run with other settings, or something else.
        """
        path = Path(path)
        settings = load_preset(preset, **overrides)
        if (path / "run.toml").exists():
            run = cls.open(path)
            if run.settings != settings:
                raise RunError(
                    f"{path} holds a run with other settings (see {path / 'run.toml'}). Open it as it is with Run.open or `looptool loop {path}`, "
                    "or give another folder."
                )
            return run
        if path.exists() and any(p.name != ".lock" for p in path.iterdir()):
            raise RunError(f"{path} is not empty and holds no run.toml. Give a new folder.")
        path.mkdir(parents=True, exist_ok=True)
        _lock(path)
        write_text(path / "run.toml", dump_settings(settings, FORMAT))
        return cls(path, settings)

    @classmethod
    def open(cls, path: str | Path, read_only: bool = False) -> Run:
        """Open an existing run; unless `read_only`, take its lock until the process ends.

        Raises `RunError` if there is none, if another version wrote it, or if another process works on it.
        """
        path = Path(path)
        file = path / "run.toml"
        if not file.exists():
            raise RunError(f"there is no run in {path} (no run.toml). Make one with `looptool init {path}`.")
        import tomllib

        try:
            found = tomllib.loads(file.read_text(encoding="utf-8")).get("format")
        except tomllib.TOMLDecodeError as error:
            raise RunError(f"{file} is not valid TOML: {error}. Mend that line.") from None
        if found != FORMAT:
            raise RunError(
                f"{path} was written in run format {found}, this version of looptool_kit reads format {FORMAT}. Nothing in it was touched. "
                f"Use the version that made it, or start a new run in another folder."
            )
        try:
            settings = load_settings(file)
        except ValueError as error:
            raise RunError(str(error)) from None
        if not read_only:
            _lock(path)
        return cls(path, settings, read_only)

    def set(self, **overrides: Any) -> Settings:
        """Change settings, e.g. `run.set(probe__quantile=0.8)`, here and in `run.toml`; the next call of a stage that depends on them redoes it.

        Raises `ValueError` for an unknown setting or value, `RunError` for a run opened to look at; then nothing is changed.
        """
        if self.read_only:
            raise RunError(f"{self.path} was opened to look at only, so its settings stay. Open it with Run.open({str(self.path)!r}).")
        settings = with_overrides(self.settings, **overrides)
        write_text(self.path / "run.toml", dump_settings(settings, FORMAT))
        self.settings = settings
        return settings

    # ------------------------------------------------------------- places

    def folder(self, iteration: int) -> Path:
        """The folder of iteration j (0: the seed stage)."""
        return self.path / "seed" if iteration == 0 else self.path / "iterations" / f"{iteration:02d}"

    @property
    def iterations(self) -> list[int]:
        """The iterations that have a dataset, in order."""
        return sorted(int(p.parent.name) for p in self.path.glob("iterations/*/samples.parquet"))

    @property
    def iteration(self) -> int:
        """The iteration that is worked on: the newest one with a dataset, 0 before seeding."""
        return max(self.iterations, default=0)

    def iteration_of(self, given: Sequence[Any] | None) -> int:
        """The iteration that a table given to a stage belongs to: a dataset's by its rows, any other's by what its rows say; else the newest.

        So the same lines of Python called again mean the same iteration, also when the next dataset is there by then.
        """
        if isinstance(given, Samples):
            return next((j for j in reversed(self.iterations) if self.table(Samples, "samples", j) == given), self.iteration)
        if given is not None:
            probed = [j for j in self.iterations if self.manifest("probes", j)]
            return int(given[0].iteration) if given else max(probed, default=self.iteration)
        return self.iteration

    def table(self, kind: type[T], name: str, iteration: int, rows: range | None = None) -> T:
        """A finished table of the run, or some of its rows; raises `RunError` where the stage has not finished."""
        path = self.folder(iteration) / f"{name}.parquet"
        if not path.exists():
            raise RunError(f"{path} does not exist yet: run the stage that makes {name} first (`looptool loop {self.path}` runs all).")
        try:
            return kind.read(path, rows=rows)
        except ValueError as error:
            raise RunError(str(error)) from None

    def manifest(self, name: str, iteration: int) -> dict[str, Any] | None:
        """The manifest of a finished stage, None where it has not finished."""
        path = self.folder(iteration) / f"{name}.json"
        try:
            return json.loads(path.read_text(encoding="utf-8"))
        except (FileNotFoundError, json.JSONDecodeError):
            return None

    # ------------------------------------------------------------- stages

    def done(self, name: str, iteration: int, key: str) -> bool:
        """Whether a stage has finished on these very inputs."""
        manifest = self.manifest(name, iteration)
        return manifest is not None and manifest["key"] == key

    def finish(self, name: str, iteration: int, key: str, started: float, **facts: Any) -> None:
        """Write a stage's manifest, after everything else."""
        parts = self.folder(iteration) / f"{name}.parts"
        write_json(
            self.folder(iteration) / f"{name}.json",
            {
                "stage": name,
                "iteration": iteration,
                "key": key,
                "finished": datetime.now(UTC).isoformat(timespec="seconds"),
                "seconds": round(time.monotonic() - started, 2),
                "peak_mb": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // (1024**2 if sys.platform == "darwin" else 1024),
                **facts,
            },
        )
        shutil.rmtree(parts, ignore_errors=True)

    def batches(self, name: str, iteration: int, key: str, plan: Sequence[Sequence[int]], kind: type[T], work: Callable[[Sequence[int]], T]) -> T:
        """Do the planned batches of row numbers that have not been done, keeping each at once; all rows in row order.

        `plan` must depend on the inputs alone, so that a resumed stage works on the very batches of an undisturbed one.
        """
        from tqdm.auto import tqdm

        parts = self.folder(iteration) / f"{name}.parts"
        if (parts / "key").exists() and (parts / "key").read_text() != key:
            shutil.rmtree(parts)
        parts.mkdir(parents=True, exist_ok=True)
        write_text(parts / "key", key)
        rows: dict[int, Any] = {}
        with tqdm(total=sum(map(len, plan)), desc=f"{name} {iteration}", unit="sample") as bar:
            for number, batch in enumerate(plan):
                path = parts / f"{number:05d}.parquet"
                done = kind.read(path) if path.exists() else work(batch)
                if not path.exists():
                    done.write(path)
                rows.update(zip(batch, done, strict=True))
                bar.update(len(batch))
        return kind(rows[i] for i in sorted(rows))

    # ---------------------------------------------------------- decisions

    def decide(self, subject: str, row: str, value: JsonValue, reason: str = "", author: str | None = None, iteration: int | None = None) -> Decision:
        """Append a person's decision; on disk when this returns, in force at the next compose. `value="undo"` takes back the last one.

        The same row can stand in several datasets: with `iteration` a decision or undo holds there only. Raises `RunError` on a read-only run.
        """
        return self.decide_all(subject, {row: value}, reason, author, iteration)[0]

    def decide_all(
        self, subject: str, values: Mapping[str, JsonValue], reason: str = "", author: str | None = None, iteration: int | None = None
    ) -> list[Decision]:
        """Append one decision for each row of `values` (row -> value) in a single write; otherwise as `decide`."""
        import getpass

        if self.read_only:
            raise RunError(f"{self.path} was opened to look at only, so nothing can be decided. Open it with Run.open({str(self.path)!r}).")
        time, author = datetime.now(UTC).isoformat(timespec="milliseconds"), author or getpass.getuser()
        made = [
            Decision(time=time, author=author, subject=subject, row=row, value=value, reason=reason, iteration=iteration)
            for row, value in values.items()
        ]
        _append(self.path / "decisions.jsonl", *(d.model_dump(mode="json") for d in made))
        return made

    def decisions(self, subject: str, iteration: int | None = None) -> dict[str, Decision]:
        """The decisions in force on a subject, by row, in the order in which they were made; with `iteration`, those that hold there."""
        stacks: dict[str, list[tuple[int, Decision]]] = {}
        for number, decision in enumerate(self._all_decisions()):
            if decision and decision.subject == subject and (iteration is None or decision.iteration in (None, iteration)):
                stack = stacks.setdefault(decision.row, [])
                if decision.value != "undo":
                    stack.append((number, decision))
                elif alike := [k for k, (_, d) in enumerate(stack) if d.iteration == decision.iteration]:
                    del stack[alike[-1]]
        return {d.row: d for _, d in sorted((stack[-1] for stack in stacks.values() if stack), key=lambda pair: pair[0])}

    def _all_decisions(self) -> list[Decision | None]:
        """Every line of the decisions file, None for one that is none (the last of a write that was cut short)."""
        try:
            text = (self.path / "decisions.jsonl").read_bytes()
        except FileNotFoundError:
            text = b""
        # Views ask after every decision: only lines that were added since are parsed, or deciding would cost more with each one made.
        known, decisions = self._decided if text.startswith(self._decided[0]) else (b"", [])
        whole = text[len(known) : text.rfind(b"\n") + 1]
        decisions = decisions + [_decision(line) for line in whole.split(b"\n")[:-1]]
        self._decided = (known + whole, decisions)
        return [*decisions, _decision(text[len(known) + len(whole) :])]

    def reject(self, file: str, row: int, raw: str, reason: str) -> None:
        """Set a bad row aside in `rejected.jsonl`."""
        _append(self.path / "rejected.jsonl", {"file": file, "row": row, "reason": reason, "raw": raw})


def _decision(line: bytes) -> Decision | None:
    try:
        return Decision.model_validate_json(line)
    except ValueError:
        return None


def key(*parts: Any) -> str:
    """A short hash of what a stage depends on: settings, tables (by content), text."""
    digest = hashlib.sha256()
    for part in parts:
        if isinstance(part, Table):
            for row in part:
                digest.update(row.model_dump_json().encode("utf-8", "surrogatepass"))
        elif hasattr(part, "model_dump_json"):
            digest.update(part.model_dump_json().encode())
        else:
            digest.update(json.dumps(part, sort_keys=True, default=str).encode())
        digest.update(b"\0")
    return digest.hexdigest()[:16]


@contextmanager
def full_disk_explained(path: Path) -> Iterator[None]:
    """Turn the errors of a full disk into a message with the remedy; what was written before stays whole."""
    try:
        yield
    except RunError:
        raise
    except Exception as error:
        free = shutil.disk_usage(path).free
        if not _is_full(error, free):
            raise
        raise RunError(
            f"The disk of {path} is full ({free / 2**20:.0f} MiB free; {error}). Nothing already written is harmed: free some space (a loop needs "
            f"about 1 GiB) and start the same command again; it goes on where it stopped."
        ) from error


def _is_full(error: Exception, free: int) -> bool:
    import errno

    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EFBIG):
        return True
    # safetensors, Arrow and SQLite raise errors of their own kind; torch names no reason at all, so there the disk itself is asked.
    said = re.search(r"no space left on device|database or disk is full|disk quota exceeded", str(error), re.IGNORECASE)
    return bool(said) or (isinstance(error, RuntimeError) and free < 2**20)


def _append(path: Path, *records: dict[str, Any]) -> None:
    line = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    if path.exists() and path.stat().st_size:
        with open(path, "rb") as before:
            before.seek(-1, os.SEEK_END)
            if before.read(1) != b"\n":
                line = "\n" + line
    with open(path, "a", encoding="utf-8") as out:
        out.write(line)
        out.flush()
        os.fsync(out.fileno())


def _lock(path: Path) -> None:
    path = path.resolve()
    if path in _locks:
        return
    handle = os.open(path / ".lock", os.O_RDWR | os.O_CREAT, 0o644)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        owner = os.read(handle, 32).decode(errors="replace").strip() or "unknown"
        os.close(handle)
        raise RunError(
            f"Another process (pid {owner}) works on {path}. Wait for it or stop it; to look only, use Run.open(..., read_only=True) "
            "or `looptool report`."
        ) from None
    os.ftruncate(handle, 0)
    os.write(handle, str(os.getpid()).encode())
    _locks[path] = handle
