"""What `gpu.py` measures with random weights: attention, the estimate.

Each function takes a `Machine` and returns figures for one JSON file. On a CPU, in the tiny form, the same
code runs on toy shapes, so that its figures mean nothing but all of it has run.
"""

from __future__ import annotations

import gc
import os
import statistics
import sys
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from _measure import peak_mb, reset_peak

from looptool_kit.config import LoraSettings
from looptool_kit.stages.train.footprint import Work, of_group, operations
from looptool_kit.stages.train.shapes import SHAPES, Shape

Figures = dict[str, Any]
PEAKS = {
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "H200": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "RTX 4090": 165e12,
    "T4": 65e12,
}
"""Dense 16-bit operations a second, by the cards' data sheets; the first name that is part of the card's."""
FAMILIES = {"llama": {}, "qwen2": {}, "qwen3": {}, "gemma3_text": {"sliding_window": 64}}


class Machine(NamedTuple):
    """Where it runs."""

    tiny: bool
    device: str
    dtype: Any
    card: str

    @classmethod
    def here(cls, tiny: bool) -> Machine:
        """The GPU where there is one."""
        os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
        import torch

        from looptool_kit.policy.models import default_dtype

        if torch.cuda.is_available():
            return cls(tiny, "cuda", default_dtype(), torch.cuda.get_device_name())
        from torch.nn.attention import flex_attention

        flex_attention._validate_device = lambda *_: None  # it refuses gradients on a CPU, but has them
        return cls(tiny, "cpu", torch.bfloat16, "CPU")

    @property
    def peak(self) -> float | None:
        """Operations a second by the card's data sheet; None where it is not in the table."""
        return next((peak for name, peak in PEAKS.items() if name in self.card), None)

    def share(self, work: float, seconds: float) -> float | None:
        """Share of the peak that so many operations in so many seconds are."""
        return work / seconds / self.peak if self.peak else None


class Case(NamedTuple):
    """One optimiser step over given completions."""

    model: str
    groups: int
    prompt: int = 1024
    group: int = 16
    new: int = 128

    @property
    def packed(self) -> Work:
        """With shared prompts computed once."""
        return of_group(self.prompt, self.new, self.group).times(self.groups)

    @property
    def plain(self) -> Work:
        """Row by row."""
        return of_group(self.prompt, self.new).times(self.groups * self.group)


CASES = {
    "0.6b": Case("Qwen/Qwen3-0.6B", 4),
    "4b": Case("Qwen/Qwen3-4B", 2),
    "0.6b-long": Case("Qwen/Qwen3-0.6B", 2, prompt=3072, new=256),
}
TINY = Shape(2, 64, 4, 2, 16, 96, 258, True)
TINY_CASE = Case("tiny", 2, prompt=150, group=4, new=12)


def case_of(machine: Machine, name: str) -> tuple[Case, Shape]:
    """The case and its model's shape."""
    return (TINY_CASE, TINY) if machine.tiny else (CASES[name], SHAPES[CASES[name].model])


def random_model(machine: Machine, shape: Shape, dtype: Any, kind: str = "qwen3", **more: Any) -> Any:
    """A model of that shape with random weights, made on the device."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(0)
    config = AutoConfig.for_model(
        kind,
        hidden_size=shape.hidden,
        intermediate_size=shape.inner,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        vocab_size=shape.vocab,
        tie_word_embeddings=shape.tied,
        max_position_embeddings=16_384,
        eos_token_id=1,
        pad_token_id=0,
        bos_token_id=None,
        **more,
    )
    with torch.device(machine.device):
        return AutoModelForCausalLM.from_config(config, dtype=dtype)


def adapted(model: Any, rank: int = 32) -> Any:
    """The model with a float32 adapter that is not zero."""
    import torch

    from looptool_kit.stages.train.common import lora_policy

    policy = lora_policy(model, LoraSettings(rank=rank, alpha=2 * rank), None, seed=0)
    for name, weights in sorted(policy.named_parameters()):
        if "lora_B" in name:
            torch.nn.init.normal_(weights, std=0.01)
    return policy


def rows_of(case: Case, vocab: int) -> tuple[list[list[int]], list[list[int]]]:
    """Prompts and completions of the case, random ids."""
    import torch

    draw = torch.Generator().manual_seed(0)
    low = min(5, vocab - 1)

    def ids(n: int) -> list[int]:
        found: list[int] = torch.randint(low, vocab, (n,), generator=draw).tolist()
        return found

    prompts = [p for _ in range(case.groups) for p in [ids(case.prompt)] * case.group]
    return prompts, [ids(case.new) for _ in prompts]


def timed(machine: Machine, work: Callable[[], Any], rounds: int = 3) -> tuple[float, float]:
    """(median seconds, peak GB of device memory) of `work`, after once for nothing."""
    import torch

    cuda = machine.device == "cuda"
    gc.collect()
    work()
    if cuda:
        torch.cuda.synchronize()
        torch.cuda.reset_peak_memory_stats()
    reset_peak()
    taken = []
    for _ in range(1 if machine.tiny else rounds):
        started = time.perf_counter()
        work()
        if cuda:
            torch.cuda.synchronize()
        taken.append(time.perf_counter() - started)
    peak = torch.cuda.max_memory_allocated() / 1e9 if cuda else peak_mb() * 2**20 / 1e9
    return statistics.median(taken), peak


def tokenizer_of_bytes() -> Any:
    """The tests' tokenizer."""
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent / "tests"))
    from tiny_models import tinytokenizer_of_bytes

    return tinytokenizer_of_bytes()


