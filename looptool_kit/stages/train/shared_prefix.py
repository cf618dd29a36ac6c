"""Log-probabilities of many sequences that share prefixes, each shared token computed once.

`packing.pack` lays the sequences out flat, as a tree; every layer computes each token of that row once, a
token attends to its own sequence alone and keeps its position there. Log-probs and gradients equal those of
the sequences run one by one. Works for causal models of transformers whose attention goes through its
attention interface (Llama, Qwen2, Qwen3, Gemma 3, ...), also in layers with a sliding window: there a token
sees the last `window` tokens of its own sequence, itself among them, as in transformers.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from looptool_kit.stages.train.packing import Bucket, Layout, Packed
from looptool_kit.stages.train.tree_attention import Tree, attention, filled_up
from looptool_kit.stages.train.vocabulary import token_logps

if TYPE_CHECKING:
    import torch

SUPPORTED = ("llama", "mistral", "qwen2", "qwen3", "gemma3_text")
"""Model types whose sharing is tested against plain rows."""
NAME = "looptool_shared_prefix"


def packed_logps(
    model: Any,
    packed: Packed,
    temperature: float = 1.0,
    want_entropy: bool = False,
    half: torch.dtype | None = None,
    fused: int | None = None,
    chunk: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Log-probability and, if wanted, entropy of each completion token: (N,) float32 tensors.

    The entropy has no gradient. With `half`, a 16-bit type, the model's products are computed in it
    (autocast); the softmax over the vocabulary never is. `fused` takes the fused kernel of `tree_attention`,
    the row filled up to that many tokens (a multiple of its `BLOCK`); on a CPU it has no gradient. `chunk` is
    how many rows of logits exist at a time; None: all. `passes.logps_of` chooses these for a device.
    """
    import torch

    causal, backbone = parts(model)
    device = backbone.get_input_embeddings().weight.device
    if causal.config._attn_implementation != NAME:
        _register()
        causal.set_attn_implementation(NAME)
    layout: Any = packed.layout
    ids, positions = packed.input_ids, packed.position_ids
    if fused is not None:
        ids, positions, layout = filled_up(ids, positions, packed.until, fused, device)
    elif device.type != "cpu":
        layout = _on_gpu(packed.layout, device)
    # On the CPU: the number of nodes decides a shape, for which a GPU would be waited for.
    nodes, which = torch.unique(packed.predictor, return_inverse=True)
    with torch.autocast(device.type, half or torch.bfloat16, enabled=half is not None):
        hidden = backbone(
            input_ids=ids.to(device),
            position_ids=positions.to(device),
            # Four axes: taken as it is; the layout says who sees whom.
            attention_mask=torch.ones((1, 1, 1, 1), dtype=torch.bool, device=device),
            use_cache=False,
            shared_prefix=layout,
        ).last_hidden_state[0]
    head, states = causal.get_output_embeddings(), hidden[nodes.to(device)]
    logps, entropy = token_logps(head, states, which, packed.target, temperature, half, chunk)
    return logps, entropy[which.to(device)] if want_entropy else None


def _on_gpu(layout: Layout, device: torch.device) -> Layout:
    """The layout on a GPU, `real` as flat places: a mask as an index would wait for it in every layer."""
    buckets = tuple(
        replace(
            b,
            tokens=b.tokens.to(device),
            real=b.real.flatten().nonzero()[:, 0].to(device),
            mask=b.mask.to(device),
        )
        for b in layout.buckets
    )
    return replace(layout, buckets=buckets, order=layout.order.to(device))


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Any,
    *,
    shared_prefix: Layout | Tree | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention over a packed row (query (1, H, T, d)); without a layout, transformers' own."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention as attend
    from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

    if shared_prefix is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    scale, window = kwargs.get("scaling"), kwargs.get("sliding_window")
    if isinstance(shared_prefix, Tree):
        return attention(query, key, value, shared_prefix, scale, window), None
    key, value = (repeat_kv(x, getattr(module, "num_key_value_groups", 1)) for x in (key, value))
    # One split, whose backward is one `cat`: that of a slice would fill and add a whole row of zeros.
    segments = list(zip(*(x.split(shared_prefix.sizes, dim=2) for x in (query, key, value)), strict=True))  # type: ignore[no-untyped-call]
    out: list[torch.Tensor] = []
    prefixes: list[tuple[torch.Tensor, ...]] = []
    for (q, k, v), parent in zip(segments[::2], shared_prefix.parents, strict=True):
        if parent is not None:
            pairs = zip(prefixes[parent], (k, v), strict=True)
            prefixes.append(tuple(torch.cat([before, own], dim=2) for before, own in pairs))
            continue
        prefixes.append((k, v))
        length = q.shape[2]
        if window is None or length <= window:
            seen = attend(q, k, v, is_causal=True, scale=scale)
        else:
            seen = attend(q, k, v, attn_mask=_near(length, length, window, query.device).tril(), scale=scale)
        out.append(seen[0].transpose(0, 1))
    for bucket in shared_prefix.buckets:
        before_k, before_v = prefixes[bucket.prefix]
        out.append(_bucket_attention(segments[bucket.segment], before_k, before_v, bucket, scale, window))
    return torch.cat(out)[shared_prefix.order].unsqueeze(0), None


