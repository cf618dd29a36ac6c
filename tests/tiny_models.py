"""Tiny random models and their tokenizer, for the tests of engine and models."""

from __future__ import annotations

from typing import Any

from looptool_kit.toolcalls import chat_template


def tiny_tokenizer() -> Any:
    """One token a byte, and the ChatML marks."""
    from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
    from transformers import PreTrainedTokenizerFast

    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    inner.decoder = decoders.ByteLevel()
    inner.add_special_tokens([AddedToken(t, special=True) for t in ("<|im_start|>", "<|im_end|>")])
    return PreTrainedTokenizerFast(tokenizer_object=inner, eos_token="<|im_end|>", pad_token="<|im_end|>", chat_template=chat_template())


def tiny_model(kind: str, context: int = 4096) -> Any:
    """Random weights, large enough that greedy answers have no ties; several end tokens, so that some answers end."""
    import torch
    from transformers import AutoConfig, AutoModelForCausalLM

    torch.manual_seed(5)
    sizes = dict(hidden_size=48, intermediate_size=64, num_hidden_layers=3, num_attention_heads=6, num_key_value_heads=2, head_dim=8)
    config = AutoConfig.for_model(
        kind, vocab_size=258, max_position_embeddings=context, initializer_range=0.5, eos_token_id=257, pad_token_id=257, bos_token_id=None, **sizes
    )
    model = AutoModelForCausalLM.from_config(config, dtype=torch.float32).eval()
    model.generation_config.eos_token_id = [257, *range(0, 256, 12)]
    return model
