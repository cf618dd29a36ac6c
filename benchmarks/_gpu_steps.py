"""What `gpu.py` measures of optimiser steps over given rows: our trainers against TRL's own."""

from __future__ import annotations

import gc
import tempfile
import time
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
    figures: Figures = {"ours": _trained(machine, case, shape, rows, True), "TRL": None, "tried": {}}
    for micro in [m for m in MICRO_BATCHES if m <= rows and rows % m == 0]:
        found = _trained(machine, case, shape, micro, False)
        figures["tried"][str(micro)] = found
        best = figures["TRL"]
        if found and (best is None or found["seconds"] < best["seconds"]):
            figures["TRL"] = {**found, "micro_batch": micro}
        elif found and best:
            break  # smaller ones take longer still
    ours, theirs = figures["ours"], figures["TRL"]
    ours["share"] = machine.share(operations(shape, case.packed), ours["seconds"])
    if theirs:
        theirs["share"] = machine.share(operations(shape, case.plain), theirs["seconds"])
        figures["times"] = theirs["seconds"] / ours["seconds"]
        figures["memory"] = ours["peak_gb"] / theirs["peak_gb"]
    return figures


def _trained(machine: Machine, case: Case, shape: Shape, micro: int, ours: bool) -> Figures | None:
    """Seconds of the best step but the first, peak memory, the gradient's norm; None: out of memory."""
    import torch
    from datasets import Dataset
    from transformers.trainer_callback import PrinterCallback
    from trl import GRPOTrainer

    from looptool_kit.stages.train.grpo import shared_prefix_trainer

    prompts, completions = rows_of(case, shape.vocab)

    def given(batch: list[Any], trainer: Any) -> Figures:
        return {"prompt_ids": prompts, "completion_ids": completions, "logprobs": None}

    def alternate(completions: list[Any], **_: Any) -> list[float]:
        return [float(i % 2) for i in range(len(completions))]

    seconds = _Stamps()
    try:
        trainer = (shared_prefix_trainer() if ours else GRPOTrainer)(
            model=adapted(random_model(machine, shape, machine.dtype)),
            args=_arguments(machine, case, micro),
            reward_funcs=[alternate],
            processing_class=tokenizer_of_bytes(),
            rollout_func=given,
            train_dataset=Dataset.from_list([{"prompt": "x"}] * case.groups),
            callbacks=[seconds.callback(machine)],
        )
        trainer.remove_callback(PrinterCallback)
        if machine.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        reset_peak()
        trainer.train()
    except torch.cuda.OutOfMemoryError:
        return None
    finally:
        gc.collect()
        if machine.device == "cuda":
            torch.cuda.empty_cache()
    peak = torch.cuda.max_memory_allocated() / 1e9 if machine.device == "cuda" else peak_mb() / 1e3
    norm = next(row["grad_norm"] for row in trainer.state.log_history if "grad_norm" in row)
    return {"seconds": min(seconds.taken[1:]), "peak_gb": peak, "first_norm": norm}


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
    figures: Figures = {"ours": _sft(machine, shape, rows, len(rows), True), "TRL": None, "tried": {}}
    for micro in [m for m in MICRO_BATCHES if m <= len(rows) and len(rows) % m == 0]:
        found = _sft(machine, shape, rows, micro, False)
        figures["tried"][str(micro)] = found
        best = figures["TRL"]
        if found and (best is None or found["seconds"] < best["seconds"]):
            figures["TRL"] = {**found, "micro_batch": micro}
        elif found and best:
            break
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
    from transformers.trainer_callback import PrinterCallback
    from trl import SFTConfig, SFTTrainer

    from looptool_kit.stages.train import sft

    steps, stamps = 2 if machine.tiny else 3, _Stamps()
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
    cuda = machine.device == "cuda"
    try:
        policy = adapted(random_model(machine, shape, machine.dtype))
        most = sft.pass_tokens(policy, False) or 4000
        trainer = (sft.shared_prefix_trainer() if ours else SFTTrainer)(
            model=policy,
            args=arguments,
            train_dataset=Dataset.from_list(plain * steps),
            data_collator=partial(sft.collate, most=most) if ours else None,
            processing_class=tokenizer_of_bytes(),
            callbacks=[stamps.callback(machine)],
        )
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
    return {"seconds": min(stamps.taken[1:]), "peak_gb": peak}
