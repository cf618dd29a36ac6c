"""GRPO steps of our trainer against TRL's own GRPOTrainer: same model, adapter, completions and settings.

    python benchmarks/bench_grpo.py [--work NAME ...] [--quick]

Three pieces of work: `step400` is one optimiser step (prompt 400, a group of 8, 40 new tokens; the
completions are given), `step800` the same at prompt 800 and a group of 16, where TRL goes in micro-batches of
4 so that it fits; `whole` is one step with its generation, 4 prompts of the world with 8 completions of 40
tokens, TRL generating with transformers and training in micro-batches of 4. Float32, a LoRA adapter on all
layers, no gradient checkpointing. The two steps have one thread on either side: a thread that waits for
another spins, which would count as CPU seconds; `whole` has two, so that it ends sooner. Before them each
side takes a step of 4 completions that does not count, for what only a process's first step costs. Half of
each group is rewarded, so no completion is left out for having no advantage; none ends early, so both sides
write as many tokens.
"""

from __future__ import annotations

import argparse
import copy
import os
import tempfile
from collections.abc import Callable
from functools import partial
from typing import Any, NamedTuple

from _measure import HEAD, Work, compare, rows, verdict
from _models import as_imported, load, on_lists

from looptool_kit.config import LoraSettings
from looptool_kit.core.toolcalls import render_prompt


class Shape(NamedTuple):
    """One piece of work."""

    prompt: int
    """Tokens of the prompt; 0: prompts of the world, and completions that are generated."""
    groups: int
    group: int
    new: int
    micro: int
    """Rows that TRL takes at once."""
    ratio: float
    """The target, in CPU seconds."""
    memory: float = 0
    """The target in peak memory, where there is one."""
    rounds: int = 1
    """The best one counts."""
    threads: int = 1
    warm: int = 0
    """The group of a smaller step before, which does not count and pays for what only a process's first step
    pays for; 0: none.
    """


WORK = {
    "step400": Shape(400, 1, 8, 40, 8, 4, 2, rounds=2, warm=4),
    "step800": Shape(800, 1, 16, 40, 4, 6, warm=4),
    "whole": Shape(0, 4, 8, 40, 4, 3, threads=2),
}
QUICK = {
    "step400": Shape(60, 1, 4, 6, 4, 4, 2, warm=2),
    "step800": Shape(80, 1, 4, 6, 2, 6),
    "whole": Shape(0, 2, 2, 4, 2, 3),
}


def side(ours: bool, shape: Shape, quick: bool) -> Work:
    """A trainer that is ready; the work is one optimiser step.

    It returns (loss, norm of the gradient).
    """
    os.environ.setdefault("TRL_EXPERIMENTAL_SILENCE", "1")
    as_imported(ours)
    import torch
    from datasets import Dataset
    from transformers import set_seed
    from transformers.trainer_callback import PrinterCallback
    from trl import GRPOTrainer

    from looptool_kit.stages.train.common import lora_policy
    from looptool_kit.stages.train.grpo import shared_prefix_trainer

    if shape.warm:
        side(ours, shape._replace(group=shape.warm, warm=0), quick)()
    torch.set_num_threads(shape.threads)
    model, tokenizer = load(quick)
    generator = copy.deepcopy(model) if ours and not shape.prompt else None
    policy = lora_policy(model, LoraSettings(), None, seed=0)
    size = shape.groups * shape.group
    samples = on_lists(shape.groups, 1) if not shape.prompt else []
    prompts = [render_prompt(s.tools, s.messages) for s in samples] or ["x"]
    rollout: Callable[..., Any] | None = None
    if shape.prompt:
        draw = torch.Generator().manual_seed(0)
        prompt = torch.randint(5, len(tokenizer) - 5, (shape.prompt,), generator=draw).tolist()
        given = torch.randint(5, len(tokenizer) - 5, (size, shape.new), generator=draw).tolist()
        rollout = partial(_given, prompt, given)
    elif ours:
        rollout = _generating(generator, tokenizer, policy, dict(zip(prompts, samples, strict=True)), shape)
    config = _config(ours, shape)

    def alternate(completions: list[Any], **_: Any) -> list[float]:
        return [float(i % 2) for i in range(len(completions))]

    trainer = (shared_prefix_trainer() if ours else GRPOTrainer)(
        model=policy,
        args=config,
        reward_funcs=[alternate],
        processing_class=tokenizer,
        rollout_func=rollout,
        train_dataset=Dataset.from_list([{"prompt": p} for p in prompts]),
    )
    trainer.remove_callback(PrinterCallback)

    def work() -> tuple[float, float]:
        set_seed(0)
        trainer.train()
        last = next(row for row in reversed(trainer.state.log_history) if "loss" in row)
        return last["loss"], last["grad_norm"]

    return work


