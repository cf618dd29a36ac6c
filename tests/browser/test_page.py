"""The page of `looptool view`, all tabs in one visit: first read-only while another process has the run, then
to decide in it; what is ready, where it stands, and what is said meanwhile.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from lab import CHROMIUM, new_page
from test_disagreement_view import until
from test_half_written import again
from test_nothing_typed_is_lost import READY, go
from test_view_command import RECORDED, chromium, viewing  # noqa: F401 - the fixture
from typer.testing import CliRunner

from looptool_kit.cli import app
from looptool_kit.run.folder import Run

pytest.importorskip("voila")
pytest.importorskip("anywidget")
pytest.importorskip("playwright")
if CHROMIUM is None:
    pytest.skip("this machine has no Chromium browser", allow_module_level=True)
WATCHED = """(view) => {
  window.seen = [];
  const note = () => {
    const [bar, line] = [view.querySelector("progress"), view.querySelector(".lt-status")];
    window.seen.push({ words: line?.textContent, value: bar?.getAttribute("value"),
      busy: view.querySelector("[aria-busy]") !== null });
  };
  new MutationObserver(note).observe(view, { subtree: true, childList: true, attributes: true });
}"""
FITS = """(grid, [column, words]) => {
  const cell = grid.querySelector(`[data-column="${column}"]`), before = cell.textContent;
  cell.textContent = words;
  const fits = cell.scrollWidth <= cell.clientWidth;
  cell.textContent = before;
  return fits;
}"""
FOCUSED = """() => { const node = document.activeElement, box = node.getBoundingClientRect();
  return [node.dataset.argument ?? "", box.height > 0 && box.bottom < window.innerHeight] }"""


def top(node: Any) -> float:
    return node.bounding_box()["y"]


def test_the_page(chromium: Any, tmp_path: Path) -> None:  # noqa: F811
    path = shutil.copytree(RECORDED, tmp_path / "run")
    done = CliRunner().invoke(app, ["judge-check", str(path), "--samples", "12", "--repeats", "1"])
    assert done.exit_code == 0, done.output
    busy = Run.open(path)
    with viewing(path, tmp_path) as address:
        page = new_page(chromium)
        page.set_viewport_size({"width": 1400, "height": 900})
        page.goto(address)
        note = page.get_by_text("has this run open")
        note.wait_for(timeout=90_000)
        assert top(note) < 16, "the page begins at its top"
        probes = read_only(page)
        page.get_by_role("button", name="try again").click()
        page.get_by_text("Still: Another process").wait_for()
        assert probes.is_visible()
        busy.close()
        page.get_by_role("button", name="try again").click()
        page.get_by_text("What you decide is saved at once").wait_for()
        until(page, lambda: not probes.get_by_role("textbox", name="tags").is_disabled())
        training_tells_of_both_trainers(page)
        comparison_says_what_it_reads(page)
        the_words_of_columns_are_whole(page)
        trials_are_in_sight_and_the_check_moves_steadily(page)
        an_editor_opens_where_one_types(page)
        name_and_system_message_outlive_a_reload(page)
        what_the_browser_draws_is_dark_in_the_dark_theme(page, address)
        known = ("Could not send widget sync message",)
        assert [f for f in page.faults if not any(words in f for words in known)] == []
        page.context.close()


def read_only(page: Any) -> Any:
    """What cannot be kept is disabled, with a reason for a browser; tags stand beside the table."""
    for words, name in (
        ("disagreements", "disagreements of iteration 2"),
        ("expansions", "expansion of error seeds"),
        ("probes", "probes"),
    ):
        view = go(page, words, name)
        view.locator("[role=grid] [role=row][aria-selected=true]").wait_for()
        said = page.locator("body").inner_text() + str(view.evaluate("(node) => node.outerHTML"))
        assert "Run.open(" not in said and "lt." not in view.inner_text()
        if words == "expansions":
            continue
        tags = view.get_by_role("textbox", name="tags")
        until(page, lambda tags=tags: tags.is_disabled())
        assert "read-only" in tags.get_attribute("title") and "try again" in tags.get_attribute("title")
        view.locator(".lt-menu summary").click()
        keep = view.get_by_role("button", name="keep filter")
        assert keep.is_disabled() and "read-only" in keep.get_attribute("title")
        view.locator(".lt-menu summary").click()
    assert abs(top(tags) - top(view.get_by_role("grid", name="probes"))) < 30, "it stands above its sample"
    return view


def training_tells_of_both_trainers(page: Any) -> None:
    view = go(page, "training", "training")
    outcome = view.get_by_role("region", name="outcome")
    heights = outcome.locator("th, td").evaluate_all("(all) => all.map((cell) => cell.offsetHeight)")
    assert len(heights) == 6 * 7 and max(heights) < 30, "nothing is broken into two lines"
    assert outcome.inner_text().count("GRPO") == 2 and view.get_by_text("GRPO, step by step").is_visible()
    heads = view.locator(".lt-steps th").all_inner_texts()
    assert "right completions" in heads and "reward" not in heads


def comparison_says_what_it_reads(page: Any) -> None:
    view = go(page, "before and after", "two policies side by side")
    view.locator("article").wait_for()
    view.evaluate(WATCHED)
    view.get_by_role("combobox", name="before").select_option("D1")
    view.get_by_text("D3 against D1 on").wait_for()
    seen = page.evaluate("() => window.seen")
    assert any("reading the answers of D1 and D3" in s["words"] and s["busy"] for s in seen)
    until(page, lambda: view.locator("[aria-busy]").count() == 0)
    assert view.get_by_text("reading the answers").count() == 0


def the_words_of_columns_are_whole(page: Any) -> None:
    comparison, expansion = (
        ("before and after", "two policies side by side"),
        ("expansions", "expansion of error seeds"),
    )
    for (tab, name), column, words in (
        (comparison, "change", "both wrong"),
        (comparison, "split", "unseen phrasings"),
        (expansion, "accepted", "none made"),
    ):
        view = go(page, tab, name)
        view.locator("[data-column=request]").nth(1).wait_for()
        assert view.get_by_role("grid").first.evaluate(FITS, [column, words]), words


def what_the_browser_draws_is_dark_in_the_dark_theme(page: Any, address: str) -> None:
    scheme = "() => getComputedStyle(document.documentElement).colorScheme"
    assert page.evaluate(scheme) != "dark"
    page.goto(f"{address}&theme=dark")
    page.get_by_text("What you decide is saved at once").wait_for(timeout=90_000)
    assert page.evaluate(scheme) == "dark", "the page's own scroll bar, too"


def trials_are_in_sight_and_the_check_moves_steadily(page: Any) -> None:
    view = go(page, "the judge's check", "judge report card")
    view.get_by_text("planted:").wait_for()
    row = view.get_by_role("grid", name="trials").locator("[role=row][aria-rowindex='6']")
    box = row.bounding_box()
    assert box["y"] + box["height"] < 900, "a card, and below it trials, on one screen"
    assert view.get_by_text("of all trials, those with the expected verdict").is_hidden()
    view.get_by_text("what the columns say").click()
    assert view.get_by_text("of all trials, those with the expected verdict").is_visible()
    page.evaluate("() => window.scrollTo(0, 0)")
    page.locator("body").evaluate(WATCHED)
    view.get_by_role("button", name="check the judge").click()
    view.get_by_text("The check has ended; this is its card.").wait_for()
    values = {s["value"] for s in page.evaluate("() => window.seen")} - {None}
    assert len(values) >= 8, "every tenth, not only the middle"


def an_editor_opens_where_one_types(page: Any) -> None:
    """With e the focus is in the argument that is in dispute, in sight, and typing replaces it."""
    desk = go(page, "disagreements", "disagreements of iteration 2")
    desk.locator(READY).wait_for()
    row = desk.locator(".lt-comparison tr.lt-differs[data-how]").first.locator("th").inner_text()
    desk.get_by_role("grid", name="disagreements").press("e")
    until(page, lambda: page.evaluate(FOCUSED) == [row, True])
    page.keyboard.type("7")
    assert page.evaluate("() => document.activeElement.value") == "7"
    page.keyboard.press("Escape")
    desk.get_by_text("Escape once more drops the change").wait_for()
    page.keyboard.press("Escape")
    desk.get_by_role("group", name="the right label").wait_for(state="detached")
    grid = desk.get_by_role("grid", name="disagreements")
    grid.press("1")
    ticks = """(grid) => [...grid.querySelectorAll(".lt-body > [role=row]")].map((row) =>
      getComputedStyle(row.firstElementChild, "::before").content.includes("✓"))"""
    until(page, lambda: grid.evaluate(ticks)[:3] == [True, False, False])


def name_and_system_message_outlive_a_reload(page: Any) -> None:
    desk = go(page, "disagreements", "disagreements of iteration 2")
    desk.locator(".lt-menu summary").click()
    desk.get_by_role("textbox", name="annotator").fill("Ana Müller")
    view = go(page, "try it", "try a policy")
    view.get_by_role("button", name="use an example").click()
    request = view.get_by_role("textbox", name="request")
    until(page, lambda: request.input_value() != "")
    assert request.evaluate("(node) => node === document.activeElement")
    request.fill("")
    view.get_by_role("textbox", name="system message").fill("Today is Friday")
    again(page)
    probes = go(page, "probes", "probes")
    probes.locator(".lt-menu summary", has_text="Ana Müller").wait_for()
    view = go(page, "try it", "try a policy")
    system = view.get_by_role("textbox", name="system message")
    until(page, lambda: system.input_value() == "Today is Friday")
    system.fill("")
    again(page)
    view = go(page, "try it", "try a policy")
    until(page, lambda: system.input_value() == "" and view.get_by_text("use an example").is_visible())


def test_a_new_run_has_words_in_place_of_empty_charts(chromium: Any, tmp_path: Path) -> None:  # noqa: F811
    path = tmp_path / "new"
    Run.create(path, "cpu-quick").close()
    with viewing(path, tmp_path) as address:
        page = new_page(chromium)
        page.goto(address)
        page.get_by_text("What you decide is saved at once").wait_for(timeout=90_000)
        for words, name in (
            ("probes", "probes"),
            ("disagreements", "disagreements"),
            ("expansions", "expansion of error seeds"),
            ("training", "training"),
            ("the loop", "loop map"),
        ):
            view = go(page, words, name)
            view.get_by_text(f"looptool loop {path}").wait_for()
            assert view.locator("svg, [role=grid], select, input").count() == 0, name
        view.get_by_role("button", name="refresh").click()
        view.get_by_text("read again: 0 rows").wait_for()
        assert page.faults == []
        page.context.close()
