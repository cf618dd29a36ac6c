"""Two arms on the tiny model for real: one D1, one budget, resume after a kill."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from looptool_kit.run.folder import Run
from looptool_kit.stages.train.budget import spent
from looptool_kit.studies.outcomes import Outcomes

SET = [
    *("seeds.first=12", "seeds.fresh=[4]", "seeds.held_out=2", "seeds.noise=0.2", "iterations=1"),
    *("sft.epochs=1", "sft.batch=4", "sft.micro_batch=4", "grpo.steps=1", "grpo.prompts=2", "grpo.group=2"),
    *("grpo.max_new_tokens=8", "probe.max_new_tokens=12", "probe.batch=4", "evaluate.max_new_tokens=8"),
    *("expand.children=1", "expand.most=8", "evaluate.base=false"),
]
ARMS = """
[match]
[graded]
words = "worse mistakes cost more"
reward.name = "graded"
[alone]
data = "seed"
"""


def command(folder: Path, arms: Path, checkpoint: Path) -> list[str]:
    sets = [part for pair in (*SET, f"model={checkpoint}") for part in ("--set", pair)]
    where = ["compare", str(folder), "--arms", str(arms), "--preset", "cpu-quick", "--seeds", "0"]
    return [sys.executable, "-m", "looptool_kit.cli", *where, *sets]


def finish_times(folder: Path) -> dict[str, int]:
    """When each manifest and adapter was written; notes of tries and checkpoints stand only until then."""
    manifests = [p for p in folder.rglob("*.json") if not p.name.endswith(".tries.json")]
    found = [*manifests, *folder.rglob("adapter_model.safetensors")]
    kept = [p for p in found if not any(part.startswith("checkpoint-") for part in p.parts)]
    return {str(p.relative_to(folder)): p.stat().st_mtime_ns for p in kept}


def test_two_arms_end_to_end_and_a_kill_repeats_nothing(wordy_checkpoint: Path, tmp_path: Path) -> None:
    folder, arms = tmp_path / "runs", tmp_path / "arms.toml"
    arms.write_text(ARMS)
    asked = command(folder, arms, wordy_checkpoint)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    process = subprocess.Popen(asked, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    moment = folder / "cpu-quick-0-graded" / "iterations" / "02" / "policy" / "sft" / "result.json"
    while process.poll() is None and not moment.exists():
        time.sleep(0.01)
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert moment.exists() and not (folder / "compare.html").read_text().count("<svg")
    before = finish_times(folder)
    done = subprocess.run(asked, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    after = finish_times(folder)
    assert {path: after.get(path) for path in before} == before, "nothing finished is written again"
    assert "cpu-quick-0: finished before, kept" in done.stdout and "## What it cost" in done.stdout

    found = {(o.arm, o.iteration): o for o in Outcomes.read(folder / "compare.parquet")}
    assert set(found) == {(arm, j) for arm in ("match", "graded", "alone") for j in (1, 2)}
    names = {"match": "cpu-quick-0", "graded": "cpu-quick-0-graded", "alone": "cpu-quick-0-alone"}
    runs = {arm: Run.open(folder / name, read_only=True) for arm, name in names.items()}
    assert len({json.dumps(run.manifest("policy", 1), sort_keys=True) for run in runs.values()}) == 1
    for arm, run in runs.items():
        tokens, row = spent(run, 2), found[arm, 2]
        assert (row.sft_tokens, row.grpo_tokens) == (tokens.sft, tokens.grpo) and row.tokens == tokens.total
        # Two prompts in groups of two, eight tokens each at the most.
        assert 0 < tokens.generated <= 4 * 8 and tokens.grpo > tokens.generated
        assert len(row.graded) == len(row.ids) == 6 and row.label_ids == found["match", 1].label_ids
        assert all(value < 0 for value in row.label_logprobs) and row.cpu_seconds
    budget = spent(runs["match"], 2).total
    for arm in ("graded", "alone"):
        # To within a row, and the difference between GRPO's real answers and the labels' lengths.
        assert found[arm, 2].budget == budget and abs(spent(runs[arm], 2).total - budget) < 0.15 * budget