def _config(ours: bool, shape: Shape) -> Any:
    """TRL's configuration of one step."""
    from trl import GRPOConfig

    size = shape.groups * shape.group
    micro = size if ours else min(shape.micro, size)
    return GRPOConfig(
        output_dir=tempfile.mkdtemp(),
        max_steps=1,
        per_device_train_batch_size=micro,
        gradient_accumulation_steps=size // micro,
        steps_per_generation=size // micro,
        num_generations=shape.group,
        max_completion_length=shape.new,
        learning_rate=1e-5,
        temperature=1.0,
        epsilon=0.2,
        epsilon_high=0.28,
        beta=0.0,
        loss_type="dapo",
        scale_rewards="group",
        shuffle_dataset=False,
        disable_dropout=True,
        use_cpu=True,
        bf16=False,
        gradient_checkpointing=False,
        report_to=[],
        save_strategy="no",
        logging_steps=1,
        disable_tqdm=True,
        seed=0,
        dataloader_pin_memory=False,
        generation_kwargs={} if shape.prompt or ours else {"min_new_tokens": shape.new},
    )


def _given(
    prompt: list[int], completions: list[list[int]], batch: list[Any], trainer: Any
) -> dict[str, list[Any]]:
    assert len(batch) == len(completions)
    return {
        "prompt_ids": [prompt] * len(batch),
        "completion_ids": completions,
        "logprobs": [[0.0] * len(c) for c in completions],
    }


def _generating(
    model: Any, tokenizer: Any, policy: Any, by_prompt: dict[str, Any], shape: Shape
) -> Callable[..., Any]:
    """Completions as our GRPO gets them: from the engine, on merged weights, each prompt computed once for
    its group.
    """
    from looptool_kit.policy.engines import Sampling
    from looptool_kit.policy.engines.transformers import TransformersEngine
    from looptool_kit.stages.train.common import merged_copy

    engine = TransformersEngine(model, tokenizer, batch_size=32)
    engine.ends = set()  # every completion gets its full length

    def rollout(batch: list[str], trainer: Any) -> dict[str, list[Any]]:
        merged_copy(policy, engine.model)
        sampling = Sampling(shape.new, 1.0, shape.group, seed=0)
        done = [
            c
            for group in engine.generate([by_prompt[p] for p in batch[:: shape.group]], sampling)
            for c in group
        ]
        return {
            "prompt_ids": [tokenizer(p, add_special_tokens=False)["input_ids"] for p in batch],
            "completion_ids": [list(c.token_ids) for c in done],
            "logprobs": [list(c.logprobs) for c in done],
        }

    return rollout


def bound(shape: Shape, layers: int, head: int) -> float:
    """Their multiplications by weights over ours, for `layers` and `head` weights: tokens in the layers, and
    rows of logits.
    """
    size = shape.groups * shape.group
    ours = layers * (shape.groups * shape.prompt + size * (shape.new - 1)) + head * (
        size * (shape.new - 1) + shape.groups
    )
    return (layers * size * (shape.prompt + shape.new) + head * size * shape.new) / ours


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--work", nargs="+", choices=list(WORK), default=list(WORK))
    ask.add_argument(
        "--quick", action="store_true", help="a tiny random model and short sequences, one round"
    )
    args = ask.parse_args()
    shapes, notes = QUICK if args.quick else WORK, []
    model, _ = load(args.quick)
    head = model.get_output_embeddings().weight.numel()
    weights = (sum(p.numel() for p in model.base_model.layers.parameters()), head)
    print(HEAD, flush=True)
    for name in args.work:
        shape = shapes[name]
        sides = {n: partial(side, n == "ours", shape, args.quick) for n in ("ours", "TRL")}
        costs = compare(sides, shape.rounds, together=args.quick)
        print(rows(name, costs), flush=True)
        cpu, _, peak = (b / a for a, b in zip(costs["ours"].best, costs["TRL"].best, strict=True))
        notes.append(verdict(f"{name}, CPU", cpu, shape.ratio))
        if shape.memory:
            notes.append(verdict(f"{name}, peak memory", peak, shape.memory))
        if shape.prompt:
            (loss, norm), (their_loss, their_norm) = costs["ours"].value, costs["TRL"].value
            notes.append(
                f"- {name}: {bound(shape, *weights):.1f}x is what the multiplications by weights allow,"
                " attention and all else left out"
            )
            notes.append(
                f"- {name}: loss {loss:.6g} and {their_loss:.6g}, norm of the gradient {norm:.6g} and"
                f" {their_norm:.6g} (ours and TRL's)"
            )
    print("\n" + "\n".join(notes))


if __name__ == "__main__":
    main()
