"""Decisions that are newer than the dataset which they would change."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable

from looptool_kit.core.records import Probes
from looptool_kit.lineage.fates import Fate, fates_of, outdated_children
from looptool_kit.run.folder import Run
from looptool_kit.run.keys import key


def newer_decisions(run: Run, fate_table: Iterable[Fate] | None = None) -> Counter[int]:
    """Count the decisions which D_{j+1} does not obey yet, by j.

    `fate_table` is the run's fates, where they have been read already.
    """
    rows = fate_table
    if rows is None:
        decided = (run.path / "decisions.jsonl").exists()
        rows = (row for j in run.iterations for row in fates_of(run, j)) if decided else ()
    newer = Counter(fate.iteration for fate in rows if fate.outdated)
    newer += Counter({j: outdated_children(run, j) + threshold_is_newer(run, j) for j in run.iterations})
    return newer


def threshold_is_newer(run: Run, j: int) -> bool:
    """Whether D_{j+1} was composed before the threshold is what it is now."""
    probed, composed = run.manifest("probes", j), run.manifest("composition", j)
    if probed is None or composed is None:
        return False
    chosen = run.decisions("threshold", j).get("")
    if chosen is None:
        return "threshold" in (probed.get("made_from") or {})
    if chosen.value != probed.get("threshold"):
        return True
    # Probed again since, perhaps. The times come first, because comparing reads all probes.
    again = str(probed.get("finished")) >= str(composed.get("finished"))
    now = key(run.stored(Probes, "probes", j)) if again else None
    return again and (composed.get("made_from") or {}).get("probes") != now


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
