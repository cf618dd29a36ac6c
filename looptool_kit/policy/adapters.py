"""A LoRA adapter on disk: what may stand in its folder, and how a model gets it."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

from looptool_kit.core.errors import RunError
from looptool_kit.core.tables import read_json

CONFIG, WEIGHTS = FILES = ("adapter_config.json", "adapter_model.safetensors")
"""What an adapter is. Anything else in its folder is not read."""
REMEDY = "Put the file back as it was, or train that policy again (move the adapter's folder away first)."
_QUANTIFIED_GROUP = re.compile(r"\)[*+{]")
"""In a regular expression: what can take for ever on a name that it does not fit."""


def adapter_config(folder: Path) -> dict[str, Any]:
    """PEFT's settings of an adapter; `RunError` where they cannot be read."""
    return read_json(folder / CONFIG, dict[str, Any], REMEDY)


def with_adapter(model: Any, folder: str | Path, trainable: bool = False) -> Any:
    """Return the model with a LoRA adapter, as PEFT's model.

    PEFT takes an adapter whose weights are those of other layers, or none, and leaves the model as it is
    with a warning: the scores would be the base model's, under the policy's name.

    Raises:
        ValueError: The folder holds no adapter.
        RunError: The adapter is damaged or not a LoRA adapter, or does not fit the model.
    """
    import torch
    from peft import PeftModel

    folder = Path(folder)
    stored = _checked(folder)
    try:
        adapted: Any = PeftModel.from_pretrained(model, str(folder), is_trainable=trainable)
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # of any kind: PEFT trusts what the file says
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise RunError(f"The adapter {folder} does not fit the model ({reason}). {REMEDY}") from None
    weights = {
        name.replace(".default.", "."): weight
        for name, weight in adapted.named_parameters()
        if re.search(r"\.lora_[AB]\.", name)
    }
    if missing := sorted(weights.keys() - stored):
        raise RunError(
            f"{folder / WEIGHTS} lacks weights of {len(missing)} of {len(weights)} layers that its"
            f" {CONFIG} names, for example {missing[0]}. {REMEDY}"
        )
    if broken := [name for name, weight in weights.items() if not torch.isfinite(weight).all()]:
        raise RunError(
            f"{folder / WEIGHTS} holds weights that are not numbers, for example {broken[0]}: that training"
            " diverged, or the file is damaged. Train again, with a lower learning rate."
        )
    return adapted


def _checked(folder: Path) -> set[str]:
    """The names of an adapter's weights; raises as `with_adapter` does."""
    from safetensors import SafetensorError, safe_open

    if not (folder / CONFIG).is_file():
        raise ValueError(
            f"{folder} is not a LoRA adapter: it has no {CONFIG}. Give the folder that training wrote."
        )
    config = adapter_config(folder)
    target = config.get("target_modules")
    if (
        config.get("peft_type") != "LORA"
        or not isinstance(target, str | list)
        or (isinstance(target, str) and _QUANTIFIED_GROUP.search(target))
    ):
        raise RunError(f"{folder / CONFIG} is not that of a LoRA adapter as training writes it. {REMEDY}")
    if not (folder / WEIGHTS).is_file():
        raise RunError(f"{folder} has no {WEIGHTS}; weights in other forms are not loaded. {REMEDY}")
    try:
        with safe_open(folder / WEIGHTS, "pt") as file:
            names: set[str] = set(file.keys())
    except (SafetensorError, OSError) as error:
        raise RunError(f"{folder / WEIGHTS} cannot be read ({error}). {REMEDY}") from None
    return names
