"""A trained policy as a folder for others: the LoRA adapter as it is, or merged into the base weights."""

from __future__ import annotations

import shutil
from pathlib import Path

from looptool_kit.policies import Policy


def save_adapter(policy: Policy, out: str | Path) -> Path:
    """Copy the policy's adapter (a PEFT folder) to `out`. Raises `ValueError` for the base model, `FileExistsError` where `out` is there."""
    if policy.adapter is None:
        raise ValueError("the base model has no adapter; take an iteration that was trained")
    return Path(shutil.copytree(policy.adapter, out))


def save_merged(policy: Policy, out: str | Path) -> Path:
    """Write the base weights plus the adapter to `out` as an ordinary checkpoint in bfloat16, with tokenizer and chat template.

    Works in main memory, beside an engine that holds the GPU, and for the adapters of every trainer, also for one that was trained over 4-bit
    weights (the adapter then joins the full ones).
    Merges in float32: 4 bytes of memory a parameter.
    """
    import torch
    from peft import PeftModel

    from looptool_kit.models import find_model, load

    model, tokenizer = load(find_model(policy.model), dtype="float32", device="cpu")
    if policy.adapter is not None:
        model = PeftModel.from_pretrained(model, policy.adapter).merge_and_unload()
    model.to(torch.bfloat16).save_pretrained(str(out))
    tokenizer.save_pretrained(str(out))
    return Path(out)
