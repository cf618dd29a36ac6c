"""The review desk as a person uses it: verdict by key, label edited, undone, accepted in bulk, noted, found
again; and text that would be markup.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import nameless, open_notebook, save_and_reload, write_notebook

from looptool_kit.core.records import Verdicts
from looptool_kit.run.decisions import Decision
from looptool_kit.run.folder import Run

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"
SHOTS = Path(__file__).parent / "shots"

CELL = f"""
import shutil
from looptool_kit.run.folder import Run
from looptool_kit.widgets import DisagreementView

shutil.copytree({str(RECORDED)!r}, "run", dirs_exist_ok=True)
run = Run.open("run")
view = DisagreementView(run)
view
"""

HOSTILE = """
from looptool_kit.core.records import Probes, Verdicts
from looptool_kit.core.samples import Samples

bad = "<img src=x onerror=window.bad=1><script>window.bad=1</script>\\x1b[31m\\u202e"
shutil.copytree("run", "bad", dirs_exist_ok=True)
hostile = Run.open("bad")
sample, probe, verdict = view.samples[0], view.probes[0], view.verdicts[0]
message = sample.messages[-1].model_copy(update={"content": bad})
sample = sample.model_copy(update={"messages": (message,), "kind": bad, "source": bad})
evidence = verdict.evidence[0].model_copy(update={"name": bad, "words": bad})
change = {"rationale": bad, "judge": bad, "votes": {bad: 1}, "evidence": (evidence,)}
verdict = verdict.model_copy(update={"sample_id": sample.id, **change})
Samples([sample]).write(hostile.folder(2) / "samples.parquet")
probe = probe.model_copy(update={"sample_id": sample.id, "text": bad, "tokens": (bad,) * len(probe.tokens)})
Probes([probe]).write(hostile.folder(2) / "probes.parquet")
Verdicts([verdict]).write(hostile.folder(2) / "verdicts.parquet")
hostile.decide("verdict", sample.id, "BOTH_WRONG", bad, author=bad, iteration=2)
DisagreementView(hostile)
"""

SLOW = """
import time


class Busy(DisagreementView):
    def on_detail(self, at):
        time.sleep(1.5)
        return super().on_detail(at)


Busy(run)
"""

THRICE = """(view) => {
    const press = () => view.dispatchEvent(new KeyboardEvent('keydown', { key: '1', bubbles: true }));
    const drawn = new MutationObserver(() => { drawn.disconnect(); press(); });
    drawn.observe(view.querySelector('.lt-card'), { attributeFilter: ['data-row'] });
    press();
    press();
}"""
"""Three presses of a key: two at once, and one in the moment in which the next row is drawn."""

LOOK = """
DisagreementView(Run.open("run", read_only=True))
"""


def until(page: Any, check: Callable[[], Any], seconds: float = 180) -> None:
    """Wait for something, letting the page live on."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "waited in vain"
        page.wait_for_timeout(40)


class Desk:
    """The review desk on the page, and what is on disk."""

    def __init__(self, page: Any, view: Any, run: Path) -> None:
        self.page, self.view, self.run = page, view, run
        verdicts = Run.open(RECORDED, read_only=True).table(Verdicts, "verdicts", 2)
        self.rows, self.wrong = len(verdicts), sum(v.verdict == "PRED_WRONG" for v in verdicts)
        self.area = view.get_by_label("label as JSON, or the plain reply")

    def shown(self) -> str:
        """The id of the row that is drawn."""
        return self.view.locator(".lt-card").get_attribute("data-row")

    def status(self) -> str:
        """The status line."""
        return self.view.locator(".lt-status[role=status]").first.inner_text()

    def progress(self) -> str:
        """How far the review is."""
        return self.view.locator(".lt-progress").inner_text()

    def written(self) -> list[Decision]:
        """The decisions on disk."""
        lines = (self.run / "decisions.jsonl").read_text().splitlines()
        return [Decision.model_validate_json(line) for line in lines]

    def press(self, *keys: str) -> None:
        """Press keys one after the other, having looked at the row that is shown."""
        self.page.wait_for_timeout(250)
        for key in keys:
            self.page.keyboard.press(key)

    def until(self, check: Callable[[], Any]) -> None:
        """Wait for something."""
        until(self.page, check)


