"""The probe view as a person uses it: brush, threshold, table, reload; and text that looks like markup."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import cut_heads, drag, open_notebook, save_and_reload, write_notebook

from looptool_kit.core.records import Probes
from looptool_kit.run.folder import Run

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"
PROBES = {j: Run.open(RECORDED, read_only=True).table(Probes, "probes", j) for j in (1, 2)}
EARLIER, ROWS = map(len, PROBES.values())

CELL = f"""
import json, shutil
from pathlib import Path
from looptool_kit.run.folder import Run
from looptool_kit.widgets import ProbeView

shutil.copytree({str(RECORDED)!r}, "run", dirs_exist_ok=True)
view = ProbeView(Run.open("run"))

def note(_=None):
    ids = [s.id for s in view.selection]
    facts = dict(threshold=view.threshold, brush=view.brush, rows=len(ids), ids=ids, sort=view.sort)
    Path("view.tmp").write_text(json.dumps(facts))
    Path("view.tmp").replace("view.json")

view.observe(note, "version")
note()
view
"""

HOSTILE = """
from looptool_kit.core.records import Probes
from looptool_kit.core.samples import Samples

bad = "<img src=x onerror=window.bad=1><script>window.bad=1</script>\\x1b[31m\\u202e"
sample, probe = view._samples[0], view._probes[0]
message = sample.messages[-1].model_copy(update={"content": bad})
tool = sample.tools[0].model_copy(update={"name": bad, "description": bad})
hostile = sample.model_copy(update={"messages": (message,), "tools": (tool,), "kind": bad, "source": bad})
change = {"sample_id": hostile.id, "text": bad, "tokens": (bad,) * len(probe.tokens)}
other = ProbeView(Probes([probe.model_copy(update=change)]), Samples([hostile]))
other
"""

SLOW = """
import time

class Busy(ProbeView):
    def on_row(self, at):
        time.sleep(1)
        return super().on_row(at)

