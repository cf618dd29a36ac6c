"""What a pass over a packed row takes: bytes and operations, by arithmetic.

Adapters on all linear layers, frozen 16-bit weights, activations in 16 bits; nothing here was measured.
"""

from __future__ import annotations

from typing import NamedTuple

from looptool_kit.stages.train.shapes import Shape
from looptool_kit.stages.train.vocabulary import CHUNK_BYTES

LOGITS = 5
"""Times the float32 logits of a chunk: they, their softmax, which becomes their gradient, either in 16 bits
too, and as much again that the allocator still holds of the chunk before."""

MEMORY_SHARE = 0.8
"""Share of the free memory that a pass is planned for; the formula leaves the allocator's gaps out."""


class PassBytes(NamedTuple):
    """Bytes of a training pass beside weights and optimiser."""

    fixed: float
    token: float

    def of(self, tokens: float) -> float:
        """Bytes of a pass of so many tokens."""
        return self.fixed + self.token * tokens


def pass_bytes(shape: Shape, checkpointing: bool) -> PassBytes:
    """What the backward pass needs of the forward pass.

    Of a layer: float32 copies of the inputs of both norms and of queries and keys in theirs (Qwen3, Gemma 3),
    the 16-bit input of each of seven adapters, queries, keys, values, the attention's output, and gate, its
    activation and up. With gradient checkpointing its input alone, and one layer at a time in full.
    """
    hidden, inner = shape.hidden, shape.inner
    q, kv = shape.heads * shape.head_dim, shape.kv_heads * shape.head_dim
    norms = 4 * (2 * hidden + q + kv)
    adapters = 2 * (5 * hidden + q + inner)
    attention = 2 * (2 * q + 2 * kv)
    layer = norms + adapters + attention + 2 * 3 * inner
    kept = (2 * hidden * shape.layers + layer) if checkpointing else layer * shape.layers
    # The gradients of one layer's intermediates stand beside them.
    return PassBytes(LOGITS * CHUNK_BYTES, kept + layer)


class Work(NamedTuple):
    """What is computed in a pass, or in many."""

    tokens: float
    """Shared ones once."""
    seen: float
    """Tokens that these see, summed over them: the entries of the attention's lower triangle."""
    nodes: float
    """Tokens whose next one is predicted."""

    def __add__(self, other: tuple[float, ...]) -> Work:  # type: ignore[override]
        return Work(*(a + b for a, b in zip(self, other, strict=True)))

    def times(self, count: float) -> Work:
        """The work `count` times."""
        return Work(*(count * x for x in self))


def of_group(prompt: float, answer: float, group: float = 1) -> Work:
    """`group` answers behind one prompt that is computed once."""
    seen = prompt**2 / 2 + group * answer * (prompt + answer / 2)
    return Work(prompt + group * answer, seen, group * answer)


def operations(shape: Shape, work: Work) -> float:
    """Count the floating-point operations of a training pass.

    Forward and backward, those that are repeated left out. So that a share of the peak is that of useful
    work ("model FLOPs utilization", PaLM, arXiv 2204.02311, appendix B): a product and a sum for each
    weight and token forward and, since the weights are frozen, once backward; a query and a key, a weight
    and a value forward, twice that backward.
    """
    linear = 4 * (shape.linear * work.tokens + shape.vocab * shape.hidden * work.nodes)
    return linear + 12 * shape.layers * shape.heads * shape.head_dim * work.seen
