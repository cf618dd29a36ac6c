"""Log-probabilities of many sequences that share prefixes, each shared token computed once.

Tool-calling prompts are mostly tool list: the G completions of a GRPO group share a whole prompt, the samples
of one tool list most of theirs, those of one dialogue its turns as well. `pack` lays such sequences out flat,
as a tree: a prefix that is shared, what goes on from it, and so on; every layer computes each token once, a
token attends to its own sequence alone and keeps its position there. Log-probs and gradients equal those of
the sequences run one by one. Works for causal models of transformers whose attention goes through its
attention interface (Llama, Qwen2, Qwen3, Gemma 3, ...), also in layers with a sliding window: there a token
sees the last `window` tokens of its own sequence, itself among them, as in transformers.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from itertools import groupby
from typing import TYPE_CHECKING, Any

from looptool_kit.policy.engines.prefix_tree import shared_length, similar
from looptool_kit.stages.train.tree_attention import Tree, attention, filled_up

if TYPE_CHECKING:
    import torch

SUPPORTED = ("llama", "mistral", "qwen2", "qwen3", "gemma3_text")
"""Model types whose sharing is tested against plain rows."""
NAME = "looptool_shared_prefix"
LEAST = 48
"""Tokens that sharing a prefix must save: what it costs in calls of small kernels."""


@dataclass(frozen=True, eq=False)
class Bucket:
    """Branches of one prefix and of similar length, as attention sees them: B of up to L tokens behind a
    prefix of P.
    """

    prefix: int
    """Which prefix of the layout they stand behind."""
    segment: int
    """Which segment of the row holds them."""
    tokens: torch.Tensor
    """(B, L) long: places in that segment; short branches are filled up with their last token."""
    real: torch.Tensor
    """(B, L) bool: False where filled up."""
    mask: torch.Tensor
    """(L, P + L) bool: what a branch token sees: the prefix and its own past."""


@dataclass(frozen=True, eq=False)
class Layout:
    """How attention treats a packed row."""

    sizes: tuple[int, ...]
    """Tokens of the row's segments: what the first prefix adds to its parent, its branches, what the second
    prefix adds, its branches, ...
    """
    parents: tuple[int | None, ...]
    """For each prefix the one that it goes on from; None: it begins the sequence."""
    buckets: tuple[Bucket, ...]
    order: torch.Tensor
    """(T,) long: where each flat token stands among the outputs: of the prefixes without a parent, then of
    the buckets.
    """


@dataclass(frozen=True, eq=False)
class Packed:
    """Sequences in one row of T tokens; N = all completion tokens of all sequences, sequence by sequence."""

    input_ids: torch.Tensor
    """(1, T) long."""
    position_ids: torch.Tensor
    """(1, T) long."""
    until: torch.Tensor
    """(T,) long: the place behind the last token that sees this one. The row stands in preorder, so those
    that see it are all from itself on up to there.
    """
    layout: Layout
    predictor: torch.Tensor
    """(N,) long: the place of the token whose hidden state predicts each completion token."""
    target: torch.Tensor
    """(N,) long: the completion tokens."""


@dataclass(eq=False)
class _Prefix:
    """Tokens that sequences share behind what they share in `parent`."""

    parent: int | None
    base: int
    """Tokens before its own."""
    tokens: tuple[int, ...]
    branches: list[tuple[int, ...]] = field(default_factory=list)
    """How single sequences go on from it."""


def pack(prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]) -> Packed:
    """Pack sequences (prompt + completion, token ids). Raises ValueError for an empty prompt."""
    import torch

    if not all(prompts):
        index = next(i for i, prompt in enumerate(prompts) if not prompt)
        raise ValueError(
            f"sequence {index} has an empty prompt: its first token has nothing to be predicted from"
        )
    # A sequence's last token predicts nothing, so it needs no place.
    sequences = [(*prompt, *completion[:-1]) for prompt, completion in zip(prompts, completions, strict=True)]
    prefixes: list[_Prefix] = []
    ends: dict[tuple[int, ...], tuple[int, int]] = {}
    _hang(sorted(set(sequences)), None, 0, 0, prefixes, ends)

    tokens: list[int] = []
    positions: list[int] = []
    until: list[int] = []
    ends_at: list[int] = []
    chains: list[list[int]] = []
    starts: list[list[int]] = []
    sizes: list[int] = []
    buckets: list[Bucket] = []
    roots: list[torch.Tensor] = []
    produced: list[torch.Tensor] = []
    for n, prefix in enumerate(prefixes):
        at, behind = len(tokens), len(tokens) + len(prefix.tokens)
        own = list(range(at, behind))
        chains.append((chains[prefix.parent] if prefix.parent is not None else []) + own)
        length = len(chains[n])
        tokens += prefix.tokens
        positions += range(prefix.base, length)
        until += [0] * len(own)  # known when all that goes on from it is laid out
        if prefix.parent is None:
            roots.append(torch.tensor(own))
        else:
            buckets.append(_bucket(prefix.parent, 2 * n, prefix.base, [(0, len(own))]))
            produced.append(torch.tensor(own))
        starts.append([])
        for branch in prefix.branches:
            starts[n].append(len(tokens))
            tokens += branch
            positions += range(length, length + len(branch))
            until += [len(tokens)] * len(branch)
        ends_at.append(len(tokens))
        sizes += (len(own), len(tokens) - behind)
        for members in similar([len(branch) for branch in prefix.branches]):
            bucket = _bucket(
                n, 2 * n + 1, length, [(starts[n][i] - behind, len(prefix.branches[i])) for i in members]
            )
            buckets.append(bucket)
            produced.append(behind + bucket.tokens[bucket.real])

    for n in reversed(range(len(prefixes))):
        prefix = prefixes[n]
        if prefix.parent is not None:
            ends_at[prefix.parent] = max(ends_at[prefix.parent], ends_at[n])
        first = chains[n][-1] + 1 - len(prefix.tokens) if prefix.tokens else 0
        until[first : first + len(prefix.tokens)] = [ends_at[n]] * len(prefix.tokens)

    predictor: list[int] = []
    for sequence, prompt, completion in zip(sequences, prompts, completions, strict=True):
        n, which = ends[sequence]
        start = starts[n][which] - len(chains[n]) if which >= 0 else 0
        wanted = range(len(prompt) - 1, len(prompt) - 1 + len(completion))
        predictor += [chains[n][t] if t < len(chains[n]) else start + t for t in wanted]
    return Packed(
        torch.tensor([tokens]),
        torch.tensor([positions]),
        torch.tensor(until),
        Layout(
            tuple(sizes),
            tuple(p.parent for p in prefixes),
            tuple(buckets),
            torch.argsort(torch.cat(roots + produced)),
        ),
        torch.tensor(predictor, dtype=torch.long),
        torch.tensor([t for ids in completions for t in ids], dtype=torch.long),
    )


def _hang(
    members: Sequence[tuple[int, ...]],
    parent: int | None,
    base: int,
    at: int,
    prefixes: list[_Prefix],
    ends: dict[tuple[int, ...], tuple[int, int]],
) -> None:
    """Hang sequences on the tree: sorted, each once, alike in their first `at` tokens, of which the prefixes
    up to `parent` hold `base`.

    Fills `ends`: for each sequence its last prefix, and which of that one's branches it goes on by (-1:
    none).
    """
    for _, group in groupby(members, key=lambda sequence: sequence[at : at + 1]):
        alike = list(group)
        end = shared_length(alike[0], alike[-1])
        if len(alike) > 1 and (end - base) * (len(alike) - 1) < LEAST:
            _hang(alike, parent, base, end, prefixes, ends)  # parts of it may share more
        elif len(alike) > 1 or parent is None:
            prefixes.append(_Prefix(parent, base, alike[0][base:end]))
            new = len(prefixes) - 1
            _hang(alike, new, end, end, prefixes, ends)
        elif branch := alike[0][base:]:
            prefixes[parent].branches.append(branch)
            ends[alike[0]] = (parent, len(prefixes[parent].branches) - 1)
        else:
            ends[alike[0]] = (parent, -1)


def _bucket(prefix: int, segment: int, length: int, branches: list[tuple[int, int]]) -> Bucket:
    """A bucket of branches, given as (place in the segment, tokens), behind a prefix of `length` tokens."""
    import torch

    starts, sizes = torch.tensor(branches).unbind(1)
    step = torch.arange(int(sizes.max()))
    mask = torch.cat(
        [
            torch.ones(len(step), length, dtype=torch.bool),
            torch.ones(len(step), len(step), dtype=torch.bool).tril(),
        ],
        dim=1,
    )
    tokens = starts[:, None] + torch.minimum(step[None, :], sizes[:, None] - 1)
    return Bucket(prefix, segment, tokens, step[None, :] < sizes[:, None], mask)


def packed_logps(
    model: Any,
    packed: Packed,
    temperature: float = 1.0,
    want_entropy: bool = False,
    bf16: bool = False,
    fused: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Log-probability (and, if wanted, the distribution's entropy, without gradient) of each completion
    token: two (N,) float32 tensors.

    With `bf16` the model's products are computed in bfloat16 (autocast over its float32 weights); the softmax
    over the vocabulary never is. `fused` takes the fused kernel of `tree_attention`, the row filled up to
    that many tokens (a multiple of its `BLOCK`); on a CPU it has no gradient.
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
        buckets = tuple(
            replace(b, tokens=b.tokens.to(device), real=b.real.to(device), mask=b.mask.to(device))
            for b in layout.buckets
        )
        layout = replace(layout, buckets=buckets, order=layout.order.to(device))
    nodes, which = torch.unique(packed.predictor.to(device), return_inverse=True)
    with torch.autocast(device.type, torch.bfloat16, enabled=bf16):
        hidden = backbone(
            input_ids=ids.to(device),
            position_ids=positions.to(device),
            attention_mask=torch.ones(
                (1, 1, 1, 1), dtype=torch.bool, device=device
            ),  # four axes: taken as it is; the layout says who sees whom
            use_cache=False,
            shared_prefix=layout,
        ).last_hidden_state[0]
        logits = causal.get_output_embeddings()(hidden[nodes])
    logits = logits.float()
    logps, entropy = _token_logps().apply(
        logits if temperature == 1.0 else logits / temperature, which, packed.target.to(device)
    )
    return logps, entropy[which] if want_entropy else None


@cache
def _token_logps() -> Any:
    """Autograd's function (nodes, V) logits -> (N,) log-probabilities of `target` at node `which`, and
    (nodes,) entropies without gradient.

    The vocabulary is most of a short completion's work outside the layers, so each pass over the logits
    counts: one softmax serves log-probability, entropy and gradient.
    """
    import torch

    class TokenLogps(torch.autograd.Function):
        @staticmethod
        def forward(
            ctx: Any, logits: torch.Tensor, which: torch.Tensor, target: torch.Tensor
        ) -> tuple[torch.Tensor, torch.Tensor]:
            p = torch.softmax(logits, dim=-1)
            norm = logits.amax(-1) - p.amax(-1).log()
            entropy = (
                norm - torch.bmm(p[:, None, :], logits[:, :, None])[:, 0, 0]
            )  # (p * logits).sum(-1) without the product in memory
            ctx.save_for_backward(p, which, target)
            ctx.mark_non_differentiable(entropy)
            return logits[which, target] - norm[which], entropy

        @staticmethod
        def backward(ctx: Any, grad: torch.Tensor, _: Any) -> tuple[torch.Tensor, None, None]:  # type: ignore[override]
            p, which, target = ctx.saved_tensors
            out = p.mul_(
                -grad.new_zeros(len(p)).index_add_(0, which, grad)[:, None]
            )  # in p's place: a second backward would raise
            return out.index_put_((which, target), grad, accumulate=True), None, None

    return TokenLogps


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
    segments = list(zip(*(x.split(shared_prefix.sizes, dim=2) for x in (query, key, value)), strict=True))
    out: list[torch.Tensor] = []
    prefixes: list[tuple[torch.Tensor, ...]] = []
    for (q, k, v), parent in zip(segments[::2], shared_prefix.parents, strict=True):
        if parent is not None:
            prefixes.append(
                tuple(
                    torch.cat([before, own], dim=2)
                    for before, own in zip(prefixes[parent], (k, v), strict=True)
                )
            )
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
        q, k, v = (x[0][:, bucket.tokens] for x in segments[bucket.segment])
        mask = bucket.mask
        sees_all = window is None or mask.shape[1] <= window
        if sees_all and q.device.type == "cpu" and q.shape[2] <= 2 * q.shape[3]:
            out.append(
                _branches(q, k, v, before_k[0], before_v[0], mask, scale).permute(1, 2, 0, 3)[bucket.real]
            )
            continue
        if window is not None and not sees_all:
            gone = max(
                0, before_k.shape[2] - window + 1
            )  # so much of the prefix not even the branch's first token sees
            mask = (mask & _near(mask.shape[0], mask.shape[1], window, query.device))[:, gone:]
            before_k, before_v = before_k[:, :, gone:], before_v[:, :, gone:]
        every = (len(bucket.tokens), -1, -1, -1)
        k = torch.cat([before_k.expand(every), k.transpose(0, 1)], dim=2)
        v = torch.cat([before_v.expand(every), v.transpose(0, 1)], dim=2)
        out.append(attend(q.transpose(0, 1), k, v, attn_mask=mask, scale=scale).transpose(1, 2)[bucket.real])
    return torch.cat(out)[shared_prefix.order].unsqueeze(0), None


def _branches(
    q: torch.Tensor,
    k: torch.Tensor,
    v: torch.Tensor,
    before_k: torch.Tensor,
    before_v: torch.Tensor,
    mask: torch.Tensor,
    scale: float | None,
) -> torch.Tensor:
    """Attention of (H, B, L, d) branches that see their prefix, (H, P, d), and their own past, written out.

    All branches' queries meet the prefix in one product, so it is not copied for each of them. Takes L * (P +
    L) scores a branch and head; the fused kernel takes the copies, 2 * (P + L) * d, and on a CPU more time.
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
    """(rows, columns) bool: the column is less than `window` before the row; rows are the last ones of the
    columns.
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
