"""ExpansionView in the browser: everything by keyboard, decisions on disk at once, a reload finds all as
left, text stays text.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import nameless, open_notebook, save_and_reload, write_notebook

from looptool_kit.core.records import Expansions
from looptool_kit.run.folder import Run

RECORDED = Path(__file__).parent.parent.parent / "sample_data" / "run"
CELL = """
from looptool_kit.run.folder import Run
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
from looptool_kit.run.folder import Run
from looptool_kit.widgets import ExpansionView
view = ExpansionView(Run.open("expansion-mouse"))
view
"""


class Cards:
    """The children of a seed on the page, the decisions expected, and those on disk."""

    def __init__(self, page: Any, file: Path) -> None:
        self.page, self.file = page, file
        self.cards = page.locator(".lt-child")
        self.expected: list[tuple[str, str]] = []

    def id_of(self, at: int) -> str:
        """The id of a child."""
        return self.cards.nth(at).locator("code").first.inner_text()

    def place(self, at: int, name: str) -> tuple[Any, dict[str, float]]:
        """A button, scrolled into view, and where it is."""
        button = self.cards.nth(at).get_by_role("button", name=name)
        button.scroll_into_view_if_needed()
        return button, button.bounding_box()

    def press(self, at: int, name: str) -> None:
        """Press a button slowly; its card stays under the pointer."""
        top = "() => document.querySelector('.lt-panel').scrollTop"
        button, box = self.place(at, name)
        before = self.page.evaluate(top)
        self.page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
        self.page.mouse.down()
        self.page.wait_for_timeout(150)
        assert self.page.evaluate(top) == before and button.bounding_box() == box
        self.page.mouse.up()
        self.page.wait_for_selector(f".lt-child[data-at='{at}'][aria-current='true']", timeout=60_000)

    def tap(self, at: int, name: str) -> None:
        """Press a button quickly."""
        _, box = self.place(at, name)
        self.page.mouse.move(box["x"] + 4, box["y"] + 4)
        self.page.mouse.down()
        self.page.wait_for_timeout(40)
        self.page.mouse.up()

    def decided(self, at: int, value: str) -> None:
        """Wait until a child is decided on."""
        self.expected.append((self.id_of(at), value))
        state = f".lt-state:not([title^='not decided']):has-text('{value}ed by ')"
        self.page.wait_for_selector(f".lt-child[data-at='{at}'] {state}")

    def check(self) -> None:
        """The decisions on disk are those expected."""
        lines = map(json.loads, self.file.read_text().splitlines())
        assert [(d["row"], d["value"]) for d in lines] == self.expected


def decide_by_mouse(cards: Cards) -> None:
    """The button goes down, time passes, it comes up: what lies under the pointer is what was meant."""
    page, last = cards.page, cards.cards.count() - 1
    unfolded = cards.cards.nth(0).locator("details").first
    cards.cards.nth(0).locator("summary").click()
    cards.press(2, "reject (r)")
    cards.decided(2, "reject")
    cards.press(last, "reject (r)")
    cards.decided(last, "reject")
    status = page.locator(".lt-status").first.inner_text()
    assert status == f"Rejected child {last + 1} of {last + 1}; on disk."
    cards.press(1, "accept (a)")
    cards.decided(1, "accept")
    cards.check()
    assert unfolded.get_attribute("open") is not None, "another card was decided on, this one stays as it is"
    cards.press(last, "undo")
    words = f"Taken back: reject of child {last + 1} of {last + 1}, which is now "
    page.wait_for_selector(f".lt-status:has-text('{words}')")
    cards.expected.append((cards.id_of(last), "undo"))
    cards.press(2, "edit (e)")
    page.wait_for_selector(".lt-child[data-at='2'] textarea:focus")
    page.keyboard.press("Escape")

    # One press closely after the other, the second while the first one's answer may just be drawn.
    values = ((1, "reject"), (2, "accept"), (3, "reject"))
    for at, value in values:
        cards.tap(at, f"{value} ({value[0]})")
    for at, value in values:
        cards.decided(at, value)
    cards.check()


def decide_by_focused_button(cards: Cards) -> None:
    """A button that has the focus decides on its card and keeps the focus; j and k take the focus along."""
    page = cards.page
    cards.cards.nth(0).get_by_role("button", name="accept (a)").focus()
    page.keyboard.press("Enter")
    cards.decided(0, "accept")
    page.wait_for_selector(".lt-child[data-at='0'][aria-current='true'] [data-act='accept']:focus")
    page.keyboard.press("j")
    page.wait_for_selector(".lt-child[data-at='1'][aria-current='true'] [data-act='accept']:focus")
    page.keyboard.press(" ")
    cards.decided(1, "accept")
    cards.check()


def test_every_button_decides_on_its_own_card(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    folder = root / "expansion-mouse"
    shutil.copytree(RECORDED, folder)
    write_notebook(root / "expansion-mouse.ipynb", MOUSE)
    open_notebook(page, url, "expansion-mouse.ipynb")
    page.wait_for_selector("[data-novelty='ready'] .lt-child[aria-current='true']")
    cards = Cards(page, folder / "decisions.jsonl")
    assert cards.cards.count() > 3
    decide_by_mouse(cards)
    decide_by_focused_button(cards)
    assert page.faults == [] and page.outside == []


def state(page: Any, at: int, words: str) -> None:
    """Wait until a child's state says this."""
    page.wait_for_selector(f".lt-child[data-at='{at}'] .lt-state:has-text('{words}')", timeout=180_000)


