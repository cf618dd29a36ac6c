"""What vLLM needs on a GPU: variables of the environment, and a share of the memory."""

from __future__ import annotations

import importlib.util
import os

MAX_SHARE = 0.9
"""Share of the GPU's memory that vLLM takes by itself, and at most here."""
LEFT = 0.05
"""Share that stays free beside it: for what CUDA takes as vLLM starts, and a trainer's optimiser."""
START = (
    "vLLM starts: about 90 seconds the first time on a GPU, while it compiles and records CUDA graphs; less"
    " with a warm cache."
)


def vllm_variables() -> dict[str, str]:
    """Return the environment variables that vLLM still needs here.

    Unsloth needs them with it. Without FlashInfer vLLM's sampler fails as it is imported.
    """
    if importlib.util.find_spec("flashinfer") is not None:
        return {}
    wanted = {"VLLM_USE_FLASHINFER_SAMPLER": "0", "UNSLOTH_VLLM_NO_FLASHINFER": "1"}
    return {name: value for name, value in wanted.items() if name not in os.environ}


def free_share() -> float | None:
    """Return the share of GPU memory that an engine may take.

    Beside what is there; None without a GPU.
    """
    import torch

    if not torch.cuda.is_available():
        return None
    free, total = torch.cuda.mem_get_info()
    return min(MAX_SHARE, free / total - LEFT)
