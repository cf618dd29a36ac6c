"""What became of labels that were planted wrong."""

from __future__ import annotations

from collections.abc import Set
from typing import Any

from looptool_kit.core.grading import grade
from looptool_kit.core.records import TOKENS, Members, Probes, Truths, Verdicts
from looptool_kit.core.samples import Sample, Samples
from looptool_kit.core.tables import Stored, column
from looptool_kit.core.toolcalls import Answer
from looptool_kit.lineage.error_seeds import error_seeds, with_decisions
from looptool_kit.run.folder import Run


def planted_labels(run: Run) -> dict[str, int] | None:
    """Count the planted label errors and what became of them.

    Those in datasets that were judged count. Replaced is what the dataset composed next has under another
    label: a decision that is newer than it does not count yet.

    `found`: replaced by the right label in some iteration; `mistaken`: replaced, but by another wrong one;
    `wrongly`: right labels of seed samples that were replaced. None where none were planted.
    """
    truth = {t.sample_id: t.label for t in run.table(Truths, "truth", 0, missing_ok=True)}
    if not truth:
        return None
    pool = ids_of(run, "pool", 0)
    planted: set[str] = set()
    replaced: dict[str, bool] = {}
    for j in (j for j in run.iterations if run.manifest("verdicts", j)):
        planted |= truth.keys() & ids_of(run, "samples", j)
        for sample_id, sample in _relabelled(run, j).items():
            if sample_id in pool:
                right = (
                    sample_id in truth
                    and grade(Answer.of(sample.label), truth[sample_id], sample.tools).correct
                )
                replaced[sample_id] = replaced.get(sample_id, False) or right
    if not planted:
        return None
    repaired = sum(replaced.get(sample_id, False) for sample_id in planted)
    return {
        "planted": len(planted),
        "found": repaired,
        "mistaken": sum(sample_id in planted for sample_id in replaced) - repaired,
        "wrongly": sum(sample_id not in truth for sample_id in replaced),
    }


def _relabelled(run: Run, j: int) -> dict[str, Sample]:
    """Id of a sample of D_j -> what it is in D_{j+1}, where that has another label."""
    if run.manifest("composition", j) is None:
        return {}
    members = run.table(Members, "members", j + 1, missing_ok=True)
    became = {m.sample_id: m.came_from for m in members if m.part == "ES" and m.sample_id != m.came_from}
    rows = {became[s.id]: s for s in rows_of(run, became.keys(), j + 1)[0]}
    # A row that equals one which was there already stands in it (`merged`), so no member came from it.
    known, kept = ids_of(run, "samples", j), {m.sample_id for m in members}
    verdicts = with_decisions(
        run.table(Verdicts, "verdicts", j, missing_ok=True), run.decisions("verdict", j)
    ).where(lambda v: v.verdict == "LABEL_WRONG" and v.sample_id in known and v.sample_id not in rows)
    seeds = error_seeds(*rows_of(run, {v.sample_id for v in verdicts}, j), verdicts)
    return rows | {s.probe.sample_id: s.sample for s in seeds if s.sample.id in kept}


def judge_against_truth(run: Run) -> dict[str, Any] | None:
    """Compare LABEL_WRONG with the planted errors.

    Over all iterations' failed samples. None where none were planted.

    `flagged`: LABEL_WRONG verdicts; `right`: those on a planted error; `correctable`: planted errors among
    the failed where the prediction equals the truth; `right_of_correctable`: those flagged; `planted`,
    `judged`, `unjudged`: counts of failed samples.
    """
    truth = {t.sample_id: t.label for t in run.table(Truths, "truth", 0, missing_ok=True)}
    if not truth:
        return None
    out = dict.fromkeys(
        ("planted", "flagged", "right", "correctable", "right_of_correctable", "judged", "unjudged"), 0
    )
    for j in run.iterations:
        dataset_ids = ids_of(run, "samples", j)
        seed_samples, probed = rows_of(run, truth.keys() & dataset_ids, j)
        samples, probes = seed_samples.by_id(), {p.sample_id: p for p in probed}
        for verdict in run.table(Verdicts, "verdicts", j, missing_ok=True):
            if verdict.sample_id not in dataset_ids:  # of a dataset that was composed again
                continue
            planted = verdict.sample_id in truth
            flagged = verdict.verdict == "LABEL_WRONG"
            right = (
                planted
                and grade(
                    probes[verdict.sample_id].answer,
                    truth[verdict.sample_id],
                    samples[verdict.sample_id].tools,
                ).correct
            )
            out["planted"] += planted
            out["flagged"] += flagged
            out["right"] += flagged and planted
            out["correctable"] += right
            out["right_of_correctable"] += right and flagged
            out["judged"] += verdict.status == "judged"
            out["unjudged"] += verdict.status == "unjudged"
    return out


def ids_of(run: Run, name: str, j: int) -> set[str]:
    """The ids of a table of samples, without reading them."""
    path = run.folder(j) / f"{name}.parquet"
    return set(column(path, "id")) if path.exists() else set()


def rows_of(run: Run, ids: Set[str], j: int) -> tuple[Samples, Probes]:
    """The samples of D_j with these ids, and their probes."""
    folder = run.folder(j)
    samples = Stored(Samples, folder / "samples.parquet", keep={"id": ids})
    probes = Stored(Probes, folder / "probes.parquet", TOKENS, keep={"sample_id": ids})
    return Samples(samples if ids else ()), Probes(probes if ids and probes.path.exists() else ())
