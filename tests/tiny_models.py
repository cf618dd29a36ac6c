"""Tiny random models and their tokenizer, for the tests of engine and models."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from looptool_kit.core.toolcalls import chat_template


def tiny_tokenizer(texts: Sequence[str] = ()) -> Any:
    """One token a byte, and the ChatML marks; with `texts` also tokens of several bytes, frequent in them."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers, trainers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    if texts:
        settings = {"initial_alphabet": alphabet, "show_progress": False}
        inner.train_from_iterator(texts, trainers.BpeTrainer(vocab_size=WORDY - 2, **settings))
    inner.add_special_tokens([AddedToken(t, special=True) for t in ("<|im_start|>", "<|im_end|>")])
    return PreTrainedTokenizerFast(
        tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|im_end|>", chat_template=chat_template()
    )


def wordy_tokenizer() -> Any:
    """A tokenizer that makes a quarter of the tokens of samples: what trains and decodes whole loops."""
    from looptool_kit import world

    return tiny_tokenizer([sample.model_dump_json() for sample in world.generate(40, seed=0)])


BYTES = 258
"""Tokens of the tokenizer without texts: the bytes and the two marks."""
WORDY = 768
"""Tokens of the one with texts."""
KINDS = ("llama", "qwen2", "qwen3", "gemma3", "qwen2 sliding", "mistral sliding")
WINDOW = 16
"""Tokens that a layer with a sliding window sees: fewer than any prompt has."""


def tiny_model(kind: str, context: int = 4096, tokens: int = BYTES) -> Any:
    """Random weights, large enough that greedy answers have no ties; several end tokens, so that some answers
    end.
    """
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(5)
    sizes: dict[str, Any] = dict(
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=6,
        num_key_value_heads=2,
        head_dim=8,
        vocab_size=tokens,
        max_position_embeddings=context,
        initializer_range=0.5,
        eos_token_id=tokens - 1,
        pad_token_id=tokens - 1,
        bos_token_id=None,
    )
    if kind in ("gemma3", "qwen2 sliding"):
        sizes |= {
            "sliding_window": WINDOW,
            "layer_types": ["sliding_attention", "full_attention", "sliding_attention"],
        }
    extra: dict[str, dict[str, Any]] = {
        "gemma3": {
            "query_pre_attn_scalar": 8,
            "tie_word_embeddings": False,
        },  # tied, it would repeat one token for ever
        "qwen2 sliding": {"use_sliding_window": True},
        "mistral sliding": {"sliding_window": WINDOW},
    }
    sizes |= extra.get(kind, {})
    name = {"gemma3": "gemma3_text", "qwen2 sliding": "qwen2", "mistral sliding": "mistral"}.get(kind, kind)
    model = AutoModelForCausalLM.from_config(AutoConfig.for_model(name, **sizes), dtype=torch.float32).eval()
    model.generation_config.eos_token_id = [tokens - 1, *range(0, 256, 12)]
    return model


def tiny_engine() -> Any:
    """The kit's engine with a tiny model, for processes that open one of their own."""
    from looptool_kit.policy.engines.transformers import TransformersEngine

    return TransformersEngine(tiny_model("llama"), tiny_tokenizer(), batch_size=2)


def broken_engine() -> Any:
    """An engine that does not open."""
    raise OSError("no weights here")
