"""What may be wrong with a LoRA adapter's folder: each is refused by every engine."""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from pathlib import Path
from typing import Any

from looptool_kit.policy.adapters import CONFIG, WEIGHTS


def tiny_adapter(checkpoint: Path, folder: Path) -> Path:
    """The folder with a whole adapter of a tiny model."""
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    model = AutoModelForCausalLM.from_pretrained(checkpoint)
    get_peft_model(model, LoraConfig(r=4, target_modules=["q_proj"])).save_pretrained(folder)
    return folder


REFUSED = r"adapter.*[Tt]rain (that policy )?again"


def _config(**changes: Any) -> Callable[[Path], object]:
    def change(folder: Path) -> None:
        config = json.loads((folder / CONFIG).read_text())
        (folder / CONFIG).write_text(json.dumps(config | changes))

    return change


def _weights(change: Callable[[dict[str, Any]], dict[str, Any]]) -> Callable[[Path], object]:
    def write(folder: Path) -> None:
        from safetensors.torch import load_file, save_file

        save_file(change(load_file(folder / WEIGHTS)), folder / WEIGHTS)

    return write


def _pickled(folder: Path) -> None:
    import torch
    from safetensors.torch import load_file

    torch.save(load_file(folder / WEIGHTS), folder / "adapter_model.bin")
    (folder / WEIGHTS).unlink()


DAMAGES: dict[str, Callable[[Path], object]] = {
    "no weights": lambda f: (f / WEIGHTS).unlink(),
    "pickled weights": _pickled,
    "cut weights": lambda f: (f / WEIGHTS).write_bytes((f / WEIGHTS).read_bytes()[:100]),
    "empty weights": _weights(lambda w: {}),
    "weights of other layers": _weights(lambda w: {k.replace("q_proj", "z"): v for k, v in w.items()}),
    "weights of one layer": _weights(lambda w: dict(list(w.items())[:2])),
    "no numbers": _weights(lambda w: {k: v * math.nan for k, v in w.items()}),
    "endless": _weights(lambda w: {k: v + math.inf for k, v in w.items()}),
    "no settings": lambda f: (f / CONFIG).write_text("{"),
    "settings that are a list": lambda f: (f / CONFIG).write_text("[]"),
    "another rank": lambda f: _config(r=1 + json.loads((f / CONFIG).read_text())["r"])(f),
    "a rank that is a word": _config(r="x"),
    "a scale that is a word": _config(lora_alpha="x"),
    "another method": _config(peft_type="XLORA"),
    "an unknown method": _config(peft_type="NOPE"),
    "no such layers": _config(layers_to_transform=[99]),
    "a pattern without an end": _config(target_modules="([a-z_.0-9]+)+Z"),
    "an initialisation that wants a file": _config(init_lora_weights="corda"),
    "code": _config(megatron_config={"a": 1}, megatron_core="evil"),
}
