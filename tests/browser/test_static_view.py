"""A saved notebook that JupyterLab does not trust: its pictures show, and no text of theirs runs together."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import nbformat
from lab import open_notebook

from looptool_kit.run.folder import Run
from looptool_kit.widgets import LoopMap, ProbeView, TrainingView

RECORDED = Path(__file__).parent.parent.parent / "sample_data" / "run"
LOADED = """() => { const all = [...document.querySelectorAll('.jp-RenderedHTML img')];
    const shown = (i) => i.complete && i.naturalWidth > 100 && i.alt && i.getBoundingClientRect().width > 100;
    return all.length > 0 && all.every(shown) && all.length }"""


def test_pictures_of_an_untrusted_notebook(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    run = Run.open(RECORDED, read_only=True)
    cells = []
    for view in (LoopMap(run), ProbeView(run), TrainingView(run)):
        cells.append(nbformat.v4.new_code_cell("1", execution_count=1))
        cells[-1].outputs = [
            nbformat.v4.new_output(
                "display_data", data={"text/html": view.static_html(), "text/plain": "view"}
            )
        ]
        view.close()
    inline = '<svg width="200" height="20"><text y="15">told as text</text></svg>'
    cells.append(
        nbformat.v4.new_code_cell(
            "1",
            execution_count=1,
            outputs=[nbformat.v4.new_output("display_data", data={"text/html": inline})],
        )
    )
    kernel = {"kernelspec": {"name": "python3", "display_name": "Python 3", "language": "python"}}
    nbformat.write(nbformat.v4.new_notebook(metadata=kernel, cells=cells), root / "untrusted.ipynb")
    open_notebook(page, url, "untrusted.ipynb", run=False)
    page.wait_for_selector(".jp-RenderedHTML:has-text('told as text')")
    assert page.locator(".jp-RenderedHTML svg").count() == 0, "this notebook is not trusted"
    page.wait_for_function(LOADED)
    assert page.evaluate(LOADED) >= 4 and "D1 seed" not in page.locator(
        ".jp-RenderedHTML img"
    ).first.evaluate("(i) => i.parentNode.innerText")
    page.evaluate(
        "() => window.jupyterapp.commands.execute('apputils:change-theme', { theme: 'JupyterLab Dark' })"
    )
    page.wait_for_selector("body[data-jp-theme-light='false']", state="attached")
    page.wait_for_function(LOADED)
    assert page.faults == [] and page.outside == []
