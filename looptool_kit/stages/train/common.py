"""What the trainers share: encoding, the LoRA policy, checkpoints, history."""

from __future__ import annotations

import json
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from looptool_kit.config import GrpoSettings, LoraSettings, PreferenceSettings, SftSettings
from looptool_kit.core.errors import RunError
from looptool_kit.core.progress import bar
from looptool_kit.core.samples import Sample
from looptool_kit.core.tables import atomic, read_json, write_text
from looptool_kit.policy.adapters import with_adapter
from looptool_kit.policy.engines.prompts import encode_prompt, encode_turn
from looptool_kit.policy.wire import fault_of
from looptool_kit.run.lock import COMPLETE, checkpoints
from looptool_kit.run.manifest import is_training
from looptool_kit.stages.train.reward import SHARE_CORRECT

if TYPE_CHECKING:
    import torch


UNBOUNDED = 1 << 30
"""The context of a model that names none."""


def encode(tokenizer: Any, sample: Sample) -> tuple[list[int], list[int]]:
    """The token ids of a sample: (prompt, completion).

    The prompt is as the engines encode it. The completion is the label as a policy is to write it, and the
    end token. Raises ValueError where the policy's form cannot write the label.
    """
    if reason := fault_of(tokenizer, sample):
        raise ValueError(f"sample {sample.id}: {reason}. Leave it out.")
    return encode_prompt(tokenizer, sample), encode_turn(tokenizer, sample, sample.label)


def lora_policy(model: Any, lora: LoraSettings, adapter: Path | None, seed: int) -> Any:
    """Give the base model a trainable LoRA adapter.

    `adapter` loaded, or a new one.
    """
    import torch
    import transformers
    from peft import LoraConfig, get_peft_model

    transformers.set_seed(seed)
    if adapter is not None:
        return with_adapter(model, adapter, trainable=True)
    count = model.config.get_text_config().num_hidden_layers
    layers = model.base_model.layers
    config = LoraConfig(
        r=lora.rank,
        lora_alpha=lora.alpha,
        target_modules=sorted(
            {name.rpartition(".")[2] for name, m in layers.named_modules() if isinstance(m, torch.nn.Linear)}
        ),
        layers_to_transform=list(range(count - max(1, round(count * lora.upper)), count)),
        task_type="CAUSAL_LM",
    )
    return get_peft_model(model, config)


def context_of(model: Any) -> int:
    """The tokens that a model takes."""
    named = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return int(named or UNBOUNDED)


def own_arguments(settings: SftSettings | GrpoSettings | PreferenceSettings) -> dict[str, Any]:
    """What the trainer `trl` adds to the recipe: how this machine computes.

    Products are in 16 bits where the machine computes those faster: in bfloat16, on a GPU without it in
    float16, whose loss is scaled.
    """
    import torch

    from looptool_kit.policy.models import default_dtype

    half = default_dtype()
    return {
        "use_cpu": not torch.cuda.is_available(),
        "bf16": half is torch.bfloat16,
        "fp16": half is torch.float16,
        "gradient_checkpointing": settings.gradient_checkpointing,
        "dataloader_pin_memory": False,
    }


def half_of(arguments: Any) -> torch.dtype | None:
    """Return the 16-bit type of a trainer's products.

    By its arguments; None: float32.
    """
    import torch

    return torch.bfloat16 if arguments.bf16 else torch.float16 if arguments.fp16 else None


def training_dtype() -> str:
    """Return the type of the weights under an adapter.

    16 bits on a GPU, float32 on a CPU. The adapter itself is always float32 (PEFT's
    `autocast_adapter_dtype`).
    """
    import torch

    from looptool_kit.policy.models import default_dtype

    return str(default_dtype()).removeprefix("torch.") if torch.cuda.is_available() else "float32"


def merged_copy(policy: Any, into: Any) -> Any:
    """Copy base weights plus adapter into the model `into`.

    It is plain, and is returned. Generating from merged weights is much faster than through LoRA layers,
    and a copy leaves the trained weights without rounding drift.
    """
    import torch

    target = dict(into.named_modules())
    prefix = "base_model.model."
    with torch.no_grad():
        for name, module in policy.named_modules():
            if hasattr(module, "lora_A") and hasattr(module, "get_delta_weight"):
                weight = module.get_base_layer().weight.float() + module.get_delta_weight("default").float()
                linear = target[name.removeprefix(prefix)]
                linear.weight.copy_(weight.to(linear.weight.dtype))
    return into


HISTORY = "history.jsonl"
"""What the trainer logged, one JSON object a line; it grows while it trains.

A resumed training continues behind its checkpoint's row.
"""


