"""Pictures of the views over the recorded run, for `docs/screenshots/`: `python
tests/browser/screenshots.py`.
"""

from __future__ import annotations

import shutil
import tempfile
from pathlib import Path

from lab import browser, lab_server, new_page, open_notebook, write_notebook

HERE = Path(__file__).resolve().parents[2]
OUT = HERE / "docs" / "screenshots"
START = """
import shutil
from looptool_kit.run.folder import Run
from looptool_kit.widgets import *
run = Run.open("run")
"""
VIEWS = {
    "probe_view": "ProbeView(run)",
    "disagreement_view": "DisagreementView(run)",
    "expansion_view": "ExpansionView(run)",
    "training_view": "TrainingView(run)",
    "loop_map": "LoopMap(run)",
}


def main() -> None:
    """One picture of each view in the light theme, one in the dark."""
    OUT.mkdir(parents=True, exist_ok=True)
    root = Path(tempfile.mkdtemp(prefix="shots-"))
    shutil.copytree(HERE / "sample_data" / "run", root / "run")
    write_notebook(root / "views.ipynb", START, *VIEWS.values())
    with lab_server(root) as url, browser() as chromium:
        page = new_page(chromium)
        page.set_viewport_size({"width": 1500, "height": 2600})
        open_notebook(page, url, "views.ipynb")
        # As on a screen of 500 pixels: on this tall page the completions would be most of the picture.
        page.add_style_tag(content=".lt-view .lt-rollouts { max-height: 300px; }")
        for theme in ("Light", "Dark"):
            page.evaluate(
                "() => window.jupyterapp.commands.execute('apputils:change-theme', {theme: 'JupyterLab"
                f" {theme}'}})"
            )
            page.wait_for_timeout(2000)
            for name, call in VIEWS.items():
                cell = (
                    page.locator(".jp-CodeCell").filter(has=page.locator(".jp-InputArea", has_text=call)).last
                )
                cell.scroll_into_view_if_needed()
                view = cell.locator(".lt-view").first
                view.wait_for(timeout=180_000)
                page.wait_for_timeout(2500)
                view.screenshot(path=OUT / f"{name}{'_dark' if theme == 'Dark' else ''}.png")
    shutil.rmtree(root)


if __name__ == "__main__":
    main()
