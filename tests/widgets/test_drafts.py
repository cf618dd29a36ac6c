"""Texts that a page had kept come back to the rows that they belong to, and nothing else is taken."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("anywidget")

from looptool_kit.run.folder import Run  # noqa: E402
from looptool_kit.widgets import DisagreementView, ExpansionView, ProbeView, TryView  # noqa: E402

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"
NOT_TEXTS: list[Any] = [None, 3, ["x"], {"request": "x"}, {"request": "x", "label": 3}]


def test_labels_and_notes_come_back_to_their_rows() -> None:
    view = DisagreementView(Run.open(RECORDED, read_only=True))
    ids = [view.samples[i].id for i in view.order]
    wrong = dict(zip(ids[3:], NOT_TEXTS, strict=False))
    view.notes = {ids[2]: "newer"}
    answer = view.on_restore({ids[2]: "<b>half", "gone": "x", **wrong}, {ids[2]: "older", ids[1]: "a note"})
    assert view.drafts == {ids[2]: "<b>half"} and view.notes == {ids[1]: "a note", ids[2]: "newer"}
    assert view.cursor == 2 and "in 2 rows" in answer["message"]
    view.cursor = 4
    view.on_restore({ids[1]: "half"}, {})
    assert view.cursor == 4, "where a person has chosen a row, it stays"
    for bad in NOT_TEXTS:
        assert DisagreementView(view.run).on_restore(bad, bad) == {}


def test_the_edit_of_a_child_comes_back_open() -> None:
    view = ExpansionView(Run.open(RECORDED, read_only=True))
    seed = view.seeds[view.order[1]]
    child = next(e for e in view.expansions if e.seed_id == seed.sample.id).sample.id
    half = {"request": "half", "label": ""}
    wrong = dict.fromkeys([e.sample.id for e in view.expansions][:5], NOT_TEXTS[-1])
    view.on_restore({**wrong, "gone": half, child: half})
    assert view.drafts == {child: half} and view.editing == view.child == child and view.cursor == 1
    other = ExpansionView(view.run)
    assert other.on_restore({"gone": half}) == {} and other.editing == ""


def test_each_view_of_each_run_keeps_its_own() -> None:
    run = Run.open(RECORDED, read_only=True)
    views = [
        DisagreementView(run, 1),
        *(v(run) for v in (DisagreementView, ExpansionView, ProbeView, TryView)),
    ]
    places = {view.kept_at for view in views}
    assert len(places) == len(views) and all(str(RECORDED.resolve()) in place for place in places)