def _bucket_attention(
    segment: tuple[torch.Tensor, ...],
    before_k: torch.Tensor,
    before_v: torch.Tensor,
    bucket: Bucket,
    scale: float | None,
    window: int | None,
) -> torch.Tensor:
    """Attention of a bucket's branches over their prefix and their own past: (real tokens, H, d)."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention as attend

    q, k, v = (x[0][:, bucket.tokens] for x in segment)
    mask = bucket.mask
    sees_all = window is None or mask.shape[1] <= window
    if sees_all and q.device.type == "cpu" and q.shape[2] <= 2 * q.shape[3]:
        return _branches(q, k, v, before_k[0], before_v[0], mask, scale).permute(1, 2, 0, 3)[bucket.real]
    if window is not None and not sees_all:
        # So much of the prefix not even the branch's first token sees.
        gone = max(0, before_k.shape[2] - window + 1)
        mask = (mask & _near(mask.shape[0], mask.shape[1], window, q.device))[:, gone:]
        before_k, before_v = before_k[:, :, gone:], before_v[:, :, gone:]
    every = (len(bucket.tokens), -1, -1, -1)
    k = torch.cat([before_k.expand(every), k.transpose(0, 1)], dim=2)
    v = torch.cat([before_v.expand(every), v.transpose(0, 1)], dim=2)
    seen = attend(q.transpose(0, 1), k, v, attn_mask=mask, scale=scale).transpose(1, 2)
    return seen[bucket.real] if bucket.real.dim() == 2 else seen.flatten(0, 1)[bucket.real]


def _branches(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    before_k: torch.Tensor,
    before_v: torch.Tensor,
    mask: torch.Tensor,
    scale: float | None,
) -> torch.Tensor:
    """Attention of (H, B, L, d) branches over their prefix, (H, P, d), and their own past.

    Written out: all branches' queries meet the prefix in one product, so it is not copied for each of them.
    Takes L * (P + L) scores a branch and head; the fused kernel takes the copies, 2 * (P + L) * d, and on a
    CPU more time.
    """
    import torch

    heads, _, length, size = q.shape
    prefix = before_k.shape[1]
    q = q * (size**-0.5 if scale is None else scale)
    own = (q @ k.transpose(2, 3)).masked_fill(~mask[:, prefix:], -torch.inf)
    seen = (q.reshape(heads, -1, size) @ before_k.transpose(1, 2)).view(*q.shape[:3], prefix)
    p = torch.softmax(torch.cat([seen, own], dim=-1), dim=-1, dtype=torch.float32).to(v.dtype)
    out = (p[..., :prefix].reshape(heads, -1, prefix) @ before_v).view(q.shape)
    return out + p[..., prefix:] @ v


def _near(rows: int, columns: int, window: int, device: Any) -> torch.Tensor:
    """(rows, columns) bool: the column is less than `window` before the row.

    Rows are the last ones of the columns.
    """
    import torch

    at = torch.arange(columns, device=device)
    return at[columns - rows :, None] - at[None, :] < window


def _register() -> None:
    from transformers import AttentionInterface
    from transformers.masking_utils import AttentionMaskInterface, sdpa_mask

    AttentionInterface.register(NAME, _attention)
    AttentionMaskInterface.register(NAME, sdpa_mask)


def parts(model: Any) -> tuple[Any, Any]:
    """(causal language model, its backbone) under a PEFT wrapper or not."""
    causal = model.get_base_model() if hasattr(model, "get_base_model") else model
    return causal, causal.base_model


def why_not(model: Any) -> str | None:
    """Why prefixes cannot be shared for this model, None where they can."""
    causal, _ = parts(model)
    config = causal.config.get_text_config()
    if config.model_type not in SUPPORTED:
        return f"model type {config.model_type!r} is not one of {', '.join(SUPPORTED)}"
    if kinds := sorted(
        set(getattr(config, "layer_types", None) or ()) - {"full_attention", "sliding_attention"}
    ):
        return f"the model has layers of {kinds[0]}"
    if getattr(config, "final_logit_softcapping", None) or getattr(config, "attn_logit_softcapping", None):
        return "the model caps its logits"
    if getattr(config, "use_bidirectional_attention", None):
        return "the model's attention is not causal"
    return None
