"""What `gpu.py` measures of optimiser steps over given rows: our trainers against TRL's own."""

from __future__ import annotations

import gc
import tempfile
import time
from collections.abc import Callable
from functools import partial
from typing import Any

from _gpu_work import (
    TINY,
    Case,
    Figures,
    Machine,
    adapted,
    case_of,
    random_model,
    rows_of,
    tokenizer_of_bytes,
)
from _measure import peak_mb, reset_peak

from looptool_kit.stages.train.footprint import Work, of_group, operations
from looptool_kit.stages.train.shapes import SHAPES, Shape

MICRO_BATCHES = (64, 32, 16, 8, 4, 2)
"""Rows that TRL takes at once: tried from the largest one, the fastest counts."""


# ------------------------------------------------------------------- step


def step(machine: Machine, name: str) -> Figures:
    """An optimiser step of our GRPO trainer and of TRL's at its best micro-batch, completions given."""
    case, shape = case_of(machine, name)
    rows = case.groups * case.group
    figures = _sides(rows, partial(_trained, machine, case, shape))
    ours, theirs = figures["ours"], figures["TRL"]
    ours["share"] = machine.share(operations(shape, case.packed), ours["seconds"])
    if theirs:
        theirs["share"] = machine.share(operations(shape, case.plain), theirs["seconds"])
        figures["times"] = theirs["seconds"] / ours["seconds"]
        figures["memory"] = ours["peak_gb"] / theirs["peak_gb"]
    return figures


def _sides(rows: int, measure: Callable[[int, bool], Figures | None]) -> Figures:
    """`measure(rows at once, ours)` of all rows at once, and of TRL's trainer at its best micro-batch."""
    figures: Figures = {"ours": measure(rows, True), "TRL": None, "tried": {}}
    for micro in [m for m in MICRO_BATCHES if m <= rows and rows % m == 0]:
        found = measure(micro, False)
        figures["tried"][str(micro)] = found
        best = figures["TRL"]
        if found and (best is None or found["seconds"] < best["seconds"]):
            figures["TRL"] = {**found, "micro_batch": micro}
        elif found and best:
            break  # smaller ones take longer still
    return figures


def _run(machine: Machine, make: Callable[[Any], Any]) -> tuple[Any, Figures] | None:
    """A training of a few steps: its trainer, seconds of the best step but the first, and peak memory.

    `make` gets the callback that stamps the steps. None: out of memory.
    """
    import torch
    from transformers.trainer_callback import PrinterCallback

    cuda, stamps = machine.device == "cuda", _Stamps()
    try:
        trainer = make(stamps.callback(machine))
        trainer.remove_callback(PrinterCallback)
        if cuda:
            torch.cuda.reset_peak_memory_stats()
        reset_peak()
        trainer.train()
    except torch.cuda.OutOfMemoryError:
        return None
    finally:
        gc.collect()
        if cuda:
            torch.cuda.empty_cache()
    peak = torch.cuda.max_memory_allocated() / 1e9 if cuda else peak_mb() / 1e3
    return trainer, {"seconds": min(stamps.taken[1:]), "peak_gb": peak}


def _trained(machine: Machine, case: Case, shape: Shape, micro: int, ours: bool) -> Figures | None:
    """What `_run` measures of GRPO, and the first gradient's norm; None: out of memory."""
    from datasets import Dataset
    from trl import GRPOTrainer

    from looptool_kit.stages.train.grpo import shared_prefix_trainer

    prompts, completions = rows_of(case, shape.vocab)

    def given(batch: list[Any], trainer: Any) -> Figures:
        return {"prompt_ids": prompts, "completion_ids": completions, "logprobs": None}

    def alternate(completions: list[Any], **_: Any) -> list[float]:
        return [float(i % 2) for i in range(len(completions))]

    def make(stamps: Any) -> Any:
        return (shared_prefix_trainer() if ours else GRPOTrainer)(
            model=adapted(random_model(machine, shape, machine.dtype)),
            args=_arguments(machine, case, micro),
            reward_funcs=[alternate],
            processing_class=tokenizer_of_bytes(),
            rollout_func=given,
            train_dataset=Dataset.from_list([{"prompt": "x"}] * case.groups),
            callbacks=[stamps],
        )

    if (done := _run(machine, make)) is None:
        return None
    trainer, figures = done
    norm = next(row["grad_norm"] for row in trainer.state.log_history if "grad_norm" in row)
    return {**figures, "first_norm": norm}


