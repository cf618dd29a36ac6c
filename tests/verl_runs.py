"""Runs whose training is on verl, and what comes back from there."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any, NamedTuple

from looptool_kit import world
from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run


class Given(NamedTuple):
    run: Run
    there: Path
    request: dict[str, Any]
    samples: Samples
    model: Path


def run_on_verl(folder: Path, model: Path, **more: Any) -> Run:
    """A run with a seed dataset and GRPO alone."""
    facts = {
        "model": str(model),
        "sft__epochs": 0,
        "sft__epochs_later": 0,
        "grpo__steps_first": 2,
        "grpo__steps": 2,
        "grpo__prompts": 3,
        "grpo__group": 4,
        "grpo__max_new_tokens": 32,
        "lora__rank": 4,
        "lora__alpha": 8,
    }
    run = Run.create(folder, "cpu", **(facts | more))
    run.folder(1).mkdir(parents=True)
    world.generate(5, seed=3).write(run.folder(1) / "samples.parquet")
    return run


def prepared(folder: Path, model: Path, **more: Any) -> Given:
    """What verl is given for D1."""
    from looptool_kit.policy.policy import policy_of
    from looptool_kit.stages.train.stage import grpo_order
    from looptool_kit.stages.train.verl import Launch, prepare

    run = run_on_verl(folder, model, **more)
    samples = run.table(Samples, "samples", 1)
    there = run.folder(1) / "policy" / "verl" / "there"
    request = prepare(run, 1, grpo_order(samples, 1001), policy_of(run, 0), 2, there, 1001, Launch())
    return Given(run, there, request, samples, model)


def trained_model(given: Given) -> tuple[Any, Any]:
    """A model with an adapter as the request asks for it, its factors drawn by chance, and the tokenizer."""
    import torch

    from looptool_kit.policy.policy import load_base
    from looptool_kit.stages.train.common import lora_policy

    base, tokenizer = load_base(str(given.model))
    model = lora_policy(base, given.run.settings.lora, None, 1)
    torch.manual_seed(2)
    with torch.no_grad():
        for name, value in model.named_parameters():
            if ".lora_B." in name:
                value.copy_(0.3 * torch.randn_like(value))
    return model, tokenizer


def adapter_of(given: Given, folder: Path) -> Path:
    """The adapter of `trained_model` in a folder, as PEFT writes it."""
    model, _ = trained_model(given)
    model.save_pretrained(folder)
    return folder


def back_of(there: Path, adapter: Path, steps: int) -> Path:
    """What the folder's own `keep.py` makes of a merged adapter."""
    shutil.rmtree(there / "merged", ignore_errors=True)
    shutil.copytree(adapter, there / "merged" / "lora_adapter")
    (there / "logs").mkdir(exist_ok=True)
    rows = [
        {"step": n, "data": {"critic/score/mean": n / 10, "perf/total_num_tokens": 100,
                             "response_length/mean": 5.0, "actor/pg_loss": -0.1}}
        for n in range(1, steps + 1)
    ]  # fmt: skip
    (there / "logs" / "1.jsonl").write_text("".join(json.dumps(r) + "\n" for r in rows))
    subprocess.run([sys.executable, str(there / "keep.py"), str(steps)], check=True, capture_output=True)
    return there / "back"
