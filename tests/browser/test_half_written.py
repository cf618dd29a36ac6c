"""`looptool view`: what is half written is there again when the tab is loaded again, with another kernel;
what was kept or cancelled is not.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import pytest
from lab import CHROMIUM
from test_disagreement_view import until
from test_nothing_typed_is_lost import READY, go, opened
from test_view_command import RECORDED, chromium, viewing  # noqa: F401 - the fixture

pytest.importorskip("voila")
pytest.importorskip("anywidget")
pytest.importorskip("playwright")
if CHROMIUM is None:
    pytest.skip("this machine has no Chromium browser", allow_module_level=True)
EVIL = "<img src=x onerror='window.bad=1'> half a thought"


def again(page: Any) -> None:
    """Load the page again, at once: what was typed last had no pause in which to be kept."""
    page.reload()
    page.get_by_text("What you decide is saved at once").wait_for(timeout=90_000)


def desk_of(page: Any) -> Any:
    desk = go(page, "disagreements", "disagreements of iteration 2")
    desk.locator(READY).wait_for()
    return desk


def test_blind_mode_filters_and_the_row_are_there_after_a_reload(
    chromium: Any,  # noqa: F811
    tmp_path: Path,
) -> None:
    run = tmp_path / "run"
    shutil.copytree(RECORDED, run)
    with viewing(run, tmp_path) as address:
        page = opened(chromium, address)
        desk = desk_of(page)
        blind, kind = desk.get_by_label("blind"), desk.get_by_role("combobox", name="kind")
        rows = desk.locator(".lt-find [role=status]")
        every = rows.inner_text()
        blind.check()
        kind.select_option(index=1)
        until(page, lambda: rows.inner_text() != every)
        filtered = rows.inner_text()
        desk.get_by_role("button", name="clear", exact=True).click()
        until(page, lambda: rows.inner_text() == every)
        first = desk.locator(".lt-card").get_attribute("data-row")
        page.keyboard.press("j")  # the table has the focus that the button had
        until(page, lambda: desk.locator(".lt-card").get_attribute("data-row") != first)
        kind.select_option(index=1)
        until(page, lambda: rows.inner_text() == filtered)
        desk.locator("[role=grid]").press("Home")
        page.wait_for_timeout(1000)
        first = desk.locator(".lt-card").get_attribute("data-row")
        desk.get_by_role("button", name="j next").click()
        until(page, lambda: desk.locator(".lt-card").get_attribute("data-row") != first)
        row = desk.locator(".lt-card").get_attribute("data-row")
        page.wait_for_timeout(1000)  # it is kept when the person rests
        again(page)
        desk_of(page)
        until(page, lambda: desk.locator(".lt-card").get_attribute("data-row") == row)
        assert rows.inner_text() == filtered and blind.is_checked() and kind.input_value()
        assert desk.get_by_role("combobox", name="judge").is_disabled()


def test_what_is_half_written_is_there_after_a_reload(chromium: Any, tmp_path: Path) -> None:  # noqa: F811
    run = tmp_path / "run"
    shutil.copytree(RECORDED, run)
    with viewing(run, tmp_path) as address:
        page = opened(chromium, address)
        desk = desk_of(page)
        first = desk.locator(".lt-card").get_attribute("data-row")
        page.keyboard.press("j")  # the tab that was pressed gives the view its keys
        until(page, lambda: desk.locator(".lt-card").get_attribute("data-row") != first)
        row = desk.locator(".lt-card").get_attribute("data-row")
        menu = desk.locator(".lt-menu")
        menu.locator("summary").click()
        name, tags = desk.locator("[aria-label='name of this filter']"), desk.locator(".lt-tags")
        name.fill("sure o")
        # Over a change of tabs, too.
        go(page, "training", "training")
        desk_of(page)
        menu.locator("summary").click()
        until(page, lambda: name.input_value() == "sure o")
        menu.locator("summary").click()
        desk.get_by_role("button", name="e edit label").click()
        desk.get_by_role("tab", name="JSON").click()
        area = desk.get_by_role("textbox", name="label as JSON, or the plain reply")
        area.fill(EVIL)
        note = desk.get_by_role("textbox", name="note")
        note.fill(EVIL)
        again(page)
        view = go(page, "try it", "try a policy")
        request = view.get_by_role("textbox", name="request")
        request.fill("Half a request")
        offered = view.locator("summary", has_text="tools on offer")
        offered.click()
        view.get_by_role("checkbox", checked=True).first.uncheck()
        fewer = offered.inner_text()
        desk_of(page)
        until(page, lambda: desk.locator(".lt-card").get_attribute("data-row") == row)
        desk.get_by_role("tab", name="JSON").click()
        assert (area.input_value(), note.input_value()) == (EVIL, EVIL)
        desk.get_by_text("half written is here again").wait_for()
        assert not page.evaluate("() => window.bad")
        menu.locator("summary").click()
        assert name.input_value() == "sure o"
        name.press("Enter")
        menu.get_by_role("button", name="sure o", exact=True).wait_for()
        menu.locator("summary").click()
        desk.get_by_role("button", name="cancel").click()
        note.fill("")
        tags.fill("har")
        again(page)
        view = go(page, "try it", "try a policy")
        until(page, lambda: request.input_value() == "Half a request" and offered.inner_text() == fewer)
        request.fill("")
        desk_of(page)
        assert area.count() == 0 and name.input_value() == "", "cancelled and kept"
        until(page, lambda: desk.locator(".lt-card").get_attribute("data-row") == row)
        until(page, lambda: tags.input_value() == "har")
        assert note.input_value() == ""
        tags.press("Escape")
        # What something else wrote there is not taken.
        page.evaluate(
            """([place, id]) => [['notes', '{"a": 1}'], ['drafts', '{']].forEach(([field, text]) => {
                 const key = JSON.stringify(['looptool half written', place, field, id]);
                 sessionStorage.setItem(key, text) })""",
            [f"{run.resolve()} DisagreementView 2", row],
        )
        again(page)
        view = go(page, "try it", "try a policy")
        assert request.input_value() == ""
        desk_of(page)
        assert area.count() == 0 and note.input_value() == ""
        view = go(page, "expansions", "expansion of error seeds")
        view.locator(".lt-child").first.wait_for()
        view.locator("[role=grid]").press("ArrowDown")
        # The key waits for the seed that was asked for; a click takes the card that is still there.
        page.keyboard.press("e")
        edited = view.get_by_role("textbox", name="request: the last user message")
        edited.fill("Half an edit")
        again(page)
        go(page, "expansions", "expansion of error seeds")
        until(page, lambda: edited.count() == 1 and edited.input_value() == "Half an edit")
        # Voila lets go of the kernel first: what is typed last reaches the tab's storage alone.
        known = ("Could not send widget sync message",)
        assert [f for f in page.faults if not any(words in f for words in known)] == []
        page.context.close()
