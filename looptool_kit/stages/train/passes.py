"""How packed rows are computed on the machine at hand: by which kernel, how many tokens at a time.

On a CPU all is as `shared_prefix.py` and the settings have it. A GPU takes the fused kernel of
`tree_attention.py`, logits in chunks, and passes as large as its free memory allows.
"""

from __future__ import annotations

import importlib.util
import warnings
from collections.abc import Mapping, Sequence
from functools import cache
from typing import TYPE_CHECKING, Any

from looptool_kit.policy.engines.prefix_tree import shared_length
from looptool_kit.stages.train.footprint import MEMORY_SHARE, pass_bytes
from looptool_kit.stages.train.packing import Packed
from looptool_kit.stages.train.shapes import Shape, shape_from
from looptool_kit.stages.train.shared_prefix import packed_logps, parts
from looptool_kit.stages.train.tree_attention import BLOCK, try_kernel
from looptool_kit.stages.train.vocabulary import chunk_rows

if TYPE_CHECKING:
    import torch

STEPS = 8
"""Lengths between two powers of two to which rows are filled up: a new length may mean a new compilation, and
what is filled in is work for nothing, here at most an eighth."""
MOST_TOKENS = 65_536
"""Tokens of a pass at the most: the GPU has been full for long, and each pass is packed in Python."""
LEAST_CAPABILITY = (8, 0)
"""From Ampere on; older GPUs have no bfloat16, and too little shared memory for the kernel's blocks."""


def row_length(tokens: int) -> int:
    """Return the length that a row is filled up to.

    Whole blocks, of few different numbers.
    """
    blocks = -(-tokens // BLOCK)
    unit = max(1, (1 << (blocks - 1).bit_length()) // (2 * STEPS))
    return -(-blocks // unit) * unit * BLOCK


def logps_of(
    model: Any,
    packed: Packed,
    temperature: float = 1.0,
    want_entropy: bool = False,
    half: torch.dtype | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """`packed_logps` in the way that suits the model's device."""
    causal, backbone = parts(model)
    device = backbone.get_input_embeddings().weight.device
    if device.type == "cpu":
        return packed_logps(model, packed, temperature, want_entropy, half)
    shape = shape_from(causal.config.get_text_config())
    length = None if why_no_kernel(shape, half) else row_length(packed.input_ids.shape[1])
    rows = chunk_rows(shape.vocab)
    return packed_logps(model, packed, temperature, want_entropy, half, fused=length, chunk=rows)


@cache
def why_no_kernel(shape: Shape, half: torch.dtype | None) -> str:
    """Say why this GPU does without the fused kernel.

    Empty where it has it. Warns the first time.
    """
    import torch

    capability = torch.cuda.get_device_capability()
    reason = ""
    if capability < LEAST_CAPABILITY:
        reason = f"the GPU's compute capability is {capability[0]}.{capability[1]}, below 8.0"
    elif importlib.util.find_spec("triton") is None:
        reason = "Triton is not installed"
    else:
        try:
            try_kernel(shape, half or torch.float32)
        except torch.cuda.OutOfMemoryError:
            raise
        except Exception as error:  # a missing compiler, a head size that the kernel does not take, ...
            lines = str(error).strip().splitlines() or [type(error).__name__]
            reason = f"the kernel does not compile here ({lines[0][:200]})"
    if reason:
        warnings.warn(
            f"Shared prefixes are computed without the fused kernel, which takes longer: {reason}.",
            stacklevel=2,
        )
    return reason


def pass_tokens(model: Any, checkpointing: bool) -> int | None:
    """Return the tokens of a pass that fit now.

    In the GPU's free memory; None on a CPU, where the settings decide.
    """
    import torch

    causal, backbone = parts(model)
    device = backbone.get_input_embeddings().weight.device
    if device.type == "cpu":
        return None
    free, _ = torch.cuda.mem_get_info(device)
    # What torch holds and does not use is free for it as well.
    free += torch.cuda.memory_reserved(device) - torch.cuda.memory_allocated(device)
    return tokens_in(free, causal.config.get_text_config(), checkpointing)


def tokens_in(free: float, config: Any, checkpointing: bool) -> int:
    """Return the tokens of a pass that take `free` bytes.

    By the formula; at least one block.
    """
    shape = shape_from(config)
    fixed, each = pass_bytes(shape, checkpointing)
    fits = int((MEMORY_SHARE * free - fixed) / each) // BLOCK * BLOCK
    return min(MOST_TOKENS, max(BLOCK, fits))


def free_unused() -> None:
    """Give back GPU memory that torch holds without need.

    For who generates beside the trainer.
    """
    import torch

    if torch.cuda.is_available():
        torch.cuda.empty_cache()


def filled(prompts: Mapping[int, tuple[int, ...]], lengths: Sequence[int], most: int) -> list[list[int]]:
    """The rows of each pass, as many as fit in `most` tokens.

    `prompts` gives the rows' prompts as token ids, `lengths` the tokens of each row's completion. Rows of one
    prompt stand together, and share it with the prompts beside them as far as they are alike; a prompt whose
    completions do not fit in one pass is computed in each of them. A row that alone is too long has a pass of
    its own.
    """
    passes: list[list[int]] = []
    before: tuple[int, ...] = ()
    size = 0
    for row in sorted(prompts, key=lambda row: (prompts[row], row)):
        prompt = prompts[row]
        more = len(prompt) - shared_length(before, prompt) + lengths[row]
        if passes and size + more <= most:
            passes[-1].append(row)
            size += more
        else:
            passes.append([row])
            size = len(prompt) + lengths[row]
        before = prompt
    return passes
