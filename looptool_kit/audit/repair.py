"""Repairs: labels that are proposed or decided, written to a new file with where they come from.

A repaired sample names its parent, the kinds that changed it and the label before, in `meta["audit"]`.
"""

from __future__ import annotations

import time
from collections.abc import Collection, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from looptool_kit.audit.audit import Audited, check_kinds, kinds, look_at
from looptool_kit.audit.desk import KEY
from looptool_kit.audit.findings import SEVERITIES, Finding
from looptool_kit.audit.look import Look
from looptool_kit.audit.read import Row
from looptool_kit.core.records import Probe, Probes, Verdict, Verdicts
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.toolcalls import Answer, canonical, render_answer
from looptool_kit.run.decisions import Decision
from looptool_kit.run.folder import Run

MAX_REPAIRS = 20
"""Repairs of one label, one after the other: each may show the next."""
_DESK_CONFIDENCE = {"error": 0.0, "warning": 0.5, "note": 0.9}
"""The desk shows the least confident rows first: the gravest finding of a row decides its place."""


class Repaired(NamedTuple):
    """What became of the rows."""

    samples: Samples
    changed: int
    dropped: int
    left: int
    """Samples with findings whose label stays as it was."""


def repaired(sample: Sample, names: Collection[str]) -> Sample:
    """Return the sample with the proposed repairs of these kinds.

    They are applied one after the other.
    """
    wanted = {name: kinds()[name] for name in names if hasattr(kinds()[name], "look")}
    label, steps = sample.label, list[Finding]()
    seen = {canonical(label.model_dump())}
    for _ in range(MAX_REPAIRS):
        found = look_at(Look(sample.model_copy(update={"label": label})), wanted)
        step = next((f for f in found if f.repair and canonical(f.repair.model_dump()) not in seen), None)
        if step is None or step.repair is None:
            break
        label = step.repair
        seen.add(canonical(label.model_dump()))
        steps.append(step)
    if not steps:
        return sample
    told = [{"kind": f.kind, "place": f.place, "reason": f.reason} for f in steps]
    strategy = "audit." + "+".join(dict.fromkeys(f.kind for f in steps))
    return _relabelled(sample, label, "audit", strategy, {"repairs": told})


def apply(audited: Audited, names: Iterable[str]) -> Repaired:
    """Apply the proposed repairs of these kinds to every sample.

    Raises:
        ValueError: There is no such kind.
    """
    names = check_kinds(names)
    proposed = {f.row for f in audited.findings if f.repair is not None and f.kind in names}
    out = [repaired(s, names) if at in proposed else s for at, s in _numbered(audited.rows)]
    return _told(audited, out, 0)


def decided(audited: Audited, desk: Path) -> Repaired:
    """Apply what a person decided in the review desk.

    In a folder that `write_desk` has made. LABEL_WRONG takes the label that was decided, else the proposal;
    BOTH_WRONG drops the row; everything else stays.

    Raises:
        RunError: The folder is not a run.
        ValueError: Nothing is decided in it, or about none of these rows; or a label is to be another, and
            there is none.
    """
    run = Run.open(desk, read_only=True)
    decisions = run.decisions("verdict", 1)
    if not decisions:
        raise ValueError(f"nothing is decided in {desk} yet: looptool view {desk} --at view=DisagreementView")
    if not any(sample.id in decisions for _, sample in _numbered(audited.rows)):
        raise ValueError(f"what is decided in {desk} is about other rows: audit the file that it was made of")
    proposed = {v.sample_id: v.label for v in run.table(Verdicts, "verdicts", 1)}
    out, dropped = list[Sample](), 0
    for row, sample in _numbered(audited.rows):
        decision = decisions.get(sample.id)
        verdict, label = _decision(decision) if decision else ("", None)
        if verdict == "BOTH_WRONG":
            dropped += 1
        elif decision is not None and verdict == "LABEL_WRONG":
            label = label or proposed.get(sample.id)
            if label is None:
                raise ValueError(
                    f"row {row} is decided LABEL_WRONG in {desk}, and nothing proposes another label: write"
                    " the right one there (e), or decide BOTH_WRONG, which drops the row"
                )
            about: dict[str, Any] = {"author": decision.author, "time": decision.time}
            about["reason"] = decision.reason
            out.append(_relabelled(sample, label, "person", "audit.desk", about))
        else:
            out.append(sample)
    return _told(audited, out, dropped)


