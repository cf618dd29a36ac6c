"""Group relative policy optimisation (GRPO) with TRL, as LoopTool section 3.2 uses it: binary ToolMatch
reward, clip-higher, no KL, no entropy bonus.

On top of TRL's trainer: completions come from our own engine on merged weights, a group's prompt is computed
once (`shared_prefix.py`), groups without variance (all right or all wrong: advantage zero) are counted and
cost no forward pass, and memory is that of one group, or of a few small ones that share a tool list, at a
time.
"""

from __future__ import annotations

import copy
import json
import math
import os
import warnings
from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from looptool_kit.config import GrpoSettings, LoraSettings
from looptool_kit.core.samples import Frozen, Samples
from looptool_kit.core.tables import Table
from looptool_kit.core.toolcalls import grade, parse
from looptool_kit.policy.engines import Engine, Sampling
from looptool_kit.policy.engines.prefix_tree import shared_length
from looptool_kit.policy.engines.prompts import encode_prompts
from looptool_kit.policy.engines.transformers import TransformersEngine
from looptool_kit.stages.train.common import (
    arguments,
    keep_result,
    last_checkpoint,
    lora_policy,
    merged_copy,
    progress,
)
from looptool_kit.stages.train.shared_prefix import LEAST, pack, packed_logps, why_not

MOST = 1500
"""Tokens (shared ones counted once) up to which several prompts are computed in one pass: that is what
decides the memory.
"""

EngineFor = Callable[[Any, Any], Engine | None]
"""(policy as it is now, tokenizer) -> the engine that answers as that policy does; None: TRL shall generate
by itself.
"""


class Rollout(Frozen):
    """One sampled completion of a training step."""

    step: int
    sample_id: str
    text: str
    finish_reason: str
    reward: float
    error: str = ""


class Rollouts(Table[Rollout]):
    """The completions of one step; `folder/rollouts/step-NNNN.parquet`."""

    row_type = Rollout


