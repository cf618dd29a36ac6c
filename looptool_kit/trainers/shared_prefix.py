"""Log-probabilities of many sequences that share prefixes, each shared token computed once.

Tool-calling prompts are mostly tool list: the G completions of a GRPO group share a whole prompt, and the samples of one tool list share most of theirs.
`pack` lays such sequences out as a prefix tree in preorder; a token attends to its ancestors in the tree alone and keeps the position it has in its own
sequence, so log-probs and gradients equal those of the sequences run one by one. In preorder, k is an ancestor of q exactly where k <= q < end[k]: that
is the whole attention mask. Works for causal models whose attention takes a 4-D mask (Llama, Qwen2, Qwen3 and relatives, full attention).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    import torch

SUPPORTED = ("llama", "mistral", "qwen2", "qwen3")
"""Model types whose sharing is tested against plain rows."""


class Packed(NamedTuple):
    """Sequences as rows of prefix trees. R rows of T tokens; N = all completion tokens of all sequences, sequence by sequence."""

    input_ids: torch.Tensor
    """(R, T) long."""
    position_ids: torch.Tensor
    """(R, T) long: depth in the tree."""
    attention_mask: torch.Tensor
    """(R, 1, T, T) bool, True where the query (axis 2) sees the key (axis 3)."""
    predictor: torch.Tensor
    """(N,) long: where the hidden state that predicts each completion token stands in the flattened (R*T) row."""
    target: torch.Tensor
    """(N,) long: the completion tokens."""
    owner: torch.Tensor
    """(N,) long: index of the sequence that each belongs to."""


def pack(prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]], same_row: int = 48) -> Packed:
    """Pack sequences (prompt + completion, token ids). Sequences that agree in their first `same_row` tokens go into one row."""
    import torch

    rows: dict[tuple[int, ...], list[int]] = {}
    for index, prompt in enumerate(prompts):
        if not prompt:
            raise ValueError(f"sequence {index} has an empty prompt: its first token has nothing to be predicted from")
        rows.setdefault(tuple(prompt[:same_row]), []).append(index)
    trees = [_tree([(*prompts[i], *completions[i][:-1]) for i in members]) for members in rows.values()]
    width = max(len(tree.tokens) for tree in trees)
    count = len(trees)
    input_ids = torch.zeros((count, width), dtype=torch.long)
    position_ids = torch.zeros((count, width), dtype=torch.long)
    mask = torch.eye(width, dtype=torch.bool).expand(count, 1, width, width).clone()  # a padded token sees itself, else softmax gives NaN
    predictor: list[list[int]] = [[] for _ in prompts]
    at = torch.arange(width)
    for row, (tree, members) in enumerate(zip(trees, rows.values(), strict=True)):
        size = len(tree.tokens)
        input_ids[row, :size] = torch.tensor(tree.tokens)
        position_ids[row, :size] = torch.tensor(tree.depth)
        end = torch.tensor(tree.end)
        mask[row, 0, :size, :size] = (at[None, :size] <= at[:size, None]) & (at[:size, None] < end[None, :])
        for index, path in zip(members, tree.paths, strict=True):
            predictor[index] = [row * width + node for node in path[len(prompts[index]) - 1 :]] if completions[index] else []
    return Packed(
        input_ids,
        position_ids,
        mask,
        torch.tensor([p for nodes in predictor for p in nodes], dtype=torch.long),
        torch.tensor([t for ids in completions for t in ids], dtype=torch.long),
        torch.tensor([i for i, ids in enumerate(completions) for _ in ids], dtype=torch.long),
    )


class _Tree(NamedTuple):
    tokens: list[int]
    depth: list[int]
    end: list[int]
    """One past the last descendant of each node, in preorder."""
    paths: list[list[int]]
    """Each sequence's nodes from the root."""


def _tree(sequences: list[tuple[int, ...]]) -> _Tree:
    # Sorted sequences visit a prefix tree in preorder, so each new token is simply appended.
    tokens: list[int] = []
    depth: list[int] = []
    end: list[int] = []
    paths: list[list[int]] = [[] for _ in sequences]
    previous: tuple[int, ...] = ()
    path: list[int] = []
    for index in sorted(range(len(sequences)), key=lambda i: sequences[i]):
        sequence = sequences[index]
        common = 0
        while common < min(len(previous), len(sequence)) and previous[common] == sequence[common]:
            common += 1
        for node in path[common:]:
            end[node] = len(tokens)
        path = path[:common]
        for position in range(common, len(sequence)):
            path.append(len(tokens))
            tokens.append(sequence[position])
            depth.append(position)
            end.append(-1)
        paths[index] = list(path)
        previous = sequence
    return _Tree(tokens, depth, [len(tokens) if e < 0 else e for e in end], paths)


def packed_logps(model: Any, packed: Packed, temperature: float = 1.0, want_entropy: bool = False) -> tuple[torch.Tensor, torch.Tensor | None]:
    """Log-probability (and, if wanted, the distribution's entropy, without gradient) of each completion token: two (N,) float32 tensors."""
    import torch

    causal, backbone = parts(model)
    device = backbone.get_input_embeddings().weight.device
    packed = Packed(*(t.to(device) for t in packed))
    hidden = backbone(
        input_ids=packed.input_ids, attention_mask=packed.attention_mask, position_ids=packed.position_ids, use_cache=False
    ).last_hidden_state.flatten(0, 1)
    nodes, which = torch.unique(packed.predictor, return_inverse=True)
    logits = causal.get_output_embeddings()(hidden[nodes]).float() / temperature
    norm = torch.logsumexp(logits, dim=-1)
    logps = logits[which, packed.target] - norm[which]
    if not want_entropy:
        return logps, None
    with torch.no_grad():
        entropy = norm - (torch.softmax(logits, dim=-1) * logits).sum(-1)
    return logps, entropy[which]


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
    if any(kind != "full_attention" for kind in getattr(config, "layer_types", None) or ()):
        return "the model has sliding-window layers"
    if getattr(config, "sliding_window", None) and getattr(config, "use_sliding_window", True):
        return "the model has sliding-window attention"
    if causal.config._attn_implementation not in ("sdpa", "eager"):
        return f"attention {causal.config._attn_implementation!r} takes no 4-D mask; load with attn_implementation='sdpa'"
    return None
