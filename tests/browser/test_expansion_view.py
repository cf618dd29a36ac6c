"""ExpansionView in the browser: everything by keyboard, decisions on disk at once, a reload finds all as left, text stays text."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from lab import nameless, open_notebook, save_and_reload, write_notebook

from looptool_kit.records import Expansions
from looptool_kit.run import Run

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
    rows[0] = rows[0].model_copy(update={"sample": first.model_copy(update={"messages": (*first.messages[:-1], spoken)}), "pattern": EVIL})
    Expansions(rows).write(folder / "iterations" / "02" / "expansions.parquet")
    return folder


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
    assert "<img src=x" in page.locator(".lt-child[data-at='0'] ins").last.inner_text() and "␛[31m" in page.locator(".lt-child").first.inner_text()
    assert page.locator(".lt-child[data-at='1'] del").count() and page.locator(".lt-child[data-at='1'] .lt-novelty").inner_text() != "novelty …"

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
    page.wait_for_selector("[data-novelty='ready'] .lt-child[data-at='2'][aria-current='true'] textarea", timeout=60_000)
    request = page.locator(".lt-editor textarea").first
    state(1, "accepted by ")
    assert request.input_value().startswith("Dear me! ") and page.locator(".lt-editor textarea").last.input_value() == good
    request.focus()
    page.keyboard.press("Control+Enter")
    state(2, "edited by ")
    assert decided()[-1]["edit"]["messages"][-1]["content"].startswith("Dear me! ")
    page.wait_for_selector(".lt-child[data-at='2'] ins:has-text('Dear me!')")
    page.keyboard.press("?")
    assert page.locator(".jp-Cell").count() == cells and not page.evaluate("() => window.bad")
    assert page.faults == [] and page.outside == []