# -------------------------------------------------------------- attention


def equality(machine: Machine, kind: str) -> Figures:
    """Log-probs and an adapter's gradients of the fused kernel in 16 bits against the unpacked model."""
    import torch

    from looptool_kit.stages.train.packing import pack
    from looptool_kit.stages.train.passes import row_length
    from looptool_kit.stages.train.shared_prefix import packed_logps

    shape = Shape(4, 256, 8, 2, 64, 512, 4096, True)
    prompts, completions = rows_of(Case("", 3, prompt=200, group=4, new=60), shape.vocab)
    completions = [c[: 60 - 7 * (i % 8)] for i, c in enumerate(completions)]
    prompts = [p[: 200 - 40 * (i // 4)] for i, p in enumerate(prompts)]  # the second and third share a part

    def plain(model: Any, half: Any) -> Any:
        found = []
        for prompt, completion in zip(prompts, completions, strict=True):
            ids = torch.tensor([prompt + completion], device=machine.device)
            with torch.autocast(machine.device, half or torch.bfloat16, enabled=half is not None):
                logits = model(ids).logits[0, len(prompt) - 1 : -1]
            target = ids[0, len(prompt) :, None]
            found.append(torch.log_softmax(logits.float(), -1).gather(1, target)[:, 0])
        return torch.cat(found)

    def fused(model: Any, half: Any) -> Any:
        row = pack(prompts, completions)
        return packed_logps(model, row, half=half, fused=row_length(row.input_ids.shape[1]), chunk=100)[0]

    found = []
    for how, dtype in ((plain, torch.float32), (plain, machine.dtype), (fused, machine.dtype)):
        policy = adapted(random_model(machine, shape, dtype, kind, **FAMILIES[kind]))
        logps = how(policy, None if dtype is torch.float32 else dtype)
        logps.mean().backward()
        slopes = [p.grad.float().flatten() for p in policy.parameters() if p.grad is not None]
        found.append((logps.detach(), torch.cat(slopes).double()))
    exact, theirs, ours = found
    cosine = torch.nn.functional.cosine_similarity
    off, off_plain = (float((x[0] - exact[0]).abs().mean()) for x in (ours, theirs))
    return {
        "mean_difference": off,
        "mean_difference_plain": off_plain,
        "cosine": float(cosine(ours[1], exact[1], dim=0)),
        "cosine_plain": float(cosine(theirs[1], exact[1], dim=0)),
    }


def speed(machine: Machine, name: str) -> Figures:
    """Forward and backward pass over one step's rows: the fused kernel, and buckets without it."""
    from looptool_kit.stages.train.packing import pack
    from looptool_kit.stages.train.passes import row_length
    from looptool_kit.stages.train.shared_prefix import packed_logps
    from looptool_kit.stages.train.vocabulary import chunk_rows

    case, shape = case_of(machine, name)
    policy = adapted(random_model(machine, shape, machine.dtype))
    started = time.perf_counter()
    row = pack(*rows_of(case, shape.vocab))
    packing = time.perf_counter() - started
    length = row_length(row.input_ids.shape[1])

    def once(fused: int | None) -> None:
        policy.zero_grad()
        logps, _ = packed_logps(
            policy, row, 1.0, True, machine.dtype, fused=fused, chunk=chunk_rows(shape.vocab)
        )
        logps.mean().backward()

    figures: Figures = {"packing_seconds": packing, "tokens": row.input_ids.shape[1]}
    for way, fused in (("fused", length), ("buckets", None)):
        seconds, peak = timed(machine, partial(once, fused))
        share = machine.share(operations(shape, case.packed), seconds)
        figures[way] = {"seconds": seconds, "peak_gb": peak, "share": share}
    return figures


# --------------------------------------------------------------- estimate


def estimated(machine: Machine, model: str) -> Figures:
    """Time and memory of a training pass by formula and as measured, for one shape."""
    import torch

    from looptool_kit.stages.train.estimate import CONTEXT_GB
    from looptool_kit.stages.train.footprint import pass_bytes
    from looptool_kit.stages.train.packing import pack
    from looptool_kit.stages.train.passes import logps_of

    shape = TINY if machine.tiny else SHAPES[model]
    case = TINY_CASE if machine.tiny else Case(model, 1)
    policy = adapted(random_model(machine, shape, machine.dtype))
    trained = [p for p in policy.parameters() if p.requires_grad]
    optimiser = torch.optim.AdamW(trained, 1e-6)
    row = pack(*rows_of(case, shape.vocab))

    def once() -> None:
        optimiser.zero_grad()
        logps_of(policy, row, want_entropy=True, half=machine.dtype)[0].mean().backward()
        optimiser.step()

    seconds, peak = timed(machine, once)
    counted = shape.parameters * 2 + 16 * sum(p.numel() for p in trained)
    counted += pass_bytes(shape, False).of(row.input_ids.shape[1])
    work = operations(shape, case.packed)
    return {
        "seconds": seconds,
        "peak_gb": peak,
        "formula_gb": counted / 1e9,
        "context_gb": CONTEXT_GB,
        "operations": work,
        "share": machine.share(work, seconds),
    }
