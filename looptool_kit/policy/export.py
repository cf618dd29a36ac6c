"""A trained policy for others: an adapter, or merged weights."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

from looptool_kit.core.errors import RunError
from looptool_kit.policy.adapters import CONFIG, FILES, WEIGHTS, adapter_config, with_adapter
from looptool_kit.policy.policy import Policy


def save_adapter(policy: Policy, out: str | Path) -> Path:
    """Copy the policy's adapter (a PEFT folder) to `out`.

    Raises `ValueError` for the base model, `FileExistsError` where `out` is there, `RunError` where the run
    folder has no weights of the policy. The model `embedded` is itself a base model and an adapter, so its
    policies' adapters are joined with that one: what is written stands on SmolLM2-135M-Instruct as others
    have it, up to the rounding of the weights that the embedded one comes with (Q4_1).
    """
    from looptool_kit.policy.models import ADAPTER, EMBEDDED, HUB_ID, hub_id

    if policy.adapter is None:
        raise ValueError("the base model has no adapter; take an iteration that was trained")
    _require_weights(policy)
    out = Path(out)
    if out.exists():
        raise FileExistsError(f"{out} exists already: give a new folder")
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as beside:
        adapter = Path(beside) / "adapter"
        adapter.mkdir()
        for name in FILES:  # and nothing else that lies there, which may be anything of anybody
            shutil.copyfile(Path(policy.adapter) / name, adapter / name)
        if policy.model == EMBEDDED:
            _join(ADAPTER, Path(policy.adapter), adapter, HUB_ID)
        elif base := hub_id(policy.model):
            _name_base(adapter / CONFIG, base)
        adapter.replace(out)
    return out


def _require_weights(policy: Policy) -> None:
    """Raise where a run folder came without the weights of its policy, as a recorded run does."""
    folder = Path(policy.adapter) if policy.adapter else None
    if folder and not any((folder / name).exists() for name in FILES):
        raise RunError(
            f"the weights of {policy.name} are not in {folder}: this run was recorded without them, as"
            " sample_data/run is, to be small. Export from the run folder where it was trained, or train one"
            " of your own: looptool loop"
        )


def _name_base(config: Path, base: str) -> None:
    """Name the base as others find it: PEFT writes the folder of this user's cache."""
    settings = adapter_config(config.parent)
    changed = settings | {"base_model_name_or_path": base}
    config.write_text(json.dumps(changed, indent=2), encoding="utf-8")


def _join(first: Path, second: Path, out: Path, base: str) -> None:
    """Write into `out` one adapter that does what both do.

    Their factors side by side, with scaling 1.
    """
    import torch
    from safetensors.torch import load_file, save_file

    settings = [adapter_config(folder) for folder in (first, second)]
    weights = [load_file(folder / WEIGHTS) for folder in (first, second)]
    modules = sorted(
        {
            key.removesuffix(".lora_A.weight")
            for state in weights
            for key in state
            if key.endswith(".lora_A.weight")
        }
    )
    joined: dict[str, Any] = {}
    for module in modules:
        factors = []
        for own, state in zip(settings, weights, strict=True):
            a, b = (state.get(f"{module}.lora_{side}.weight") for side in "AB")
            factors.append(
                None if a is None or b is None else (a.float(), b.float() * own["lora_alpha"] / own["r"])
            )
        known_a, known_b = next(pair for pair in factors if pair)
        for at, own in enumerate(settings):  # a layer that one of the two leaves alone
            factors[at] = factors[at] or (
                known_a.new_zeros(own["r"], known_a.shape[1]),
                known_b.new_zeros(known_b.shape[0], own["r"]),
            )
        joined[f"{module}.lora_A.weight"] = torch.cat([a for a, _ in filter(None, factors)])
        joined[f"{module}.lora_B.weight"] = torch.cat([b for _, b in filter(None, factors)], dim=1)
    rank = sum(own["r"] for own in settings)
    changes = {"r": rank, "lora_alpha": rank, "base_model_name_or_path": base, "layers_to_transform": None}
    save_file(joined, out / WEIGHTS, metadata={"format": "pt"})
    (out / CONFIG).write_text(json.dumps(settings[1] | changes, indent=2), encoding="utf-8")


def save_merged(policy: Policy, out: str | Path) -> Path:
    """Write base weights plus adapter to `out`, an ordinary checkpoint in bfloat16.

    Tokenizer and chat template are in it. Works in main memory, beside an engine that holds the GPU, and for
    the adapters of every trainer, also for one that was trained over 4-bit weights (the adapter then joins
    the full ones). Merges in float32: 4 bytes of memory a parameter.
    """
    import torch

    from looptool_kit.policy.models import find_model, load

    out = Path(out)
    _require_weights(policy)
    model, tokenizer = load(find_model(policy.model), dtype="float32", device="cpu")
    if policy.adapter is not None:
        model = with_adapter(model, policy.adapter).merge_and_unload()
    # Beside it first: a checkpoint that was cut short would look like a whole one.
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=out.parent, prefix=f".{out.name}-") as beside:
        folder = Path(beside) / "merged"
        model.to(torch.bfloat16).save_pretrained(str(folder))
        tokenizer.save_pretrained(str(folder))
        folder.replace(out)
    return out
