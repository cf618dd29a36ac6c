"""What `make lab` opens: the tour runs in JupyterLab with its views alive, and a decision made there is on
disk.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

from lab import nameless, open_notebook

ROOT = Path(__file__).parent.parent.parent


def test_tour(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    for name in ("notebooks", "sample_data"):
        shutil.copytree(ROOT / name, root / "tour" / name)
    open_notebook(page, url, "tour/notebooks/00_tour.ipynb")
    page.wait_for_selector("section[aria-label].lt-view")
    code = page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets.filter((c) => c.model.type === 'code')
             .map((c) => [...Array(c.model.outputs.length).keys()].map((i) => c.model.outputs.get(i).type))"""
    )
    assert len(code) > 10 and not any("error" in outputs for outputs in code)
    decisions = root / "tour" / "runs" / "recorded" / "decisions.jsonl"
    assert [json.loads(line)["value"] for line in decisions.read_text().splitlines()] == [
        "BOTH_WRONG",
        "undo",
    ]
    # Cells out of sight are not drawn: bring each into view in turn.
    names: set[str] = set()
    bare: list[str] = []
    for at in range(page.locator(".jp-Cell").count()):
        page.evaluate("(at) => window.jupyterapp.shell.currentWidget.content.scrollToItem(at)", at)
        page.wait_for_timeout(150)
        names |= set(
            page.locator("section.lt-view").evaluate_all(
                "(all) => all.map((view) => view.getAttribute('aria-label'))"
            )
        )
        bare += nameless(page)
    assert bare == []
    assert len(names) >= 5, names
    assert page.faults == [] and page.outside == []
