"""The memory and time that a training on one GPU will need, by arithmetic.

Formulas, all in bytes or floating-point operations; nothing here was measured (`docs/gpu.md` explains each
and says which assumptions it makes):

- weights: 2 a parameter in bfloat16. In 4 bits: the linear layers at 4.127 bits (NF4 with double
  quantisation: QLoRA, arXiv 2305.14314, section 3), embeddings at 2 bytes. Trainer and vLLM share them.
- adapter: 12 a LoRA parameter (float32 weight and gradient, two 8-bit moments, vLLM's 16-bit copy).
- activations: with checkpointing, one layer's inputs and intermediates of a micro-batch in 16 bits; logits of
  its completions in 16 and 32 bits.
- KV cache: 2 (key, value) x layers x KV heads x head dimension x 2 for each token; vLLM takes what its share
  of the GPU leaves beside the weights.
- training: 6 operations a parameter and token: forward, forward again for checkpointing, backward through
  frozen weights (2 each).
- generation: 2 operations a parameter and token, and each decoding step reads the weights and the running
  sequences' KV cache once.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from looptool_kit.config import Settings
from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import render_answer, render_prompt

PEAK_SHARE = 0.35
"""Share of the GPU's peak arithmetic that is assumed to be reached, in training and in prefill; an
assumption, not a measurement.
"""
TOKEN_CHARACTERS = 4
"""Characters a token, assumed before the tokenizer is loaded."""
CONTEXT_GB = 1.5
"""What CUDA and the libraries take beside all that is counted, assumed."""


class Shape(NamedTuple):
    """A decoder-only transformer with grouped-query attention and a gated feed-forward layer."""

    layers: int
    hidden: int
    heads: int
    kv_heads: int
    head_dim: int
    inner: int
    vocab: int
    tied: bool

    @property
    def linear(self) -> int:
        """Parameters of the linear layers."""
        attention = self.hidden * self.head_dim * (2 * self.heads + 2 * self.kv_heads)
        return self.layers * (attention + 3 * self.hidden * self.inner)

    @property
    def parameters(self) -> int:
        """All parameters but those of the norms."""
        return self.linear + self.vocab * self.hidden * (1 if self.tied else 2)

    def lora(self, rank: int) -> int:
        """Parameters of an adapter on all linear layers: rank x (inputs + outputs) each."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        sides = 2 * (self.hidden + q) + 2 * (self.hidden + kv) + 3 * (self.hidden + self.inner)
        return self.layers * rank * sides


SHAPES = {
    "Qwen/Qwen3-0.6B": Shape(28, 1024, 16, 8, 128, 3072, 151_936, True),
    "Qwen/Qwen3-4B": Shape(36, 2560, 32, 8, 128, 9728, 151_936, True),
    "Qwen/Qwen3-8B": Shape(36, 4096, 32, 8, 128, 12288, 151_936, False),
}
"""The presets' models, from their `config.json`."""


def shape_of(model: str) -> Shape:
    """The shape of a model: a preset's, or that of a folder or a hub name."""
    if model in SHAPES:
        return SHAPES[model]
    from transformers import AutoConfig

    from looptool_kit.policy.models import find_model

    c = AutoConfig.from_pretrained(find_model(model).path, trust_remote_code=False).get_text_config()
    head = getattr(c, "head_dim", None) or c.hidden_size // c.num_attention_heads
    kv = getattr(c, "num_key_value_heads", None) or c.num_attention_heads
    tied = bool(getattr(c, "tie_word_embeddings", False))
    return Shape(
        c.num_hidden_layers,
        c.hidden_size,
        c.num_attention_heads,
        kv,
        head,
        c.intermediate_size,
        c.vocab_size,
        tied,
    )


