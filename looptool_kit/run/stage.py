"""One stage of one iteration: what decides its result, and whether a finished result is still valid.

A key is made of the stage's inputs, by content, and of the settings that it names as deciding. The manifest
keeps both, so that it can be said what changed. What a new result replaces is moved to `superseded/`.
"""

from __future__ import annotations

import json
import resource
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from pydantic import JsonValue

from looptool_kit import cluster, trust
from looptool_kit.config import Settings, deciding
from looptool_kit.core.errors import full_disk_explained
from looptool_kit.core.tables import Table
from looptool_kit.run.folder import SUPERSEDED, Run
from looptool_kit.run.keys import key
from looptool_kit.run.lock import refuse_links
from looptool_kit.run.stage_time import counted, seconds_before

CHAIN = (
    "policy", "frontier", "probes_raw", "probes", "verdicts", "expansions", "augment_losses", "composition",
)  # fmt: skip
"""The manifests of an iteration, each made from the one before."""
SCORES = ("scores", "development_scores")
HERE = ("policy",)
"""Manifests whose work stays in this process: a training and what it generates between its steps."""
TITLES = {
    "policy": "train",
    "scores": "evaluate",
    "development_scores": "evaluate on development samples",
    "probes_raw": "probe",
    "probes": "probe, states",
    "verdicts": "verify",
    "failing": "expand, failing tools",
    "expansions": "expand",
    "augmented": "perturb",
    "augment_losses": "score perturbed samples",
    "composition": "compose",
}
"""Manifest -> the name of the stage in messages."""
MIN_ANNOUNCED_SECONDS = 5.0
"""What took less is made again without a message."""
UNREADABLE = "its manifest cannot be read"
"""Why a result is made again that may be whole."""
_INPUTS = {
    "samples": "the samples",
    "policy": "the policy",
    "tools": "tools.json",
    "failed": "the failed probes",
    "merits": "the judge's measured merits",
    "error_seeds": "the error seeds",
    "decisions": "what people decided",
    "threshold": "a decided threshold",
    "held_out": "the held-out samples",
    "fresh": "the fresh seed samples",
    "frontier": "what the policy gets right sometimes",
    "elsewhere": "where it is trained (on.json)",
    "augmented": "the perturbed samples",
    "development": "the number of development samples",
}


