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
FEW = """
import json
from pathlib import Path
from looptool_kit.run.folder import Run
from looptool_kit.widgets import TrainingView
folder = Path("few-run/iterations/01/policy/grpo")
folder.mkdir(parents=True)
row = {"loss": -0.001234, "reward": 0.51239, "correct": 0.41231, "frac_reward_zero_std": 0.28751,
       "completions/mean_length": 140.62, "clip_ratio/region_mean": 0.012345, "entropy": 0.31234,
       "num_tokens": 12345.0, "step_time": 4.3, "preferred": 0.51237, "step": 1}
(folder / "history.jsonl").write_text(json.dumps(row) + "\\n")
few = TrainingView(Run.open("few-run", read_only=True))
few
"""
_LENGTH = "() => document.querySelector('.lt-charts path[data-series]')?.getAttribute('d').length ?? 0"


def test_a_narrow_page_shows_whole_numbers_and_that_there_is_more(lab: tuple[str, Path], page: Any) -> None:
    url, root = lab
    shutil.copytree(RECORDED, root / "few-run", ignore=shutil.ignore_patterns("02", "03", "policy*"))
    write_notebook(root / "few.ipynb", FEW)
    open_notebook(page, url, "few.ipynb")
    steps = page.get_by_role("region", name="steps of the training").last
    steps.locator("td").first.wait_for(timeout=180_000)
    page.set_viewport_size({"width": 700, "height": 900})
    words = page.get_by_text("requests whose completions all got the same reward, which teach nothing")
    assert words.is_visible() and page.locator(".lt-meanings dt", has_text="clip fraction").is_visible()
    style = "(node, name) => getComputedStyle(node)[name]"
    lines = steps.locator("tbody tr").evaluate("(row) => row.getBoundingClientRect().height")
    assert lines < 30, "each number stands on one line"
    assert steps.locator("td").first.evaluate(style, "minWidth") == "0px"
    assert steps.evaluate("(node) => node.scrollWidth > node.clientWidth"), "it scrolls"
    assert "gradient" in steps.evaluate(style, "backgroundImage")
    right = "(node) => node.getBoundingClientRect().right"
    assert steps.evaluate(right) <= page.locator(".lt-view").evaluate(right)
    assert page.faults == [] and page.outside == []


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
    box = page.locator(".lt-rollouts")
    assert box.evaluate("(node) => getComputedStyle(node).borderTopWidth") == "1px"
    most = box.evaluate("(node) => parseFloat(getComputedStyle(node).maxHeight) / innerHeight")
    assert abs(most - 0.6) < 0.01
    save_and_reload(page)
    page.wait_for_selector(".lt-status:has-text('GRPO: step 25')", timeout=120_000)
    assert page.locator(".lt-charts svg").count() == 3 and page.locator(".lt-rollouts tbody tr").count() == 1
    assert page.faults == [] and page.outside == []
