"""Group relative policy optimisation (GRPO) with TRL (LoopTool, section 3.2).

The loss is TRL's (`recipe.py` says which), summed over passes in `_compute_loss`. On top of TRL's trainer:
completions come from our own engine on merged weights; a group's prompt is computed once
(`shared_prefix.py`); groups without variance (by the reward `match` all right or all wrong: advantage zero)
are counted and cost no forward pass; memory is that of one group, or of a few small ones that share a tool
list, at a time. On a GPU a pass is as large as the free memory allows (`passes.py`).
"""

from __future__ import annotations

import copy
import os
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, Any

from looptool_kit.config import EpisodeSettings, FissionSettings, GrpoSettings, LoraSettings, RewardSettings
from looptool_kit.core.samples import Samples
from looptool_kit.policy.engines import Engine, Sampling
from looptool_kit.policy.engines.prefix_tree import shared_length
from looptool_kit.policy.engines.prompts import encode_prompts
from looptool_kit.policy.engines.transformers import TransformersEngine
from looptool_kit.stages.train import episodes as episode
from looptool_kit.stages.train.common import (
    finished,
    half_of,
    keep_result,
    lora_policy,
    merged_copy,
    own_arguments,
    progress,
    run_to_end,
)
from looptool_kit.stages.train.fission import train_recoveries
from looptool_kit.stages.train.packing import MIN_SAVED, pack
from looptool_kit.stages.train.passes import filled, free_unused, logps_of, pass_tokens
from looptool_kit.stages.train.recipe import grpo_arguments, grpo_facts
from looptool_kit.stages.train.reward import tool_match, weigh_groups_without_hit
from looptool_kit.stages.train.shared_prefix import why_not
from looptool_kit.stages.train.turns import credit_turns
from looptool_kit.world.spec import Spec

if TYPE_CHECKING:
    import torch

MAX_PASS_TOKENS = 1500
"""Tokens (shared ones counted once) up to which several prompts are computed in one pass on a CPU: they
decide the memory.
"""

MATCH, NO_RECOVERIES, NO_EPISODES = RewardSettings(), FissionSettings(), EpisodeSettings()

EngineFor = Callable[[Any, Any], Engine | None]
"""(policy as it is now, tokenizer) -> the engine that answers as that policy does; None: TRL generates."""


def train(
    load: Callable[[], tuple[Any, Any]],
    engine_for: EngineFor,
    adapter: Path | None,
    samples: Samples,
    settings: GrpoSettings,
    lora: LoraSettings,
    folder: Path,
    seed: int,
    reward: RewardSettings = MATCH,
    fission: FissionSettings = NO_RECOVERIES,
    episodes: EpisodeSettings = NO_EPISODES,
    known: Mapping[str, Spec] | None = None,
) -> dict[str, Any]:
    """Train the policy by GRPO on `samples` for `settings.steps`.

    Resumes from the last checkpoint in `folder`. Each step takes `settings.prompts` samples in order (from
    the first again when they run out) and `settings.group` completions of each.

    Args:
        load: Gives (base model, tokenizer).
        engine_for: Asked before each step who writes its completions.
        adapter: The policy to start from; None for a new adapter.
        samples: The prompts, and the labels that decide the reward.
        settings: The recipe of this iteration.
        lora: The shape of a new adapter.
        folder: Gets `adapter/`, `history.jsonl`, `rollouts/` and `result.json`.
        seed: Decides the samples that the engine draws and the new adapter's weights.
        reward, fission: What a completion earns; whether failed calls become prompts of their own.
        episodes, known: Whether samples are played as whole dialogues; the tools that run, by name.

    Returns:
        The facts of `result.json`.
    """
    if (facts := finished(folder)) is not None:
        return facts
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    from datasets import Dataset
    from trl import GRPOConfig

    model, tokenizer = load()
    policy = lora_policy(model, lora, adapter, seed)
    order = [i % len(samples) for i in range(settings.steps * settings.prompts)]
    arguments = grpo_arguments(settings, settings.prompts * settings.group, folder, seed)
    config = GRPOConfig(disable_dropout=True, **arguments, **own_arguments(settings))
    config._n_gpu = 1  # or the Trainer wraps the policy in DataParallel where more are visible
    complete = partial(_complete, seed, partial(engine_for, policy, tokenizer))
    trainer = shared_prefix_trainer()(
        model=policy,
        args=config,
        reward_funcs=[tool_match(samples, folder, name=reward.name, tokenizer=tokenizer)],
        train_dataset=Dataset.from_list([{"prompt": str(i), "row": i} for i in order]),
        processing_class=tokenizer,
        rollout_func=partial(complete, samples, settings, playing=_player(episodes, known)),
        callbacks=[progress(f"train: GRPO, {settings.prompts} x {settings.group}")],
    )
    if episodes.prompts and episodes.credit == "turn":
        credit_turns(trainer, trainer.rollout_func, settings.group)
    weigh_groups_without_hit(trainer, folder, settings.group, reward.no_hit)
    train_recoveries(trainer, samples, settings, fission, reward, folder, complete)
    run_to_end(trainer, folder)
    return keep_result(trainer, folder, grpo_facts(trainer, settings, len(set(order))))