class Estimate(NamedTuple):
    """Gigabytes (10^9 bytes) and seconds."""

    weights: float
    adapter: float
    activations: float
    cache: float
    """Left for the KV cache in vLLM's share."""
    total: float
    gpu: float
    sequences: int
    """Full-length sequences whose KV cache fits at once."""
    sft_seconds: float
    step_seconds: float
    """Of one GRPO step: generation and training."""
    steps: int

    @property
    def fits(self) -> bool:
        """True where the GPU has what is needed."""
        return self.total <= self.gpu and self.cache > 0 and self.sequences > 0

    def words(self) -> str:
        """Two lines for a person, and a remedy where it does not fit."""
        hours = (self.sft_seconds + self.steps * self.step_seconds) / 3600
        lines = [
            (
                f"memory, by formula: weights {self.weights:.1f} GB, adapter and optimiser"
                f" {self.adapter:.1f}, activations and logits {self.activations:.1f}, KV cache"
                f" {max(0.0, self.cache):.1f} ({self.sequences} full-length sequences at once):"
                f" {self.total:.1f} of {self.gpu:.0f} GB"
            ),
            (
                f"time, by formula at {PEAK_SHARE:.0%} of the GPU's peak (an assumption): warm start"
                f" {self.sft_seconds / 60:.0f} min, {self.steps} GRPO steps of {self.step_seconds / 60:.1f}"
                f" min, {hours:.1f} hours in all"
            ),
        ]
        if not self.fits:
            lines.append(
                "It does not fit: take unsloth.four_bit = true, a smaller unsloth.micro_batch or"
                " max_seq_length, or another share for vLLM."
            )
        return "\n".join(lines)


def estimate(
    settings: Settings, samples: Sequence[Sample], epochs: int, steps: int, gpu_gb: float | None = None
) -> Estimate:
    """What one iteration's training will need.

    `gpu_gb` is the memory of the GPU at hand; by default the one that the settings name.
    """
    own, grpo = settings.unsloth, settings.grpo
    shape, gpu = shape_of(settings.model), gpu_gb or own.gpu_gb
    prompt = _mean(len(render_prompt(s.tools, s.messages)) / TOKEN_CHARACTERS for s in samples)
    answer = _mean(len(render_answer(s.label)) / TOKEN_CHARACTERS for s in samples)

    linear_bytes = shape.linear * (4.127 / 8 if own.four_bit else 2)
    weights = linear_bytes + (shape.parameters - shape.linear) * 2
    adapter = shape.lora(settings.lora.rank) * 12
    rows = own.micro_batch
    tokens = rows * own.max_seq_length
    layer = (
        tokens
        * (4 * shape.hidden + 2 * (shape.heads + shape.kv_heads) * shape.head_dim + 3 * shape.inner)
        * 2
    )
    logits = rows * grpo.max_new_tokens * shape.vocab * 6 if steps else tokens * 0.25 * shape.vocab * 6
    each = 2 * shape.layers * shape.kv_heads * shape.head_dim * 2
    cache = own.gpu_memory_utilization * gpu * 1e9 - weights if steps else 0.0
    at_once = max(0, int(cache / (each * own.max_seq_length)))
    total = max(weights + cache, weights) + adapter + layer + logits + CONTEXT_GB * 1e9

    peak, band = own.tflops * 1e12 * PEAK_SHARE, own.bandwidth_gb * 1e9
    sft = epochs * len(samples) * (prompt + answer) * 6 * shape.parameters / peak
    count = grpo.prompts * grpo.group
    waves = math.ceil(count / max(1, min(at_once, count)))
    running = min(max(1, at_once), count)
    prefill = grpo.prompts * prompt * 2 * shape.parameters / peak
    decode = (
        waves
        * answer
        * max((weights + running * (prompt + answer) * each) / band, running * 2 * shape.parameters / peak)
    )
    train = count * (prompt + answer) * 6 * shape.parameters / peak
    return Estimate(
        weights=weights / 1e9,
        adapter=adapter / 1e9,
        activations=(layer + logits) / 1e9,
        cache=cache / 1e9,
        total=total / 1e9,
        gpu=gpu,
        sequences=at_once if steps else count,
        sft_seconds=sft,
        step_seconds=prefill + decode + train,
        steps=steps,
    )


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / max(1, len(listed))