def train(
    load: Callable[[], tuple[Any, Any]],
    engine_for: EngineFor,
    adapter: Path | None,
    samples: Samples,
    settings: GrpoSettings,
    lora: LoraSettings,
    folder: Path,
    seed: int,
) -> dict[str, Any]:
    """Train the policy by GRPO on `samples` for `settings.steps`; resumes from the last checkpoint in
    `folder`.

    `load()` gives (base model, tokenizer); `engine_for` is asked before each step who writes its completions.
    Each step takes `settings.prompts` samples in order (around again when they run out) and `settings.group`
    completions of each. Leaves `adapter/`, `history.jsonl`, `rollouts/` and `result.json` in `folder` and
    returns the result's facts.
    """
    result = folder / "result.json"
    if result.exists():
        return json.loads(result.read_text())
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    from datasets import Dataset
    from transformers.trainer_callback import PrinterCallback
    from trl import GRPOConfig

    model, tokenizer = load()
    policy = lora_policy(model, lora, adapter, seed)
    order = [i % len(samples) for i in range(settings.steps * settings.prompts)]

    def rollout(batch: list[str], trainer: Any) -> dict[str, Any]:
        # The row stands for the prompt: two samples of one text may differ in what of it is special tokens.
        unique = [samples[int(row)] for row in batch[:: settings.group]]
        prompt_ids = [ids for ids in encode_prompts(tokenizer, unique) for _ in range(settings.group)]
        if (engine := engine_for(policy, tokenizer)) is None:
            written, _ = trainer._generate_single_turn(prompt_ids, None, {}, settings.group)
            finish = ["stop" if ids[-1] in trainer.eos_token_ids else "length" for ids in written]
            return {"prompt_ids": prompt_ids, "completion_ids": written, "logprobs": None, "finish": finish}
        step = trainer.state.global_step
        sampling = Sampling(
            settings.max_new_tokens, settings.temperature, settings.group, seed * 100_003 + step
        )
        done = [c for group in engine.generate(unique, sampling) for c in group]
        if getattr(engine, "sleeps", False):
            engine.sleep()  # type: ignore[attr-defined]
        return {
            "prompt_ids": prompt_ids,
            "completion_ids": [list(c.token_ids) for c in done],
            "logprobs": [list(c.logprobs) for c in done],
            "finish": [c.finish_reason for c in done],
        }

    def tool_match(
        completions: Sequence[str], finish: Sequence[str], row: Sequence[int], trainer_state: Any, **_: Any
    ) -> list[float]:
        rows = []
        for at, text, how in zip(row, completions, finish, strict=True):
            sample = samples[at]  # not by the prompt: two samples may have the same one and different labels
            graded = grade(parse(text, how), sample.label, sample.tools)
            kind = graded.error
            rows.append(
                Rollout(
                    step=trainer_state.global_step + 1,
                    sample_id=sample.id,
                    text=text,
                    finish_reason=how,
                    reward=float(graded.correct),
                    error=kind,
                )
            )
        Rollouts(rows).write(folder / "rollouts" / f"step-{rows[0].step:04d}.parquet")
        return [r.reward for r in rows]

    size = settings.prompts * settings.group
    config = GRPOConfig(
        max_steps=settings.steps,
        per_device_train_batch_size=size,
        gradient_accumulation_steps=1,
        steps_per_generation=1,
        num_generations=settings.group,
        max_completion_length=settings.max_new_tokens,
        temperature=settings.temperature,
        lr_scheduler_type="constant",
        epsilon=settings.clip_low,
        epsilon_high=settings.clip_high,
        beta=0.0,
        loss_type="dapo",
        scale_rewards="group",
        shuffle_dataset=False,
        disable_dropout=True,
        **arguments(settings, folder, seed),
    )
    config._n_gpu = 1  # or the Trainer wraps the policy in DataParallel where more are visible
    trainer = shared_prefix_trainer()(
        model=policy,
        args=config,
        reward_funcs=[tool_match],
        train_dataset=Dataset.from_list([{"prompt": str(i), "row": i} for i in order]),
        processing_class=tokenizer,
        rollout_func=rollout,
        callbacks=[progress(f"train: GRPO, {settings.prompts} x {settings.group}")],
    )
    trainer.remove_callback(PrinterCallback)
    trainer.train(resume_from_checkpoint=last_checkpoint(folder))
    history = [row for row in trainer.state.log_history if "reward" in row]
    flat = sum(round(row["frac_reward_zero_std"] * settings.prompts) for row in history)
    facts = {
        "trainer": "grpo",
        "samples": len(set(order)),
        "tokens": int(trainer.state.num_input_tokens_seen),
        "groups": len(history) * settings.prompts,
        "groups_without_variance": flat,
        "reward_first": history[0]["reward"] if history else math.nan,
        "reward_last": history[-1]["reward"] if history else math.nan,
    }
    keep_result(trainer, folder, facts)
    return json.loads(result.read_text())


def merged_engine(batch: int = 64) -> EngineFor:
    """Our own engine, on a copy of the weights with the adapter merged in; None for a model that it cannot
    run, with a warning that says why.
    """
    made: list[TransformersEngine | None] = []

    def engine_for(policy: Any, tokenizer: Any) -> Engine | None:
        if not made:
            try:
                made.append(TransformersEngine(copy.deepcopy(policy).unload(), tokenizer, batch))
            except ValueError as reason:
                warnings.warn(
                    f"GRPO generates without sharing prompts (TRL's own path): {reason}", stacklevel=2
                )
                made.append(None)
        if made[0] is not None:
            merged_copy(policy, made[0].model)
        return made[0]

    return engine_for