Busy(Run.open("run"))
"""


def until(page: Any, check: Callable[[], bool], seconds: float = 120) -> None:
    """Wait for something outside the page, letting the page live on."""
    end = time.monotonic() + seconds
    while not check():
        assert time.monotonic() < end, "waited in vain"
        page.wait_for_timeout(50)


def middle(node: Any) -> tuple[float, float]:
    """The middle of an element on the page."""
    box = node.bounding_box()
    return box["x"] + box["width"] / 2, box["y"] + box["height"] / 2


class Used:
    """A probe view on the page, what its Python notes, and the decisions on disk."""

    def __init__(self, page: Any, view: Any, folder: Path) -> None:
        self.page, self.view, self.folder = page, view, folder
        self.grid, self.chart = view.get_by_role("grid"), view.locator(".lt-chart")
        self.slider = view.get_by_role("slider", name="perplexity threshold")
        self.search = view.get_by_label("search the rows")

    def noted(self) -> dict[str, Any]:
        """What Python sees."""
        return json.loads((self.folder / "view.json").read_text())

    def decisions(self) -> list[Any]:
        """The values decided."""
        path = self.folder / "run" / "decisions.jsonl"
        return [json.loads(line)["value"] for line in path.read_text().splitlines()] if path.exists() else []

    def until(self, check: Callable[[], Any]) -> None:
        """Wait for something."""
        until(self.page, check)

    def fewer(self) -> bool:
        """Whether some rows are shown, but not all."""
        return 0 < self.noted()["rows"] < ROWS

    def top(self) -> float:
        """Perplexity in the first row, which has to be scrolled to: the table follows its selected row."""
        self.grid.locator(".lt-scroll").evaluate("e => { e.scrollTop = 0 }")
        return float(self.grid.locator("[data-at='0'] [data-column=perplexity]").inner_text())


def sort(used: Used) -> None:
    """By a click on the head, then by keyboard."""
    used.grid.locator("[data-at='0']").wait_for()
    assert used.grid.get_attribute("aria-rowcount") == str(ROWS + 1) and used.noted()["rows"] == ROWS
    head = used.grid.get_by_role("columnheader", name="perplexity").get_by_role("button")
    head.click()
    used.page.wait_for_selector("[role=columnheader][aria-sort=ascending]")
    lowest = used.top()
    head.press("Enter")
    used.page.wait_for_selector("[role=columnheader][aria-sort=descending]")
    assert cut_heads(used.grid) == [], "its arrow is in sight"
    used.until(lambda: used.noted()["sort"] == "-perplexity")
    used.until(lambda: used.top() > lowest)


def brush(used: Used) -> None:
    """The rows become fewer; a click elsewhere and Escape take it back; two numbers do the same."""
    drag(used.page, used.chart, 0.05, 0.5, height=0.3)  # most perplexities are near 1
    used.until(used.fewer)
    low, high = used.noted()["brush"]
    assert low < high
    used.until(lambda: low - 1e-4 <= used.top() <= high + 1e-4)
    used.view.get_by_role("button", name="clear range").press("Escape")
    used.until(lambda: used.noted()["brush"] == [] and used.noted()["rows"] == ROWS)
    lowest = used.view.get_by_label("lowest perplexity")
    lowest.fill("1.1")
    lowest.press("Enter")
    used.until(lambda: used.noted()["brush"] and used.noted()["brush"][0] == 1.1)
    assert used.noted()["rows"] < ROWS
    used.chart.click(position={"x": 600, "y": 40})
    used.until(lambda: used.noted()["rows"] == ROWS)
    drag(used.page, used.chart, 0.05, 0.6, height=0.3)
    used.until(used.fewer)


def move_the_threshold(used: Used) -> None:
    """Recoloured while dragged, decided once let go of; arrow keys, undo, and a number."""
    view, noted, decisions = used.view, used.noted, used.decisions
    before, mouse = noted()["threshold"], used.page.mouse
    mouse.move(*middle(used.slider))
    mouse.down()
    mouse.move(*middle(used.chart), steps=5)
    used.until(lambda: noted()["threshold"] > before)
    assert decisions() == []
    mouse.up()
    used.until(lambda: len(decisions()) == 1)
    dragged = noted()["threshold"]
    assert decisions() == [dragged]
    used.until(lambda: float(used.slider.get_attribute("aria-valuenow")) == dragged)
    above = sum(p.correct and p.perplexity > dragged for p in PROBES[2])
    used.until(lambda: f"borderline {above}" in view.locator(".lt-states").inner_text())
    used.slider.press("ArrowLeft")
    used.until(lambda: len(decisions()) == 2 and noted()["threshold"] < dragged)
    view.get_by_role("button", name="undo threshold").click()
    used.until(lambda: decisions()[2:] == ["undo"] and noted()["threshold"] == dragged)
    number = view.get_by_label("threshold", exact=True)
    # The page has the undo too, and will not write over what is typed.
    used.until(lambda: number.input_value() == f"{dragged:.4f}")
    number.fill("0.2")
    number.press("Enter")
    view.locator(".lt-bad").wait_for()
    assert "a perplexity is a number from 1 up" in view.locator(".lt-bad").inner_text()
    number.fill("1.02")
    number.press("Enter")
    used.until(lambda: noted()["threshold"] == 1.02 and decisions()[-1] == 1.02)


def filter_and_walk(used: Used) -> list[str]:
    """Filter, search, keyboard, and another brush; the ids of the samples shown before that brush."""
    page, view, grid, noted = used.page, used.view, used.grid, used.noted
    view.get_by_role("button", name="clear range").click()
    for iteration, rows in (("1", EARLIER), ("2", ROWS)):
        view.get_by_label("iteration", exact=True).select_option(iteration)
        used.until(lambda rows=rows: noted()["rows"] == rows)
    view.get_by_label("tool", exact=True).select_option("set_thermostat")
    used.until(lambda: 0 < noted()["rows"] < ROWS / 2)
    of_tool = noted()["rows"]
    used.search.fill("THERMOSTAT")
    used.until(lambda: 0 < noted()["rows"] <= of_tool)
    ids = noted()["ids"]
    used.search.press("Enter")
    page.keyboard.press("End")
    grid.locator(f"[data-at='{len(ids) - 1}'][aria-selected=true]").wait_for()
    view.locator(f"article[aria-label='sample {ids[-1]}']").wait_for()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    grid.locator("[data-at='1'][aria-selected=true]").wait_for()
    assert grid.get_attribute("aria-activedescendant") == grid.locator("[data-at='1']").get_attribute("id")
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.getAttribute('aria-label')") == "selected sample"
    view.locator(f"article[aria-label='sample {ids[1]}']").wait_for()
    drag(page, used.chart, 0.06, 0.998, height=0.3)  # to the end: the selected row is among the highest
    used.until(lambda: noted()["brush"] != [])
    return ids


def test_probe_view(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    page.set_default_timeout(120_000)
    folder = root / "probe"
    folder.mkdir()
    write_notebook(folder / "probe.ipynb", CELL, HOSTILE)
    open_notebook(page, url, "probe/probe.ipynb")
    view = page.locator(".jp-OutputArea section[aria-label=probes]").first
    used = Used(page, view, folder)
    sort(used)
    brush(used)
    move_the_threshold(used)
    ids = filter_and_walk(used)
    kept = used.noted()

    # Hostile text is text.
    other = page.locator(".jp-OutputArea section[aria-label=probes]").nth(1)
    other.scroll_into_view_if_needed()
    other.locator("article").wait_for()
    assert (
        "<img src=x" in other.locator("article").inner_text()
        and "<img src=x" in other.get_by_role("grid").inner_text()
    )
    assert page.locator(".jp-OutputArea img").count() == 0 and not page.evaluate("() => window.bad")
    assert "\u202e" not in other.inner_text() and "\x1b" not in other.inner_text()

    # A reload finds everything as it was left.
    save_and_reload(page)
    used.grid.locator("[data-at='1'][aria-selected=true]").wait_for(timeout=180_000)
    view.locator(f"article[aria-label='sample {ids[1]}']").wait_for()
    used.until(lambda: used.slider.get_attribute("aria-valuenow") == "1.02")
    assert used.grid.get_attribute("aria-rowcount") == str(kept["rows"] + 1)
    assert used.search.input_value() == "THERMOSTAT"
    assert view.get_by_label("tool", exact=True).input_value() == "set_thermostat"
    assert view.locator(".lt-veil").first.is_visible()
    head = used.grid.get_by_role("columnheader", name="perplexity")
    assert head.get_attribute("aria-sort") == "descending"
    assert page.faults == [] and page.outside == []


def test_tags_typed_before_the_row_is_known_are_those_of_the_row_selected(
    lab: tuple[str, Path], page: Any
) -> None:
    url, root = lab
    folder = root / "busy-probe"
    folder.mkdir()
    write_notebook(folder / "busy.ipynb", CELL.partition("view = ")[0], SLOW)
    open_notebook(page, url, "busy-probe/busy.ipynb")
    view = page.locator(".lt-view").first
    used = Used(page, view, folder)
    tags = view.get_by_role("textbox", name="tags")
    ids = [p.sample_id for p in PROBES[2]]

    def told(lines: list[tuple[str, list[str]]]) -> None:
        file = folder / "run" / "decisions.jsonl"
        used.until(
            lambda: file.exists() and [(d["row"], d["value"]) for d in map(json.loads, file.open())] == lines
        )

    # Two rows further, and no wait before the key and before Enter.
    used.grid.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("t")
    page.keyboard.type("second")
    page.keyboard.press("Enter")
    told([(ids[2], ["second"])])
    # What is still being typed when the row becomes known is added to its tags.
    page.keyboard.press("ArrowUp")
    page.keyboard.press("ArrowDown")
    page.keyboard.press("t")
    page.keyboard.type("more")
    used.until(lambda: tags.input_value() == "second, more")
    page.keyboard.press("Enter")
    told([(ids[2], ["second"]), (ids[2], ["second", "more"])])
    # From no row to rows.
    used.search.fill("no such row")
    view.get_by_text("No row matches.").wait_for()
    assert tags.is_disabled()
    view.get_by_role("button", name="clear filters").click()
    view.get_by_text("No row matches.").wait_for(state="hidden")
    used.grid.press("t")
    page.keyboard.type("found")
    page.keyboard.press("Enter")
    file = folder / "run" / "decisions.jsonl"
    used.until(lambda: len(file.read_text().splitlines()) == 3)
    assert json.loads(file.read_text().splitlines()[2])["value"][-1] == "found"
    assert page.faults == []