def decide_by_key(desk: Desk) -> tuple[str, str]:
    """A verdict by key, on disk at once, and a note that becomes the reason of the next one."""
    first = desk.shown()
    # From where the judge starts, by what each piece says, to the probabilities.
    weighed = desk.view.locator(".lt-evidence tbody th").all_inner_texts()
    assert weighed[0] == "start" and weighed[-1] == "result" and len(weighed) > 2
    assert f"reviewed 0 / left {desk.rows}" in desk.progress()
    desk.view.locator(".lt-judge h4").click()
    desk.press("1")
    desk.until(lambda: desk.shown() != first)
    last = desk.written()[-1]
    assert (last.row, last.value) == (first, {"verdict": "PRED_WRONG"})
    # The list says what was decided beside what the judge said, which stays.
    decided = desk.view.locator("[role=row]:has([data-column=decided][data-value=PRED_WRONG])")
    desk.until(lambda: decided.count() == 1)
    verdicts = Run.open(RECORDED, read_only=True).table(Verdicts, "verdicts", 2)
    judge = next(v.verdict or "unjudged" for v in verdicts if v.sample_id == first)
    assert judge != "PRED_WRONG" and decided.locator("[data-column=judge]").all_inner_texts() == [judge]
    second = desk.shown()
    assert f"reviewed 1 / left {desk.rows - 1}" in desk.progress()

    desk.press("n")
    desk.page.keyboard.type("4 both are off")
    desk.press("Enter", "4")
    desk.until(lambda: desk.shown() != second)
    last = desk.written()[-1]
    assert (last.row, last.value, last.reason) == (second, {"verdict": "BOTH_WRONG"}, "4 both are off")
    return second, desk.shown()


def edit_a_label(desk: Desk, row: str) -> None:
    """A bad label says what is wrong and is not saved; a good one is."""
    desk.press("e")
    desk.view.get_by_role("tab", name="JSON").click()
    for text, fault in (
        ('[{"name": "a",]', "line 1"),
        ('[{"name": "no_such_tool", "arguments": {}}]', "no_such_tool is not on offer"),
    ):
        desk.area.fill(text)
        desk.press("Control+Enter")
        desk.until(lambda fault=fault: fault in desk.view.locator("[role=alert]").inner_text())
        desk.page.wait_for_timeout(500)  # by then it has been checked as it is typed, too
        said = desk.view.get_by_text(fault)
        assert [said.nth(k).is_visible() for k in range(said.count())].count(True) == 1
    assert len(desk.written()) == 2 and desk.shown() == row
    desk.area.fill("I cannot do that here.")
    # No verdict decides, and none throws away what is typed.
    desk.view.get_by_role("button", name="2 label wrong").click()
    desk.until(lambda: "not saved yet" in desk.status())
    assert len(desk.written()) == 2 and desk.area.input_value() == "I cannot do that here."
    desk.area.press("Escape")
    desk.view.get_by_text("Escape once more drops the change").wait_for()
    assert desk.area.input_value() == "I cannot do that here."
    desk.press("Control+Enter")
    desk.until(lambda: desk.shown() != row)
    last = desk.written()[-1]
    assert last.row == row and last.value["label"]["reply"] == "I cannot do that here."
    assert desk.area.count() == 0


def undo_and_move(desk: Desk, before: str, row: str) -> None:
    """Undo takes the last decision back and returns to its row; skip and j / k move."""
    desk.press("u")
    desk.until(lambda: desk.shown() == row)
    assert f"reviewed 2 / left {desk.rows - 2}" in desk.progress() and "Undone" in desk.status()
    desk.press("k")
    desk.until(lambda: desk.shown() == before)
    assert "4 both are off" in desk.view.locator(".lt-decided").inner_text()
    desk.press("s")
    desk.until(lambda: desk.shown() == row)
    desk.press("j")
    desk.until(lambda: desk.shown() not in (before, row))


