"""Log-probabilities of many sequences that share prefixes, each shared token computed once.

Tool-calling prompts are mostly tool list: the G completions of a GRPO group share a whole prompt, the samples of one tool list most of theirs.
`pack` lays such sequences out flat, each group as its prefix followed by the branches; every layer computes each token once, a branch attends to its
group's prefix and to itself, and tokens keep the positions they have in their own sequence. Log-probs and gradients equal those of the sequences run
one by one. Works for causal models of transformers whose attention goes through its attention interface (Llama, Qwen2, Qwen3, Gemma 3, ...), also in
layers with a sliding window: there a token sees the last `window` tokens of its own sequence, itself among them, as in transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from itertools import takewhile
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

SUPPORTED = ("llama", "mistral", "qwen2", "qwen3", "gemma3_text")
"""Model types whose sharing is tested against plain rows."""
NAME = "looptool_shared_prefix"


@dataclass(frozen=True, eq=False)
class Bucket:
    """Branches of one group and of similar length, as attention sees them: B of up to L tokens behind a prefix of P."""

    group: int
    tokens: torch.Tensor
    """(B, L) long: places among the tokens of the group's branches; short branches are filled up with their last token."""
    real: torch.Tensor
    """(B, L) bool: False where filled up."""
    mask: torch.Tensor
    """(L, P + L) bool: what a branch token sees: the prefix and its own past."""


@dataclass(frozen=True, eq=False)
class Layout:
    """How attention treats a packed row."""

    sizes: tuple[int, ...]
    """Tokens of the first group's prefix, of its branches, of the second group's prefix, ..., in the row's order."""
    buckets: tuple[Bucket, ...]
    order: torch.Tensor
    """(T,) long: where each flat token stands among the outputs of prefixes and buckets."""


@dataclass(frozen=True, eq=False)
class Packed:
    """Sequences in one row of T tokens; N = all completion tokens of all sequences, sequence by sequence."""

    input_ids: torch.Tensor
    """(1, T) long."""
    position_ids: torch.Tensor
    """(1, T) long."""
    layout: Layout
    predictor: torch.Tensor
    """(N,) long: the place of the token whose hidden state predicts each completion token."""
    target: torch.Tensor
    """(N,) long: the completion tokens."""


def pack(prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], same_group: int = 48) -> Packed:
    """Pack sequences (prompt + completion, token ids); those that agree in their first `same_group` tokens share their longest prefix."""
    import torch

    groups: dict[tuple[int, ...], list[int]] = {}
    for index, prompt in enumerate(prompts):
        if not prompt:
            raise ValueError(f"sequence {index} has an empty prompt: its first token has nothing to be predicted from")
        groups.setdefault(tuple(prompt[:same_group]), []).append(index)
    tokens: list[int] = []
    positions: list[int] = []
    place: dict[int, tuple[int, int, int]] = {}
    sizes: list[int] = []
    buckets: list[Bucket] = []
    prefixes: list[torch.Tensor] = []
    produced: list[torch.Tensor] = []
    for group, members in enumerate(groups.values()):
        # A sequence's last token predicts nothing, so it needs no place.
        sequences = {i: (*prompts[i], *completions[i][:-1]) for i in members}
        shared = sum(1 for _ in takewhile(lambda column: len(set(column)) == 1, zip(*sequences.values(), strict=False)))
        start = len(tokens)
        tokens += sequences[members[0]][:shared]
        positions += range(shared)
        branches: dict[tuple[int, ...], int] = {}
        for i, sequence in sequences.items():
            branch = sequence[shared:]
            if branch not in branches:
                branches[branch] = len(tokens)
                tokens += branch
                positions += range(shared, len(sequence))
            place[i] = (start, shared, branches[branch])
        behind = start + shared
        sizes += (shared, len(tokens) - behind)
        mine = _buckets(group, shared, [(at - behind, len(branch)) for branch, at in branches.items() if branch])
        buckets += mine
        prefixes.append(torch.arange(start, behind))
        produced += [behind + b.tokens[b.real] for b in mine]
    predictor = [
        start + t if t < shared else branch + t - shared
        for i, (start, shared, branch) in sorted(place.items())
        for t in range(len(prompts[i]) - 1, len(prompts[i]) - 1 + len(completions[i]))
    ]
    return Packed(
        torch.tensor([tokens]),
        torch.tensor([positions]),
        Layout(tuple(sizes), tuple(buckets), torch.argsort(torch.cat(prefixes + produced))),
        torch.tensor(predictor, dtype=torch.long),
        torch.tensor([t for ids in completions for t in ids], dtype=torch.long),
    )


