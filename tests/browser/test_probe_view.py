"""The probe view as a person uses it: brush, threshold, table, reload; and text that would like to be markup."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab import drag, open_notebook, save_and_reload, write_notebook

from looptool_kit.core.records import Probes
from looptool_kit.run.folder import Run

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"
PROBES = {j: Run.open(RECORDED, read_only=True).table(Probes, "probes", j) for j in (1, 2)}
EARLIER, ROWS = map(len, PROBES.values())

CELL = f"""
import json, shutil
from pathlib import Path
from looptool_kit.run import Run
from looptool_kit.widgets import ProbeView

shutil.copytree({str(RECORDED)!r}, "run", dirs_exist_ok=True)
view = ProbeView(Run.open("run"))

def note(_=None):
    facts = dict(threshold=view.threshold, brush=view.brush, rows=len(view.selection), ids=[s.id for s in view.selection], sort=view.sort)
    Path("view.tmp").write_text(json.dumps(facts))
    Path("view.tmp").replace("view.json")

view.observe(note, "version")
note()
view
"""

HOSTILE = """
from looptool_kit.records import Probes
from looptool_kit.samples import Samples

bad = "<img src=x onerror=window.bad=1><script>window.bad=1</script>\\x1b[31m\\u202e"
sample, probe = view._samples[0], view._probes[0]
message = sample.messages[-1].model_copy(update={"content": bad})
tool = sample.tools[0].model_copy(update={"name": bad, "description": bad})
hostile = sample.model_copy(update={"messages": (message,), "tools": (tool,), "kind": bad, "source": bad})
other = ProbeView(Probes([probe.model_copy(update={"sample_id": hostile.id, "text": bad, "tokens": (bad,) * len(probe.tokens)})]), Samples([hostile]))
other
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


