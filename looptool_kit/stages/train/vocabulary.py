"""From hidden states to log-probabilities of tokens and entropies, the vocabulary in one piece or in chunks.

The logits of a long row fill a GPU: 4,000 tokens of a vocabulary of 152,000 take 2.4 GB in float32, and as
much again for their softmax. In chunks only those of one chunk exist at a time; they are computed a second
time in the backward pass (gradient checkpointing, arXiv 1604.06174).
"""

from __future__ import annotations

from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import torch

CHUNK_BYTES = 2**29
"""Of the float32 logits of a chunk on a GPU: large enough for its products, small beside its memory."""


def chunk_rows(vocab: int) -> int:
    """Rows of logits in a chunk of `CHUNK_BYTES`."""
    return max(1, CHUNK_BYTES // (4 * vocab))


def token_logps(
    head: Any,
    hidden: torch.Tensor,
    which: torch.Tensor,
    target: torch.Tensor,
    temperature: float = 1.0,
    half: torch.dtype | None = None,
    rows: int | None = None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """Log-probabilities of `target` and entropies of the nodes that predict it.

    Args:
        head: From hidden states to logits.
        hidden: (nodes, D) states.
        which: (N,) long: the node that predicts each token. On the CPU where there are chunks.
        target: (N,) long, where `which` is.
        temperature: The logits are divided by it.
        half: What the head is computed in by autocast; None: in the type of its weights.
        rows: Nodes of a chunk; None: all at once.

    Returns:
        (N,) float32 log-probabilities and (nodes,) entropies; these have no gradient.
    """
    import torch
    from torch.utils.checkpoint import checkpoint

    device, count = hidden.device, len(hidden)
    if rows is None or count <= rows:
        return _of_chunk(head, hidden, which.to(device), target.to(device), temperature, half)
    # By node, so that the tokens of a chunk stand together; on the CPU, so that nothing waits for the GPU.
    order = torch.argsort(which, stable=True)
    starts = torch.arange(0, count + rows, rows)
    bounds = torch.searchsorted(which[order], starts).tolist()
    logps: list[torch.Tensor] = []
    entropies: list[torch.Tensor] = []
    for at, (low, high) in enumerate(pairwise(bounds)):
        own = order[low:high]
        tokens = ((which[own] - at * rows).to(device), target[own].to(device))
        states = hidden[at * rows : (at + 1) * rows]
        found, entropy = checkpoint(_of_chunk, head, states, *tokens, temperature, half, use_reentrant=False)
        logps.append(found)
        entropies.append(entropy)
    return torch.cat(logps)[torch.argsort(order).to(device)], torch.cat(entropies)


def _of_chunk(
    head: Any,
    hidden: torch.Tensor,
    which: torch.Tensor,
    target: torch.Tensor,
    temperature: float,
    half: torch.dtype | None,
) -> tuple[torch.Tensor, torch.Tensor]:
    """`token_logps` of nodes whose logits all exist at once."""
    import torch

    with torch.autocast(hidden.device.type, half or torch.bfloat16, enabled=half is not None):
        logits = head(hidden)
    logits = logits.float()
    found: tuple[torch.Tensor, torch.Tensor] = _function().apply(
        logits if temperature == 1.0 else logits / temperature, which, target
    )
    return found


@cache
def _function() -> Any:
    """Autograd's function from logits to log-probabilities and entropies.

    (nodes, V) logits -> (N,) log-probabilities of `target` at node `which`, and (nodes,) entropies without
    gradient.

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
            # (p * logits).sum(-1) without the product in memory.
            entropy = norm - torch.bmm(p[:, None, :], logits[:, :, None])[:, 0, 0]
            ctx.save_for_backward(p, which, target)
            ctx.mark_non_differentiable(entropy)
            return logits[which, target] - norm[which], entropy

        @staticmethod
        def backward(ctx: Any, grad: torch.Tensor, _: Any) -> tuple[torch.Tensor, None, None]:
            p, which, target = ctx.saved_tensors
            # In p's place: a second backward would raise.
            out = p.mul_(-grad.new_zeros(len(p)).index_add_(0, which, grad)[:, None])
            return out.index_put_((which, target), grad, accumulate=True), None, None

    return TokenLogps