def _decision(decision: Decision) -> tuple[str, Label | None]:
    value = decision.value
    if not isinstance(value, dict):
        return str(value), None
    label = value.get("label")
    return str(value.get("verdict")), Label.model_validate(label) if label is not None else None


def _relabelled(sample: Sample, label: Label, source: str, strategy: str, about: Mapping[str, Any]) -> Sample:
    meta = {**sample.meta, "audit": {**about, "before": sample.label.model_dump(mode="json")}}
    changes = {"label": label, "parent": sample.id, "source": source, "strategy": strategy, "meta": meta}
    return sample.model_copy(update=changes)


def _numbered(rows: Iterable[Row]) -> Iterator[tuple[int, Sample]]:
    return ((r.number, r.sample) for r in rows if r.sample is not None)


def _told(audited: Audited, out: list[Sample], dropped: int) -> Repaired:
    before = {s.id for _, s in _numbered(audited.rows)}
    changed = sum(s.id not in before for s in out)
    with_findings = len({f.sample_id for f in audited.findings if f.sample_id})
    return Repaired(Samples(out), changed, dropped, max(0, with_findings - changed - dropped))


# ----------------------------------------------------------------------- desk


def write_desk(audited: Audited, path: Path) -> int:
    """Make a run folder whose findings the review desk (`DisagreementView`) shows.

    The audit takes the judge's place: a proposed repair is its LABEL_WRONG, every other finding is unjudged
    with its reason. What is decided there is read by `decided`.

    Returns:
        The samples that it shows, each once.

    Raises:
        RunError: The folder is not empty.
    """
    samples = {s.id: s for _, s in _numbered(audited.rows)}
    by_sample: dict[str, list[Finding]] = {}
    for finding in audited.findings:
        if finding.sample_id:
            by_sample.setdefault(finding.sample_id, []).append(finding)
    run = Run.create(path, "cpu")
    shown = [samples[id] for id in by_sample]
    verdicts = [_verdict(id, of) for id, of in by_sample.items()]
    probes = [_probe(s, v) for s, v in zip(shown, verdicts, strict=True)]
    folder = run.folder(1)
    for name, table in (
        ("samples", Samples(shown)),
        ("probes", Probes(probes)),
        ("verdicts", Verdicts(verdicts)),
    ):
        started = time.monotonic()
        table.write(folder / f"{name}.parquet")
        run.finish(name, 1, KEY, started, rows=len(table))
    run.close()
    return len(shown)


def _verdict(sample_id: str, findings: list[Finding]) -> Verdict:
    repair = next((f.repair for f in findings if f.repair is not None), None)
    worst = min(findings, key=lambda f: SEVERITIES.index(f.severity))
    return Verdict(
        sample_id=sample_id,
        iteration=1,
        status="judged" if repair else "unjudged",
        verdict="LABEL_WRONG" if repair else None,
        rationale="\n".join(f"{f.severity}, {f.kind}: {f.reason}" for f in findings),
        confidence=_DESK_CONFIDENCE[worst.severity],
        judge="audit",
        label=repair,
    )


def _probe(sample: Sample, verdict: Verdict) -> Probe:
    """The proposed label in place of a prediction; the label itself where none is proposed."""
    answer = Answer.of(verdict.label or sample.label)
    return Probe(
        sample_id=sample.id,
        iteration=1,
        text=render_answer(answer),
        finish_reason="stop",
        perplexity=1.0,
        match=verdict.label is None,
        correct=False,
        state="failed",
        answer=answer,
    )
