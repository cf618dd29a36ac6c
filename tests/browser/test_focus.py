"""A control that is taken away or switched off never leaves the focus to the page, where the next key would
act on the notebook; by keys in JupyterLab.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from lab import open_notebook, write_notebook
from test_disagreement_view import RECORDED, until

OPEN = """
from looptool_kit.run.folder import Run
from looptool_kit.widgets import LoopMap, ProbeView, TrainingView, TryView, settings_form
run = Run.open("run")
"""
CELLS = ("LoopMap(run)", "ProbeView(run)", "training = TrainingView(run)\ntraining", "TryView(run)")
REDRAWN = "import time\ntime.sleep(3)\ntraining.charts = [*training.charts, *training.charts[:1]]"
NAME = """() => {
    const { activeElement: node } = document;
    const view = node.closest(".lt-view, .jupyter-widgets");
    return [view ? (node.ariaLabel || node.placeholder || node.textContent) : "outside of the views"] }"""


def name(page: Any) -> str:
    """Of what has the focus."""
    return page.evaluate(NAME)[0]


def test_what_goes_leaves_the_focus_in_its_view(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    folder = root / "focus"
    folder.mkdir()
    shutil.copytree(RECORDED, folder / "run")
    write_notebook(folder / "focus.ipynb", OPEN, *CELLS, "settings_form(run, 'probe')", REDRAWN)
    open_notebook(page, url, "focus/focus.ipynb", run=False)
    cells = page.locator(".jp-Cell").count()
    for at in range(cells - 1):
        page.evaluate("(at) => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = at }", at)
        page.evaluate("() => window.jupyterapp.commands.execute('notebook:run-cell')")

    def stays(*names: str) -> None:
        until(page, lambda: name(page) in names, 20)
        page.wait_for_timeout(400)  # an answer of Python may draw something again
        assert name(page) in names
        for key in "zz":
            page.keyboard.press(key)
        assert page.locator(".jp-Cell").count() == cells and page.locator(".lt-view").count() == views

    of_map = page.get_by_role("region", name="loop map")
    bar = of_map.locator(".lt-map .lt-node").nth(1)
    bar.wait_for(timeout=180_000)
    page.get_by_role("textbox", name="request").wait_for(timeout=180_000)
    views = page.locator(".lt-view").count()

    # The map is drawn anew for another width, and a button of it is off once it is pressed.
    bar.focus()
    here = name(page)
    page.set_viewport_size({"width": 1100, "height": 900})
    page.wait_for_timeout(1000)
    stays(here)
    page.keyboard.press("Enter")
    everything = of_map.get_by_role("button", name="all samples")
    until(page, everything.is_enabled)
    everything.press("Enter")
    until(page, everything.is_disabled)
    stays("loop map")

    # A range that is taken back, and a filter that is forgotten.
    probes = page.get_by_role("region", name="probes")
    probes.get_by_label("lowest perplexity").fill("1.5")
    page.keyboard.press("Enter")
    clear = probes.get_by_role("button", name="clear range")
    until(page, clear.is_enabled)
    clear.press("Enter")
    stays("probes")
    probes.locator(".lt-menu > summary").press("Enter")
    probes.get_by_role("textbox", name="name of this filter").fill("mine")
    page.keyboard.press("Enter")
    probes.get_by_role("button", name="forget mine").press("Enter")
    stays("name of this filter")
    page.keyboard.press("Escape")

    # What stands beside charts that grow keeps the focus; who asks by the button goes on in the field.
    page.evaluate("(at) => { window.jupyterapp.shell.currentWidget.content.activeCellIndex = at }", cells - 1)
    charts = page.locator(".lt-charts > svg").count()
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-cell') }")
    outcome = page.get_by_role("region", name="outcome")
    outcome.focus()
    assert page.locator(".lt-charts > svg").count() == charts and name(page) == "outcome"
    until(page, lambda: page.locator(".lt-charts > svg").count() == charts + 1)
    assert name(page) == "outcome"
    page.get_by_role("button", name="ask", exact=True).press("Enter")
    stays("request")

    # A form that is saved: the button is off until something is changed.
    form = page.locator(".jp-CodeCell", has_text="settings_form(run").last
    quantile = form.locator("input[type=text], input[type=number]").first
    quantile.scroll_into_view_if_needed()
    save = form.get_by_role("button", name="Save")
    quantile.fill("0.5")
    page.keyboard.press("Tab")
    until(page, save.is_enabled)
    save.press("Enter")
    form.get_by_text("Saved").wait_for()
    page.wait_for_timeout(500)
    assert name(page) != "outside of the views"
    assert page.faults == [] and page.outside == []
