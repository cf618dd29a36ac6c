"""The memory and time that a training on one GPU will need, by arithmetic.

Formulas, all in bytes or floating-point operations (`docs/gpu.md` explains each and says which assumptions it
makes). Only the share of the peak that is reached can be a measured one (`measured.py`).

- weights: 2 a parameter in 16 bits. In 4 bits: the linear layers at 4.127 bits (NF4 with double
  quantisation: QLoRA, arXiv 2305.14314, section 3), embeddings at 2 bytes. Unsloth and vLLM share them;
  beside the trainer `trl` the engine has its own.
- adapter: a LoRA parameter has a float32 weight and gradient and two moments, of 32 bits (16 bytes) with
  `trl`, of 8 with `unsloth`, and there vLLM's 16-bit copy (12 bytes).
- activations: with `trl` those of a pass over shared prefixes, which is as large as the memory allows
  (`footprint.py`). With `unsloth` and its checkpointing, one layer's inputs and intermediates of a
  micro-batch in 16 bits; logits of its completions in 16 and 32 bits.
- KV cache: 2 (key, value) x layers x KV heads x head dimension x 2 for each token; vLLM takes what its share
  of the GPU leaves beside the weights.
- training: with `trl` the operations of `footprint.py`, half as much again with checkpointing. With
  `unsloth` 6 a parameter and token: forward, forward again for checkpointing, backward through frozen weights
  (2 each).
- generation: 2 operations a parameter and token, and each decoding step reads the weights and the running
  sequences' KV cache once. The engine `transformers` is bound by Python (`ENGINE_TOKENS`).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from looptool_kit.config import Settings
from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import render_answer, render_prompt
from looptool_kit.stages.train.footprint import MEMORY_SHARE, Work, of_group, operations, pass_bytes
from looptool_kit.stages.train.measured import Share, peak_share
from looptool_kit.stages.train.shapes import Shape, shape_of

TOKEN_CHARACTERS = 4
"""Characters a token, assumed before the tokenizer is loaded."""
CONTEXT_GB = 1.5
"""What CUDA and the libraries take beside all that is counted, assumed."""
ENGINE_TOKENS = 600
"""New tokens a second of the engine `transformers`: seen once, with the embedded model on one H100."""
ENGINE_ROWS = 64
"""Completions that this engine decodes at once in GRPO."""
LOOKED_AT = 256
"""Samples from which the tokens that prompts share are counted."""


class Estimate(NamedTuple):
    """Gigabytes (10^9 bytes) and seconds."""

    weights: float
    adapter: float
    activations: float
    cache: float
    """For generation beside the weights of training: the KV cache, with `trl` the engine's weights too."""
    total: float
    gpu: float
    sequences: int
    """Full-length sequences whose KV cache fits at once."""
    sft_seconds: float
    step_seconds: float
    """Of one GRPO step: generation and training."""
    steps: int
    share: Share
    """Share of the peak arithmetic that the seconds are worked out with."""

    @property
    def fits(self) -> bool:
        """True where the GPU has what is needed."""
        return self.total <= self.gpu and self.cache >= 0 and self.sequences > 0

    def words(self) -> str:
        """The estimate in two lines for a person.

        With a remedy where it does not fit.
        """
        hours = (self.sft_seconds + self.steps * self.step_seconds) / 3600
        lines = [
            (
                f"memory, by formula: weights {self.weights:.1f} GB, adapter and optimiser"
                f" {self.adapter:.1f}, activations and logits {self.activations:.1f}, generation"
                f" {max(0.0, self.cache):.1f} (KV cache of {self.sequences} full-length sequences at once):"
                f" {self.total:.1f} of {self.gpu:.0f} GB"
            ),
            (
                f"time, by formula at {self.share.value:.0%} of the GPU's peak ({self.share.source}): SFT"
                f" {self.sft_seconds / 60:.0f} min, {self.steps} GRPO steps of {self.step_seconds / 60:.1f}"
                f" min, {hours:.1f} hours in all"
            ),
        ]
        if not self.fits:
            lines.append(
                "It does not fit: take a smaller model, or with the trainer unsloth unsloth.four_bit = true,"
                " a smaller unsloth.micro_batch or max_seq_length, or another share for vLLM."
            )
        return "\n".join(lines)


def estimate(
    settings: Settings, samples: Sequence[Sample], epochs: int, steps: int, gpu_gb: float | None = None
) -> Estimate:
    """What one iteration's training will need on a GPU.

    `gpu_gb` is the memory of the GPU at hand; by default the one that the settings name.
    """
    texts = _Texts.of(samples)
    gpu = gpu_gb or settings.unsloth.gpu_gb
    shape = shape_of(settings.model)
    if settings.trainer == "unsloth":
        return _with_unsloth(settings, shape, texts, epochs, steps, gpu)
    return _with_trl(settings, shape, texts, epochs, steps, gpu)


class _Texts(NamedTuple):
    """The samples, in tokens by `TOKEN_CHARACTERS`."""

    samples: int
    prompt: float
    answer: float
    shared: float
    """Share of a prompt's tokens that the prompt before it has, in the order of their text."""

    @classmethod
    def of(cls, samples: Sequence[Sample]) -> _Texts:
        """Means over the samples."""
        prompts = [render_prompt(s.tools, s.messages) for s in samples]
        answers = _mean(len(render_answer(s.label)) for s in samples)
        some = sorted(prompts[:LOOKED_AT])
        alike = sum(len(os.path.commonprefix(pair)) for pair in zip(some, some[1:], strict=False))
        shared = alike / max(1, sum(map(len, some)))
        length = _mean(map(len, prompts))
        return cls(len(prompts), length / TOKEN_CHARACTERS, answers / TOKEN_CHARACTERS, shared)