def _player(settings: EpisodeSettings, known: Mapping[str, Spec] | None) -> Callable[..., Any] | None:
    return partial(episode.play, known=known or {}, settings=settings) if settings.prompts else None


def _complete(
    seed: int,
    engine_now: Callable[[], Engine | None],
    samples: Samples,
    settings: GrpoSettings,
    batch: Sequence[str],
    trainer: Any,
    playing: Callable[..., dict[str, Any]] | None = None,
) -> dict[str, Any]:
    """The completions of one step as TRL takes them, and how each ended.

    `batch` names the samples by their rows, each `settings.group` times. The row stands for the prompt: two
    samples of one text may differ in what of it is special tokens.
    """
    unique = [samples[int(row)] for row in batch[:: settings.group]]
    encoded = encode_prompts(trainer.processing_class, unique)
    prompt_ids = [ids for ids in encoded for _ in range(settings.group)]
    free_unused()
    step_seed = seed * 100_003 + trainer.state.global_step
    sampling = Sampling(settings.max_new_tokens, settings.temperature, settings.group, step_seed)
    engine = engine_now()
    if playing and engine:
        played = playing(engine, trainer.processing_class, unique, sampling=sampling)
        engine.sleep()
        return played
    if engine is None and playing:
        raise ValueError("episodes need an engine that runs this model: set episodes.prompts = false")
    if engine is None:
        written, _ = trainer._generate_single_turn(prompt_ids, None, {}, settings.group)
        finish = ["stop" if ids[-1] in trainer.eos_token_ids else "length" for ids in written]
        return {"prompt_ids": prompt_ids, "completion_ids": written, "logprobs": None, "finish": finish}
    done = [c for group in engine.generate(unique, sampling) for c in group]
    engine.sleep()
    return {
        "prompt_ids": prompt_ids,
        "completion_ids": [list(c.token_ids) for c in done],
        "logprobs": [list(c.logprobs) for c in done],
        "finish": [c.finish_reason for c in done],
    }


def merged_engine(batch: int = 64) -> EngineFor:
    """Open our own engine on merged weights.

    A copy of the weights with the adapter merged in. What it returns gives None for a model that this
    engine cannot run, with a warning that says why.
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


# ------------------------------------------------------------ shared prefixes


def together(prompts: Mapping[int, tuple[int, ...]], lengths: Sequence[int]) -> list[list[int]]:
    """Group the rows of each pass.

    One prompt's, or those of prompts that share a tool list. `prompts` gives the rows' prompts as token
    ids, `lengths` the tokens of each row's completion. The bound is `MAX_PASS_TOKENS`.
    """
    passes: list[list[int]] = []
    before: tuple[int, ...] = ()
    size = 0
    for prompt, alike in groupby(sorted(prompts, key=lambda row: prompts[row]), key=lambda row: prompts[row]):
        members = list(alike)
        shared = shared_length(before, prompt)
        more = len(prompt) - shared + sum(lengths[row] for row in members)
        if passes and shared >= MIN_SAVED and size + more <= MAX_PASS_TOKENS:
            passes[-1] += members
        else:
            passes.append(members)
            size, more = 0, more + shared
        size, before = size + more, prompt
    return passes


def shared_prefix_trainer() -> Any:
    """TRL's `GRPOTrainer` with each group's prompt computed once.

    A function, so that trl is imported only when training.
    """
    from trl import GRPOTrainer

    class SharedPrefixGRPOTrainer(GRPOTrainer):
        def __init__(self, *args: Any, **kwargs: Any) -> None:
            super().__init__(*args, **kwargs)
            self.not_shared = why_not(self.model)
            if self.not_shared:
                warnings.warn(
                    f"GRPO computes each completion's prompt again (TRL's own path): {self.not_shared}",
                    stacklevel=2,
                )

        def _get_per_token_logps_and_entropies(
            self,
            model: Any,
            input_ids: torch.Tensor,
            attention_mask: torch.Tensor,
            logits_to_keep: int,
            *args: Any,
            compute_entropy: bool = False,
            **kwargs: Any,
        ) -> Any:
            given = (model, input_ids, attention_mask, logits_to_keep)
            if self.not_shared:
                return super()._get_per_token_logps_and_entropies(
                    *given, *args, compute_entropy=compute_entropy, **kwargs
                )
            return *_logps_and_entropies(self, *given, compute_entropy), None

        def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
            # The token-mean loss is a sum over rows by one normaliser, so rows of advantage zero may be left
            # out and the rest taken in parts.
            if self.not_shared or self.beta != 0.0 or self.loss_type != "dapo" or not model.training:
                return super()._compute_loss(model, inputs)  # type: ignore[no-untyped-call]
            logged = self._metrics["train"]
            before = {name: len(values) for name, values in logged.items()}
            tokens: list[float] = []
            total: Any = 0.0
            parts = list(_parts_with_advantage(inputs, _most(self)))
            for at, part in enumerate(parts, 1):
                loss = super()._compute_loss(model, part)  # type: ignore[no-untyped-call]
                tokens.append(float(part["completion_mask"].sum()))
                if at < len(parts):
                    self.accelerator.backward(loss)
                    loss = loss.detach()
                total = total + loss
            for name, values in logged.items():
                _join_means(values, before.get(name, 0), tokens)
            return total

    return SharedPrefixGRPOTrainer


def _most(trainer: Any) -> int | None:
    """Tokens of a pass on a GPU, by the memory that is free now; None on a CPU."""
    return pass_tokens(trainer.model, trainer.args.gradient_checkpointing)


def _join_means(values: list[float], start: int, tokens: Sequence[float]) -> None:
    """Replace the means over tokens that each part logged (from `start` on) by the step's one."""
    if len(means := values[start:]) == len(tokens):
        values[start:] = [sum(n * v for n, v in zip(tokens, means, strict=True)) / sum(tokens)]


