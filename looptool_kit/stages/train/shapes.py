"""The shapes of decoder-only transformers: what estimates of memory and time are made from."""

from __future__ import annotations

from typing import Any, NamedTuple


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
        """Parameters of an adapter on all linear layers.

        rank x (inputs + outputs) each.
        """
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        sides = 2 * (self.hidden + q) + 2 * (self.hidden + kv) + 3 * (self.hidden + self.inner)
        return self.layers * rank * sides

    @property
    def cached(self) -> int:
        """Bytes of a token's keys and values in 16 bits."""
        return 2 * self.layers * self.kv_heads * self.head_dim * 2


SHAPES = {
    "Qwen/Qwen3-0.6B": Shape(28, 1024, 16, 8, 128, 3072, 151_936, True),
    "Qwen/Qwen3-1.7B": Shape(28, 2048, 16, 8, 128, 6144, 151_936, True),
    "Qwen/Qwen3-4B": Shape(36, 2560, 32, 8, 128, 9728, 151_936, True),
    "Qwen/Qwen3-8B": Shape(36, 4096, 32, 8, 128, 12288, 151_936, False),
}
"""The models of the presets and of `benchmarks/gpu.py`, from their `config.json`."""


def shape_of(model: str) -> Shape:
    """Return the shape of a model.

    One of `SHAPES`, or that of a folder or a hub name.
    """
    if model in SHAPES:
        return SHAPES[model]
    from transformers import AutoConfig

    from looptool_kit.policy.models import find_model

    config = AutoConfig.from_pretrained(find_model(model).path, trust_remote_code=False)
    return shape_from(config.get_text_config())


def shape_from(config: Any) -> Shape:
    """The shape of a text model's configuration."""
    return Shape(
        config.num_hidden_layers,
        config.hidden_size,
        config.num_attention_heads,
        getattr(config, "num_key_value_heads", None) or config.num_attention_heads,
        getattr(config, "head_dim", None) or config.hidden_size // config.num_attention_heads,
        config.intermediate_size,
        config.vocab_size,
        bool(getattr(config, "tie_word_embeddings", False)),
    )
