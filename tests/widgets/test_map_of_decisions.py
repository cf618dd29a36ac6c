"""The map and what people decide: it counts their decisions, also those of a view on the same page."""

from __future__ import annotations

import pytest

pytest.importorskip("anywidget")

from widget_pages import asked  # noqa: E402

from looptool_kit.run.folder import Run  # noqa: E402
from looptool_kit.widgets.loopmap import LoopMap  # noqa: E402
from looptool_kit.widgets.page import run_page  # noqa: E402


def test_the_map_counts_what_was_decided_in_another_tab_when_it_is_shown_again(run: Run) -> None:
    page = run_page(run, "view=LoopMap")
    choice, place = page.children[1], page.children[2]
    [loop] = place.children
    loop.selected, drawn = ["node", "D2/verdict/PRED_WRONG"], loop.drawn
    wrong, selected = len(loop.selection), loop.selected
    choice.value = "DisagreementView"
    [desk] = place.children
    ids = [v.sample_id for v in desk.verdicts if v.verdict == "PRED_WRONG"][:2]
    for n, id in enumerate(ids, 1):
        choice.value = "DisagreementView"
        asked(desk, "decide", id=id, verdict="BOTH_WRONG")
        choice.value = "LoopMap"
        assert place.children == (loop,) and asked(loop, "map", width=900)["note"] == LoopMap(run).note != ""
        assert loop.drawn == drawn + n and loop.selected == selected and len(loop.selection) == wrong - n
    choice.value = "TrainingView"
    choice.value = "LoopMap"
    assert loop.drawn == drawn + 2, "where nothing was decided, nothing is read again"


def test_the_map_counts_what_was_decided_below_it_once_that_view_is_closed(run: Run) -> None:
    loop = LoopMap(run)
    loop.selected = ["node", "D2/verdict/PRED_WRONG"]
    asked(loop, "open")
    wrong = loop.opened.verdicts[0].sample_id
    asked(loop.opened, "decide", id=wrong, verdict="BOTH_WRONG")
    assert asked(loop, "close") == {"req": "1"} and loop.note == LoopMap(run).note != ""
    assert wrong not in {s.id for s in loop.selection}