def together(prompts: Mapping[int, tuple[int, ...]], lengths: Sequence[int]) -> list[list[int]]:
    """Which rows to compute in one pass: all of a prompt, and prompts of one tool list as long as they stay
    under `MOST` tokens.

    `prompts` gives the rows' prompts as token ids, `lengths` the tokens of each row's completion.
    """
    parts: list[list[int]] = []
    before: tuple[int, ...] = ()
    held = 0
    for prompt, alike in groupby(sorted(prompts, key=lambda row: prompts[row]), key=lambda row: prompts[row]):
        members = list(alike)
        shared = shared_length(before, prompt)
        more = len(prompt) - shared + sum(lengths[row] for row in members)
        if parts and shared >= LEAST and held + more <= MOST:
            parts[-1] += members
        else:
            parts.append(members)
            held, more = 0, more + shared
        held, before = held + more, prompt
    return parts


def shared_prefix_trainer() -> Any:
    """TRL's `GRPOTrainer` with each group's prompt computed once; a function, so that trl is imported only
    when training.
    """
    import torch
    from trl import GRPOTrainer

    class SharedPrefixGRPOTrainer(GRPOTrainer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.not_shared = why_not(self.model)
            if self.not_shared:
                warnings.warn(
                    f"GRPO computes each completion's prompt anew (TRL's own path): {self.not_shared}",
                    stacklevel=2,
                )

        def _get_per_token_logps_and_entropies(  # type: ignore[override]
            self,
            model: Any,
            input_ids: torch.Tensor,
            attention_mask: torch.Tensor,
            logits_to_keep: int,
            *args: Any,
            compute_entropy: bool = False,
            **kwargs: Any,
        ) -> Any:
            if self.not_shared:
                return super()._get_per_token_logps_and_entropies(
                    model,
                    input_ids,
                    attention_mask,
                    logits_to_keep,
                    *args,
                    compute_entropy=compute_entropy,
                    **kwargs,
                )
            width = input_ids.shape[1] - logits_to_keep
            seen = attention_mask.bool()
            prompts = [ids[:width][m[:width]].tolist() for ids, m in zip(input_ids, seen, strict=True)]
            answers = [ids[width:][m[width:]].tolist() for ids, m in zip(input_ids, seen, strict=True)]
            flat, entropy = packed_logps(
                model, pack(prompts, answers), self.temperature, compute_entropy, self.args.bf16
            )
            where = seen[:, width:]
            logps = flat.new_zeros(where.shape).masked_scatter(where, flat)
            return (
                logps,
                None if entropy is None else entropy.new_zeros(where.shape).masked_scatter(where, entropy),
                None,
            )

        def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
            # The token-mean loss is a sum over rows by one normaliser, so rows of advantage zero may be left
            # out and the rest taken in parts.
            if self.not_shared or self.beta != 0.0 or self.loss_type != "dapo" or not model.training:
                return super()._compute_loss(model, inputs)
            rows = (inputs["advantages"] != 0).nonzero().flatten().tolist()
            prompts = {
                row: tuple(inputs["prompt_ids"][row][inputs["prompt_mask"][row].bool()].tolist())
                for row in rows or [0]
            }
            groups = together(prompts, inputs["completion_mask"].sum(1).tolist())
            count = len(inputs["advantages"])
            logged = self._metrics["train"]
            before = {name: len(values) for name, values in logged.items()}
            tokens: list[float] = []
            total = None
            for at, members in enumerate(groups, 1):
                part = {
                    k: v[members] if isinstance(v, torch.Tensor) and v.dim() and len(v) == count else v
                    for k, v in inputs.items()
                }
                loss = super()._compute_loss(model, part)
                tokens.append(float(part["completion_mask"].sum()))
                if at < len(groups):
                    self.accelerator.backward(loss)
                    loss = loss.detach()
                total = loss if total is None else total + loss
            # Each part logged its own mean over tokens (entropy); the step's is one.
            for name, values in logged.items():
                start = before.get(name, 0)
                if len(parts := values[start:]) == len(tokens):
                    values[start:] = [sum(n * v for n, v in zip(tokens, parts, strict=True)) / sum(tokens)]
            return total

    return SharedPrefixGRPOTrainer