def current(page: Any, at: int) -> None:
    """Wait until a child is the current one, and as long as a person needs to see it."""
    page.wait_for_selector(f".lt-child[data-at='{at}'][aria-current='true']")
    page.wait_for_timeout(500)


def says(page: Any, words: str) -> None:
    """Wait until the status line says this."""
    page.wait_for_selector(f".lt-status:has-text('{words}')")


def decide_by_key(page: Any, decided: Callable[[], list[Any]]) -> None:
    """Children and seeds by keyboard, however fast the keys come: a decision leads to the next child."""
    count = page.locator(".lt-child").count()
    page.locator(".lt-panel").focus()
    page.keyboard.press("j")
    current(page, 1)
    for key in "aa":  # the second one comes before anybody has seen the third child
        page.keyboard.press(key)
    says(page, "A press came before this child could be seen")
    current(page, 2)
    assert decided() == ["accept"]
    page.keyboard.press("r")
    says(page, f"Rejected child 3 of {count}; on disk. Now at child 4 of {count}, which is ")
    current(page, 3)
    state(page, 2, "rejected by ")
    assert decided() == ["accept", "reject"]
    page.keyboard.press("J")
    page.wait_for_selector(".lt-scroll [data-at='1'][aria-selected='true']")
    page.wait_for_selector(".lt-child[data-at='0'][aria-current='true']")
    page.keyboard.press("u")  # the last decision, which was on a child of the first seed
    says(page, f"Taken back: reject of child 3 of {count}, which is now ")
    page.wait_for_selector(".lt-scroll [data-at='0'][aria-selected='true']")
    current(page, 2)
    assert decided() == ["accept", "reject", "undo"]
    for key in "kJKj":  # faster than the seeds are loaded; in the first one the second child is still current
        page.keyboard.press(key)
    current(page, 2)


def edit_across_a_reload(page: Any) -> None:
    """A bad edit says what is wrong; a draft is found again after a reload, and recorded."""
    page.keyboard.press("e")
    page.wait_for_selector(".lt-child[data-at='2'] textarea:focus")
    assert nameless(page) == []
    page.keyboard.press("Control+Home")
    page.keyboard.type("Dear me! ")
    editor = page.locator(".lt-editor")
    request, label = editor.locator("textarea").first, editor.get_by_label("label as JSON")
    assert editor.get_by_role("button").all_inner_texts()[:2] == ["save edit", "cancel"]
    assert editor.get_by_role("button").first.bounding_box()["y"] < request.bounding_box()["y"]
    assert editor.get_by_text("Ctrl+Enter").is_visible()
    editor.get_by_role("tab", name="JSON").click()
    good = label.input_value()
    label.fill("[{")
    page.keyboard.press("Control+Enter")
    page.wait_for_selector(".lt-status.lt-bad:has-text('not valid JSON')")
    label.fill(good)
    page.wait_for_timeout(500)  # a draft is kept when the typing rests
    save_and_reload(page)
    card = "[data-novelty='ready'] .lt-child[data-at='2'][aria-current='true']"
    page.wait_for_selector(f"{card} textarea", timeout=180_000)
    state(page, 1, "accepted by ")
    editor.get_by_role("tab", name="JSON").click()
    assert request.input_value().startswith("Dear me! ") and label.input_value() == good
    request.focus()
    page.keyboard.press("Control+Enter")
    state(page, 2, "edited by ")
    page.wait_for_selector(".lt-child[data-at='2'] .lt-diff:has-text('Dear me!')")
    says(page, "Edited and accepted child 3 of ")
    current(page, 3)


def decide_the_rest(page: Any, decided: Callable[[], list[Any]]) -> None:
    """The first child comes after the last one; where none is left, the next seed is named."""
    count, before = page.locator(".lt-child").count(), len(decided())
    for at in (*range(3, count), 0):
        current(page, at)
        page.keyboard.press("r")
        state(page, at, "rejected by ")
    says(page, "All children of this seed are decided: J goes to the next seed.")
    assert decided()[before:] == ["reject"] * (count - 2)


def test_expansion(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    file = poisoned(root) / "decisions.jsonl"

    def decided() -> list[Any]:
        return [json.loads(line)["value"] for line in file.read_text().splitlines()] if file.exists() else []

    write_notebook(root / "expansion.ipynb", CELL)
    open_notebook(page, url, "expansion.ipynb")
    page.wait_for_selector("[data-novelty='ready'] .lt-child[aria-current='true']")
    first = page.locator(".lt-child").first
    assert "<img src=x" in first.locator(".lt-diff").first.inner_text() and "␛[31m" in first.inner_text()
    second = page.locator(".lt-child[data-at='1']")
    assert second.locator(".lt-was").count()
    assert second.locator(".lt-novelty").inner_text() != "novelty …"

    cells = page.locator(".jp-Cell").count()
    decide_by_key(page, decided)
    edit_across_a_reload(page)
    assert decided()[-1]["edit"]["messages"][-1]["content"].startswith("Dear me! ")
    decide_the_rest(page, decided)
    page.keyboard.press("?")
    assert page.locator(".jp-Cell").count() == cells and not page.evaluate("() => window.bad")
    assert page.faults == [] and page.outside == []
