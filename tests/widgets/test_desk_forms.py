"""The desk's form beside its verdicts: nothing typed is lost or passed over, and what counts as blind."""

from __future__ import annotations

from typing import get_args

import pytest
from widget_pages import asked, shown, with_verdict

from looptool_kit.core.records import Probe, Probes, VerdictName
from looptool_kit.core.samples import Label
from looptool_kit.run.folder import Run

pytest.importorskip("anywidget")

from looptool_kit.widgets import DisagreementView  # noqa: E402

VERDICTS = get_args(VerdictName)


@pytest.fixture
def view(run: Run) -> DisagreementView:
    return DisagreementView(run)


def test_no_verdict_throws_away_what_is_changed_in_the_form(view: DisagreementView) -> None:
    row = shown(view)
    for verdict in VERDICTS:
        view.drafts = {row["id"]: "That cannot be done here."}
        assert "not saved yet" in asked(view, "decide", id=row["id"], verdict=verdict)["error"], verdict
        assert view.drafts and not view.decisions
    # A label that is looked at and left as it is stops nobody.
    view.drafts = {row["id"]: row["text"]}
    asked(view, "decide", id=row["id"], verdict="PRED_WRONG")
    assert row["id"] in view.decisions and not view.drafts


def test_a_label_that_was_written_and_undone_is_in_the_form_again(view: DisagreementView) -> None:
    id = shown(view)["id"]
    asked(view, "label", id=id, text="That cannot be done here.", note="no such tool")
    assert asked(view, "undo") and view.drafts == {id: "That cannot be done here."}
    assert view.notes == {id: "no such tool"} and not view.decisions
    view.drafts = {}
    # The prediction is one key away, so it is in no form.
    for other in with_verdict(view, "PRED_WRONG"):
        if "error" not in asked(view, "decide", id=other, verdict="LABEL_WRONG"):
            break
    asked(view, "undo")
    assert not view.drafts


def test_a_question_that_becomes_the_label_must_be_a_question(run: Run) -> None:
    view = DisagreementView(run)
    rows = [Probe.model_validate(p.model_dump() | {"answer": {"text": "Which city?"}}) for p in view.probes]
    Probes(rows).write(run.folder(view.iteration) / "probes.parquet")
    view = DisagreementView(run)
    pairs = zip(view.samples, view.verdicts, strict=True)
    id = next(s.id for s, v in pairs if s.label.calls and v.verdict != "LABEL_WRONG")
    asked(view, "decide", id=id, verdict="LABEL_WRONG")
    label = Label.model_validate(view.decisions[id].value["label"])  # type: ignore[index,call-overload]
    assert label == Label(reply="Which city?", asks=True)


def test_no_row_with_a_changed_label_in_the_form_is_accepted_in_bulk(view: DisagreementView) -> None:
    first, second = with_verdict(view, "PRED_WRONG")[:2]
    before = asked(view, "bulk")
    view.drafts = {first: "Half a label", second: view._label_text(second)}
    found = asked(view, "bulk")
    assert (found["count"], found["rest"]) == (before["count"] - 1, before["rest"] + 1)
    asked(view, "accept", count=found["count"])
    assert first not in view.decisions and second in view.decisions and view.drafts[first] == "Half a label"


def test_no_decision_is_blind_on_a_row_whose_verdict_was_shown(view: DisagreementView) -> None:
    looked_at, other = shown(view)["id"], with_verdict(view, "PRED_WRONG")[-1]
    view.blind = True
    asked(view, "decide", id=looked_at, verdict="PRED_WRONG")
    asked(view, "decide", id=other, verdict="PRED_WRONG")
    # Decided, it is shown; undone, it is not unseen.
    view.cursor = [view.samples[i].id for i in view.order].index(other)
    assert shown(view)["detail"]["verdict"]
    asked(view, "undo")
    asked(view, "decide", id=other, verdict="BOTH_WRONG")
    blind = {id: "blind" in d.value for id, d in view.decisions.items()}  # type: ignore[operator]
    assert blind == {looked_at: False, other: False}
    third = with_verdict(view, "PRED_WRONG")[0]
    asked(view, "decide", id=third, verdict="PRED_WRONG")
    assert view.decisions[third].value == {"verdict": "PRED_WRONG", "blind": True}
