"""What verdicts make of samples.

The fate of every row of D_j, a person's decisions included.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from looptool_kit.core.errors import RunError
from looptool_kit.core.grading import grade
from looptool_kit.core.records import Expansion, Frontier, Measured, Probe, Probes, Verdict, Verdicts
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.toolcalls import Answer
from looptool_kit.core.wire.form import PROJECTS, WireForm
from looptool_kit.policy.recorded_form import of_run
from looptool_kit.run.decisions import Decision
from looptool_kit.run.folder import Run


class ErrorSeed(NamedTuple):
    """A row of D_ES = D_PW + D_LR (LoopTool, section 3.5)."""

    sample: Sample
    """The sample under the label that stands: for LABEL_WRONG a new sample whose parent is the one that was
    probed.
    """
    probe: Probe
    verdict: Verdict


def with_decisions(verdicts: Verdicts, decisions: dict[str, Decision]) -> Verdicts:
    """The verdicts with a person's in place of the judge's.

    A decision's value is a verdict name, or {"verdict": ..., "label": {...}}.
    """
    out = []
    for verdict in verdicts:
        decision = decisions.get(verdict.sample_id)
        if decision is None:
            out.append(verdict)
            continue
        value = decision.value if isinstance(decision.value, dict) else {"verdict": decision.value}
        changes: dict[str, Any] = {
            "status": "judged",
            "verdict": value.get("verdict"),
            "judge": f"person:{decision.author}",
            "rationale": decision.reason or verdict.rationale,
            "confidence": 1.0,
        }
        if "label" in value:
            changes["label"] = Label.model_validate(value["label"])
        elif changes["verdict"] != verdict.verdict:
            changes["label"] = (
                None  # what stood after the judge's verdict; after LABEL_WRONG the prediction stands
            )
        out.append(Verdict.model_validate(verdict.model_dump() | changes))
    return Verdicts(out)


def error_seeds(samples: Samples, probes: Probes, verdicts: Verdicts) -> list[ErrorSeed]:
    """D_ES, the error seeds, in the dataset's order.

    PRED_WRONG rows are taken as they are, LABEL_WRONG rows under the prediction, or under the label that a
    person gave.

    A seed's probe says what went wrong in it. Where the prediction became the label, that is the old label,
    so it stands in the prediction's place.

    Raises `RunError` where a verdict is on a row that the dataset or the probes have not.
    """
    rows, probed = samples.by_id(), {p.sample_id: p for p in probes}
    seeds = []
    for verdict in verdicts:
        if verdict.sample_id not in rows or verdict.sample_id not in probed:
            raise RunError(
                f"the verdict on {verdict.sample_id} is of another D{verdict.iteration} than is there now:"
                f" probe and verify iteration {verdict.iteration} again (the loop does)."
            )
        sample, probe = rows[verdict.sample_id], probed[verdict.sample_id]
        if verdict.verdict == "PRED_WRONG":
            seeds.append(ErrorSeed(sample, probe, verdict))
        elif verdict.verdict == "LABEL_WRONG":
            label = verdict.label or probe.answer.label
            changed = sample.relabelled(
                label, iteration=verdict.iteration, strategy=f"judges.{verdict.judge}"
            )
            wrong, graded = probe.answer, grade(probe.answer, label, sample.tools)
            if graded.correct:
                wrong = Answer.of(sample.label)
                graded = grade(wrong, label, sample.tools)
            about = {"answer": wrong, "faults": graded.faults or probe.faults}
            seeds.append(ErrorSeed(changed, probe.model_copy(update=about), verdict))
    return seeds


def with_a_persons_labels(run: Run, j: int, samples: Iterable[Sample]) -> list[Sample]:
    """Samples of D_j, in order, under a person's labels.

    One whose label a person found wrong is the new sample that it becomes.
    """
    rows = list(samples)
    asked = {row.id for row in rows}
    decisions = {row: d for row, d in run.decisions("verdict", j).items() if row in asked}
    if not decisions:  # the tables are not read for nothing
        return rows
    verdicts = run.table(Verdicts, "verdicts", j, missing_ok=True)
    theirs = with_decisions(Verdicts(v for v in verdicts if v.sample_id in decisions), decisions)
    seeds = error_seeds(run.table(Samples, "samples", j), run.table(Probes, "probes", j), theirs)
    new = {s.probe.sample_id: s.sample for s in seeds if s.verdict.verdict == "LABEL_WRONG"}
    return [new.get(row.id, row) for row in rows]


INCONSISTENT = "frontier"
"""Stands in a verdict for the judge, where no judge decided that a sample is an error seed."""


def inconsistent_seeds(
    samples: Samples, probes: Probes, measured: Iterable[Measured], form: WireForm = PROJECTS
) -> list[ErrorSeed]:
    """Error seeds of InfTool's hard set (arXiv 2512.23611), in the dataset's order.

    They are samples that the policy answers right greedily, and wrong in half of its rollouts or more. Where
    the greedy answer is wrong the verdict on it decides, since the label may be. A seed's probe has the
    commonest fault of the rollouts, which are written in `form`, so that children keep its pattern.
    """
    rows, hard = samples.by_id(), {m.sample_id: m for m in measured if m.inconsistent}
    seeds = []
    for probe in probes:
        found = hard.get(probe.sample_id)
        if found is None or not probe.correct or not found.faults:
            continue
        sample = rows[probe.sample_id]
        right = round(found.pass_rate * found.n)
        verdict = Verdict(
            sample_id=sample.id,
            iteration=probe.iteration,
            status="judged",
            verdict="PRED_WRONG",
            rationale=f"inconsistent: right in {right} of {found.n} rollouts",
            judge=INCONSISTENT,
            label=sample.label,
        )
        answer = form.parse(found.wrong, tools=sample.tools)
        what = {"text": found.wrong, "answer": answer, "faults": found.faults}
        seeds.append(ErrorSeed(sample, probe.model_copy(update=what), verdict))
    return seeds


def all_seeds(run: Run, j: int, samples: Samples, probes: Probes, verdicts: Verdicts) -> list[ErrorSeed]:
    """Return D_ES by the run's settings.

    With `frontier.seeds`, the inconsistent samples too.
    """
    seeds = error_seeds(samples, probes, verdicts)
    if run.settings.frontier.seeds:
        seeds += inconsistent_seeds(samples, probes, run.table(Frontier, "frontier", j), of_run(run))
    return seeds


def chosen(expanded: Iterable[Expansion], decisions: Mapping[str, Decision]) -> list[Expansion]:
    """The candidates that a dataset takes.

    They are the accepted ones, unless a person (decisions by child id) accepted, rejected or edited them.

    An edited sample stands in its candidate's place: new id, the candidate's parent, strategy `person`.
    Raises `RunError` where it is not a sample.
    """
    out = []
    for child in expanded:
        decision = decisions.get(child.sample.id)
        value = decision.value if decision else None
        if isinstance(value, dict) and "edit" in value:
            out.append(
                child.model_copy(
                    update={"sample": _edited(child, value["edit"]), "strategy": "person", "accepted": True}
                )
            )
        elif value == "accept" or (child.accepted and value != "reject"):
            out.append(child.model_copy(update={"accepted": True}))
    return out


def _edited(child: Expansion, edit: Any) -> Sample:
    try:
        sample = Sample.model_validate(edit)
    except ValueError as error:
        raise RunError(
            f"the edit of expansion {child.sample.id} in decisions.jsonl is not a sample ({error}). Take it"
            f" back with run.decide('expansion', '{child.sample.id}', 'undo')."
        ) from None
    return sample.model_copy(
        update={
            "parent": child.sample.parent,
            "iteration": child.iteration,
            "source": "person",
            "strategy": "person",
        }
    )