def _buckets(group: int, prefix: int, branches: list[tuple[int, int]]) -> list[Bucket]:
    import torch

    out: list[Bucket] = []
    todo = sorted(branches, key=lambda b: b[1])
    while todo:
        least = todo[0][1]
        near = [b for b in todo if b[1] <= 1.5 * least + 32]  # little is filled up, and few buckets are needed
        todo = todo[len(near) :]
        length = near[-1][1]
        step = torch.arange(length)
        starts, sizes = torch.tensor([b[0] for b in near]), torch.tensor([b[1] for b in near])
        tokens = starts[:, None] + torch.minimum(step[None, :], sizes[:, None] - 1)
        mask = torch.cat([torch.ones(length, prefix, dtype=torch.bool), torch.ones(length, length, dtype=torch.bool).tril()], dim=1)
        out.append(Bucket(group, tokens, step[None, :] < sizes[:, None], mask))
    return out


def packed_logps(model: Any, packed: Packed, temperature: float = 1.0, want_entropy: bool = False) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Log-probability (and, if wanted, the distribution's entropy, without gradient) of each completion token: two (N,) float32 tensors."""
    import torch

    causal, backbone = parts(model)
    device = backbone.get_input_embeddings().weight.device
    if causal.config._attn_implementation != NAME:
        _register()
        causal.set_attn_implementation(NAME)
    layout = packed.layout
    if device.type != "cpu":
        buckets = tuple(replace(b, tokens=b.tokens.to(device), real=b.real.to(device), mask=b.mask.to(device)) for b in layout.buckets)
        layout = replace(layout, buckets=buckets, order=layout.order.to(device))
    hidden = backbone(
        input_ids=packed.input_ids.to(device),
        position_ids=packed.position_ids.to(device),
        attention_mask=torch.ones((1, 1, 1, 1), dtype=torch.bool, device=device),  # four axes: taken as it is; the layout says who sees whom
        use_cache=False,
        shared_prefix=layout,
    ).last_hidden_state[0]
    nodes, which = torch.unique(packed.predictor.to(device), return_inverse=True)
    logits = causal.get_output_embeddings()(hidden[nodes]).float()
    logps, entropy = _token_logps().apply(logits if temperature == 1.0 else logits / temperature, which, packed.target.to(device))
    return logps, entropy[which] if want_entropy else None


@cache
def _token_logps() -> Any:
    """Autograd's function (nodes, V) logits -> (N,) log-probabilities of `target` at node `which`, and (nodes,) entropies without gradient.

    The vocabulary is most of a short completion's work outside the layers, so each pass over the logits counts: one softmax serves log-probability,
    entropy and gradient.
    """
    import torch

    class TokenLogps(torch.autograd.Function):
        @staticmethod
        def forward(ctx: Any, logits: torch.Tensor, which: torch.Tensor, target: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            p = torch.softmax(logits, dim=-1)
            norm = logits.amax(-1) - p.amax(-1).log()
            entropy = norm - torch.bmm(p[:, None, :], logits[:, :, None])[:, 0, 0]  # (p * logits).sum(-1) without the product in memory
            ctx.save_for_backward(p, which, target)
            ctx.mark_non_differentiable(entropy)
            return logits[which, target] - norm[which], entropy

        @staticmethod
        def backward(ctx: Any, grad: torch.Tensor, _: Any) -> tuple[torch.Tensor, None, None]:  # type: ignore[override]
            p, which, target = ctx.saved_tensors
            out = p.mul_(-grad.new_zeros(len(p)).index_add_(0, which, grad)[:, None])  # in p's place: a second backward would raise
            return out.index_put_((which, target), grad, accumulate=True), None, None

    return TokenLogps


def _attention(
    module: Any,
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    attention_mask: Any,
    *,
    shared_prefix: Layout | None = None,
    **kwargs: Any,
) -> tuple[torch.Tensor, None]:
    """Attention over a packed row (query (1, H, T, d)); without a layout, transformers' own."""
    import torch
    from torch.nn.functional import scaled_dot_product_attention as attend
    from transformers.integrations.sdpa_attention import repeat_kv, sdpa_attention_forward

    if shared_prefix is None:
        return sdpa_attention_forward(module, query, key, value, attention_mask, **kwargs)
    key, value = (repeat_kv(x, getattr(module, "num_key_value_groups", 1)) for x in (key, value))
    scale, window = kwargs.get("scaling"), kwargs.get("sliding_window")
    # One split, whose backward is one `cat`: that of a slice would fill and add a whole row of zeros.
    segments = list(zip(*(x.split(shared_prefix.sizes, dim=2) for x in (query, key, value)), strict=True))
    out = []
    for q, k, v in segments[::2]:
        length = q.shape[2]
        if window is None or length <= window:
            seen = attend(q, k, v, is_causal=True, scale=scale)
        else:
            seen = attend(q, k, v, attn_mask=_near(length, length, window, query.device).tril(), scale=scale)
        out.append(seen[0].transpose(0, 1))
    for bucket in shared_prefix.buckets:
        _, before_k, before_v = segments[2 * bucket.group]
        q, k, v = (x[0][:, bucket.tokens] for x in segments[2 * bucket.group + 1])
        mask = bucket.mask
        sees_all = window is None or mask.shape[1] <= window
        if sees_all and q.device.type == "cpu" and q.dtype == torch.float32 and q.shape[2] <= 2 * q.shape[3]:
            out.append(_branches(q, k, v, before_k[0], before_v[0], mask, scale).permute(1, 2, 0, 3)[bucket.real])
            continue
        if window is not None and not sees_all:
            gone = max(0, before_k.shape[2] - window + 1)  # so much of the prefix not even the branch's first token sees
            mask = (mask & _near(mask.shape[0], mask.shape[1], window, query.device))[:, gone:]
            before_k, before_v = before_k[:, :, gone:], before_v[:, :, gone:]
        every = (len(bucket.tokens), -1, -1, -1)
        k = torch.cat([before_k.expand(every), k.transpose(0, 1)], dim=2)
        v = torch.cat([before_v.expand(every), v.transpose(0, 1)], dim=2)
        out.append(attend(q.transpose(0, 1), k, v, attn_mask=mask, scale=scale).transpose(1, 2)[bucket.real])
    return torch.cat(out)[shared_prefix.order].unsqueeze(0), None


def _branches(
    q: torch.Tensor, k: torch.Tensor, v: torch.Tensor, before_k: torch.Tensor, before_v: torch.Tensor, mask: torch.Tensor, scale: float | None
) -> torch.Tensor:
    """Attention of (H, B, L, d) branches that see their prefix, (H, P, d), and their own past, written out.

    All branches' queries meet the prefix in one product, so it is not copied for each of them. Takes L * (P + L) scores a branch and head; the fused
    kernel takes the copies, 2 * (P + L) * d, and on a CPU more time.
    """
    import torch

    heads, _, length, size = q.shape
    prefix = before_k.shape[1]
    q = q * (size**-0.5 if scale is None else scale)
    own = (q @ k.transpose(2, 3)).masked_fill(~mask[:, prefix:], -torch.inf)
    seen = (q.reshape(heads, -1, size) @ before_k.transpose(1, 2)).view(*q.shape[:3], prefix)
    p = torch.softmax(torch.cat([seen, own], dim=-1), dim=-1)
    out = (p[..., :prefix].reshape(heads, -1, prefix) @ before_v).view(q.shape)
    return out + p[..., prefix:] @ v


def _near(rows: int, columns: int, window: int, device: Any) -> torch.Tensor:
    """(rows, columns) bool: the column is less than `window` before the row; rows are the last ones of the columns."""
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
    if kinds := sorted(set(getattr(config, "layer_types", None) or ()) - {"full_attention", "sliding_attention"}):
        return f"the model has layers of {kinds[0]}"
    if getattr(config, "final_logit_softcapping", None) or getattr(config, "attn_logit_softcapping", None):
        return "the model caps its logits"
    if getattr(config, "use_bidirectional_attention", None):
        return "the model's attention is not causal"
    return None