def _logps_and_entropies(
    trainer: Any,
    model: Any,
    input_ids: torch.Tensor,
    attention_mask: torch.Tensor,
    logits_to_keep: int,
    want_entropy: bool,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Log-probabilities and entropies of a batch's completions, (B, `logits_to_keep`), zero where padded."""
    import torch

    width = input_ids.shape[1] - logits_to_keep
    seen = attention_mask.bool().cpu()
    pairs = list(zip(input_ids.cpu(), seen, strict=True))  # at once: each row would wait for a GPU
    prompts = [ids[:width][m[:width]].tolist() for ids, m in pairs]
    answers = [ids[width:][m[width:]].tolist() for ids, m in pairs]
    half = half_of(trainer.args)
    found = []
    # With gradients the rows are those of one pass already.
    passes = _in_one_or_more(prompts, answers, None if torch.is_grad_enabled() else _most(trainer))
    for rows in passes:
        packed = pack([prompts[row] for row in rows], [answers[row] for row in rows])
        found.append(logps_of(model, packed, trainer.temperature, want_entropy, half))
    where = seen[:, width:].to(input_ids.device)

    def padded(values: list[torch.Tensor]) -> torch.Tensor:
        flat = values[0]
        if len(passes) > 1:
            order = [row for rows in passes for row in rows]
            by_row = torch.cat(values).split([len(answers[row]) for row in order])  # type: ignore[no-untyped-call]
            flat = torch.cat([values for _, values in sorted(zip(order, by_row, strict=True), key=_first)])
        return flat.new_zeros(where.shape).masked_scatter(where, flat)

    entropies = [entropy for _, entropy in found if entropy is not None]
    return padded([logps for logps, _ in found]), padded(entropies) if want_entropy else None


def _first(pair: tuple[int, Any]) -> int:
    return pair[0]


def _in_one_or_more(
    prompts: Sequence[Sequence[int]], answers: Sequence[Sequence[int]], most: int | None
) -> list[list[int]]:
    """The rows of each pass: all in one, or as many as fit in `most` tokens."""
    if most is None:
        return [list(range(len(prompts)))]
    return filled({row: tuple(ids) for row, ids in enumerate(prompts)}, [len(a) for a in answers], most)


def _parts_with_advantage(inputs: dict[str, Any], most: int | None = None) -> Iterator[dict[str, Any]]:
    """A step's inputs without the rows of advantage zero, one pass at a time.

    By `together`, or `filled` up to `most` tokens. Where all rows are such, the first one stands for them, so
    that there is a loss.
    """
    import torch

    count = len(inputs["advantages"])
    given = inputs["advantages"] != 0
    rows = (given if given.dim() == 1 else given.any(1)).nonzero().flatten().tolist()
    ids, seen = inputs["prompt_ids"].cpu(), inputs["prompt_mask"].bool().cpu()
    prompts = {row: tuple(ids[row][seen[row]].tolist()) for row in rows or [0]}
    lengths = inputs["completion_mask"].sum(1).tolist()
    for members in together(prompts, lengths) if most is None else filled(prompts, lengths, most):
        yield {
            k: v[members] if isinstance(v, torch.Tensor) and v.dim() and len(v) == count else v
            for k, v in inputs.items()
        }