def accept_in_bulk(desk: Desk) -> None:
    """It asks with the count, Escape leaves, accepting is one write that goes back as one."""
    before, rows, wrong = len(desk.written()), desk.rows, desk.wrong
    accept = desk.view.get_by_role("button", name="accept the judge's verdicts")
    accept.click()
    dialog = desk.view.get_by_role("alertdialog")
    dialog.get_by_text("rows in this filter that are not reviewed").wait_for()
    desk.press("Escape")
    assert not dialog.is_visible() and len(desk.written()) == before
    desk.view.get_by_label("judge", exact=True).select_option(label=f"PRED_WRONG ({wrong})")
    desk.until(lambda: f"{wrong} of {rows} rows" in desk.view.locator(".lt-find").inner_text())
    accept.click()
    assert nameless(desk.page) == []
    dialog.get_by_role("button", name=re.compile(r"^accept \d+$")).click()
    desk.until(lambda: "Accepted" in desk.status())
    many = len(desk.written()) - before
    assert many in range(wrong - 2, wrong + 1) and (
        f"{many} accepted in bulk" in desk.progress() and "kappa" not in desk.progress()
    )
    desk.press("u")
    left, decided = f"reviewed 2 / left {rows - 2}", desk.view.locator(".lt-decided")
    desk.until(lambda: left in desk.progress() and decided.count() == 0)
    assert len(desk.written()) == before + 2 * many


def selection_stays_in_sight(desk: Desk) -> None:
    """The selected row looks the same under the mouse."""
    row = desk.view.get_by_role("row").and_(desk.view.locator("[aria-selected=true]"))
    ground = "(node) => getComputedStyle(node).backgroundColor"
    desk.page.mouse.move(0, 0)
    before = row.evaluate(ground)
    row.hover()
    assert row.evaluate(ground) == before


def menus_lie_over_the_page(desk: Desk) -> None:
    """An open menu moves nothing, and a click elsewhere closes it."""
    grid, title = desk.view.get_by_role("grid", name="disagreements"), desk.view.locator("strong").first

    def place() -> float:
        return grid.bounding_box()["y"] - desk.view.bounding_box()["y"]

    before = place()
    for menu in (desk.view.locator(".lt-columns-menu"), desk.view.locator(".lt-menu")):
        menu.locator("summary").click()
        panel = menu.locator(".lt-panel-over")
        panel.wait_for()
        assert place() == before
        box, view = panel.bounding_box(), desk.view.bounding_box()
        assert box["x"] >= view["x"] and box["x"] + box["width"] <= view["x"] + view["width"]
        panel.click(position={"x": 2, "y": 2})
        assert panel.is_visible()
        title.click()
        panel.wait_for(state="hidden")


def leave_half_done(desk: Desk) -> str:
    """A note and a label that nothing has taken up; the row that they are on."""
    desk.press("n")
    desk.page.keyboard.type("half a tho")
    desk.press("Escape", "e")
    desk.area.fill("half a label")
    desk.page.wait_for_timeout(600)
    desk.view.scroll_into_view_if_needed()
    desk.page.screenshot(path=SHOTS / "disagreement_light.png")
    return desk.shown()


