"""TrainingView in the browser: shown in one cell, its charts grow while another cell still runs; a reload
finds them again.
"""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

from lab import open_notebook, save_and_reload, write_notebook

RECORDED = Path(__file__).parent.parent.parent / "sample_data" / "run"
SHOW = """
from looptool_kit.run.folder import Run
from looptool_kit.widgets import TrainingView
run = Run.open("training-run", read_only=True)
view = TrainingView(run)
view
"""
TRAIN = """
import json, time
import pyarrow as pa, pyarrow.parquet as pq
folder = run.folder(1) / "policy" / "grpo"
(folder / "rollouts").mkdir(parents=True)
evil = "<img src=x onerror='window.bad=1'><script>window.bad=1</script>"
for step in range(1, 26):
    columns = {"step": [step], "sample_id": ["unknown"], "text": [evil], "reward": [1.0], "error": [""]}
    table = pa.table(columns)
    pq.write_table(table, folder / "rollouts" / f"step-{step:04d}.parquet")
    row = {"loss": 1 / step, "reward": step / 30, "num_tokens": 100 * step, "step_time": 1.0, "step": step}
    with open(folder / "history.jsonl", "a") as out:
        out.write(json.dumps(row) + "\\n")
    time.sleep(0.25)
print("trained")
"""
_LENGTH = "() => document.querySelector('.lt-charts path[data-series]')?.getAttribute('d').length ?? 0"


def test_training(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    shutil.copytree(RECORDED, root / "training-run", ignore=shutil.ignore_patterns("02", "03", "policy*"))
    write_notebook(root / "training.ipynb", SHOW, TRAIN)
    open_notebook(page, url, "training.ipynb", run=False)
    page.evaluate("() => { window.jupyterapp.commands.execute('notebook:run-all-cells') }")
    page.wait_for_selector(".lt-charts svg", timeout=120_000)
    before = page.evaluate(_LENGTH)
    page.wait_for_function(f"(before) => ({_LENGTH})() > before + 20", arg=before, timeout=180_000)
    assert not page.locator(".jp-OutputArea pre", has_text="trained").count()  # the cell still runs
    page.wait_for_selector(".jp-OutputArea pre:has-text('trained')", timeout=120_000)
    page.wait_for_selector(".lt-status:has-text('GRPO: step 25')", timeout=30_000)
    assert page.locator(".lt-charts svg").count() == 3
    assert page.locator(".lt-rollouts td").nth(1).inner_text().startswith("<img src=x") and not page.evaluate(
        "() => window.bad"
    )
    save_and_reload(page)
    page.wait_for_selector(".lt-status:has-text('GRPO: step 25')", timeout=120_000)
    assert page.locator(".lt-charts svg").count() == 3 and page.locator(".lt-rollouts tbody tr").count() == 1
    assert page.faults == [] and page.outside == []
