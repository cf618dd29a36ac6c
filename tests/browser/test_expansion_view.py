"""ExpansionView in the browser: everything by keyboard, decisions on disk at once, a reload finds all as
left, text stays text.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from lab import nameless, open_notebook, save_and_reload, write_notebook

from looptool_kit.core.records import Expansions
from looptool_kit.run.folder import Run

RECORDED = Path(__file__).parent.parent.parent / "sample_data" / "run"
CELL = """
from looptool_kit.run import Run
from looptool_kit.widgets import ExpansionView
view = ExpansionView(Run.open("expansion-run"))
view
"""
EVIL = "<img src=x onerror='window.bad=1'><script>window.bad=1</script>\x1b[31m"


def poisoned(root: Path) -> Path:
    """The recorded run, with a child that is full of markup."""
    folder = root / "expansion-run"
    shutil.copytree(RECORDED, folder)
    rows = list(Run.open(folder, read_only=True).table(Expansions, "expansions", 2))
    first = rows[0].sample
    spoken = first.messages[-1].model_copy(update={"content": f"{first.request} {EVIL}"})
    rows[0] = rows[0].model_copy(
        update={
            "sample": first.model_copy(update={"messages": (*first.messages[:-1], spoken)}),
            "pattern": EVIL,
        }
    )
    Expansions(rows).write(folder / "iterations" / "02" / "expansions.parquet")
    return folder


MOUSE = """
from looptool_kit.run import Run
from looptool_kit.widgets import ExpansionView
view = ExpansionView(Run.open("expansion-mouse"))
view
"""


def test_every_button_decides_on_its_own_card(lab: tuple[str, Path], page: Any) -> None:
    """With a real mouse: the button goes down, time passes, it comes up, and whatever lies under the pointer
    then is what was meant.
    """
    url, root = lab
    folder = root / "expansion-mouse"
    shutil.copytree(RECORDED, folder)
    write_notebook(root / "expansion-mouse.ipynb", MOUSE)
    open_notebook(page, url, "expansion-mouse.ipynb")
    page.wait_for_selector("[data-novelty='ready'] .lt-child[aria-current='true']")
    cards = page.locator(".lt-child")
    assert cards.count() > 3
    file = folder / "decisions.jsonl"
    expected: list[tuple[str, str]] = []
    top = "() => document.querySelector('.lt-panel').scrollTop"

    def press(at: int, name: str) -> None:
        button = cards.nth(at).get_by_role("button", name=name)
        button.scroll_into_view_if_needed()
        box, before = button.bounding_box(), page.evaluate(top)
        page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        page.mouse.down()
        page.wait_for_timeout(150)
        assert page.evaluate(top) == before and button.bounding_box() == box, (
            "the card stays under the pointer"
        )
        page.mouse.up()
        page.wait_for_selector(f".lt-child[data-at='{at}'][aria-current='true']", timeout=5000)

    def decided(at: int, value: str) -> None:
        expected.append((cards.nth(at).locator("code").first.inner_text(), value))
        page.wait_for_selector(
            f".lt-child[data-at='{at}'] .lt-state:not([title^='not decided']):has-text('{value}ed by ')"
        )

    def on_disk() -> list[tuple[str, str]]:
        return [(d["row"], d["value"]) for d in map(json.loads, file.read_text().splitlines())]

    last = cards.count() - 1
    cards.nth(0).locator("summary").click()  # what is unfolded stays so when another card is decided on
    press(2, "reject (r)")
    decided(2, "reject")
    press(last, "reject (r)")
    decided(last, "reject")
    assert (
        page.locator(".lt-status").first.inner_text() == f"Rejected child {last + 1} of {last + 1}; on disk."
    )
    press(1, "accept (a)")
    decided(1, "accept")
    assert on_disk() == expected and cards.nth(0).locator("details").first.get_attribute("open") is not None
    press(last, "undo (u)")
    page.wait_for_selector(
        f".lt-status:has-text('Taken back: reject of child {last + 1} of {last + 1}, which is now ')"
    )
    expected.append((cards.nth(last).locator("code").first.inner_text(), "undo"))
    press(2, "edit (e)")
    page.wait_for_selector(".lt-child[data-at='2'] textarea:focus")
    page.keyboard.press("Escape")

    # One press closely after the other, the second while the first one's answer may just be drawn.
    for at, name in ((1, "reject (r)"), (2, "accept (a)"), (3, "reject (r)")):
        button = cards.nth(at).get_by_role("button", name=name)
        button.scroll_into_view_if_needed()
        box = button.bounding_box()
        page.mouse.move(box["x"] + 4, box["y"] + 4)
        page.mouse.down()
        page.wait_for_timeout(40)
        page.mouse.up()
    for at, value in ((1, "reject"), (2, "accept"), (3, "reject")):
        decided(at, value)
    assert on_disk() == expected

    # By keyboard: a button that has the focus decides on its card and keeps the focus; j and k take the focus
    # along.
    cards.nth(0).get_by_role("button", name="accept (a)").focus()
    page.keyboard.press("Enter")
    decided(0, "accept")
    page.wait_for_selector(".lt-child[data-at='0'][aria-current='true'] [data-act='accept']:focus")
    page.keyboard.press("j")
    page.wait_for_selector(".lt-child[data-at='1'][aria-current='true'] [data-act='accept']:focus")
    page.keyboard.press(" ")
    decided(1, "accept")
    assert on_disk() == expected
    assert page.faults == [] and page.outside == []


def test_expansion(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    folder = poisoned(root)

    def decided() -> list[Any]:
        file = folder / "decisions.jsonl"
        return [json.loads(line)["value"] for line in file.read_text().splitlines()] if file.exists() else []

    def state(at: int, words: str) -> None:
        page.wait_for_selector(f".lt-child[data-at='{at}'] .lt-state:has-text('{words}')", timeout=60_000)

    write_notebook(root / "expansion.ipynb", CELL)
    open_notebook(page, url, "expansion.ipynb")
    page.wait_for_selector("[data-novelty='ready'] .lt-child[aria-current='true']")
    first = page.locator(".lt-child").first
    assert "<img src=x" in first.locator(".lt-diff").first.inner_text() and "␛[31m" in first.inner_text()
    assert (
        page.locator(".lt-child[data-at='1'] .lt-was").count()
        and page.locator(".lt-child[data-at='1'] .lt-novelty").inner_text() != "novelty …"
    )

    cells = page.locator(".jp-Cell").count()
    page.locator(".lt-panel").focus()
    page.keyboard.press("j")
    page.wait_for_selector(".lt-child[data-at='1'][aria-current='true']")
    page.keyboard.press("a")
    state(1, "accepted by ")
    page.keyboard.press("r")
    state(1, "rejected by ")
    assert decided() == ["accept", "reject"]
    page.keyboard.press("u")
    state(1, "accepted by ")
    page.keyboard.press("J")
    page.wait_for_selector(".lt-scroll [data-at='1'][aria-selected='true']")
    page.wait_for_selector(".lt-child[data-at='0'][aria-current='true']")
    for key in "Kj":  # faster than the seed is loaded; its current child is still the second
        page.keyboard.press(key)
    page.wait_for_selector(".lt-child[data-at='2'][aria-current='true']")

    page.keyboard.press("e")
    page.wait_for_selector(".lt-child[data-at='2'] textarea:focus")
    assert nameless(page) == []
    page.keyboard.press("Control+Home")
    page.keyboard.type("Dear me! ")
    label = page.locator(".lt-editor textarea").last
    good = label.input_value()
    label.fill("[{")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".lt-status.lt-bad:has-text('not valid JSON')")
    label.fill(good)
    page.wait_for_timeout(500)  # a draft is kept when the typing rests
    save_and_reload(page)
    page.wait_for_selector(
        "[data-novelty='ready'] .lt-child[data-at='2'][aria-current='true'] textarea", timeout=60_000
    )
    request = page.locator(".lt-editor textarea").first
    state(1, "accepted by ")
    assert (
        request.input_value().startswith("Dear me! ")
        and page.locator(".lt-editor textarea").last.input_value() == good
    )
    request.focus()
    page.keyboard.press("Control+Enter")
    state(2, "edited by ")
    assert decided()[-1]["edit"]["messages"][-1]["content"].startswith("Dear me! ")
    page.wait_for_selector(".lt-child[data-at='2'] .lt-diff:has-text('Dear me!')")
    page.keyboard.press("?")
    assert page.locator(".jp-Cell").count() == cells and not page.evaluate("() => window.bad")
    assert page.faults == [] and page.outside == []
