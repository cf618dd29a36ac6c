"""Decisions that are newer than the dataset which they would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from looptool_kit.lineage.fates import Fate, fates_of, outdated_children
from looptool_kit.run.folder import Run


def newer_decisions(run: Run, fate_table: Iterable[Fate] | None = None) -> Counter[int]:
    """Count the decisions which D_{j+1} does not obey yet, by j.

    `fate_table` is the run's fates, where they have been read already.
    """
    rows = fate_table
    if rows is None:
        decided = (run.path / "decisions.jsonl").exists()
        rows = (row for j in run.iterations for row in fates_of(run, j)) if decided else ()
    newer = Counter(fate.iteration for fate in rows if fate.outdated)
    newer += Counter({j: outdated_children(run, j) for j in run.iterations})
    return newer


def newer_in_words(newer: Counter[int]) -> str:
    """Say how many decisions are newer than which dataset.

    Empty where there is none.
    """
    if not newer:
        return ""
    first, count = min(newer), newer.total()
    decisions = f"{count:,} decisions are" if count > 1 else "1 decision is"
    whose = "they" if count > 1 else "it"
    datasets = f"D{first + 1}, which {whose} would change"
    if len(newer) > 1:
        each = ", ".join(f"{n:,} for D{j + 1}" for j, n in sorted(newer.items()))
        datasets = f"the datasets that they would change ({each})"
    return f"{decisions} newer than {datasets}."
