"""What a person decides at the review desk, and the dataset that follows from it."""

from __future__ import annotations

import pytest
from widget_pages import asked

import looptool_kit as lt
from looptool_kit.core.records import Expansions, Member, Members, Verdicts
from looptool_kit.core.samples import Label
from looptool_kit.run.folder import Run
from looptool_kit.stages.expand.stage import expand

pytest.importorskip("anywidget")

from looptool_kit.widgets import DisagreementView  # noqa: E402

ITERATION = 2


def rows_for(view: DisagreementView, members: list[Member]) -> dict[str, str]:
    """Rows to decide on, by what is decided: error seeds, and one that the judge left unjudged."""
    in_es = [m.sample_id for m in members if m.part == "ES" and m.sample_id == m.came_from]
    gone, edited, _, spared = in_es[:12:3]
    probes = {p.sample_id: p for p in view.probes if not p.answer.error and "redundant" in str(p.faults)}
    swapped = next(i for i in in_es if i not in (gone, edited, spared) and i in probes)
    abstained = next(m.sample_id for m in members if m.part == "unjudged")
    return {"gone": gone, "edited": edited, "swapped": swapped, "spared": spared, "abstained": abstained}


def decide(view: DisagreementView, rows: dict[str, str]) -> None:
    """One decision of each kind, and one that is taken back."""
    asked(view, "decide", id=rows["gone"], verdict="BOTH_WRONG", note="both are off")
    no_tool = '[{"name": "no_such_tool", "arguments": {}}]'
    assert "not on offer" in asked(view, "label", id=rows["edited"], text=no_tool)["error"]
    asked(view, "label", id=rows["edited"], text="I cannot do that here.", note="no tool for it")
    asked(view, "decide", id=rows["swapped"], verdict="LABEL_WRONG")
    asked(view, "decide", id=rows["abstained"], verdict="PRED_WRONG")
    asked(view, "decide", id=rows["spared"], verdict="BOTH_WRONG")
    asked(view, "undo")


def test_decisions_made_at_the_desk_change_the_next_dataset(run: Run) -> None:
    (run.folder(ITERATION) / "expansions.json").unlink()  # so that all children are this version's
    expand(run, iteration=ITERATION)
    before, members = lt.compose(run, iteration=ITERATION), run.table(Members, "members", ITERATION + 1).rows
    view = DisagreementView(run)
    rows = rows_for(view, members)
    decide(view, rows)
    expand(run, iteration=ITERATION)
    after = lt.compose(run, iteration=ITERATION)
    ids, why = set(after.by_id()), {m.sample_id: m for m in run.table(Members, "members", ITERATION + 1)}
    assert before != after and rows["gone"] in before.by_id() and rows["gone"] not in ids
    assert not any(m.came_from == rows["gone"] for m in why.values())

    assert rows["edited"] not in ids
    (relabelled,) = (s for s in after if s.parent == rows["edited"] and s.source == "judge")
    person = run.decisions("verdict", ITERATION)[rows["edited"]].author
    assert relabelled.label == Label(reply="I cannot do that here.")
    assert relabelled.strategy == f"judges.person:{person}"
    member = why[relabelled.id]
    assert (member.part, member.came_from) == ("ES", rows["edited"])
    assert member.why == f"LABEL_WRONG by person:{person}"
    made = run.table(Expansions, "expansions", ITERATION)
    assert all(e.sample.parent == relabelled.id for e in made if e.seed_id == relabelled.id)

    (taken,) = (s for s in after if s.parent == rows["swapped"] and s.source == "judge")
    predicted = next(p for p in view.probes if p.sample_id == rows["swapped"])
    assert taken.label.calls == predicted.answer.calls
    assert taken.messages == before.by_id()[rows["swapped"]].messages
    assert why[rows["abstained"]].part == "ES"
    assert why[rows["spared"]] == next(m for m in members if m.sample_id == rows["spared"])

    while view.decisions:
        asked(view, "undo")
    expand(run, iteration=ITERATION)
    assert lt.compose(run, iteration=ITERATION) == before
    assert run.table(Members, "members", ITERATION + 1).rows == members


def test_a_decision_of_a_later_iteration_leaves_the_earlier_dataset_alone(run: Run) -> None:
    both = {v.sample_id for v in run.table(Verdicts, "verdicts", 1)} & {
        v.sample_id for v in run.table(Verdicts, "verdicts", 2)
    }
    second = lt.compose(run, iteration=1)
    manifest = run.manifest("composition", 1)
    view = DisagreementView(run)
    for row in both:
        asked(view, "decide", id=row, verdict="BOTH_WRONG")
    expand(run, iteration=1)
    assert both and lt.compose(run, iteration=1) == second and run.manifest("composition", 1) == manifest
