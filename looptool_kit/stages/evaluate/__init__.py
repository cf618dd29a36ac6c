"""Suites: what a policy is evaluated on.

A suite is one module or folder beside `stage.py`, found by its name, with three functions:

    categories(run, policy, names, per_category)   yields a `Category` for each category that is asked for
    tables(names=None)                             names of the tables of these categories, None: of all
    print_scores(run, policy, scores)              figures with intervals, on the terminal

`names` are categories or groups of them, None the suite's default; with `per_category`, that many entries of
each, the same ones for every policy. The generator may hold a process open while its categories are
evaluated. Where the suite needs something that is not installed with this package it has `setup() -> Path`,
which fetches it once. `stage.py` does the rest: engine, batches, resuming, prompts that do not fit, tables.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Generator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, Protocol, cast

from looptool_kit.core.grading import Fault, grade
from looptool_kit.core.records import Scores
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.policy.engines import Completion, Engine
from looptool_kit.policy.policy import Policy
from looptool_kit.run.folder import Run
from looptool_kit.stages import _find


class Entry(NamedTuple):
    """One thing that a policy is asked."""

    sample: Sample
    """As it is asked; of a dialogue that is played, its first turn."""
    id: str = ""
    """`sample_id` of its row; empty: the sample's."""
    split: str = ""
    """Empty: the sample's."""
    kind: str = ""
    """Empty: the sample's."""
    source: Any = None
    """What the judge needs beside the sample."""
    extra: Mapping[str, Any] = {}
    """What its row remembers of it, also where the prompt does not fit."""


class Judged(NamedTuple):
    """What a suite says of one answer."""

    correct: bool
    error: str = ""
    faults: tuple[Fault, ...] = ()
    extra: Mapping[str, Any] = {}
    """Added to the entry's."""


def by_match(entry: Entry, completion: Completion) -> Judged:
    """Exact match with the sample's label."""
    answer = completion.answer(entry.sample.tools)
    graded = grade(answer, entry.sample.label, entry.sample.tools)
    return Judged(graded.correct, graded.error, graded.faults)


def written(completion: Completion) -> dict[str, Any]:
    """How a completion was written, for `Judged.extra`."""
    return {"finish_reason": completion.finish_reason, "perplexity": completion.perplexity}


@dataclass(frozen=True)
class Category:
    """One category of a suite: its table, its entries and their judge."""

    suite: str
    table: str
    """Name of its scores in the iteration's folder, e.g. `bfcl/multiple`."""
    entries: Callable[[], Sequence[Entry]]
    """Called only where the scores are not finished."""
    inputs: Mapping[str, Any]
    """What decides the scores beside policy and settings (see `run.stage.Stage`)."""
    max_new_tokens: int
    judge: Callable[[Entry, Any], Judged] = by_match
    """What it says of a `Completion`, or of what `play` returns."""
    settings: Sequence[str] = ()
    """Names of the run's settings that decide the scores."""
    keep: Literal["failed", "samples", "nothing"] = "failed"
    """What is kept beside the scores: samples and probes of what failed, all samples, or nothing."""
    facts: Mapping[str, Any] = field(default_factory=dict)
    """For the manifest."""
    play: Callable[[Engine, Sequence[Entry]], Sequence[Any]] | None = None
    """Dialogues that answer the policy: plays them and returns one object with a `text` for each."""


def of_samples(suite: str, table: str, samples: Samples, max_new_tokens: int, **more: Any) -> Category:
    """A category of plain samples, its length limit from `evaluate.max_new_tokens`.

    `more` are other fields of `Category`.
    """
    facts: dict[str, Any] = {
        "entries": lambda: [Entry(s) for s in samples],
        "inputs": {"samples": samples},
        "settings": ["evaluate.max_new_tokens"],
    }
    return Category(suite, table, max_new_tokens=max_new_tokens, **(facts | more))


def chosen(n: int, category: str, per_category: int | None) -> list[int]:
    """The rows of a category's n entries that are evaluated, ascending.

    All, or a random choice that depends on the category alone.

    A smaller choice is contained in every larger one.
    """
    order = list(range(n))
    random.Random(f"bfcl {category}").shuffle(order)  # for every suite: finished choices stay what they are
    return sorted(order[:per_category])


class Suite(Protocol):
    """What a policy is scored on."""

    def categories(
        self, run: Run, policy: Policy, names: Sequence[str] | None, per_category: int | None
    ) -> Generator[Category]: ...

    def tables(self, names: Sequence[str] | None = None) -> list[str]: ...

    def print_scores(self, run: Run, policy: Policy, scores: Scores) -> None: ...


def find_suite(name: str) -> Suite:
    """The suite of that name; `ValueError` that lists those there are."""
    return cast(Suite, _find.find(__name__, name))


def setup(name: str) -> Path | None:
    """Fetch what a suite needs, once.

    Returns where it lies, None where it needs nothing.
    """
    suite: Any = find_suite(name)
    return cast(Path, suite.setup()) if hasattr(suite, "setup") else None
