"""LoopMap in the browser: a click selects samples, Python reads them back, views open below, all by keyboard,
a reload finds all as left.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from lab import open_notebook, save_and_reload, write_notebook

from looptool_kit.core.records import Expansions, Probes
from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run

RECORDED = Path(__file__).parents[2] / "sample_data" / "run"
SHOTS = Path(__file__).parent / "shots"
CELL = """
from looptool_kit.run.folder import Run
from looptool_kit.core.samples import Samples
from looptool_kit.widgets import LoopMap
view = LoopMap(Run.open("loopmap-run"))
view
"""
READ = """
import json, pathlib
def note(_):
    pathlib.Path("loopmap.json").write_text(json.dumps([view.selected, len(view.selection)]))

view.observe(note, "version")
"""
EVIL = "<img src=x onerror='window.bad=1'><script>window.bad=1</script>\x1b[31m"


def poisoned(root: Path) -> Path:
    """The recorded run, with a fault and an answer that are full of markup."""
    folder = root / "loopmap-run"
    shutil.copytree(RECORDED, folder)
    probes = list(Run.open(folder, read_only=True).table(Probes, "probes", 2))
    at = next(i for i, p in enumerate(probes) if p.faults)
    faults = tuple(f.model_copy(update={"tool": EVIL}) for f in probes[at].faults)
    probes[at] = probes[at].model_copy(update={"faults": faults, "text": EVIL})
    Probes(probes).write(folder / "iterations" / "02" / "probes.parquet")
    return folder


def read(page: Any, root: Path, selected: list[Any], count: int) -> None:
    """Wait until Python holds a selection of so many samples that begins with these words."""
    file = root / "loopmap.json"
    for _ in range(200):
        held, samples = json.loads((file.exists() and file.read_text()) or "[[], 0]")
        if held[: len(selected)] == selected and samples == count:
            return
        page.wait_for_timeout(50)
    raise AssertionError(file.read_text())


def select_by_mouse_and_keyboard(page: Any, root: Path, before: Run) -> None:
    """A ribbon by a click; by keyboard a bar, its neighbour by an arrow key, and all again."""
    made = {s.id for s in before.table(Samples, "samples", 2) if s.parent}
    missed = sum(p.state == "failed" and p.sample_id in made for p in before.table(Probes, "probes", 2))
    accepted = sum(e.accepted for e in before.table(Expansions, "expansions", 1))
    failed = page.locator(".lt-flow[data-source='D2/part/EE'][data-target='D2/state/failed']")
    assert failed.get_attribute("aria-label") == f"D2 EE to failed: {missed} samples"
    assert failed.get_attribute("role") == "button"
    failed.click()
    read(page, root, ["flow", "D2/part/EE", "D2/state/failed"], missed)
    page.wait_for_selector(".lt-flow[aria-pressed='true'][data-source='D2/part/EE']")
    page.wait_for_selector("h4:has-text('D2 EE → D2 failed')")
    page.wait_for_selector(".lt-sample")
    assert f"{missed} of" in page.locator(".lt-find").inner_text()

    cells = page.locator(".jp-Cell").count()
    page.locator(".lt-node[data-node='D1/new/children']").focus()
    page.keyboard.press("Enter")
    read(page, root, ["node", "D1/new/children"], accepted)
    page.keyboard.press("ArrowRight")
    other = page.evaluate("() => document.activeElement.dataset.node")
    assert other and other != "D1/new/children"
    page.keyboard.press(" ")
    page.wait_for_selector(f".lt-node[data-node='{other}'][aria-pressed='true']")
    page.keyboard.press("Escape")
    page.wait_for_selector("h4:has-text('all samples of all datasets')")
    assert page.locator(".jp-Cell").count() == cells


def open_and_close_a_view(page: Any) -> None:
    """The children in an ExpansionView below the map."""
    page.locator(".lt-node[data-node='D1/new/children']").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector("button[data-view='ExpansionView']:not([disabled])")
    page.locator("button[data-view='ExpansionView']").click()
    page.wait_for_selector(".lt-opened .lt-expansion .lt-child")
    # Its keys work at once.
    page.wait_for_function("() => document.activeElement.closest('.lt-opened .lt-expansion')")
    assert page.locator(".lt-opened .lt-expansion").bounding_box()["y"] < page.viewport_size["height"]
    page.screenshot(path=SHOTS / "loopmap-opened.png")
    status, above = page.locator(".lt-again ~ .lt-status"), page.locator("h4[aria-live]").inner_text()
    assert status.inner_text().startswith(f"{above}: ") and "of the" in status.inner_text()
    page.locator(".lt-flow[data-source='D2/part/EE'][data-target='D2/state/failed']").click()
    page.wait_for_selector("h4:has-text('D2 EE → D2 failed')")
    # What is below is still of what it was opened for, and says so.
    assert page.locator(".lt-opened strong").first.inner_text().startswith(f"{above}: ")
    assert status.inner_text() == ""
    page.locator(".lt-opened button:has-text('close')").first.click()
    page.wait_for_selector(".lt-expansion", state="detached")


def select_errors(page: Any, root: Path) -> None:
    """The errors minus those of the iteration before, and the samples behind a cell in a ProbeView."""
    against = page.locator("label:has-text('minus the iteration before') input")
    against.check()
    page.wait_for_selector(".lt-heat text:has-text('against D1')")
    against.uncheck()
    page.wait_for_selector(".lt-heat text:text-is('errors of D2: samples by tool and kind')")
    cell = page.locator(".lt-cell").first
    count = int(cell.get_attribute("data-value"))
    cell.click()
    page.wait_for_selector(".lt-cell[aria-pressed='true']")
    page.wait_for_function("() => document.querySelector('h4').textContent.startsWith('D2: ')")
    read(page, root, ["errors", 2], count)
    page.locator("button[data-view='ProbeView']").click()
    page.wait_for_selector(".lt-opened .lt-chart svg")


def refresh(page: Any) -> None:
    """All is built again, and the focus stays where it was."""
    page.evaluate("() => { document.querySelector('.lt-map svg').dataset.old = '1' }")
    page.locator(".lt-again").focus()
    page.keyboard.press("Enter")
    page.wait_for_selector(".lt-map svg:not([data-old])")
    page.wait_for_selector(".lt-status:has-text('rows, +0')")
    assert page.evaluate("() => document.activeElement.className") == "lt-again"
    page.wait_for_selector(".lt-cell[aria-pressed='true']")


def test_loopmap(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    folder = poisoned(root)
    write_notebook(root / "loopmap.ipynb", CELL, READ)
    open_notebook(page, url, "loopmap.ipynb")
    page.wait_for_selector(".lt-map .lt-flow")
    assert "<img src=x" in page.locator(".lt-heat").text_content()
    select_by_mouse_and_keyboard(page, root, Run.open(folder, read_only=True))
    open_and_close_a_view(page)
    select_errors(page, root)
    refresh(page)

    save_and_reload(page)
    page.wait_for_selector(".lt-cell[aria-pressed='true']", timeout=180_000)
    page.wait_for_selector(".lt-opened .lt-chart svg")
    page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })"
    )
    page.wait_for_selector("body[data-jp-theme-light='false']", state="attached")
    page.wait_for_timeout(500)
    page.locator(".lt-map").scroll_into_view_if_needed()
    page.screenshot(path=SHOTS / "loopmap-dark.png")
    page.locator(".lt-heat").scroll_into_view_if_needed()
    page.screenshot(path=SHOTS / "loopmap-dark-errors.png")
    assert not page.evaluate("() => window.bad") and not (folder / "decisions.jsonl").exists()
    assert page.faults == [] and page.outside == []
