"""`looptool view`: an open form keeps its text over a change of tabs and of rows, a sample just kept is taken
back, and the judge is checked from its tab; by mouse and by keys.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest
from lab import CHROMIUM, nameless, new_page
from test_as_a_person import AXE, CHECKED
from test_disagreement_view import until
from test_view_command import RECORDED, choose, chromium, viewing  # noqa: F401 - the fixture

from looptool_kit.core.samples import Samples
from looptool_kit.policy.policy import policy_of
from looptool_kit.run.folder import Run

pytest.importorskip("voila")
pytest.importorskip("anywidget")
pytest.importorskip("playwright")
if CHROMIUM is None:
    pytest.skip("this machine has no Chromium browser", allow_module_level=True)
STANDS_IN = f"""
import sys
sys.path.insert(0, {str(Path(__file__).parent.parent)!r})
import looptool_kit.widgets.page
from looptool_kit.widgets import trial
import time
from speaker import Speaker

class Patient(Speaker):
    def generate(self, chats, sampling):
        time.sleep(6 * ("slowly" in chats[0].messages[-1].content))
        return super().generate(chats, sampling)

trial.open_engine = lambda policy, batch: Patient()
"""
IMPATIENT = """
window.gaveUp = 0;
const later = window.setTimeout;
window.setTimeout = (work, rest, ...more) => {
  const now = rest === 10000 && window.impatient && window.gaveUp < 3;
  if (now) window.gaveUp += 1;
  return now ? (work(), 0) : later(work, rest, ...more);
};
"""
"""anywidget, which waits ten seconds for a view to start, gives up at once, three times."""
READY = ".lt-card[data-row]:not([data-row=''])"


def opened(chromium: Any, address: str) -> Any:  # noqa: F811
    page = new_page(chromium)
    page.goto(address)
    page.get_by_text("What you decide is saved at once").wait_for(timeout=90_000)
    return page


def go(page: Any, words: str, name: str) -> Any:
    """Choose a tab; its view, drawn."""
    choose(page, words)
    view = page.get_by_role("region", name=name, exact=True)
    view.wait_for(timeout=180_000)
    return view


def there_and_back(page: Any, words: str, name: str) -> Any:
    """Leave a tab by mouse and come back by keys."""
    go(page, "training", "training")
    button = page.get_by_role("button", name=words, exact=True)
    button.press("Enter")
    view = page.get_by_role("region", name=name, exact=True)
    view.wait_for(timeout=180_000)
    return view


def test_forms_keep_their_text(chromium: Any, tmp_path: Path) -> None:  # noqa: F811
    run = tmp_path / "run"
    shutil.copytree(RECORDED, run)
    with viewing(run, tmp_path) as address:
        page = opened(chromium, address)
        desk_keeps(page)
        expansions_keep(page, run)
        map_keeps(page)
        assert page.faults == []
        page.context.close()


def desk_keeps(page: Any) -> None:
    """A note, a label and tags, over rows and tabs; what is cancelled is forgotten."""
    desk = go(page, "disagreements", "disagreements of iteration 2")
    desk.locator(READY).wait_for()
    first = desk.locator(".lt-card").get_attribute("data-row")
    desk.get_by_role("textbox", name="note").fill("half a thought")
    desk.get_by_role("button", name="e edit label").click()
    editor = desk.get_by_role("group", name="the right label")
    editor.get_by_role("tab", name="JSON").click()
    area = editor.get_by_role("textbox", name="label as JSON, or the plain reply")
    area.fill("half a label")

    def stands() -> bool:
        return (
            desk.locator(".lt-card").get_attribute("data-row") == first
            and area.count() == 1
            and area.input_value() == "half a label"
            and desk.get_by_role("textbox", name="note").input_value() == "half a thought"
        )

    desk.get_by_role("button", name="j next").click()
    until(page, lambda: desk.locator(".lt-card").get_attribute("data-row") != first)
    assert area.count() == 0 and desk.get_by_role("textbox", name="note").input_value() == ""
    desk.get_by_role("button", name="k previous").click()
    until(page, stands)
    there_and_back(page, "disagreements", "disagreements of iteration 2")
    until(page, stands)
    desk.get_by_role("button", name="cancel").click()
    there_and_back(page, "disagreements", "disagreements of iteration 2")
    desk.locator(READY).wait_for()
    assert editor.count() == 0, "a label that was cancelled is forgotten"
    desk.get_by_role("textbox", name="note").fill("")


def expansions_keep(page: Any, run: Path) -> None:
    """The edit of a child, over seeds and tabs; recorded, it is forgotten."""
    view = go(page, "expansions", "expansion of error seeds")
    view.locator(".lt-child").first.wait_for()
    view.get_by_role("button", name="edit (e)").first.click()
    request = view.get_by_role("textbox", name="request: the last user message")
    request.fill("Half a request")
    # At once, without a pause in which it could be kept.
    view.locator("[role=grid]").press("ArrowDown")
    until(page, lambda: request.count() == 0)
    view.locator("[role=grid]").press("ArrowUp")
    until(page, lambda: request.count() == 1 and request.input_value() == "Half a request")
    there_and_back(page, "expansions", "expansion of error seeds")
    until(page, lambda: request.count() == 1 and request.input_value() == "Half a request")
    view.get_by_role("button", name="cancel").click()
    until(page, lambda: request.count() == 0)
    view.get_by_role("button", name="edit (e)").first.click()
    assert request.input_value() not in ("", "Half a request")
    request.press("Escape")


def map_keeps(page: Any) -> None:
    """A view below the map is not closed over what is typed in it."""
    view = go(page, "the loop", "loop map")
    view.get_by_role("button", name="open in “disagreements”").click()
    desk = view.get_by_role("region", name="disagreements of iteration 2")
    desk.locator(READY).wait_for()
    note = desk.get_by_role("textbox", name="note")
    note.fill("half a thought")
    there_and_back(page, "the loop", "loop map")
    desk.locator(READY).wait_for()
    until(page, lambda: note.input_value() == "half a thought")
    view.get_by_role("button", name="close the view below").click()
    view.get_by_text("holds a label, an edit or a note that is not saved").wait_for()
    assert note.input_value() == "half a thought"
    note.fill("")
    view.get_by_role("button", name="close the view below").click()
    desk.wait_for(state="detached")


def test_a_view_that_starts_slowly_below_the_map_is_waited_for(chromium: Any, tmp_path: Path) -> None:  # noqa: F811
    run = tmp_path / "run"
    shutil.copytree(RECORDED, run)
    with viewing(run, tmp_path) as address:
        page = new_page(chromium)
        page.add_init_script(IMPATIENT)
        page.goto(address)
        view = go(page, "the loop", "loop map")
        page.evaluate("() => { window.impatient = true }")
        view.get_by_role("button", name="open in “disagreements”").click()
        view.get_by_role("region", name="disagreements of iteration 2").locator(READY).wait_for()
        assert page.evaluate("() => window.gaveUp") == 3
        page.context.close()


def test_a_right_answer_is_kept_taken_back_and_never_lost(
    chromium: Any,  # noqa: F811
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    run = tmp_path / "run"
    shutil.copytree(RECORDED, run)
    adapter = Path(str(policy_of(Run.open(run, read_only=True), 3).adapter))
    adapter.mkdir(parents=True, exist_ok=True)
    (adapter / "adapter_config.json").write_text("{}")
    startup = tmp_path / "ipython" / "profile_default" / "startup"
    startup.mkdir(parents=True)
    (startup / "speaker.py").write_text(STANDS_IN)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    with viewing(run, tmp_path) as address:
        page = opened(chromium, address)
        view = go(page, "try it", "try a policy")
        request = view.get_by_role("textbox", name="request")
        request.fill("Half a request")
        there_and_back(page, "try it", "try a policy")
        until(page, lambda: request.input_value() == "Half a request")
        request.fill("Humidifier off at 6:45am.")
        request.press("Enter")
        answer = view.get_by_role("region", name="answer")
        answer.get_by_role("button", name="keep or correct …").click()
        form = answer.get_by_role("group", name="the right answer")
        time = form.get_by_role("textbox", name="time")
        time.fill("06:45")
        there_and_back(page, "try it", "try a policy")
        until(page, lambda: time.count() == 1 and time.input_value() == "06:45")
        # No other step closes the form over what is typed.
        for button in ("execute …", "new dialogue"):
            view.get_by_role("button", name=button).click()
            form.get_by_role("alert").get_by_text("is not kept yet").wait_for()
            assert time.input_value() == "06:45"
            time.fill("06:4")
            time.fill("06:45")
            assert view.get_by_text("is not kept yet").count() == 0
        request.fill("And the lamp?")
        request.press("Enter")
        assert request.input_value() == "And the lamp?" and time.input_value() == "06:45"
        request.fill("")
        take_back_by_mouse_and_keys(page, view, form, run / "tried.jsonl")
        # Cancelled, it is forgotten.
        time.press("Escape")
        time.press("Escape")
        there_and_back(page, "try it", "try a policy")
        answer.get_by_role("button", name="keep or correct …").click()
        assert time.input_value() == "06:30"
        assert page.faults == []
        the_dialogue_is_there_after_a_reload(page, view, form, run / "tried.jsonl")
        page.context.close()


def the_dialogue_is_there_after_a_reload(page: Any, view: Any, form: Any, file: Path) -> None:
    """With another kernel: what was kept, what was executed, and what is half written to the next answer."""
    request = view.get_by_role("textbox", name="request")
    answer = view.get_by_role("region", name="answer")
    mine = view.locator("details", has_text="kept in this run")
    assert mine.is_hidden()
    form.get_by_role("button", name="keep as a sample").click()
    view.get_by_text("kept as sample").wait_for()
    answer.get_by_role("button", name="execute …").click()
    answer.get_by_role("button", name="yes, execute").click()
    view.get_by_text("is executed; the results are above").wait_for()
    assert "the answer to the results" in request.get_attribute("placeholder")
    request.press("Enter")
    answer.get_by_role("button", name="keep or correct …").click()
    time = form.get_by_role("textbox", name="time")
    time.fill("07:15")
    time.blur()
    before = view.get_by_role("region", name="dialogue with the policy").inner_text()
    assert "humidifier" in before
    page.reload()
    page.get_by_text("What you decide is saved at once").wait_for(timeout=90_000)
    view = go(page, "try it", "try a policy")
    until(page, lambda: time.count() == 1 and time.input_value() == "07:15")
    assert view.get_by_role("region", name="dialogue with the policy").inner_text() == before
    assert request.input_value() == "", "what was asked is not to be asked once more"
    # The sample of the answer before can be taken back, by keys.
    mine.locator("summary").press("Enter")
    [kept] = Samples.read(file)
    assert "1 sample kept" in mine.inner_text() and kept.request in mine.inner_text()
    mine.get_by_role("button", name="take back").press("Enter")
    mine.get_by_role("button", name="no", exact=True).press("Enter")
    assert file.exists()
    mine.get_by_role("button", name="take back").press("Enter")
    mine.get_by_role("button", name="yes, remove").press("Enter")
    view.get_by_text("taken back: sample").wait_for()
    assert not file.exists() and time.input_value() == "07:15"
    until(page, mine.is_hidden)
    form.get_by_role("button", name="keep as a sample").click()
    view.get_by_text("kept as sample").wait_for()
    [kept] = Samples.read(file)
    assert [m.role for m in kept.messages] == ["system", "user", "assistant", "tool"]
    said = view.get_by_role("region", name="dialogue with the policy")
    before, reopen = said.inner_text(), view.get_by_role("button", name="back to the dialogue before")
    assert reopen.count() == 0
    view.get_by_role("button", name="new dialogue").click()
    until(page, lambda: view.get_by_role("button", name="use an example").count() == 1)
    reopen.click()
    until(page, lambda: said.inner_text() == before and reopen.count() == 0)
    view.get_by_role("button", name="new dialogue").click()
    until(page, lambda: view.get_by_role("button", name="use an example").count() == 1)
    a_tab_is_left_while_the_policy_writes(page, view)


def a_tab_is_left_while_the_policy_writes(page: Any, view: Any) -> None:
    """What was said stands meanwhile, and the request is not offered again; after a reload it is."""
    request = view.get_by_role("textbox", name="request")
    answer = view.get_by_role("region", name="answer")
    talk = view.get_by_role("region", name="dialogue with the policy")
    line = view.locator(".lt-status[role=status]")
    request.fill("Humidifier off, slowly.")
    request.press("Enter")
    there_and_back(page, "try it", "try a policy")
    line.get_by_text("D3 is writing").wait_for()
    assert "Humidifier off, slowly." in talk.inner_text() and request.input_value() == ""
    answer.get_by_role("button", name="execute …").click()
    answer.get_by_role("button", name="yes, execute").click()
    view.get_by_text("is executed; the results are above").wait_for()
    assert request.input_value() == ""
    request.fill("And once more, slowly.")
    request.press("Enter")
    there_and_back(page, "try it", "try a policy")
    line.get_by_text("D3 is writing").wait_for()
    assert "create_device_timer" in talk.inner_text() and "once more, slowly" in talk.inner_text()
    page.reload()
    page.get_by_text("What you decide is saved at once").wait_for(timeout=90_000)
    go(page, "try it", "try a policy")
    line.get_by_text("is lost: press “ask” for it").wait_for()
    assert request.input_value() == "And once more, slowly." and "once more" not in talk.inner_text()
    request.fill("")


def take_back_by_mouse_and_keys(page: Any, view: Any, form: Any, file: Path) -> None:
    """Kept and taken back twice, with the form as it was before each time."""
    time = form.get_by_role("textbox", name="time")
    back = view.get_by_role("button", name="take the kept sample back")
    line = view.locator(".lt-status[role=status]")
    assert back.count() == 0, "nothing was kept yet"
    form.get_by_role("button", name="keep as a sample").click()
    line.get_by_text("kept as sample").wait_for()
    [kept] = Samples.read(file)
    assert kept.label.calls[0].arguments["time"] == "06:45"
    # It is still offered when one comes back to the tab.
    there_and_back(page, "try it", "try a policy")
    line.get_by_text("kept as sample").wait_for()
    assert form.count() == 0
    assert nameless(page) == []
    made = view.get_by_role("region", name="the right answer that was kept")
    assert "06:45" in made.inner_text()
    back.click()
    line.get_by_text("taken back").wait_for()
    assert made.inner_text() == ""
    until(page, lambda: time.count() == 1 and time.input_value() == "06:45")
    assert not file.exists() and back.count() == 0
    assert form.evaluate("(node) => node.contains(document.activeElement)")
    time.press("Control+Enter")
    line.get_by_text("kept as sample").wait_for()
    changed = file.read_text().replace("06:45", "07:45")
    file.write_text(changed)
    back.press("Enter")
    line.get_by_text("somebody has changed or removed that line").wait_for()
    assert file.read_text() == changed
    file.write_text(changed.replace("07:45", "06:45"))
    back.press("Space")
    until(page, lambda: time.count() == 1 and time.input_value() == "06:45")
    assert not file.exists()


def test_the_judge_is_checked_from_its_tab(chromium: Any, tmp_path: Path) -> None:  # noqa: F811
    run = tmp_path / "run"
    shutil.copytree(RECORDED, run)
    with viewing(run, tmp_path) as address:
        page = opened(chromium, address)
        view = go(page, "the judge's check", "judge report card")
        view.get_by_text("costs nothing").wait_for()
        start, stop = (
            view.get_by_role("button", name="check the judge"),
            view.get_by_role("button", name="stop"),
        )
        # By keys: start and stop, which leaves no card and says so.
        unchecked = view.get_by_text("has not been checked on this run's data yet")
        assert unchecked.is_visible()
        start.press("Enter")
        stop.wait_for()
        unchecked.wait_for(state="hidden")
        assert start.is_disabled() and view.get_by_role("progressbar", name="check of the judge").count() == 1
        until(page, lambda: stop.evaluate("(node) => node === document.activeElement"))
        stop.press("Enter")
        view.get_by_text("was stopped, and no card was written").wait_for()
        unchecked.wait_for()
        assert start.is_enabled() and not list(run.glob("judge_check/*/card.json"))
        # By mouse; meanwhile other tabs can be used, and the run is not taken from the page.
        start.click()
        stop.wait_for()
        desk = go(page, "disagreements", "disagreements of iteration 2")
        desk.locator(READY).wait_for()
        page.wait_for_timeout(500)  # a press decides only a row that could be seen
        desk.get_by_role("button", name="1 prediction wrong").click()
        until(page, lambda: "reviewed 1" in desk.inner_text())
        go(page, "the judge's check", "judge report card")
        view.get_by_text("this is its card").wait_for()
        assert view.get_by_role("table", name="report card").get_by_role("row").count() > 5
        view.get_by_text("planted:").first.wait_for()
        card = json.loads((run / "judge_check" / "evidence" / "card.json").read_text())
        assert view.get_by_text(f"Judge evidence: {card['samples']} samples.").is_visible()
        assert nameless(page) == []
        if AXE.exists():
            page.evaluate(AXE.read_text() + "; 0")
            assert view.evaluate(CHECKED) == []
        assert page.faults == []
        page.context.close()
