"""One stage of one iteration: what decides its result, whether that stands, and how a new result takes its
place.

A key is made of the stage's inputs, by content, and of the settings that it names as deciding; the manifest
keeps both, so that it can be said what changed. What a new result takes the place of is moved to
`superseded/`.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from pydantic import JsonValue

from looptool_kit.config import Settings, deciding
from looptool_kit.core.tables import Table
from looptool_kit.run.decisions import rows_of
from looptool_kit.run.folder import SUPERSEDED, Run, full_disk_explained, key, whole
from looptool_kit.run.lock import refuse_links

T = TypeVar("T", bound=Table[Any])
CHAIN = ("policy", "probes_raw", "probes", "verdicts", "expansions", "composition")
"""The manifests of an iteration, each made from the one before."""
SCORES = ("scores", "development_scores")
TITLES = {
    "policy": "train",
    "scores": "evaluate",
    "development_scores": "evaluate on development samples",
    "probes_raw": "probe",
    "probes": "probe, states",
    "verdicts": "verify",
    "expansions": "expand",
    "composition": "compose",
}
"""Manifest -> the stage as people know it."""
EXPENSIVE = 5.0
"""Seconds: what had cost less is made again without a word."""
UNREADABLE = "its manifest cannot be read"
"""Why a result is made again that may well be whole."""
_INPUTS = {
    "samples": "the samples",
    "policy": "the policy",
    "tools": "tools.json",
    "failed": "the failed probes",
    "error_seeds": "the error seeds",
    "decisions": "what people decided",
    "threshold": "a decided threshold",
    "held_out": "the held-out samples",
    "fresh": "the fresh seed samples",
}


class Stage:
    """A stage of a run in one iteration, with its inputs and settings as they are now."""

    def __init__(
        self,
        run: Run,
        name: str,
        iteration: int,
        files: Iterable[str | Path],
        settings: Iterable[str] = (),
        **inputs: Any,
    ) -> None:
        """`files`: the tables that it makes, by name in the iteration's folder or as whole paths. `settings`:
        names of the settings that decide its result. `inputs` count by content; an empty one that is no table
        adds nothing.
        """
        self.run, self.name, self.iteration = run, name, iteration
        self.files = [self._place(file) for file in files]
        self.manifest_path = run.folder(iteration) / f"{name}.json"
        self.made_from: dict[str, JsonValue] = {
            n: key(v) for n, v in inputs.items() if isinstance(v, Table) or v
        }
        self.made_from |= deciding(run.settings, settings)
        self.key = key(
            name, iteration, self.made_from
        )  # what is drawn by chance depends on the iteration too
        self.started = time.monotonic()

    def _place(self, file: str | Path) -> Path:
        return file if isinstance(file, Path) else self.run.folder(self.iteration) / file

    @property
    def title(self) -> str:
        return title(self.name, self.iteration)

    @property
    def done(self) -> bool:
        """Whether it has finished on these very inputs, and its tables are there."""
        return self.run.done(self.name, self.iteration, self.key) and all(
            file.exists() for file in self.files
        )

    def why(self) -> list[str]:
        """Why a finished result does not stand: what it depends on and has changed; empty where there is
        none, or where it stands.
        """
        manifest = self.run.manifest(self.name, self.iteration)
        if manifest is None:
            return [UNREADABLE] if self.manifest_path.exists() else []
        if manifest.get("key") == self.key:
            return [
                f"{file.relative_to(self.run.path)} is missing" for file in self.files if not file.exists()
            ]
        before = manifest.get("made_from")
        if not isinstance(before, dict):
            return ["it was recorded without what it depends on, by another version of looptool_kit"]
        names = sorted(
            n for n in before.keys() | self.made_from.keys() if before.get(n) != self.made_from.get(n)
        )
        return [_change(n, before.get(n), self.made_from.get(n), self.run.settings) for n in names]

    @contextmanager
    def making(self) -> Iterator[None]:
        """Around the work: raises where the run may not be written to, says what is made again and why, and
        explains the disk's errors.
        """
        self.run.writable()
        refuse_links(self.run.path)
        self._announce()
        self.started = time.monotonic()
        with full_disk_explained(self.run.path):
            yield

    def finish(self, tables: Mapping[str | Path, Table[Any]], **facts: Any) -> None:
        """Put these tables in the place of a finished result, which is moved to `superseded/`, and then the
        manifest.
        """
        self.supersede()
        for path, table in tables.items():
            table.write(self._place(path))
        self.run.finish(self.name, self.iteration, self.key, self.started, made_from=self.made_from, **facts)

    def supersede(self, *also: Path) -> None:
        """Move what there is of a result aside, the manifest last; a table whose manifest is lost may be a
        finished one.
        """
        self.run.supersede(*self.files, *also, self.manifest_path)

    def _announce(self) -> None:
        reasons = self.why()
        if not reasons:
            return
        from looptool_kit.core.terminal import duration, visible

        own, later = (
            cost(self.run, [(self.name, self.iteration)]),
            cost(self.run, after(self.run, self.name, self.iteration)),
        )
        started_here = not all(
            reason.startswith("the ") for reason in reasons
        )  # else an earlier stage has said it
        unknown = UNREADABLE in reasons
        if own + (later if started_here else 0) < EXPENSIVE and not unknown:
            return
        follows = f", what follows from it {duration(later)}" if later and started_here else ""
        time = "How long it had taken is not known" if unknown else f"It had taken {duration(own)}"
        said = f"{self.title} is made again: {'; '.join(reasons)}. {time}{follows}; expect about as long."
        print(visible(f"{said} What it takes the place of goes to {self.run.path / SUPERSEDED}."), flush=True)


def given(run: Run, kind: type[T], table: T | None, name: str, iteration: int) -> T:
    """The table that a stage was given, or that of the run; raises `ValueError` where only a part of the
    latter was given.
    """
    if table is None:
        return run.table(kind, name, iteration)
    if run.has(name, iteration):
        there = rows_of(run.stored(kind, name, iteration))
        whole(rows_of(table), there, f"the {name} of iteration {iteration}", run)
    return table


def title(name: str, iteration: int) -> str:
    """A stage as people know it: `train 1`, `seed`."""
    return (
        f"{TITLES.get(name, name)} {iteration}"
        if iteration
        else TITLES.get(name, name) + (" base" if name in SCORES else "")
    )


def after(run: Run, name: str, iteration: int) -> list[tuple[str, int]]:
    """The (manifest, iteration) of what follows from a stage."""
    later = [(n, j) for j in run.iterations if j > iteration for n in (*CHAIN, *SCORES)]
    if name == "seed":
        return [*later, *((n, 0) for n in SCORES)]
    if name not in CHAIN:
        return []
    same = CHAIN[CHAIN.index(name) + 1 :] + (SCORES if name == "policy" else ())
    return [(n, iteration) for n in same] + later


def cost(run: Run, stages: Sequence[tuple[str, int]]) -> float:
    """Seconds that finished stages had taken (the states of probes come with the probes)."""
    found = [run.manifest(name, j) for name, j in stages if name != "probes"]
    return float(sum(m["seconds"] for m in found if m))


def _change(name: str, before: JsonValue, now: JsonValue, settings: Settings) -> str:
    if "." not in name and name not in Settings.model_fields:
        return f"{_INPUTS.get(name, f'the {name}')} changed"
    usual: Any = Settings()
    for part in name.split("."):
        usual = getattr(usual, part, None)
    # As JSON, which escapes what a terminal would obey.
    old, new = (json.dumps(usual if value is None else value, default=str) for value in (before, now))
    return f"{name} is {new}, it was {old}"
