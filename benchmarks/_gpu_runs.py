"""What `gpu.py` measures with this package's own trainers, engines and loop: whole GRPO steps, the loop of
two iterations, the engines side by side.
"""

from __future__ import annotations

import tempfile
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

from _gpu_work import TINY, Figures, Machine, random_model, tokenizer_of_bytes

import looptool_kit as lt
from looptool_kit import world
from looptool_kit.config import GrpoSettings, LoraSettings, Settings
from looptool_kit.core.samples import Samples
from looptool_kit.stages.train.shapes import SHAPES


class NotHere(Exception):
    """What a measurement needs and this machine does not have."""


# -------------------------------------------------------- a whole GRPO step


def whole_step(machine: Machine, model: str, engine: str = "transformers") -> Figures:
    """A GRPO step on the world's prompts in its parts: generation, log-probs forward, the update behind them.

    Rewards alternate, so that every completion has an advantage. The median of the steps but the first.
    """
    import torch

    from looptool_kit.stages.train import grpo
    from looptool_kit.stages.train.stage import _swapping

    settings = _step_settings(machine.tiny)
    load = _loader(machine, model)
    writer: Any = grpo.merged_engine()
    folder = Path(tempfile.mkdtemp())
    if engine == "vllm":
        _need_vllm()
        writer = _swapping(Settings(model=_checkpoint(machine), engine="vllm"), folder / "adapter")
    samples = Samples(world.generate(settings.prompts * settings.steps, seed=3))
    parts: Counter[str] = Counter()
    steps: list[Counter[str]] = []

    def reward(*_: Any) -> Callable[..., list[float]]:
        return lambda completions, **__: [float(i % 2) for i in range(len(completions))]

    def bar(description: str) -> Any:
        callback = real_bar(description)
        ended = callback.on_step_end

        def stamp(*args: Any, **more: Any) -> None:
            if machine.device == "cuda":
                torch.cuda.synchronize()
            now = time.perf_counter()
            steps.append(Counter({**parts, "step": now - since[0]}))
            since[0] = now
            parts.clear()
            ended(*args, **more)

        callback.on_step_end = stamp
        return callback

    real_bar, since = grpo.progress, [time.perf_counter()]
    with (
        patch.object(grpo, "tool_match", reward),
        patch.object(grpo, "progress", bar),
        _adding(machine, grpo, "_complete", parts, "generation"),
        _adding(machine, grpo, "_logps_and_entropies", parts, "log_probs"),
    ):
        if machine.device == "cuda":
            torch.cuda.reset_peak_memory_stats()
        grpo.train(load, writer, None, samples, settings, LoraSettings(rank=32, alpha=64), folder, seed=0)
    last = sorted(steps[1:], key=lambda s: s["step"])[len(steps[1:]) // 2]
    figures: Figures = {name: last[name] for name in ("step", "generation", "log_probs")}
    figures["update"] = last["step"] - last["generation"] - last["log_probs"]
    if machine.device == "cuda":
        figures["peak_gb"] = torch.cuda.max_memory_allocated() / 1e9
    return figures | {"completions": settings.prompts * settings.group, "most_new": settings.max_new_tokens}


def _step_settings(tiny: bool) -> GrpoSettings:
    return GrpoSettings(
        steps=2 if tiny else 3,
        prompts=2 if tiny else 8,
        group=2 if tiny else 16,
        max_new_tokens=6 if tiny else 128,
        learning_rate=1e-6,
        save_steps=1000,
    )


@contextmanager
def _adding(machine: Machine, module: Any, name: str, parts: Counter[str], part: str) -> Iterator[None]:
    """Add the seconds of a function's calls to a part."""
    import torch

    real = getattr(module, name)

    def measured(*args: Any, **more: Any) -> Any:
        started = time.perf_counter()
        found = real(*args, **more)
        if machine.device == "cuda":
            torch.cuda.synchronize()
        parts[part] += time.perf_counter() - started
        return found

    with patch.object(module, name, measured):
        yield


def _loader(machine: Machine, model: str) -> Callable[[], tuple[Any, Any]]:
    """A model by name, or random weights of a shape with the embedded model's tokenizer."""
    from looptool_kit.policy.models import load_tokenizer
    from looptool_kit.policy.policy import load_base

    if machine.tiny:
        tokenizer = tokenizer_of_bytes()
        # 258 ids are more than the tokenizer's, as in a padded vocabulary.
        return lambda: (random_model(machine, TINY, machine.dtype, "llama").eval(), tokenizer)
    half = str(machine.dtype).removeprefix("torch.")
    if model == "embedded":
        return lambda: load_base("embedded", half)
    tokenizer = load_tokenizer("embedded")
    shape = SHAPES[model]._replace(vocab=len(tokenizer))
    return lambda: (random_model(machine, shape, machine.dtype).eval(), tokenizer)


def _checkpoint(machine: Machine) -> str:
    """What engines and loops are given: the embedded model, in the tiny form random weights."""
    if not machine.tiny:
        return "embedded"
    model, tokenizer = _loader(machine, "tiny")()
    folder = tempfile.mkdtemp()
    model.float().save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


def _need_vllm() -> None:
    from looptool_kit.policy.engines.vllm import why_not

    if reason := why_not():
        raise NotHere(reason)


# --------------------------------------------------------- loop and engines


def loop(machine: Machine, trainer: str) -> Figures:
    """Two iterations of the preset `cpu-quick` with a trainer: seconds, stage by stage."""
    from looptool_kit.policy.policy import close_engines

    engine = "transformers"
    if trainer == "unsloth":
        from looptool_kit.stages.train.unsloth import why_not

        if reason := why_not():
            raise NotHere(reason)
        engine = "vllm"
    run = lt.Run.create(
        Path(tempfile.mkdtemp()) / "run",
        "cpu-quick",
        trainer=trainer,
        engine=engine,
        model=_checkpoint(machine),
        unsloth__micro_batch=4,
        unsloth__max_seq_length=4096,
        iterations=2,
        **({"seeds__fresh": [4, 2]} | (_TINY_LOOP if machine.tiny else {})),
    )
    started = time.perf_counter()
    lt.Loop(run).run()
    seconds = time.perf_counter() - started
    close_engines()
    figures: Figures = {"seconds": seconds, "iterations": run.settings.iterations}
    for j in range(1, run.settings.iterations + 1):
        manifest = run.manifest("policy", j) or {}
        figures[f"train_{j}"] = [
            {k: v for k, v in facts.items() if k in ("trainer", "steps", "samples", "reward_last")}
            for facts in manifest.get("trainings", [])
        ]
    return figures


_TINY_LOOP = {
    "seeds__first": 4,
    "seeds__fresh": [2],
    "seeds__held_out": 2,
    "probe__max_new_tokens": 6,
    "evaluate__max_new_tokens": 6,
    "grpo__max_new_tokens": 6,
    "grpo__group": 2,
    "expand__most": 2,
}


def engine(machine: Machine, name: str) -> Figures:
    """Opening an engine and answering, greedily: seconds, tokens a second, and the answers themselves."""
    from looptool_kit.policy.engines import Sampling
    from looptool_kit.policy.policy import base_policy, close_engines, open_engine

    if name == "vllm":
        _need_vllm()
    policy = base_policy(_checkpoint(machine), name)
    samples = world.generate(4 if machine.tiny else 64, seed=4)
    started = time.perf_counter()
    opened = open_engine(policy, 64)
    opened.generate(samples[:1], Sampling(4))
    ready = time.perf_counter()
    done = opened.generate(samples, Sampling(8 if machine.tiny else 128))
    seconds = time.perf_counter() - ready
    tokens = sum(len(c.token_ids) for group in done for c in group)
    figures: Figures = {"open": ready - started, "seconds": seconds, "tokens": tokens}
    if name == "vllm":
        started = time.perf_counter()
        opened.sleep()
        slept = time.perf_counter()
        opened.generate(samples[:1], Sampling(4))
        figures |= {"sleep": slept - started, "wake": time.perf_counter() - slept}
    close_engines()
    return figures | {"answers": [group[0].text for group in done]}
