"""Shared prefixes in training: one group of G completions, forward and backward, packed against the ordinary batch of G rows.

    python benchmarks/bench_shared_prefix.py [--prompt 400] [--group 8] [--new 40] [--rounds 3]

Both sides compute the same log-probs of the same completions on the embedded model with a LoRA adapter, in float32, turn about in one process.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable
from typing import Any

import torch

from looptool_kit.config import LoraSettings
from looptool_kit.policies import load_base
from looptool_kit.trainers.common import lora_policy
from looptool_kit.trainers.shared_prefix import pack, packed_logps


def ordinary(policy: Any, prompts: list[list[int]], completions: list[list[int]]) -> torch.Tensor:
    """Log-probs by the batch of G whole rows, as a trainer without sharing computes them."""
    ids = torch.tensor([p + c for p, c in zip(prompts, completions, strict=True)])
    new = len(completions[0])
    logits = policy(input_ids=ids, use_cache=False, logits_to_keep=new + 1).logits[:, :-1].float()
    return torch.log_softmax(logits, -1).gather(2, ids[:, -new:, None])[..., 0].flatten()


def packed(policy: Any, prompts: list[list[int]], completions: list[list[int]]) -> torch.Tensor:
    """Log-probs with the prompt computed once."""
    return packed_logps(policy, pack(prompts, completions))[0]


def main() -> None:
    """Measure and print."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    for name, value in (("prompt", 400), ("group", 8), ("new", 40), ("rounds", 3)):
        ask.add_argument(f"--{name}", type=int, default=value)
    args = ask.parse_args()
    model, tokenizer = load_base("embedded")
    policy = lora_policy(model, LoraSettings(), None, seed=0)
    rng = torch.Generator().manual_seed(0)
    prompt = torch.randint(5, len(tokenizer), (args.prompt,), generator=rng).tolist()
    completions = torch.randint(5, len(tokenizer), (args.group, args.new), generator=rng).tolist()
    prompts = [prompt] * args.group
    sides: dict[str, Callable[..., torch.Tensor]] = {"ordinary": ordinary, "shared": packed}
    cpu: dict[str, list[float]] = {name: [] for name in sides}
    wall: dict[str, list[float]] = {name: [] for name in sides}
    values: dict[str, torch.Tensor] = {}
    for _ in range(args.rounds + 1):
        for name, side in sides.items():
            policy.zero_grad()
            c, w = time.process_time(), time.perf_counter()
            logps = side(policy, prompts, completions)
            (-logps.mean()).backward()
            cpu[name].append(time.process_time() - c)
            wall[name].append(time.perf_counter() - w)
            values[name] = logps.detach()
    print(f"prompt {args.prompt}, group {args.group}, {args.new} new tokens; the first round is left out, best of {args.rounds}")
    print("| side | CPU seconds | wall seconds |\n| --- | --- | --- |")
    for name in sides:
        print(f"| {name} | {min(cpu[name][1:]):.1f} | {min(wall[name][1:]):.1f} |")
    gap = float((values["ordinary"] - values["shared"]).abs().max())
    print(f"ratio {min(cpu['ordinary'][1:]) / min(cpu['shared'][1:]):.1f} (CPU), {min(wall['ordinary'][1:]) / min(wall['shared'][1:]):.1f} (wall)")
    print(f"largest difference of a log-prob: {gap:.1e}")


if __name__ == "__main__":
    main()
