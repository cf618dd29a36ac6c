"""Talking to a policy as a person does it: by mouse, by keys, and with hostile text."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from lab import open_notebook, save_and_reload, write_notebook

from looptool_kit.run.folder import Run
from looptool_kit.widgets import TryView

CELL = f"""
import sys, time
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
from pathlib import Path
from looptool_kit.policy.policy import policy_of
from looptool_kit.run.folder import Run
from looptool_kit.widgets import TryView, trial
from speaker import Speaker

class Slow(Speaker):
    def generate(self, chats, sampling):
        while not Path("may_write").exists():
            time.sleep(0.05)
        if "hostile" in chats[0].request:
            self.says = "<img src=x onerror=window.bad=1><script>window.bad=1</script> مرحبا 東京 "
            self.says += "long " * 400
        return super().generate(chats, sampling)

trial.open_engine = lambda policy, batch: Slow()
run = Run.open("tried")
Path("may_write").touch()
adapter = Path(policy_of(run, 2).adapter)
adapter.mkdir(parents=True, exist_ok=True)
(adapter / "adapter_config.json").write_text("{{}}")
view = TryView(run)
view
"""
READ = "print('read back:', [(s.request, s.label.calls[0].arguments['time']) for s in view.samples])"
RECORDED = Path(__file__).parents[2] / "sample_data" / "run"


def test_try_view(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    shutil.copytree(RECORDED, root / "tried")
    write_notebook(root / "try.ipynb", CELL, READ)
    open_notebook(page, url, "try.ipynb")
    view = page.get_by_role("region", name="try a policy")
    request, answer = view.get_by_role("textbox", name="request"), view.get_by_role("region", name="answer")
    talk, line = view.get_by_role("log", name="dialogue"), view.locator(".lt-status[role=status]")
    request.wait_for(timeout=180_000)

    # By mouse: other tools, a request, no first and then yes, and a correction in two clicks.
    summary = view.locator("summary", has_text="tools on offer")
    offered = int(summary.inner_text().split()[0])
    summary.click()
    chosen = TryView(Run.open(RECORDED, read_only=True)).chosen
    other = next(name for name in chosen if name != "create_device_timer")
    view.get_by_role("searchbox", name="find a tool").fill(other)
    box = view.get_by_role("checkbox", name=other)
    box.uncheck()
    view.locator("summary", has_text=f"{offered - 1} of ").wait_for()
    request.fill("Humidifier off at 6:45am.")
    view.get_by_role("button", name="ask", exact=True).click()
    answer.get_by_text("create_device_timer").first.wait_for()
    assert answer.get_by_title("log-probability -1.500, probability 0.223").count() == 1
    assert "06:30" in answer.get_by_role("list", name="objections").inner_text()
    answer.get_by_role("button", name="execute …").click()
    answer.get_by_role("alert").get_by_text("Execute now in the simulated world").wait_for()
    answer.get_by_role("button", name="no", exact=True).click()
    assert focused(page) == "execute …"
    assert talk.locator(".lt-tool").count() == 0 and answer.get_by_role("alert").count() == 0
    answer.get_by_role("button", name="keep or correct …").click()
    form = answer.get_by_role("group", name="the right answer")
    assert form.get_by_role("combobox", name="tool").input_value() == "create_device_timer"
    # The focus is in the argument that the rules object to, and typing replaces it.
    assert page.evaluate("() => document.activeElement.dataset.argument") == "time"
    page.keyboard.type("06:4")
    assert form.get_by_role("textbox", name="time").input_value() == "06:4"
    page.keyboard.press("Escape")
    form.get_by_text("Escape once more drops the change").wait_for()
    assert form.get_by_role("textbox", name="time").input_value() == "06:4"
    page.keyboard.press("Escape")
    assert form.count() == 0 and focused(page) == "keep or correct …"
    answer.get_by_role("button", name="keep or correct …").click()
    form.get_by_role("textbox", name="time").fill("06:45")
    answer.get_by_role("button", name="keep as a sample").click()
    line.get_by_text("kept as sample").wait_for()
    made = answer.get_by_role("region", name="the right answer that was kept")
    assert "06:45" in made.inner_text()
    assert focused(page) == "keep or correct …" and answer.locator(".lt-call").count() == 2
    answer.get_by_role("button", name="execute …").click()
    answer.get_by_role("button", name="yes, execute").click()
    talk.locator(".lt-tool").wait_for()
    # What was executed can still be made a sample, and shows why it should be looked at.
    answer.get_by_text("The right answer is executed in place of this one of D2").wait_for()
    assert "06:45" in talk.locator(".lt-call").inner_text() and made.locator(".lt-call").count() == 1
    assert answer.get_by_role("button", name="take the kept sample back").is_visible()
    assert answer.get_by_role("button", name="execute …").count() == 0
    assert "06:30" in answer.get_by_role("list", name="objections").inner_text()
    assert answer.get_by_title("log-probability -1.500, probability 0.223").count() == 1
    answer.get_by_role("button", name="keep or correct …").click()
    form.press("Escape")

    # By keys: Enter asks, Tab and Enter reach the buttons, and the notebook's own shortcuts do not act.
    view.get_by_role("button", name="new dialogue").press("Enter")
    page.wait_for_function("(node) => !node.querySelector('.lt-turn.lt-user')", arg=view.element_handle())
    request.press_sequentially("A hostile answer, please.")
    (root / "may_write").unlink()
    request.press("Enter")
    # The request stands in the dialogue at once, and what is typed until the answer stays.
    talk.get_by_text("A hostile answer, please.").or_(view.locator(".lt-turn.lt-user")).first.wait_for()
    assert view.get_by_role("button", name="ask", exact=True).is_disabled()
    page.keyboard.type("and more")
    # The kernel is free while the policy writes: a cell runs, and so would another view.
    run_cell(page, 1)
    page.get_by_text("read back: [('Humidifier off at 6:45am.', '06:45')]").wait_for(timeout=60_000)
    assert "is writing" in line.inner_text()
    (root / "may_write").touch()
    answer.get_by_text("onerror").first.wait_for()
    assert request.input_value() == "and more"
    request.fill("")
    assert (
        not page.evaluate("() => window.bad") and answer.get_by_role("button", name="execute …").count() == 0
    )
    assert request.input_value() == ""
    answer.get_by_role("button", name="keep or correct …").press("Enter")
    assert form.evaluate("(node) => node.contains(document.activeElement)")
    form.get_by_role("tab", name="JSON").press("Enter")
    label = form.get_by_role("textbox", name="label as JSON, or the plain reply")
    label.fill('[{"name": "create_device_timer", "arguments": {"device": 5}}]')
    label.press("Control+Enter")
    answer.get_by_role("alert").get_by_text("create_device_timer").wait_for()
    view.get_by_role("combobox", name="policy").select_option("base")
    for width in (1000, 700):
        page.set_viewport_size({"width": width, "height": 900})
        assert view.evaluate("(node) => node.scrollWidth <= node.clientWidth + 1"), width

    check_after_reload(page, view)


def run_cell(page: Any, at: int) -> None:
    """Run a cell, and leave the focus where it is."""
    page.evaluate("(at) => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = at }", at)
    page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")


def focused(page: Any) -> str:
    return page.evaluate("() => document.activeElement.textContent")


def check_after_reload(page: Any, view: Any) -> None:
    save_and_reload(page)
    talk = view.get_by_role("log", name="dialogue")
    talk.get_by_text("A hostile answer, please.").wait_for(timeout=180_000)
    assert view.get_by_role("combobox", name="policy").input_value() == "base"
    run_cell(page, 1)
    page.get_by_text("read back: [('Humidifier off at 6:45am.', '06:45')]").wait_for(timeout=180_000)
    assert page.faults == [] and page.outside == []