def test_disagreement_view(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    folder = root / "desk"
    folder.mkdir()
    write_notebook(folder / "desk.ipynb", CELL, HOSTILE, LOOK)
    open_notebook(page, url, "desk/desk.ipynb")
    views = page.locator(".lt-view")
    desk, hostile, looking = Desk(page, views.nth(0), folder / "run"), views.nth(1), views.nth(2)
    desk.view.locator(".lt-card[data-row]:not([data-row=''])").wait_for()
    cells = page.locator(".jp-Cell").count()
    second, third = decide_by_key(desk)
    edit_a_label(desk, third)
    undo_and_move(desk, second, third)
    accept_in_bulk(desk)
    menus_lie_over_the_page(desk)
    selection_stays_in_sight(desk)
    here = leave_half_done(desk)
    assert page.locator(".jp-Cell").count() == cells
    assert views.count() == 3 and not page.evaluate("() => window.bad")
    assert "<img src=x" in hostile.inner_text()
    assert "␛[31m⟨U+202E⟩" in hostile.locator(".lt-judge").inner_text()
    assert "opened read-only" in looking.locator(".lt-blocked").text_content()
    assert looking.get_by_role("button", name="1 prediction wrong").is_disabled()
    assert looking.get_by_role("button", name="j next").is_enabled()

    # What was half done, the filter and the row are found again after a reload.
    save_and_reload(page)
    desk.view.get_by_role("tab", name="JSON").click(timeout=180_000)
    assert desk.shown() == here and desk.area.input_value() == "half a label"
    assert desk.view.get_by_label("note").input_value() == "half a tho"
    assert f"reviewed 2 / left {desk.rows - 2}" in desk.progress()
    page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })"
    )
    page.wait_for_timeout(1500)
    desk.view.scroll_into_view_if_needed()
    page.screenshot(path=SHOTS / "disagreement_dark.png")
    assert json.dumps(page.faults) == "[]" and page.outside == []


def test_no_key_is_lost_while_the_same_row_is_drawn_again(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    folder = root / "busy"
    folder.mkdir()
    write_notebook(folder / "busy.ipynb", CELL.replace("view\n", ""), SLOW)
    open_notebook(page, url, "busy/busy.ipynb")
    desk = Desk(page, page.locator(".lt-view").first, folder / "run")
    desk.view.locator(".lt-card[data-row]:not([data-row=''])").wait_for()
    first, decisions = desk.shown(), folder / "run" / "decisions.jsonl"
    desk.view.locator(".lt-judge h4").click()
    desk.press("t")
    page.keyboard.type("hard")
    desk.press("Enter")
    desk.until(lambda: decisions.exists() and desk.written())
    page.wait_for_timeout(400)  # the tag has changed the table, and its row is on its way to the page again
    # The second key may be meant for the next row, which nobody has seen yet.
    desk.press("1", "2")
    desk.until(lambda: "A press came before this row could be seen" in desk.status())
    verdicts = [d for d in desk.written() if d.subject == "verdict"]
    assert [(d.row, d.value) for d in verdicts] == [(first, {"verdict": "PRED_WRONG"})]
    assert desk.shown() != first and page.faults == []


def test_a_press_decides_the_row_that_was_seen_or_says_that_it_did_not(
    lab: tuple[str, Path], page: Any
) -> None:
    url, root = lab
    folder = root / "fast"
    folder.mkdir()
    write_notebook(folder / "fast.ipynb", CELL)
    open_notebook(page, url, "fast/fast.ipynb")
    desk = Desk(page, page.locator(".lt-view").first, folder / "run")
    desk.view.locator(".lt-card[data-row]:not([data-row=''])").wait_for()
    desk.view.get_by_label("judge", exact=True).select_option(label=f"PRED_WRONG ({desk.wrong})")
    desk.until(lambda: f"{desk.wrong} of " in desk.view.locator(".lt-find").inner_text())
    desk.until(lambda: "PRED_WRONG" in desk.view.locator(".lt-judge h4").inner_text())
    desk.view.locator(".lt-judge h4").click()
    rows = []
    for _ in range(3):
        first = desk.shown()
        page.wait_for_timeout(250)
        desk.view.evaluate(THRICE)
        desk.until(lambda first=first: desk.shown() != first)
        desk.until(lambda: "2 presses came before this row could be seen" in desk.status())
        rows.append(first)
        assert [d.row for d in desk.written()] == rows and f"reviewed {len(rows)} " in desk.progress()
    assert "kappa too few to say (from 10 rows on" in desk.progress()
    # Two clicks of a double click, too.
    page.wait_for_timeout(250)
    first = desk.shown()
    desk.view.get_by_role("button", name="2 label wrong").or_(
        desk.view.get_by_role("button", name="4 both wrong")
    ).last.dblclick()
    desk.until(lambda: "A press came before this row could be seen" in desk.status())
    assert [d.row for d in desk.written()] == [*rows, first] and page.faults == []
