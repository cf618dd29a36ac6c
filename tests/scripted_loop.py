"""Whole loops with the scripted policy in processes of their own, which die at a chosen moment."""

from __future__ import annotations

import multiprocessing
import os
import signal
import sys
from collections.abc import Mapping, Sequence
from multiprocessing.context import ForkServerContext
from pathlib import Path
from typing import Any

import pytest
from scripted_runs import SMALL, go, scripted

from looptool_kit.cli import main
from looptool_kit.core.samples import Samples
from looptool_kit.policy.policy import Policy
from looptool_kit.run.folder import Run

WATCHED = ("open", "os.rename", "os.remove", "os.mkdir", "os.rmdir", "shutil.move", "shutil.rmtree")

IMPORTED = (
    *("scripted_loop", "looptool_kit.llm.client", "aiohttp"),
    *("looptool_kit.cli", "looptool_kit.loop", "looptool_kit.report.summary", "looptool_kit.policy.models"),
    *("looptool_kit.stages.train.sft", "looptool_kit.stages.train.grpo", "scipy.stats", "trl", "peft"),
    *("transformers.models.llama.modeling_llama", "transformers.trainer", "trl.trainer.sft_trainer"),
    *("trl.trainer.grpo_trainer", "datasets"),
)


def processes() -> ForkServerContext:
    """Where loops are started from: a process that has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(list(IMPORTED))
    return context


def in_silence(arguments: Sequence[str]) -> None:
    """Do what `looptool` does with these arguments, on one thread, and say nothing."""
    import torch

    torch.set_num_threads(1)  # it is loaded already, so that OMP_NUM_THREADS would come too late
    with open(os.devnull, "w") as nowhere:
        os.dup2(nowhere.fileno(), 1)
        os.dup2(nowhere.fileno(), 2)
    sys.argv = ["looptool", *arguments]
    main()


def loop(folder: Path, settings: Mapping[str, Any], die_at: int, counted: Any) -> None:
    """Make the run or resume it, to its end or to the moment.

    Args:
        die_at: The number of the change to the run's files at which the process kills itself, before the
            change is made; 0: never.
        counted: A shared integer that gets the number of changes.
    """
    os.environ["TQDM_DISABLE"] = "1"
    scripted(patch := pytest.MonkeyPatch())
    patch.setattr(sys.modules["looptool_kit.stages.train.stage"], "_train", train)
    inside = str(folder)

    def watch(event: str, arguments: tuple[Any, ...]) -> None:
        if event not in WATCHED or not any(inside in str(a) for a in arguments[:2]):
            return
        if event == "open" and not set(str(arguments[1] or "r")) & set("wax+"):
            return
        counted.value += 1
        if counted.value == die_at:
            os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(watch)
    there = (folder / "run.toml").exists()
    go(Run.open(folder) if there else Run.create(folder, "cpu-quick", **(SMALL | settings)))


def train(
    run: Run, samples: Samples, before: Policy, place: Path, seed: int, first: bool
) -> list[dict[str, Any]]:
    """A training of one line that may find its own half-written files."""
    adapter = place / "sft" / "adapter"
    adapter.mkdir(parents=True, exist_ok=True)
    (adapter / "weights").write_text(f"D{before.iteration + 1}")
    (place / "sft" / "history.jsonl").write_text("")
    return [{"trainer": "sft", "folder": "sft", "steps": 1, "tokens": 100 * len(samples)}]
