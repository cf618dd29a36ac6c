"""The notebook of one iteration, run as a person runs it: Run All in JupyterLab trains, probes, judges,
expands and composes, and its views live.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import nbformat
import pytest
from lab import open_notebook, save_and_reload
from test_disagreement_view import until

from looptool_kit.run.folder import Run

ROOT = Path(__file__).parent.parent.parent
TINY = {
    **{
        "seeds__first": 12,
        "seeds__fresh": [4],
        "seeds__held_out": 2,
        "sft__epochs": 1,
        "sft__batch": 4,
        "sft__micro_batch": 4,
        "lora__upper": 1.0,
    },
    **{
        "grpo__steps": 1,
        "grpo__prompts": 2,
        "grpo__group": 2,
        "grpo__max_new_tokens": 8,
        "probe__max_new_tokens": 12,
        "probe__batch": 4,
    },
    **{"evaluate__max_new_tokens": 8, "expand__children": 1, "expand__most": 8, "compose__hppl": 4},
}

VIEWS = {"probes", "disagreements of iteration 1", "loop map", "expansion of error seeds", "training"}


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_run_all(lab: tuple[str, Path], page: Any, wordy_checkpoint: Path) -> None:
    url, root = lab
    for name in ("notebooks", "sample_data"):
        # Without the sources, which would be taken instead of the notebook that is made smaller here.
        shutil.copytree(
            ROOT / name, root / "one" / name, ignore=shutil.ignore_patterns("[0-9]*.py", "jupytext.toml")
        )
    path = root / "one" / "notebooks" / "01_one_iteration.ipynb"
    notebook = nbformat.read(path, 4)
    overrides = json.dumps(TINY | {"model": str(wordy_checkpoint)})
    notebook.cells.insert(
        0,
        nbformat.v4.new_code_cell(
            f"import os\nos.environ.update(LOOPTOOL_OVERRIDES={overrides!r}, OMP_NUM_THREADS='1')"
        ),
    )
    for cell in notebook.cells:
        if cell.cell_type == "code":
            cell.outputs, cell.execution_count = [], None
    nbformat.write(notebook, path)
    open_notebook(page, url, "one/notebooks/01_one_iteration.ipynb", seconds=600)
    outputs = page.evaluate(
        """() => window.jupyterapp.shell.currentWidget.content.widgets.map((c) => c.model)
             .filter((m) => m.type === 'code')
             .flatMap((m) => [...Array(m.outputs.length).keys()].map((i) => m.outputs.get(i).type))"""
    )
    assert outputs and "error" not in outputs
    [folder] = [p.parent for p in (root / "one" / "runs").glob("*/run.toml")]
    run = Run.open(folder, read_only=True)
    assert run.iterations[-1] == 2 and run.manifest("composition", 1)

    def views() -> set[str]:
        """Cells out of sight are not drawn: each is brought into view in turn."""
        names = set()
        for at in range(page.locator(".jp-Cell").count()):
            page.evaluate("(at) => window.jupyterapp.shell.currentWidget.content.scrollToItem(at)", at)
            page.wait_for_timeout(150)
            names |= set(
                page.locator("section.lt-view").evaluate_all(
                    "(all) => all.map((view) => view.getAttribute('aria-label'))"
                )
            )
        return names

    until(page, lambda: views() == VIEWS)
    save_and_reload(page)
    until(page, lambda: views() == VIEWS)
    assert page.faults == [] and page.outside == []
