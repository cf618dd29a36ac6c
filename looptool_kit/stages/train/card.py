"""What a GPU is good for: the presets that fit on it by the estimate, and what vLLM needs beside it."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator

from looptool_kit import world
from looptool_kit.config import load_preset, presets
from looptool_kit.policy.gpu import START, vllm_variables
from looptool_kit.stages.train.estimate import estimate

BFLOAT16_FROM = 8
"""The first compute capability with bfloat16: Ampere."""


def about(card: str) -> Iterator[tuple[str, bool | None, str, str]]:
    """Return findings about a GPU for `looptool doctor`.

    Name, whether it is fine, what was found, a remedy. `card` is what nvidia-smi says: name, memory in
    MiB and, where it knows, compute capability.
    """
    if memory := re.search(r"(\d+) MiB", card):
        capability = re.search(r"MiB, (\d+)\.", card)
        old = capability is not None and int(capability[1]) < BFLOAT16_FROM
        fits, others = presets_that_fit(int(memory[1]) * 2**20 / 1e9, old)
        said = f"by formula: {', '.join(fits) or 'no preset for a GPU'}"
        said += f"; not {', '.join(others)}" if others else ""
        said += "; the card has no bfloat16, so it computes in float16" if old else ""
        remedy = "" if fits else "Take the preset cpu, or a smaller model with the trainer trl."
        yield "what fits on it", True if fits else None, said, remedy
    if importlib.util.find_spec("vllm"):
        missing = " ".join(f"{name}={value}" for name, value in vllm_variables().items())
        why = " (flashinfer is not installed; this package sets them)"
        yield "variables for vllm", True, missing + why if missing else "none", START


def presets_that_fit(gigabytes: float, old: bool) -> tuple[list[str], list[str]]:
    """Split the GPU presets by whether their training fits.

    By the estimate: those that fit, and the others. On an `old` card those that need Unsloth, vLLM and
    bfloat16 are among the others.
    """
    samples = world.generate(20, seed=0)
    fits: list[str] = []
    others: list[str] = []
    for name in sorted(p for p in presets() if p.startswith("single-gpu-")):
        settings = load_preset(name)
        steps = max(settings.grpo.steps, settings.grpo.steps_first)
        enough = estimate(settings, samples, 1, steps, gigabytes).fits
        (fits if enough and not (old and settings.trainer == "unsloth") else others).append(name)
    return fits, others