def use(
    page: Any, view: Any, noted: Callable[[], dict[str, Any]], decisions: Callable[[], list[Any]]
) -> list[str]:
    """Sort, brush, drag, filter, search, walk; returns the ids of the samples that are shown before the last
    brush.
    """
    grid, chart = view.get_by_role("grid"), view.locator(".lt-chart")
    slider = view.get_by_role("slider", name="perplexity threshold")
    first = grid.locator("[data-at='0']")

    def top() -> float:
        """Perplexity in the first row; the table scrolls with its selected row, so it has to be brought into
        view.
        """
        grid.locator(".lt-scroll").evaluate("e => { e.scrollTop = 0 }")
        return float(first.locator("[data-column=perplexity]").inner_text())

    first.wait_for()
    assert grid.get_attribute("aria-rowcount") == str(ROWS + 1) and noted()["rows"] == ROWS

    # Sort: by a click on the head, then by keyboard.
    head = grid.get_by_role("columnheader", name="perplexity")
    head.get_by_role("button").click()
    page.wait_for_selector("[role=columnheader][aria-sort=ascending]")
    lowest = top()
    head.get_by_role("button").press("Enter")
    page.wait_for_selector("[role=columnheader][aria-sort=descending]")
    until(page, lambda: noted()["sort"] == "-perplexity")
    until(page, lambda: top() > lowest)

    # Brush: the rows become fewer; a click elsewhere and Escape take it back; two numbers do the same.
    drag(page, chart, 0.05, 0.5, height=0.3)  # most perplexities are near 1
    until(page, lambda: 0 < noted()["rows"] < ROWS)
    low, high = noted()["brush"]
    assert low < high
    until(page, lambda: low - 1e-4 <= top() <= high + 1e-4)
    view.get_by_role("button", name="clear range").press("Escape")
    until(page, lambda: noted()["brush"] == [] and noted()["rows"] == ROWS)
    view.get_by_label("lowest perplexity").fill("1.1")
    view.get_by_label("lowest perplexity").press("Enter")
    until(page, lambda: noted()["brush"] and noted()["brush"][0] == 1.1)
    some = noted()["rows"]
    chart.click(position={"x": 600, "y": 40})
    until(page, lambda: noted()["rows"] == ROWS)
    drag(page, chart, 0.05, 0.6, height=0.3)
    until(page, lambda: 0 < noted()["rows"] < ROWS)

    # Threshold: recoloured while dragged, decided once let go of; arrow keys, undo.
    before = noted()["threshold"]
    page.mouse.move(*middle(slider))
    page.mouse.down()
    page.mouse.move(middle(chart)[0], middle(chart)[1], steps=5)
    until(page, lambda: noted()["threshold"] > before)
    assert decisions() == []
    page.mouse.up()
    until(page, lambda: len(decisions()) == 1)
    dragged = noted()["threshold"]
    assert decisions() == [dragged]
    until(page, lambda: float(slider.get_attribute("aria-valuenow")) == dragged)
    above = sum(p.correct and p.perplexity > dragged for p in PROBES[2])
    until(page, lambda: f"borderline {above}" in view.locator(".lt-states").inner_text())
    slider.press("ArrowLeft")
    until(page, lambda: len(decisions()) == 2 and noted()["threshold"] < dragged)
    view.get_by_role("button", name="undo threshold").click()
    until(page, lambda: decisions()[2:] == ["undo"] and noted()["threshold"] == dragged)
    number = view.get_by_label("threshold", exact=True)
    until(
        page, lambda: number.input_value() == f"{dragged:.4f}"
    )  # the page has the undo too, and will not write over what is typed
    number.fill("0.2")
    number.press("Enter")
    view.locator(".lt-bad").wait_for()
    assert "a perplexity is a number from 1 up" in view.locator(".lt-bad").inner_text()
    number.fill("1.02")
    number.press("Enter")
    until(page, lambda: noted()["threshold"] == 1.02 and decisions()[-1] == 1.02)

    # Filter, search, keyboard; Python reads the selection.
    view.get_by_role("button", name="clear range").click()
    view.get_by_label("iteration", exact=True).select_option("1")
    until(page, lambda: noted()["rows"] == EARLIER)
    view.get_by_label("iteration", exact=True).select_option("2")
    until(page, lambda: noted()["rows"] == ROWS)
    view.get_by_label("tool", exact=True).select_option("set_thermostat")
    until(page, lambda: 0 < noted()["rows"] < ROWS / 2)
    of_tool = noted()["rows"]
    search = view.get_by_label("search the rows")
    search.fill("THERMOSTAT")
    until(page, lambda: 0 < noted()["rows"] <= of_tool)
    found = noted()["ids"]
    search.press("Enter")
    page.keyboard.press("End")
    last = grid.locator(f"[data-at='{len(found) - 1}'][aria-selected=true]")
    last.wait_for()
    view.locator(f"article[aria-label='sample {found[-1]}']").wait_for()
    page.keyboard.press("Home")
    page.keyboard.press("ArrowDown")
    grid.locator("[data-at='1'][aria-selected=true]").wait_for()
    assert grid.get_attribute("aria-activedescendant") == grid.locator("[data-at='1']").get_attribute("id")
    page.keyboard.press("Enter")
    assert page.evaluate("() => document.activeElement.getAttribute('aria-label')") == "selected sample"
    view.locator(f"article[aria-label='sample {found[1]}']").wait_for()

    drag(page, chart, 0.06, 0.95, height=0.3)
    until(page, lambda: noted()["brush"] != [])
    assert some < ROWS
    return found


def test_probe_view(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    page.set_default_timeout(120_000)
    folder = root / "probe"
    folder.mkdir()
    write_notebook(folder / "probe.ipynb", CELL, HOSTILE)
    open_notebook(page, url, "probe/probe.ipynb")
    view = page.locator(".jp-OutputArea section[aria-label=probes]").first

    def noted() -> dict[str, Any]:
        return json.loads((folder / "view.json").read_text())

    def decisions() -> list[Any]:
        path = folder / "run" / "decisions.jsonl"
        return [json.loads(line)["value"] for line in path.read_text().splitlines()] if path.exists() else []

    found = use(page, view, noted, decisions)
    kept = noted()

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
    view.get_by_role("grid").locator("[data-at='1'][aria-selected=true]").wait_for(timeout=60_000)
    view.locator(f"article[aria-label='sample {found[1]}']").wait_for()
    slider = view.get_by_role("slider", name="perplexity threshold")
    until(page, lambda: slider.get_attribute("aria-valuenow") == "1.02")
    grid, search = view.get_by_role("grid"), view.get_by_label("search the rows")
    assert (
        grid.get_attribute("aria-rowcount") == str(kept["rows"] + 1) and search.input_value() == "THERMOSTAT"
    )
    assert (
        view.get_by_label("tool", exact=True).input_value() == "set_thermostat"
        and view.locator(".lt-veil").first.is_visible()
    )
    assert grid.get_by_role("columnheader", name="perplexity").get_attribute("aria-sort") == "descending"
    assert page.faults == [] and page.outside == []
