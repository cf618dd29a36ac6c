"""The recipes of training as arguments of TRL's and transformers' configurations, alike for every trainer."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from contextvars import ContextVar
from pathlib import Path
from typing import Any

from looptool_kit.config import GrpoSettings, PreferenceSettings, SftSettings
from looptool_kit.stages.train.reward import RECOVERIES, SHARE_CORRECT

REPORT_TO: ContextVar[str] = ContextVar("REPORT_TO", default="none")
"""`report_to` of the run that trains; no part of any phase's own settings."""


def sft_arguments(settings: SftSettings, rows: int, folder: Path, seed: int) -> dict[str, Any]:
    """Return the arguments of `SFTConfig` for every trainer.

    `rows` are those of one forward pass.
    """
    return _arguments(settings, folder, seed) | {
        "per_device_train_batch_size": rows,
        "gradient_accumulation_steps": settings.batch // rows,
        "lr_scheduler_type": "cosine",
        "warmup_steps": settings.warmup_steps,
        "dataset_kwargs": {"skip_prepare_dataset": True},
    }


def grpo_arguments(settings: GrpoSettings, rows: int, folder: Path, seed: int) -> dict[str, Any]:
    """What `GRPOConfig` is given by every trainer: LoopTool's recipe (section 3.2).

    Clip-higher, no KL term, no entropy bonus. `rows` are those of one forward pass.
    """
    return _arguments(settings, folder, seed) | {
        "max_steps": settings.steps,
        "per_device_train_batch_size": rows,
        "gradient_accumulation_steps": settings.prompts * settings.group // rows,
        "num_generations": settings.group,
        "max_completion_length": settings.max_new_tokens,
        "temperature": settings.temperature,
        "lr_scheduler_type": "constant",
        "epsilon": settings.clip_low,
        "epsilon_high": settings.clip_high,
        "beta": 0.0,
        "loss_type": "dapo",
        "scale_rewards": "group",
        "shuffle_dataset": False,
    }


def preference_arguments(settings: PreferenceSettings, folder: Path, seed: int) -> dict[str, Any]:
    """Return the `TrainingArguments` of preference training.

    Its own rows are batches.
    """
    return _arguments(settings, folder, seed) | {
        "num_train_epochs": 1,
        "per_device_train_batch_size": settings.batch,
        "lr_scheduler_type": "constant",
        "label_names": [],
    }


def _arguments(
    settings: SftSettings | GrpoSettings | PreferenceSettings, folder: Path, seed: int
) -> dict[str, Any]:
    """What all share: a checkpoint every few steps, our own rows and progress bar."""
    return {
        "output_dir": str(folder),
        "learning_rate": settings.learning_rate,
        "max_grad_norm": 1.0,
        "weight_decay": 0.0,
        "logging_steps": 1,
        "save_strategy": "steps",
        "save_steps": settings.save_steps,
        "save_total_limit": 2,
        "report_to": [] if (to := REPORT_TO.get()) == "none" else [to],
        "run_name": "/".join(folder.parts[-5:]),
        "project": "looptool",
        "disable_tqdm": True,
        "seed": seed,
        "remove_unused_columns": False,
    }


def grpo_facts(trainer: Any, settings: GrpoSettings, samples: int) -> dict[str, Any]:
    """Return the facts that are kept of a GRPO training.

    A finished one, on that many different samples.
    """
    history = [row for row in trainer.state.log_history if "reward" in row]
    flat = sum(round(row.get("frac_reward_zero_std", 0.0) * settings.prompts) for row in history)
    recovered = [row[f"{RECOVERIES}/groups"] for row in history if f"{RECOVERIES}/groups" in row]
    return {
        "trainer": "grpo",
        "samples": samples,
        "tokens": int(trainer.state.num_input_tokens_seen),
        "generated": generated_tokens(history, settings.prompts * settings.group),
        "groups": len(history) * settings.prompts,
        "groups_without_variance": flat,
        "reward_first": history[0]["reward"] if history else None,
        "reward_last": history[-1]["reward"] if history else None,
        "correct_first": history[0].get(SHARE_CORRECT) if history else None,
        "correct_last": history[-1].get(SHARE_CORRECT) if history else None,
        **({"groups_of_recoveries": int(sum(recovered))} if recovered else {}),
        **({"tokens_of_recoveries": _of_recoveries(history)} if recovered else {}),
    }


def generated_tokens(history: Iterable[Mapping[str, Any]], completions: int) -> int:
    """Count the tokens that GRPO sampled, by its log.

    Recoveries included: a row a step with that many completions.
    """
    return sum(
        round(row.get("completions/mean_length", 0.0) * completions)
        + int(row.get(f"{RECOVERIES}/generated", 0))
        for row in history
    )


def _of_recoveries(history: Iterable[Mapping[str, Any]]) -> int:
    """Tokens that recoveries took: trained on, and sampled before."""
    names = (f"{RECOVERIES}/tokens", f"{RECOVERIES}/generated")
    return sum(int(row.get(name, 0)) for row in history for name in names)
