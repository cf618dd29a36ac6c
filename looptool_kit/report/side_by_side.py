"""Two policies' answers to the same samples: fixed, broken, and the same."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Literal, NamedTuple

from looptool_kit.core.errors import RunError
from looptool_kit.core.records import Probe, Probes, Score, Scores
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.policy.recorded_form import of_run
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate import held_out
from looptool_kit.stages.evaluate.stage import probe_of, scores

Change = Literal["fixed", "broken", "both wrong", "both right"]
CHANGES: tuple[Change, ...] = ("fixed", "broken", "both wrong", "both right")
Source = Literal["held_out", "development", "probes"]
TABLES = {"held_out": "scores", "development": "development_scores"}


class Both(NamedTuple):
    """One sample under two policies."""

    sample: Sample
    before: Probe
    after: Probe
    split: str

    @property
    def change(self) -> Change:
        """What the second policy made of it."""
        if self.before.correct == self.after.correct:
            return "both right" if self.after.correct else "both wrong"
        return "fixed" if self.after.correct else "broken"

    @property
    def same_answer(self) -> bool:
        """Whether both wrote the same."""
        return self.before.text.strip() == self.after.text.strip()


class SideBySide(NamedTuple):
    """Two policies side by side."""

    before: str
    after: str
    rows: list[Both]
    left_out: int
    """Samples that only one of them was asked about."""

    @property
    def counts(self) -> dict[Change, int]:
        """Samples by what the second policy made of them."""
        found = Counter(row.change for row in self.rows)
        return {change: found[change] for change in CHANGES}


def side_by_side(
    run: Run, before: str = "", after: str = "", other: Run | None = None, source: Source = "held_out"
) -> SideBySide:
    """The answers of two policies to the same samples.

    Args:
        run: Of the first policy.
        before: Its name, e.g. `base` or `D1`; empty: the first that was evaluated.
        after: Name of the second policy; empty: the last one.
        other: The run of the second policy, where that is another one.
        source: `held_out` or `development` samples, or `probes`: what both were probed on.

    Raises:
        RunError: A policy was not evaluated (or probed), or both have no sample in common.
        ValueError: The source is unknown.
    """
    second = other or run
    first_of, second_of = _answers(run, source), _answers(second, source)
    names = _chosen(run, first_of, before, 0), _chosen(second, second_of, after, -1)
    (samples, a), (_, b) = first_of[names[0]], second_of[names[1]]
    by_id = samples.by_id()
    rows = [Both(by_id[i], a[i][0], b[i][0], a[i][1]) for i in a if i in b]
    if not rows:
        raise RunError(
            f"{names[0]} of {run.path} and {names[1]} of {second.path} were asked about no sample in common."
            " Runs with the same `seed`, `seeds` and `model` have the same held-out samples."
        )
    first, last = names
    if other:
        first, last = f"{first} of {run.name}", f"{last} of {second.name}"
    return SideBySide(first, last, rows, len(a.keys() ^ b.keys()))


def compared(run: Run, source: Source = "held_out") -> list[str]:
    """The policies of a run that can be compared, in order."""
    if source == "probes":
        return [f"D{j}" for j in run.iterations if run.has("probes", j)]
    return list(scores(run, TABLES[source]))  # type: ignore[arg-type]


Answers = dict[str, tuple[Samples, dict[str, tuple[Probe, str]]]]
"""Policy -> its samples, and for each id the answer and the split."""


def _answers(run: Run, source: str) -> Answers:
    if source == "probes":
        return {f"D{j}": _probed(run, j) for j in run.iterations if run.has("probes", j)}
    if source not in TABLES:
        raise ValueError(f"there is no source {source!r}; there are held_out, development and probes")
    found = scores(run, TABLES[source])  # type: ignore[arg-type]
    if not found:
        return {}
    samples = held_out.samples_of(run, TABLES[source])
    by_id, form = samples.by_id(), of_run(run)
    return {
        name: (
            samples,
            {s.sample_id: (probe_of(s, by_id[s.sample_id], form), s.split) for s in _known(table, by_id)},
        )
        for name, table in found.items()
    }


def _known(table: Scores, ids: dict[str, Sample]) -> list[Score]:
    """Scores of samples that are still there: the held-out samples may have been drawn again since."""
    return [score for score in table if score.sample_id in ids]


def _probed(run: Run, j: int) -> tuple[Samples, dict[str, tuple[Probe, str]]]:
    samples = run.table(Samples, "samples", j)
    ids = samples.by_id()
    probes = run.table(Probes, "probes", j)
    return samples, {p.sample_id: (p, f"D{j}") for p in probes if p.sample_id in ids}


def _chosen(run: Run, answers: Answers, name: str, default: int) -> str:
    names: Sequence[str] = list(answers)
    if name in names:
        return name
    if not names:
        raise RunError(
            f"No policy of {run.path} was evaluated or probed yet. `looptool loop {run.path}` does both."
        )
    if name:
        raise RunError(f"{name} of {run.path} was not evaluated or probed; there are {', '.join(names)}.")
    return names[default]
