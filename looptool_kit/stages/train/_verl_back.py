"""What comes back from a training on verl, checked before a run takes it."""

from __future__ import annotations

import hashlib
import json
import shutil
from pathlib import Path
from typing import Any

from looptool_kit.core.errors import RunError
from looptool_kit.core.tables import read_json, write_json, write_text
from looptool_kit.core.terminal import visible
from looptool_kit.stages.train.common import HISTORY
from looptool_kit.stages.train.recipe import generated_tokens

WEIGHTS, SETTINGS = "adapter_model.safetensors", "adapter_config.json"
MAX_ADAPTER_BYTES = 4 * 2**30
"""Of a file that is taken back."""
METRICS = {
    "reward": "critic/score/mean",
    "loss": "actor/pg_loss",
    "completions/mean_length": "response_length/mean",
}
"""Column of the history -> verl's metric."""
TOKENS = "perf/total_num_tokens"


def hash_of(file: Path) -> str:
    """Return the SHA-256 of a file."""
    digest = hashlib.sha256()
    with open(file, "rb") as data:
        while chunk := data.read(1 << 20):
            digest.update(chunk)
    return digest.hexdigest()


def take_back(back: Path, request: dict[str, Any], place: Path, base: str = "") -> dict[str, Any]:
    """Take a trained adapter with its provenance into the run.

    Args:
        back: What `train.sh` has filled: `adapter/`, `provenance.json`, `logs/`.
        request: What was asked for.
        place: The training's folder, `policy/verl`.
        base: Where the base model lies, for the adapter's settings.

    Returns:
        The facts of the training, as `result.json` keeps them.

    Raises:
        RunError: It is another training's, is not finished, is damaged, or would do nothing.
    """
    remedy = f"Run {place / 'there' / 'train.sh'} again, and bring its folder `back`."
    come = read_json(back / "provenance.json", dict[str, Any], remedy)
    if come.get("request") != request:
        differs = [k for k, v in request.items() if (come.get("request") or {}).get(k) != v]
        raise RunError(f"{back} is of another training: {', '.join(differs)} differ. {remedy}")
    if come.get("steps") != request["steps"]:
        raise RunError(
            f"{back} has {visible(come.get('steps'))} of {request['steps']} steps: the training is not at its"
            f" end. {remedy}"
        )
    weights = back / "adapter" / WEIGHTS
    if not weights.is_file() or weights.stat().st_size > MAX_ADAPTER_BYTES:
        raise RunError(f"{weights} is not there, or is larger than an adapter. {remedy}")
    if (found := hash_of(weights)) != come.get("adapter"):
        raise RunError(
            f"{weights} is not the file that was written there: it was damaged on its way. {remedy}"
        )
    config = _checked(back / "adapter", request, remedy) | {"base_model_name_or_path": base}
    history, tokens = _history(back / "logs", request["steps"])
    shutil.rmtree(place / "adapter", ignore_errors=True)
    (place / "adapter").mkdir(parents=True)
    shutil.copyfile(weights, place / "adapter" / WEIGHTS)
    write_json(place / "adapter" / SETTINGS, config)
    write_json(place / "provenance.json", come)
    write_text(place / HISTORY, "".join(json.dumps(row) + "\n" for row in history))
    versions = come.get("versions") or {}
    facts = {
        "trainer": "verl",
        "samples": request["samples"],
        "steps": request["steps"],
        "tokens": tokens,
        "generated": generated_tokens(history, request["prompts"] * request["group"]),
        "version": visible(versions.get("verl", "")),
        "adapter_sha256": found,
        "steps_without_log": request["steps"] - len(history),
    }
    if history:
        facts |= {"reward_first": history[0].get("reward"), "reward_last": history[-1].get("reward")}
    write_json(place / "result.json", facts)
    return facts


def _checked(folder: Path, request: dict[str, Any], remedy: str) -> dict[str, Any]:
    """PEFT's settings of the adapter, put right.

    verl's merger names neither the base nor the layers, and writes alpha 0 where it lost it: such an adapter
    would do nothing.
    """
    import torch
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    config = read_json(folder / SETTINGS, dict[str, Any], remedy)
    try:
        tensors = load_file(folder / WEIGHTS)
    except (SafetensorError, OSError) as error:
        raise RunError(f"{folder / WEIGHTS} cannot be read: {error}. {remedy}") from None
    if not tensors or not all(".lora_A." in name or ".lora_B." in name for name in tensors):
        raise RunError(f"{folder / WEIGHTS} holds something else than a LoRA adapter. {remedy}")
    if bad := [name for name, tensor in tensors.items() if not torch.isfinite(tensor.float()).all()]:
        raise RunError(f"{folder / WEIGHTS}: {visible(bad[0])} is not finite. The training has diverged.")
    ranks = {tensor.shape[0] for name, tensor in tensors.items() if ".lora_A." in name}
    if ranks != {request["rank"]}:
        raise RunError(f"{folder} has rank {sorted(ranks)}, and {request['rank']} was asked for. {remedy}")
    if not any(tensor.any() for name, tensor in tensors.items() if ".lora_B." in name):
        raise RunError(f"{folder} was never trained: its second factors are all zero. {remedy}")
    modules = sorted({name.split(".lora_")[0].rpartition(".")[2] for name in tensors})
    numbers = [name.partition(".layers.")[2].partition(".")[0] for name in tensors]
    layers = sorted({int(n) for n in numbers if n.isdigit()})
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": request["rank"],
        "lora_alpha": request["alpha"],
        "lora_dropout": 0.0,
        "bias": "none",
        "inference_mode": True,
        "target_modules": modules,
        "layers_to_transform": layers or None,
        "use_rslora": bool(config.get("use_rslora", False)),
    }


def _history(logs: Path, steps: int) -> tuple[list[dict[str, Any]], int]:
    """The rows of the steps that were logged, and their tokens.

    Each start has a log of its own, so that a resumed training loses none; a repeated step counts once.
    """
    rows: dict[int, dict[str, Any]] = {}
    for file in sorted(logs.glob("*.jsonl")):
        for line in file.read_text(encoding="utf-8", errors="replace").splitlines():
            try:
                kept = json.loads(line)
                rows[int(kept["step"])] = dict(kept["data"])
            except (ValueError, KeyError, TypeError):
                continue  # half a line of a process that was killed
    known = {n: row for n, row in sorted(rows.items()) if 1 <= n <= steps}
    tokens = sum(int(row.get(TOKENS, 0)) for row in known.values())
    named = [
        {"step": n, **{ours: row[theirs] for ours, theirs in METRICS.items() if theirs in row}}
        for n, row in known.items()
    ]
    return named, tokens
