"""The form of a label says beside each field what the tool refuses, as it is typed; a list of choices is
boxes to tick, by mouse and by keys.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from lab import CHROMIUM, nameless
from test_disagreement_view import until
from test_nothing_typed_is_lost import READY, go, opened
from test_view_command import RECORDED, chromium, lines_of, viewing  # noqa: F401 - the fixture

pytest.importorskip("voila")
pytest.importorskip("anywidget")
pytest.importorskip("playwright")
if CHROMIUM is None:
    pytest.skip("this machine has no Chromium browser", allow_module_level=True)
EVIL = "7:30 <img src=x onerror='window.bad=1'>"


def test_a_value_is_checked_while_it_is_typed(chromium: Any, tmp_path: Path) -> None:  # noqa: F811
    run = tmp_path / "run"
    shutil.copytree(RECORDED, run)
    with viewing(run, tmp_path) as address:
        page = opened(chromium, address)
        desk = go(page, "disagreements", "disagreements of iteration 2")
        desk.locator(READY).wait_for()
        desk.get_by_role("searchbox").fill("television")
        until(page, lambda: "television" in desk.locator(".lt-card").inner_text())
        desk.get_by_role("button", name="e edit label").click()
        form = desk.get_by_role("group", name="the right label")
        time, fault = form.get_by_role("textbox", name="time"), form.locator("[data-fault=time]")
        assert nameless(page) == [] and fault.inner_text() == ""
        for bad in ("7:30 oops", EVIL):
            time.fill(bad)
            until(page, lambda: "not of the form HH:MM" in fault.inner_text())
            assert time.get_attribute("aria-invalid") == "true"
            time.press("Control+Enter")
            form.get_by_role("alert").filter(has_text="not of the form HH:MM").wait_for()
            assert lines_of(run) == []
            time.fill("07:30")
            until(page, lambda: fault.inner_text() == "" and not time.get_attribute("aria-invalid"))
        days = form.get_by_role("group", name="days")
        ticked = "boxes => boxes.filter(b => b.checked).map(b => b.parentElement.innerText.trim())"
        assert days.locator("input").evaluate_all(ticked) == ["thu"]
        days.get_by_role("checkbox", name="thu").click()
        days.get_by_role("checkbox", name="sat").focus()
        page.keyboard.press("Space")
        days.get_by_role("checkbox", name="mon").click()
        assert "in this order: sat, mon" in days.inner_text()
        form.get_by_role("tab", name="JSON").click()
        area = form.get_by_role("textbox", name="label as JSON, or the plain reply")
        assert json.loads(area.input_value())[0]["arguments"]["days"] == ["sat", "mon"]
        area.fill('[{"name": "a",]')
        until(page, lambda: "line 1" in form.locator("[data-fault='']").inner_text())
        assert page.evaluate("() => window.bad") is None
        assert [f for f in page.faults if "fontawesome" not in f] == []
        page.context.close()