def _arguments(machine: Machine, case: Case, micro: int) -> Any:
    import torch
    from trl import GRPOConfig

    size = case.groups * case.group
    return GRPOConfig(
        output_dir=tempfile.mkdtemp(),
        max_steps=2 if machine.tiny else 3,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=size // micro,
        steps_per_generation=size // micro,
        num_generations=case.group,
        max_completion_length=case.new,
        learning_rate=1e-6,
        epsilon_high=0.28,
        beta=0.0,
        loss_type="dapo",
        shuffle_dataset=False,
        disable_dropout=True,
        use_cpu=machine.device == "cpu",
        bf16=machine.dtype is torch.bfloat16,
        fp16=machine.dtype is torch.float16,
        gradient_checkpointing=False,
        report_to=[],
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        seed=0,
    )


class _Stamps:
    """The seconds of each optimiser step."""

    def __init__(self) -> None:
        self.taken: list[float] = []

    def callback(self, machine: Machine) -> Any:
        import torch
        from transformers import TrainerCallback

        taken = self.taken

        class Stamp(TrainerCallback):
            def on_step_begin(self, *_: Any, **__: Any) -> None:
                self.started = time.perf_counter()

            def on_step_end(self, *_: Any, **__: Any) -> None:
                if machine.device == "cuda":
                    torch.cuda.synchronize()
                taken.append(time.perf_counter() - self.started)

        return Stamp()


# ------------------------------------------------------------- supervised


def supervised(machine: Machine, name: str) -> Figures:
    """An SFT step of four tool lists with eight samples each, ours and TRL's at its best micro-batch."""
    tools, own, answer, lists, each = (40, 12, 8, 2, 4) if machine.tiny else (900, 100, 60, 4, 8)
    shape = TINY if machine.tiny else SHAPES["Qwen/Qwen3-0.6B"]
    shared, _ = rows_of(Case("", lists, tools, each, 1), shape.vocab)
    _, ends = rows_of(Case("", lists, 1, each, own + answer), shape.vocab)
    rows = [{"prompt_ids": p + e[:own], "completion_ids": e[own:]} for p, e in zip(shared, ends, strict=True)]
    figures = _sides(len(rows), partial(_sft, machine, shape, rows))
    whole = of_group(tools + own, answer).times(len(rows))
    seen = whole.seen - (len(rows) - lists) * tools**2 / 2
    packed = Work(whole.tokens - (len(rows) - lists) * tools, seen, whole.nodes)
    for side, work in (("ours", packed), ("TRL", whole)):
        if found := figures[side]:
            found["share"] = machine.share(operations(shape, work), found["seconds"])
    if figures["TRL"]:
        figures["times"] = figures["TRL"]["seconds"] / figures["ours"]["seconds"]
        figures["memory"] = figures["ours"]["peak_gb"] / figures["TRL"]["peak_gb"]
    return figures


def _sft(machine: Machine, shape: Shape, rows: list[Figures], micro: int, ours: bool) -> Figures | None:
    import torch
    from datasets import Dataset
    from trl import SFTConfig, SFTTrainer

    from looptool_kit.stages.train import sft

    steps = 2 if machine.tiny else 3
    plain = [sft._row(r["prompt_ids"], r["completion_ids"], shared=ours) for r in rows]
    arguments = SFTConfig(
        output_dir=tempfile.mkdtemp(),
        max_steps=steps,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=len(rows) // micro,
        max_length=None,
        learning_rate=1e-6,
        use_cpu=machine.device == "cpu",
        bf16=machine.dtype is torch.bfloat16,
        fp16=machine.dtype is torch.float16,
        gradient_checkpointing=False,
        dataset_kwargs={"skip_prepare_dataset": True},
        remove_unused_columns=False,
        report_to=[],
        save_strategy="no",
        disable_tqdm=True,
    )

    def make(stamps: Any) -> Any:
        policy = adapted(random_model(machine, shape, machine.dtype))
        most = sft.pass_tokens(policy, False) or 4000
        return (sft.shared_prefix_trainer() if ours else SFTTrainer)(
            model=policy,
            args=arguments,
            train_dataset=Dataset.from_list(plain * steps),
            data_collator=partial(sft.collate, most=most) if ours else None,
            processing_class=tokenizer_of_bytes(),
            callbacks=[stamps],
        )

    done = _run(machine, make)
    return done and done[1]
