"""A LoRA adapter on disk: what may stand in its folder, and how a model gets it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from contextlib import contextmanager
from functools import lru_cache
from pathlib import Path
from typing import Any

from looptool_kit.core.errors import RunError
from looptool_kit.core.tables import read_json

CONFIG, WEIGHTS = FILES = ("adapter_config.json", "adapter_model.safetensors")
"""What an adapter is. Anything else in its folder is not read."""
REMEDY = "Put the file back as it was, or train that policy again (move the adapter's folder away first)."
_LORA = re.compile(r"\.lora_[AB]\.")
Shapes = dict[str, tuple[int, ...]]
"""The weights of an adapter by name."""
_QUANTIFIED_GROUP = re.compile(r"\)[*+{]")
"""In a regular expression: what can take for ever on a name that it does not fit."""


def adapter_config(folder: Path) -> dict[str, Any]:
    """PEFT's settings of an adapter; `RunError` where they cannot be read."""
    return read_json(folder / CONFIG, dict[str, Any], REMEDY)


def lora_settings(folder: str | Path) -> dict[str, Any]:
    """The settings of a LoRA adapter as training writes it.

    Raises:
        ValueError: The folder holds no adapter.
        RunError: The settings are damaged, or not a LoRA adapter's.
    """
    folder = Path(folder)
    if not (folder / CONFIG).is_file():
        raise ValueError(
            f"{folder} is not a LoRA adapter: it has no {CONFIG}. Give the folder that training wrote."
        )
    config = adapter_config(folder)
    target, rank = config.get("target_modules"), config.get("r")
    if (
        config.get("peft_type") != "LORA"
        or not isinstance(rank, int)
        or rank < 1
        or not isinstance(target, str | list)
        or (isinstance(target, str) and _QUANTIFIED_GROUP.search(target))
    ):
        raise RunError(f"{folder / CONFIG} is not that of a LoRA adapter as training writes it. {REMEDY}")
    return config


def with_adapter(model: Any, folder: str | Path, trainable: bool = False) -> Any:
    """Return the model with a LoRA adapter, as PEFT's model.

    PEFT takes an adapter whose weights are those of other layers, or none, and leaves the model as it is
    with a warning: the scores would be the base model's, under the policy's name.

    Raises:
        ValueError: The folder holds no adapter.
        RunError: The adapter is damaged or not a LoRA adapter, or does not fit the model.
    """
    from peft import PeftModel

    folder = Path(folder)
    stored = _checked(folder)
    with _fitting(folder):
        adapted: Any = PeftModel.from_pretrained(model, str(folder), is_trainable=trainable)
    _complete(folder, stored, _shapes(adapted))
    return adapted


def check_adapter(folder: str | Path, checkpoint: str | Path) -> None:
    """Raise as `with_adapter` does, for engines that read adapters themselves.

    `checkpoint` is the folder of the model that gets it; its weights are not read.
    """
    folder = Path(folder)
    stored = _checked(folder)
    wanted = _wanted(str(checkpoint), folder, (folder / CONFIG).read_text(encoding="utf-8"))
    _complete(folder, stored, wanted)
    if other := sorted(name for name in wanted if stored[name] != wanted[name]):
        shapes = f"{other[0]} is {stored[other[0]]}, and the model takes {wanted[other[0]]}"
        raise RunError(f"The adapter {folder} does not fit the model ({shapes}). {REMEDY}")


@lru_cache(maxsize=8)
def _wanted(checkpoint: str, folder: Path, _config: str) -> Shapes:
    """What a model takes from an adapter with these settings; remembered, for GRPO asks at each step."""
    import torch
    from peft import PeftConfig, PeftModel
    from transformers import AutoConfig, AutoModelForCausalLM

    base = AutoConfig.from_pretrained(checkpoint, trust_remote_code=False)
    with torch.device("meta"):
        model = AutoModelForCausalLM.from_config(base, trust_remote_code=False)
        with _fitting(folder):
            return _shapes(PeftModel(model, PeftConfig.from_pretrained(str(folder))))


@contextmanager
def _fitting(folder: Path) -> Iterator[None]:
    """Say in one sentence why PEFT cannot put an adapter on a model."""
    import torch

    try:
        yield
    except torch.OutOfMemoryError:
        raise
    except Exception as error:  # of any kind: PEFT trusts what the file says
        reason = (str(error).strip() or type(error).__name__).splitlines()[0][:300]
        raise RunError(f"The adapter {folder} does not fit the model ({reason}). {REMEDY}") from None


def _shapes(adapted: Any) -> Shapes:
    return {
        name.replace(".default.", "."): tuple(weight.shape)
        for name, weight in adapted.named_parameters()
        if _LORA.search(name)
    }


def _complete(folder: Path, stored: Shapes, wanted: Shapes) -> None:
    if missing := sorted(wanted.keys() - stored.keys()):
        raise RunError(
            f"{folder / WEIGHTS} lacks weights of {len(missing)} of {len(wanted)} layers that its"
            f" {CONFIG} names, for example {missing[0]}. {REMEDY}"
        )
    if foreign := sorted(name for name in stored.keys() - wanted.keys() if _LORA.search(name)):
        raise RunError(
            f"{folder / WEIGHTS} holds weights for layers that the model does not have, for example"
            f" {foreign[0]}: the adapter is another model's. {REMEDY}"
        )


def _checked(folder: Path) -> Shapes:
    """An adapter's weights; raises as `with_adapter` does."""
    import torch
    from safetensors import SafetensorError, safe_open

    lora_settings(folder)
    if not (folder / WEIGHTS).is_file():
        raise RunError(f"{folder} has no {WEIGHTS}; weights in other forms are not loaded. {REMEDY}")
    found: Shapes = {}
    broken = []
    try:
        with safe_open(folder / WEIGHTS, "pt") as file:
            for name in file.keys():  # noqa: SIM118 (it is not a dict)
                weight = file.get_tensor(name)
                found[name] = tuple(weight.shape)
                if not torch.isfinite(weight).all():
                    broken.append(name)
    except (SafetensorError, OSError) as error:
        raise RunError(f"{folder / WEIGHTS} cannot be read ({error}). {REMEDY}") from None
    if broken:
        raise RunError(
            f"{folder / WEIGHTS} holds weights that are not numbers, for example {broken[0]}: that training"
            " diverged, or the file is damaged. Train again, with a lower learning rate."
        )
    return found