def progress(description: str) -> Any:
    """Make a trainer callback for the bar and the log.

    One bar over the steps, and each log row to `HISTORY` at once.
    """
    from transformers import TrainerCallback

    class Bar(TrainerCallback):
        def on_train_begin(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            # Rows beyond the checkpoint are dropped: their steps come again.
            _write_history(state, Path(args.output_dir))
            self.bar = bar(state.max_steps, description, "step", state.global_step)

        def on_step_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.bar.update(state.global_step - self.bar.n)

        def on_log(
            self, args: Any, state: Any, control: Any, logs: dict[str, float] | None = None, **_: Any
        ) -> None:
            keep = {
                k: f"{v:.3g}"
                for k, v in (logs or {}).items()
                if k in ("loss", "reward", SHARE_CORRECT, "frac_reward_zero_std")
            }
            self.bar.set_postfix(keep)
            with open(Path(args.output_dir) / HISTORY, "a", encoding="utf-8") as out:
                out.writelines(_lines(state.log_history[-1:]))

        def on_train_end(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            self.bar.close()

        def on_save(self, args: Any, state: Any, control: Any, **_: Any) -> None:
            (Path(args.output_dir) / f"checkpoint-{state.global_step}" / COMPLETE).touch()

    return Bar()


def last_checkpoint(folder: Path) -> str | None:
    """The newest whole checkpoint in a folder; broken ones are removed."""
    found = checkpoints(folder)
    for path in found:
        if not (path / COMPLETE).exists():
            shutil.rmtree(path)
    return next((str(path) for path in reversed(found) if path.exists()), None)


def run_to_end(trainer: Any, folder: Path) -> None:
    """Train from the newest checkpoint in `folder`.

    With our own progress bar alone.
    """
    from transformers.trainer_callback import PrinterCallback

    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=last_checkpoint(folder))


def finished(folder: Path) -> dict[str, Any] | None:
    """The facts of a finished training; None where it is not finished.

    Raises:
        RunError: Its `result.json` is damaged.
    """
    result = folder / "result.json"
    if not result.exists():
        return None
    remedy = f"The training may be whole: put the file back, or move {folder} away to train again."
    facts = read_json(result, dict[str, Any], remedy)
    if not is_training(facts | {"folder": folder.name}):
        raise RunError(f"{result} does not say what was trained. {remedy}")
    return facts


def keep_result(trainer: Any, folder: Path, facts: dict[str, Any]) -> dict[str, Any]:
    """Save adapter, history and `result.json`, and drop the checkpoints.

    `result.json` is written last, so that it stands for a finished training. Returns its facts.

    Raises:
        RunError: The training diverged, so there is no policy to keep.
    """
    import torch

    if not all(torch.isfinite(weight).all() for weight in trainer.model.parameters() if weight.requires_grad):
        raise RunError(
            f"The training in {folder} diverged: its weights are not numbers any more. Lower the learning"
            f" rate (section [{folder.name}] of the settings), and start the same command again."
        )
    # What lies there is of a try that was killed, or planted: a link would be written through.
    shutil.rmtree(folder / "adapter", ignore_errors=True)
    trainer.model.save_pretrained(folder / "adapter")
    _write_history(trainer.state, folder)
    facts = {**facts, "steps": trainer.state.global_step}
    with atomic(folder / "result.json") as tmp:
        tmp.write_text(json.dumps(facts, indent=2), encoding="utf-8")
    for path in checkpoints(folder):
        shutil.rmtree(path)
    return facts


def _write_history(state: Any, folder: Path) -> None:
    write_text(folder / HISTORY, "".join(_lines(state.log_history)))


def _lines(rows: Sequence[dict[str, Any]]) -> list[str]:
    return [json.dumps(row) + "\n" for row in rows if "train_runtime" not in row]


def by_tool_list(
    samples: Sequence[Sample], run: int, seed: int, losses: Sequence[float] | None = None
) -> list[int]:
    """Shuffle indices in runs of one tool list.

    One epoch, each index once, in runs of `run` samples. A run shares its prompts' prefix. Within a tool
    list the turns of one dialogue follow each other, in random order. With the samples' `losses` the runs
    come in the order of their mean instead of shuffled; those that are shorter than `run` follow each
    other, since they share forward passes.
    """
    import random

    rng = random.Random(seed)
    lists: dict[tuple[str, ...], dict[str, list[int]]] = {}
    for index, sample in enumerate(samples):
        dialogues = lists.setdefault(tuple(t.canonical for t in sample.tools), {})
        dialogues.setdefault(sample.opening, []).append(index)
    runs = []
    for dialogues in lists.values():
        turns = list(dialogues.values())
        rng.shuffle(turns)
        for turn in turns:
            rng.shuffle(turn)
        members = [i for turn in turns for i in turn]
        runs += [members[i : i + run] for i in range(0, len(members), run)]
    rng.shuffle(runs)
    full, short = [r for r in runs if len(r) == run], [r for r in runs if len(r) < run]
    at = rng.randrange(len(full) + 1)
    if losses is not None:

        def mean(indices: Sequence[int]) -> float:
            return sum(losses[i] for i in indices) / len(indices)

        full.sort(key=mean)
        short.sort(key=mean)
        rest = [i for r in short for i in r]
        at = sum(mean(r) <= mean(rest) for r in full) if rest else 0
    return [i for r in (*full[:at], *short, *full[at:]) for i in r]