class Stage:
    """A stage of a run in one iteration.

    With its inputs and settings as they are now.
    """

    def __init__(
        self,
        run: Run,
        name: str,
        iteration: int,
        files: Iterable[str | Path],
        settings: Iterable[str] = (),
        **inputs: Any,
    ) -> None:
        """Say what the stage makes, and from what.

        Args:
            files: The tables that it makes, by name in the iteration's folder or as whole paths.
            settings: Names of the settings that decide its result.
            inputs: They count by content; an empty one that is not a table adds nothing.
        """
        self.run, self.name, self.iteration = run, name, iteration
        self.files = [self._place(file) for file in files]
        self.manifest_path = run.folder(iteration) / f"{name}.json"
        self.made_from: dict[str, JsonValue] = {
            n: key(v) for n, v in inputs.items() if isinstance(v, Table) or v
        }
        self.made_from |= deciding(run.settings, settings)
        # What is drawn by chance depends on the iteration too.
        self.key = key(name, iteration, self.made_from)
        self.started, self._cpu = time.monotonic(), cpu_clock()

    def _place(self, file: str | Path) -> Path:
        return file if isinstance(file, Path) else self.run.folder(self.iteration) / file

    @property
    def title(self) -> str:
        """The stage's name in messages."""
        return title(self.name, self.iteration)

    @property
    def done(self) -> bool:
        """Tell whether it has finished on the same inputs.

        And its tables are there.
        """
        return self.run.done(self.name, self.iteration, self.key) and all(
            file.exists() for file in self.files
        )

    def why(self) -> list[str]:
        """Say what has changed since a result was finished.

        So that it is made again. Empty where there is no result, or where it is still valid.
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
        if "threshold" in names:  # a decided one stands in place of both settings, which did not change
            names = [n for n in names if n not in ("probe.quantile", "probe.threshold")]
        return [_change(n, before.get(n), self.made_from.get(n), self.run.settings) for n in names]

    @contextmanager
    def making(self) -> Iterator[None]:
        """Surround the work of a stage.

        It says what is made again and why, and explains the disk's errors. The seconds of earlier
        tries at the same result count in its manifest.

        Raises:
            RunError: The run may not be written to, or the disk is full.
        """
        self.run.writable()
        refuse_links(self.run.path)
        settings = self.run.settings
        trust.require_cluster(self.run.path, settings)
        self._announce()
        again = self.run.done(self.name, self.iteration, self.key)  # then they were an earlier result's
        before = 0.0 if again else seconds_before(self.manifest_path, self.key)
        self.started, self._cpu = time.monotonic() - before, cpu_clock()
        with (
            full_disk_explained(self.run.path),
            cluster.of(None if self.name in HERE else settings.cluster),
            counted(self.manifest_path, self.key, before, self.run.writable),
        ):
            yield

    def finish(self, tables: Mapping[str | Path, Table[Any]], **facts: Any) -> None:
        """Write these tables and then the manifest.

        In place of an earlier result. That one is moved to `superseded/`.
        """
        self.supersede()
        for path, table in tables.items():
            table.write(self._place(path))
        self.record(**facts)

    def record(self, **facts: Any) -> None:
        """Write the manifest, after everything else."""
        facts = {"cpu_seconds": round(cpu_clock() - self._cpu, 2), "made_from": self.made_from, **facts}
        self.run.finish(self.name, self.iteration, self.key, self.started, **facts)

    def supersede(self, *also: Path) -> None:
        """Move an earlier result to `superseded/`, the manifest last.

        A table whose manifest is lost may be a finished one.
        """
        self.run.supersede(*self.files, *also, self.manifest_path)

    def _announce(self) -> None:
        reasons = self.why()
        if not reasons:
            return
        from looptool_kit.core.terminal import duration

        own = cost(self.run, [(self.name, self.iteration)])
        later = cost(self.run, after(self.run, self.name, self.iteration))
        # Where only inputs changed, an earlier stage has announced it.
        started_here = not all(reason.startswith("the ") for reason in reasons)
        unknown = UNREADABLE in reasons
        if own + (later if started_here else 0) < MIN_ANNOUNCED_SECONDS and not unknown:
            return
        time = "How long it had taken is not known" if unknown else f"It had taken {duration(own)}"
        follows = f" What follows from it had taken {duration(later)}, and is made again when it is run."
        text = f"{self.title} is made again: {'; '.join(reasons)}. {time}; expect about as long."
        text += follows if later and started_here else ""
        self.run.announce(f"{text} What it replaces goes to {self.run.path / SUPERSEDED}.")


def cpu_clock() -> float:
    """Return the processor seconds that were used so far.

    Of this process and of the children that have ended, on all cores together.
    """
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return time.process_time() + children.ru_utime + children.ru_stime


def title(name: str, iteration: int) -> str:
    """A stage's name in messages: `train 1`, `seed`."""
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
    """Return the seconds that finished stages took.

    The states of probes come with the probes.
    """
    manifests = [run.manifest(name, j) for name, j in stages if name != "probes"]
    return float(sum(m["seconds"] for m in manifests if m))


def _change(name: str, before: JsonValue, now: JsonValue, settings: Settings) -> str:
    if "." not in name and name not in Settings.model_fields:
        return f"{_INPUTS.get(name, f'the {name}')} changed"
    default: Any = Settings()
    for part in name.split("."):
        default = getattr(default, part, None)
    # As JSON, which escapes what a terminal would obey.
    old, new = (json.dumps(default if value is None else value, default=str) for value in (before, now))
    return f"{name} is {new}, it was {old}"
