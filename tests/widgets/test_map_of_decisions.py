"""The map and the views beside it: it counts what people decide there, and says what it has opened."""

from __future__ import annotations

import shlex
from pathlib import Path

import pytest
from typer.testing import CliRunner

pytest.importorskip("anywidget")

from widget_pages import asked  # noqa: E402

import looptool_kit as lt  # noqa: E402
from looptool_kit.cli import app  # noqa: E402
from looptool_kit.core.samples import Samples  # noqa: E402
from looptool_kit.lineage.fates import fates  # noqa: E402
from looptool_kit.run.copy import copy_run  # noqa: E402
from looptool_kit.run.folder import Run  # noqa: E402
from looptool_kit.widgets.loopmap import LoopMap  # noqa: E402
from looptool_kit.widgets.page import run_page  # noqa: E402
from looptool_kit.widgets.probe import ProbeView  # noqa: E402

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


def test_the_map_counts_what_was_decided_in_another_tab_when_it_is_shown_again(run: Run) -> None:
    page = run_page(run, "view=LoopMap")
    choice, place = page.children[1].children[0], page.children[2]
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


@pytest.mark.parametrize("server", ["", "voila/0.5"])
def test_what_the_map_says_to_do_makes_the_dataset_with_the_decisions(
    run: Run, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_SOFTWARE", server)
    kept = [f for f in fates(run) if f.verdict == "PRED_WRONG"]
    early = next(f for f in kept if f.iteration == 1)
    late = next(f for f in kept if f.iteration == 2 and f.sample_id != early.sample_id)
    run.decide("verdict", late.sample_id, "BOTH_WRONG", iteration=2)
    note = LoopMap(run).note
    assert note.startswith("1 decision is newer than D3, which it would change. To make D3 again")

    run.decide("verdict", early.sample_id, "BOTH_WRONG", iteration=1)
    both = LoopMap(run).note
    assert "2 decisions are newer than the datasets that they would change (1 for D2, 1 for D3)" in both
    # D2 was trained on and probed: it cannot be composed alone, or the probes are of another D2.
    loop = f"in a terminal: looptool loop {run.path}" if server else ": lt.Loop(run).run(). Then press"
    assert loop in both and lt.Loop

    run.decide("verdict", early.sample_id, "PRED_WRONG", iteration=1)
    if server:
        run.close()
        commands = note.partition("in a terminal: ")[2].split(" && ")
        assert [shlex.split(c)[:2] for c in commands] == [["looptool", "expand"], ["looptool", "compose"]]
        for command in commands:
            done = CliRunner().invoke(app, shlex.split(command)[1:])
            assert done.exit_code == 0, done.output
    else:
        call = note.partition("again: ")[2].partition(". ")[0]
        eval(call, {"lt": lt, "run": run})
    assert LoopMap(Run.open(run.path, read_only=True)).note == ""


@pytest.mark.parametrize("verdict", ["PRED_WRONG", "LABEL_WRONG", "BOTH_CORRECT", "BOTH_WRONG"])
def test_a_verdict_on_a_row_that_is_kept_unjudged_is_newer_than_the_dataset(run: Run, verdict: str) -> None:
    kept = next(f for f in fates(run) if f.iteration == 2 and f.fate == "kept unjudged")
    run.decide("verdict", kept.sample_id, verdict, iteration=2)
    assert LoopMap(run).note.startswith("1 decision is newer than D3")
    lt.expand(run, iteration=2)
    lt.compose(run, iteration=2)
    assert LoopMap(run).note == ""
    run.decide("verdict", kept.sample_id, "undo", iteration=2)
    undone = [f for f in fates(run) if f.outdated]
    assert [f.sample_id for f in undone] == [kept.sample_id]


@pytest.mark.parametrize("server", ["", "voila/0.5"])
def test_a_threshold_decided_after_the_probe_is_newer_than_the_dataset(
    tmp_path: Path, server: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SERVER_SOFTWARE", server)

    def decoding(*_: object) -> None:
        raise AssertionError("another threshold needs no weights")

    monkeypatch.setattr("looptool_kit.stages.probe.open_engine", decoding)
    copy_run(RECORDED, tmp_path / "run")
    run = Run.open(tmp_path / "run")
    asked(ProbeView(run), "threshold", value=1.1, keep=True)
    note = LoopMap(run).note
    assert note.startswith("1 decision is newer than D3, which it would change. To make D3 again")
    if server:
        commands = note.partition("in a terminal: ")[2].split(" && ")
        assert [shlex.split(c)[1] for c in commands] == ["probe", "expand", "compose"]
    else:
        calls = note.partition("again: ")[2].partition(". ")[0]
        assert calls == ", ".join(f"lt.{stage}(run, iteration=2)" for stage in ("probe", "expand", "compose"))

    lt.probe(run, iteration=2)
    assert LoopMap(run).note == note, "D3 is still of the probes before"
    before = {s.id for s in run.table(Samples, "samples", 3)}
    if server:
        run.close()
        for command in commands:
            done = CliRunner().invoke(app, shlex.split(command)[1:])
            assert done.exit_code == 0, done.output
        run = Run.open(run.path)
    else:
        eval(calls, {"lt": lt, "run": run})
    assert LoopMap(run).note == "" and {s.id for s in run.table(Samples, "samples", 3)} != before

    asked(ProbeView(run), "undo")
    assert LoopMap(run).note == note, "taken back, which D3 does not know"
    run.decide("threshold", "", 1.1, iteration=1)
    assert "looptool loop" in LoopMap(run).note or "lt.Loop(run).run()" in LoopMap(run).note


def test_a_view_opened_below_says_how_many_of_the_rows_it_shows(run: Run) -> None:
    loop = LoopMap(run)
    for selected in (["node", "D2/part/EE"], ["node", "D1/new/children"], []):
        loop.selected = selected
        for name in loop.fits:
            message = loop.on_open(name)["message"]
            view = loop.opened
            here = {s.id for s in loop.selection}
            if name == "ExpansionView" and selected:
                shown = here & {e.sample.id for e in view.expansions}
            elif name == "ExpansionView":
                shown = here & {seed.probe.sample_id for seed in view.seeds}
            else:
                shown = {s.id for s in view.selection}
                assert shown <= here and len(shown) == view.count
            iteration = getattr(view, "iteration", 2)  # the newest that was probed
            # As the count above the table says: a sample of two datasets has two rows.
            said = f"{len(shown):,} of the {loop.count:,} rows, in {name} of D{iteration}"
            assert message == f"{said}, below" and loop.opened_of == [selected, said]
    loop.selected = ["node", "D2/part/EE"]
    assert loop.opened_of[0] == [], "the view below is still of what it was opened for"
