"""The form of a label says beside each field what the tool refuses, as it is typed; a list of choices is
boxes to tick, by mouse and by keys. A filter shows its value whole. No control loses the focus, and what is
not shown of a form stays until it is closed.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from lab import CHROMIUM, nameless, open_notebook, write_notebook
from test_disagreement_view import until
from test_nothing_typed_is_lost import READY, go, opened
from test_try_view import CELL as TRY
from test_view_command import RECORDED, chromium, lines_of, viewing  # noqa: F401 - the fixture

pytest.importorskip("voila")
pytest.importorskip("anywidget")
pytest.importorskip("playwright")
if CHROMIUM is None:
    pytest.skip("this machine has no Chromium browser", allow_module_level=True)
VIEW = """
from looptool_kit.run.folder import Run
from looptool_kit.widgets import {name}
{name}(Run.open("{run}"))
"""
FOCUSED = """() => {
    const { activeElement: node } = document;
    const fieldset = node.closest("fieldset");
    const all = [...(node.closest(".lt-editor")?.querySelectorAll("fieldset") ?? [])];
    const name = node.ariaLabel ?? node.closest("label")?.textContent.trim() ?? node.textContent;
    return [name, all.indexOf(fieldset)] }"""
"""The name of what has the focus, and the number of its call in a form."""
EVIL = "7:30 <img src=x onerror='window.bad=1'>"


def test_a_value_is_checked_while_it_is_typed(chromium: Any, tmp_path: Path) -> None:  # noqa: F811
    run = tmp_path / "run"
    shutil.copytree(RECORDED, run)
    with viewing(run, tmp_path) as address:
        page = opened(chromium, address)
        desk = go(page, "disagreements", "disagreements of iteration 2")
        desk.locator(READY).wait_for()
        tool = desk.get_by_role("combobox", name="tool")
        narrow, whole = tool.bounding_box()["width"], "create_device_timer"
        tool.select_option(whole)
        until(page, lambda: f"only rows with this tool: {whole} (" in tool.get_attribute("title"))
        assert tool.locator("option:checked").get_attribute("title").startswith(whole)
        tool.focus()
        assert tool.bounding_box()["width"] > narrow, "the chosen value is shown whole"
        tool.select_option("")
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
        assert page.faults == []
        page.context.close()


class Keys:
    """A keyboard, and where the focus is after each key."""

    def __init__(self, page: Any) -> None:
        self.page, self.cells = page, page.locator(".jp-Cell").count()

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def stays(self, name: str, call: int = -1) -> None:
        """This control has the focus; what is typed next is no command of the notebook."""
        for _ in range(2):
            assert self.page.evaluate(FOCUSED) == [name, call]
            self.page.keyboard.type("zz")  # as "dd" a command, but no first letters of a choice
            self.page.wait_for_timeout(300)
        assert self.page.locator(".jp-Cell").count() == self.cells

    def go(self, key: str, name: str) -> None:
        """Press a key until a control has the focus."""
        for _ in range(60):
            self.press(key)
            if self.page.evaluate(FOCUSED)[0] == name:
                return
        raise AssertionError(f"{name} is not reached; {self.page.evaluate(FOCUSED)}")


def by_keys(keys: Keys, form: Any) -> None:
    """Through the whole form by keys, from one of its fields or from one above it."""
    kind, values = (
        form.get_by_role("combobox", name="kind of answer"),
        form.locator("fieldset [data-argument]"),
    )
    keys.page.locator(".lt-editor [data-argument]").first.wait_for()
    keys.go("Shift+Tab" if keys.page.evaluate(FOCUSED)[1] == 0 else "Tab", "kind of answer")
    before = values.evaluate_all("nodes => nodes.map(n => n.value)")
    assert any(before)
    keys.press("ArrowDown")
    keys.stays("kind of answer")
    assert kind.input_value() == "reply" and values.count() == 0
    reply = form.get_by_role("textbox", name="reply", exact=True)
    keys.press("Tab")
    keys.page.keyboard.type("Not here.")
    keys.press("Shift+Tab", "ArrowUp")
    keys.stays("kind of answer")
    assert values.evaluate_all("nodes => nodes.map(n => n.value)") == before
    # Over the other tab, too, of which the text says nothing.
    keys.go("Shift+Tab", "JSON")
    keys.press("Enter")
    keys.stays("JSON")
    keys.go("Shift+Tab", "form")
    keys.press("Enter")
    keys.go("Tab", "kind of answer")
    keys.press("ArrowDown")
    assert reply.input_value() == "Not here."
    keys.press("ArrowUp")
    assert values.evaluate_all("nodes => nodes.map(n => n.value)") == before

    # Another tool, one call more, and all of them taken out.
    keys.press("Tab")
    tool = form.get_by_role("combobox", name="tool").first
    for key in ("ArrowDown", "ArrowUp", "ArrowUp", "ArrowDown"):
        keys.press(key)
        keys.stays("tool", 0)
    assert tool.locator("option").count() > 1
    calls = form.locator("fieldset").count()
    keys.go("Tab", "add a call")
    keys.press("Enter")
    keys.stays("tool", calls)
    keys.press("Tab", "Space")
    keys.stays("tool", calls - 1)
    for left in range(calls - 1, -1, -1):
        keys.press("Tab", "Enter")
        assert form.locator("fieldset").count() == left
    keys.stays("add a call")
    keys.press("Enter")
    keys.stays("tool", 0)
    keys.press("Escape")
    form.get_by_text("Escape once more drops the change").wait_for()
    keys.stays("tool", 0)
    keys.press("Escape")
    assert form.count() == 0
    keys.press("z", "z")
    inside = "() => document.activeElement.closest('.lt-view') !== null"
    assert keys.page.evaluate(inside) and keys.page.locator(".jp-Cell").count() == keys.cells


@pytest.mark.parametrize("name", ["DisagreementView", "ExpansionView", "TryView"])
def test_the_form_keeps_the_focus_and_what_it_does_not_show(
    lab: tuple[str, Path], page: Any, name: str
) -> None:
    url, root = lab
    folder = root / f"form-{name}"
    folder.mkdir()
    run = "tried" if name == "TryView" else "run"
    shutil.copytree(RECORDED, folder / run)
    write_notebook(
        folder / "form.ipynb", TRY if name == "TryView" else VIEW.format(name=name, run=run), "1", "2"
    )
    open_notebook(page, url, f"form-{name}/form.ipynb")
    view = page.locator(".lt-view").first
    keys = Keys(page)
    if name == "TryView":
        view.get_by_role("textbox", name="request").fill("Humidifier off at 6:45am.")
        view.get_by_role("textbox", name="request").press("Enter")
        view.get_by_role("button", name="keep or correct …").press("Enter")
    elif name == "ExpansionView":
        view.locator(".lt-child .lt-pair").first.wait_for()
        view.locator(".lt-panel").press("e")
    else:
        view.locator(READY).wait_for()
        view.get_by_role("searchbox").fill("television")
        until(page, lambda: "television" in view.locator(".lt-card").inner_text())
        view.locator("[role=grid]").press("e")
    by_keys(keys, view.locator(".lt-editor"))
    assert page.faults == [] and page.outside == []