def _with_unsloth(
    settings: Settings, shape: Shape, texts: _Texts, epochs: int, steps: int, gpu: float
) -> Estimate:
    """Unsloth and vLLM on the same weights."""
    own, grpo, (samples, prompt, answer, _) = settings.unsloth, settings.grpo, texts
    weights = shape.linear * (4.127 / 8 if own.four_bit else 2) + (shape.parameters - shape.linear) * 2
    adapter = shape.lora(settings.lora.rank) * 12
    rows = own.micro_batch
    tokens = rows * own.max_seq_length
    layer = (
        tokens
        * (4 * shape.hidden + 2 * (shape.heads + shape.kv_heads) * shape.head_dim + 3 * shape.inner)
        * 2
    )
    logits = rows * grpo.max_new_tokens * shape.vocab * 6 if steps else tokens * 0.25 * shape.vocab * 6
    cache = own.gpu_memory_utilization * gpu * 1e9 - weights if steps else 0.0
    at_once = max(0, int(cache / (shape.cached * own.max_seq_length)))
    total = max(weights + cache, weights) + adapter + layer + logits + CONTEXT_GB * 1e9
    share = peak_share("unsloth")
    peak = own.tflops * 1e12 * share.value
    count = grpo.prompts * grpo.group
    return Estimate(
        weights=weights / 1e9,
        adapter=adapter / 1e9,
        activations=(layer + logits) / 1e9,
        cache=cache / 1e9,
        total=total / 1e9,
        gpu=gpu,
        sequences=at_once if steps else count,
        sft_seconds=epochs * samples * (prompt + answer) * 6 * shape.parameters / peak,
        step_seconds=_with_vllm(settings, shape, texts, weights, at_once, peak)
        + count * (prompt + answer) * 6 * shape.parameters / peak,
        steps=steps,
        share=share,
    )


def _with_trl(
    settings: Settings, shape: Shape, texts: _Texts, epochs: int, steps: int, gpu: float
) -> Estimate:
    """Shared prefixes, and an engine with weights of its own."""
    sft, grpo, (samples, prompt, answer, shared) = settings.sft, settings.grpo, texts
    weights = shape.parameters * 2
    adapter = shape.lora(settings.lora.rank) * 16
    checkpointing = grpo.gradient_checkpointing if steps else sft.gradient_checkpointing
    each = shape.cached * (prompt + grpo.max_new_tokens)
    used = weights + adapter + CONTEXT_GB * 1e9
    cache, at_once = 0.0, grpo.prompts * grpo.group
    if steps and settings.engine == "transformers":
        at_once = min(at_once, ENGINE_ROWS)
        cache = weights + at_once * each
    elif steps:
        # It sleeps while the policy trains, so it has what that leaves.
        cache = 0.9 * gpu * 1e9 - used
        at_once = max(0, int((cache - weights) / each))
    step = of_group(prompt, answer, grpo.group).times(grpo.prompts)
    shared *= 1 - 1 / min(sft.micro_batch, sft.batch)  # the first sample of a run has nothing to share
    epoch = Work(prompt * (1 - shared), prompt**2 * (1 - shared) / 2, 0) + of_group(0, answer)
    epoch = epoch._replace(seen=epoch.seen + answer * prompt).times(samples)
    wanted = max(step.tokens * bool(steps), epoch.tokens * bool(epochs) * sft.batch / max(1, samples))
    least = prompt + grpo.max_new_tokens if steps else prompt + answer
    bytes_of, beside = pass_bytes(shape, checkpointing), cache * (settings.engine == "transformers")
    fits = (MEMORY_SHARE * (gpu * 1e9 - used - beside) - bytes_of.fixed) / bytes_of.token
    activations = bytes_of.of(max(least, min(wanted, fits)))
    share = peak_share("packed")
    peak = settings.unsloth.tflops * 1e12 * share.value / (1.5 if checkpointing else 1)
    made = grpo.prompts * grpo.group * answer
    generation = (
        made / ENGINE_TOKENS
        if settings.engine == "transformers"
        else _with_vllm(settings, shape, texts, weights, at_once, peak)
    )
    return Estimate(
        weights=weights / 1e9,
        adapter=adapter / 1e9,
        activations=activations / 1e9,
        cache=cache / 1e9,
        total=(used + (beside + activations if beside or not steps else max(cache, activations))) / 1e9,
        gpu=gpu,
        sequences=at_once,
        sft_seconds=operations(shape, epoch.times(epochs)) / peak,
        step_seconds=generation + operations(shape, step) / peak,
        steps=steps,
        share=share,
    )


def _with_vllm(
    settings: Settings, shape: Shape, texts: _Texts, weights: float, at_once: int, peak: float
) -> float:
    """Seconds of a GRPO step's completions, `at_once` sequences at a time."""
    grpo, (_, prompt, answer, _) = settings.grpo, texts
    count = grpo.prompts * grpo.group
    waves = math.ceil(count / max(1, min(at_once, count)))
    running = min(max(1, at_once), count)
    prefill = grpo.prompts * prompt * 2 * shape.parameters / peak
    read = weights + running * (prompt + answer) * shape.cached
    step = max(read / (settings.unsloth.bandwidth_gb * 1e9), running * 2 * shape.parameters / peak)
    return prefill + waves * answer * step


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / max(1, len(listed))
