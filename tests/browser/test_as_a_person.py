"""The views as a person meets them: on one screen, by mouse and keyboard, with samples that are hostile,
long, Arabic and Chinese, in both themes and at two widths; and what axe-core says about them.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from lab import nameless, open_notebook, write_notebook
from test_disagreement_view import until

from looptool_kit.core.records import VERDICTS, Probes, Verdicts
from looptool_kit.core.samples import Message, Samples, ToolCall
from looptool_kit.run.folder import Run

ROOT = Path(__file__).parents[2]
RECORDED = ROOT / "sample_data" / "run"
AXE = ROOT / ".ci" / "js" / "node_modules" / "axe-core" / "axe.min.js"
EVIL = "<img src=x onerror=window.bad=1><script>window.bad=1</script>"
ARABIC = "احجز طاولة لشخصين في المطعم غدا الساعة السابعة مساء"
CHINESE = "请在明天晚上七点为两个人预订一张餐厅的桌子，靠窗的位置。" * 8
CHECKED = """async (view) => {
    const {violations} = await axe.run(view, {runOnly: ['wcag2a', 'wcag2aa']});
    // A table's rows scroll with the keys of their grid, which has the focus.
    const ours = ({id, nodes}) =>
      id !== 'scrollable-region-focusable' || !nodes[0].html.includes('lt-scroll');
    const grave = violations.filter((v) => ['serious', 'critical'].includes(v.impact)).filter(ours);
    return grave.map(({id, nodes}) => `${id}: ${nodes.length} times, first`
      + ` ${nodes[0].html.slice(0, 160)} ${nodes[0].failureSummary}`) }"""
VIEWS = (
    *("DisagreementView", "ProbeView", "ExpansionView", "TrainingView", "LoopMap", "JudgeCheckView"),
    *("CompareView", "TryView"),
)
START = """
from looptool_kit.run.folder import Run
from looptool_kit.widgets import *
run = Run.open("{run}")
"""
WHOLE = """
whole = Run.open("whole-run")
"""


def call_of(view: str) -> str:
    """The cell that shows a view."""
    return f"{view}({'whole' if view == 'LoopMap' else 'run'})"


def odd_run(folder: Path) -> Path:
    """The recorded run, with four odd samples among the failed ones of iteration 2."""
    shutil.copytree(RECORDED, folder)
    run = Run.open(folder, read_only=True)  # the notebook's process writes
    tables: dict[str, list[Any]] = {
        name: list(run.table(kind, name, 2))
        for name, kind in (("samples", Samples), ("probes", Probes), ("verdicts", Verdicts))
    }
    samples = {s.id: s for s in tables["samples"]}
    judged = [v.sample_id for v in tables["verdicts"] if samples[v.sample_id].label.calls]
    turn = (
        Message(role="user", content="and then?"),
        Message(role="assistant", tool_calls=(ToolCall(name="look", arguments={}),)),
        Message(role="tool", content="0123456789" * 2000),
    )
    texts = {"hostile": EVIL, "long": "And now the last one.", "arabic": ARABIC, "chinese": CHINESE}
    for id, (kind, text) in zip(judged, texts.items(), strict=False):
        old = samples[id]
        tools, before = old.tools, ()
        if kind == "long":
            extra = (old.tools[0].model_copy(update={"name": f"tool_{i}"}) for i in range(40))
            tools, before = (*old.tools, *extra), turn * 10
        new = old.model_copy(
            update={"kind": kind, "tools": tools, "messages": (*before, Message(role="user", content=text))}
        )
        tables["samples"] = [new if s.id == id else s for s in tables["samples"]]
        for name in ("probes", "verdicts"):
            tables[name] = [
                r.model_copy(update={"sample_id": new.id}) if r.sample_id == id else r for r in tables[name]
            ]
    for name, kind in (("samples", Samples), ("probes", Probes), ("verdicts", Verdicts)):
        kind(tables[name]).write(run.folder(2) / f"{name}.parquet")
    return folder


@pytest.fixture(scope="module")
def odd(lab: tuple[str, Path]) -> tuple[str, Path]:
    """Address of JupyterLab, and the run."""
    url, root = lab
    write_notebook(root / "desk.ipynb", START.format(run="odd-run"), "DisagreementView(run)")
    # The map follows samples by their ids from dataset to dataset, which the odd ones break.
    cells = (START.format(run="odd-all") + WHOLE, *(call_of(name) for name in VIEWS))
    write_notebook(root / "all.ipynb", *cells)
    odd_run(root / "odd-all")
    shutil.copytree(RECORDED, root / "whole-run")
    return url, odd_run(root / "odd-run")


def desk_of(page: Any, url: str) -> Any:
    """The review desk, drawn."""
    open_notebook(page, url, "desk.ipynb")
    view = page.locator(".lt-view").first
    view.locator(".lt-card[data-row]:not([data-row=''])").wait_for()
    return view


def fits(page: Any, view: Any) -> None:
    """List, sample, verdict and buttons are in sight together."""
    view.scroll_into_view_if_needed()
    room = page.locator(".jp-WindowedPanel-outer").first.bounding_box()["height"]
    box = view.bounding_box()
    assert box["height"] <= room, (page.viewport_size, box, room)
    for part in (".lt-grid", ".lt-card", ".lt-weighed", "[role=toolbar]", ".lt-note"):
        inner = view.locator(part).first.bounding_box()
        assert inner["height"] > 20 and inner["width"] > 90, part
        assert inner["y"] >= box["y"] - 1 and inner["y"] + inner["height"] <= box["y"] + box["height"] + 1, (
            part
        )
        assert inner["x"] + inner["width"] <= box["x"] + box["width"] + 1, part


def test_the_review_desk_stands_on_one_screen_and_keeps_its_height(odd: tuple[str, Path], page: Any) -> None:
    view = desk_of(page, odd[0])
    label, prediction = (view.locator(".lt-evidence th").nth(k).bounding_box()["width"] for k in (1, 2))
    assert abs(label - prediction) <= 1, "equal shares have bars of equal length"
    for width, height in ((1400, 900), (1000, 800), (933, 600), (1400, 900)):
        page.set_viewport_size({"width": width, "height": height})
        page.wait_for_timeout(500)
        fits(page, view)
    before = view.bounding_box()["height"]
    for kind in ("long", "hostile", "chinese"):
        view.get_by_label("kind", exact=True).select_option(kind)
        view.locator(f".lt-small:has-text('kind {kind}')").wait_for()
        assert view.bounding_box()["height"] == before, kind
    # The keys lie over the desk and go with Escape; the keys still work then.
    view.locator(".lt-judge h4").click()
    page.keyboard.press("?")
    view.locator(".lt-keys").wait_for()
    assert view.bounding_box()["height"] == before
    page.keyboard.press("Escape")
    view.locator(".lt-keys").wait_for(state="hidden")
    assert page.evaluate("() => document.querySelector('.lt-view').contains(document.activeElement)")
    # A filter that nothing passes says so, and is taken back there.
    view.get_by_label("search the rows").fill("zzzz no such thing")
    view.get_by_text("No row matches.").wait_for()
    view.get_by_role("button", name="clear filters").click()
    view.get_by_text("No row matches.").wait_for(state="hidden")
    assert page.faults == [] and not page.evaluate("() => window.bad")


def test_long_arabic_and_hostile_samples_can_be_read(odd: tuple[str, Path], page: Any) -> None:
    view = desk_of(page, odd[0])
    card = view.locator(".lt-card")

    def show(kind: str) -> None:
        view.get_by_label("kind", exact=True).select_option(kind)
        card.locator(f".lt-small:has-text('kind {kind}')").wait_for()

    show("long")
    parts = card.locator("article > *").evaluate_all("all => all.map((e) => e.className)")
    assert parts.index("lt-comparison") < parts.index("lt-dialogue") < parts.index("lt-tools")
    tools = card.locator(".lt-tools > summary").inner_text()
    assert " tools on offer; called here: " in tools and "tool_7" not in tools
    assert card.locator(".lt-dialogue > .lt-turn").count() <= 8 and "0123456789" * 60 not in card.inner_text()
    more = card.locator(".lt-more").first
    assert more.inner_text() == "show all 20,000 characters"
    more.click()
    until(page, lambda: "0123456789" * 60 in card.inner_text())
    card.get_by_text("earlier messages").click()
    until(page, lambda: card.locator(".lt-dialogue .lt-turn").count() == 31)
    show("arabic")
    text = card.locator(".lt-turn .lt-text", has_text="احجز")
    assert text.evaluate("e => getComputedStyle(e).direction") == "rtl"
    cell = view.locator("[role=gridcell]", has_text="احجز").first
    assert cell.evaluate("e => getComputedStyle(e).direction") == "rtl"
    show("hostile")
    assert EVIL in card.inner_text() and not page.evaluate("() => window.bad") and page.faults == []


def decisions(folder: Path) -> list[Any]:
    """The lines on disk."""
    file = folder / "decisions.jsonl"
    return [json.loads(line) for line in file.read_text().splitlines()] if file.exists() else []


def test_a_label_is_edited_as_a_form_and_blind_is_blind(odd: tuple[str, Path], page: Any) -> None:
    url, folder = odd
    view = desk_of(page, url)
    view.get_by_label("blind").check()
    view.get_by_text("hidden until you have decided").wait_for()
    view.get_by_label("kind", exact=True).select_option("chinese")  # a row whose verdict was not shown before
    view.locator(".lt-small:has-text('kind chinese')").wait_for()
    assert view.locator(".lt-judge").count() == 0
    # Neither the filter nor the button tells what is hidden.
    judge, bulk = view.get_by_label("judge", exact=True), view.get_by_role("button", name="accept the judge")
    assert judge.is_disabled() and "hidden" in judge.get_attribute("title")
    assert not any(verdict in judge.inner_text() for verdict in (*VERDICTS, "unjudged"))
    assert bulk.is_disabled() and "blind" in bulk.get_attribute("title")
    view.get_by_role("button", name="e edit label").click()
    editor = view.locator(".lt-editor")
    assert editor.get_by_role("tab", name="form").get_attribute("aria-selected") == "true"
    assert nameless(page) == []
    # Any field: the label that stands is the one written, apart from this value.
    field = editor.locator("fieldset label :is(textarea, input, select)").first
    tag = field.evaluate("e => e.tagName")
    if tag == "SELECT":
        field.select_option(index=field.locator("option").count() - 1)
    else:
        field.fill("7" if field.get_attribute("type") == "number" else "Blue Moon")
    editor.get_by_role("tab", name="JSON").click()
    written = json.loads(editor.locator("textarea").input_value())
    editor.get_by_role("tab", name="form").click()
    editor.get_by_role("button", name="save label").click()
    until(page, lambda: decisions(folder))
    [last] = decisions(folder)
    assert last["value"]["verdict"] == "LABEL_WRONG" and last["value"]["blind"] is True
    assert last["value"]["label"]["calls"] == written
    sample = Run.open(folder, read_only=True).table(Samples, "samples", 2).by_id()[last["row"]]
    before = [c.model_dump() for c in sample.label.calls]
    changed = sum(a != b for a, b in zip(before, written, strict=True))
    assert changed == 1
    editor.wait_for(state="detached")  # the page hears of it after the file
    assert page.faults == [] and page.outside == []


def test_no_column_head_is_cut_off(odd: tuple[str, Path], page: Any) -> None:
    page.set_viewport_size({"width": 1400, "height": 900})
    open_notebook(page, odd[0], "all.ipynb")
    cut: dict[str, list[str]] = {}
    for name in VIEWS:
        cell = page.locator(".jp-CodeCell").filter(has_text=call_of(name)).last
        cell.scroll_into_view_if_needed()
        cell.locator(".lt-view").first.wait_for(timeout=180_000)
        page.wait_for_timeout(800)
        heads = "(view) => [...view.querySelectorAll('.lt-head button')]"
        wide = f"{heads}.filter((b) => b.scrollWidth > b.clientWidth + 1).map((b) => b.textContent)"
        cut[name] = cell.locator(".lt-view").first.evaluate(wide)
    assert {name: found for name, found in cut.items() if found} == {}


@pytest.mark.parametrize("theme", ["Light", "Dark"])
def test_axe_finds_no_serious_fault(odd: tuple[str, Path], page: Any, theme: str) -> None:
    if not AXE.exists():
        pytest.skip(f"{AXE} is missing: `make lint-js` installs it where there is node with npm")
    page.set_viewport_size({"width": 1400, "height": 900})
    open_notebook(page, odd[0], "all.ipynb")
    page.evaluate(
        "(theme) => window.jupyterapp.commands.execute('apputils:change-theme', {theme})",
        f"JupyterLab {theme}",
    )
    page.add_script_tag(path=AXE)
    faults: dict[str, set[str]] = {}
    for width in (1400, 1000):
        page.set_viewport_size({"width": width, "height": 900})
        for name in VIEWS:
            cell = page.locator(".jp-CodeCell").filter(has_text=call_of(name)).last
            cell.scroll_into_view_if_needed()
            cell.locator(".lt-view").first.wait_for(timeout=180_000)
            page.wait_for_timeout(800)
            found = cell.locator(".lt-view").first.evaluate(CHECKED)
            faults.setdefault(name, set()).update(found)
    assert {name: sorted(found) for name, found in faults.items() if found} == {}
