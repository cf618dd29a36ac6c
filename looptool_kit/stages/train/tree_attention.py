"""Attention over a packed row in one fused kernel, for GPUs.

It is torch's `flex_attention` under a block mask of the tree. `packing.pack` lays sequences out in preorder,
so the tokens that see a token are those from itself on up to one place, `until`. That one integer a token is
the whole mask; blocks of it that nobody sees are left out, blocks that are seen whole are computed without a
mask (FlexAttention, arXiv 2412.05496).
"""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cache
from typing import TYPE_CHECKING, Any

from looptool_kit.stages.train.shapes import Shape

if TYPE_CHECKING:
    import torch

BLOCK = 128
"""Tokens a side of a mask block: flex_attention's own default, and the unit to which rows are filled up."""

RECOMPILE_LIMIT = 64
"""Kernels that torch may compile for the attention: for each kind of layer, with gradients and without, for a
length and then for any."""


@dataclass(frozen=True, eq=False)
class Tree:
    """Who sees whom in a packed row of T tokens.

    T is a multiple of `BLOCK`.
    """

    until: torch.Tensor
    """(T,) long: the place behind the last token that sees this one."""
    position: torch.Tensor
    """(T,) long: places in their own sequences; a sliding window counts in these."""
    masks: dict[int | None, Any] = field(default_factory=dict)
    """Sliding window -> block mask; all layers of a kind share theirs."""

    def mask(self, window: int | None) -> Any:
        """The block mask of layers with this sliding window; None: without one."""
        if window not in self.masks:
            self.masks[window] = _block_mask(self.until, self.position, window)
        return self.masks[window]


def filled_up(
    input_ids: torch.Tensor, position_ids: torch.Tensor, until: torch.Tensor, length: int, device: Any
) -> tuple[torch.Tensor, torch.Tensor, Tree]:
    """Pad a row of T tokens to `length`.

    (1, length) ids and positions, and the tree. All of it is on the device. What is filled in sees itself
    alone and is seen by nobody else. Equal lengths spare the kernel's compilation.
    """
    import torch
    from torch.nn.functional import pad

    more = length - input_ids.shape[1]
    until = torch.cat([until, torch.arange(len(until) + 1, length + 1)]).to(device)
    ids, position = (pad(x, (0, more)).to(device) for x in (input_ids, position_ids))
    return ids, position, Tree(until, position[0])


def attention(
    query: torch.Tensor,
    key: torch.Tensor,
    value: torch.Tensor,
    tree: Tree,
    scale: float | None,
    window: int | None,
) -> torch.Tensor:
    """Attention over a packed row: (1, T, H, d).

    Queries are (1, H, T, d), keys and values (1, H', T, d), H a multiple of H'.
    """
    flex = _flex(query.device.type)
    # Under autocast the rotary embedding leaves queries and keys in float32.
    query, key = query.to(value.dtype), key.to(value.dtype)
    grouped = query.shape[1] != key.shape[1]
    mask = tree.mask(window)
    out: torch.Tensor = flex(query, key, value, block_mask=mask, scale=scale, enable_gqa=grouped)
    return out.transpose(1, 2)


@cache
def _flex(device: str) -> Any:
    """The kernel, compiled for a GPU.

    On a CPU it is as it comes, for tests of the mask: it has no gradient there.
    """
    import torch
    from torch.nn.attention.flex_attention import flex_attention

    if device == "cpu":
        return flex_attention
    # One kernel for each kind of layer, with and without gradients; beyond the limit torch would compute the
    # whole (T, T) matrix instead, without a word.
    config: Any = torch._dynamo.config
    config.recompile_limit = max(RECOMPILE_LIMIT, config.recompile_limit)
    return torch.compile(flex_attention)


def try_kernel(shape: Shape, dtype: torch.dtype) -> None:
    """Compile the kernel for a model's heads and try it.

    Once, forward and backward, on the GPU. Raises what torch raises where it cannot.
    """
    import torch

    sizes = [(1, heads, BLOCK, shape.head_dim) for heads in (shape.heads, shape.kv_heads, shape.kv_heads)]
    q, k, v = (torch.ones(size, dtype=dtype, device="cuda", requires_grad=True) for size in sizes)
    until = torch.full((BLOCK,), BLOCK, device="cuda")
    tree = Tree(until, torch.arange(BLOCK, device="cuda"))
    attention(q, k, v, tree, None, None).sum().backward()  # type: ignore[no-untyped-call]


def _block_mask(until: torch.Tensor, position: torch.Tensor, window: int | None) -> Any:
    """The mask's blocks, worked out from `until` without the (T, T) matrix."""
    import torch
    from torch.nn.attention.flex_attention import BlockMask

    def sees(b: Any, h: Any, q: Any, k: Any) -> Any:
        return (q >= k) & (q < until[k])

    near = window or 0

    def sees_near(b: Any, h: Any, q: Any, k: Any) -> Any:
        return sees(b, h, q, k) & (position[q] - position[k] < near)

    blocks = until.view(-1, BLOCK)
    at = torch.arange(len(blocks), device=until.device)
    later = at[:, None] > at[None, :]
    some = (later & (at[:, None] * BLOCK < blocks.amax(1)[None, :])) | (at[:, None] == at[None, :])
    whole = later & ((at[:, None] + 1) * BLOCK <= blocks.amin(1)[None, :]) & (window is None)
    size = (len(until), len(until))
    mod = sees if window is None else sees_near
    return BlockMask.from_kv_blocks(
        *_listed(some & ~whole), *_listed(whole), BLOCK_SIZE=BLOCK, mask_mod=mod, seq_lengths=size
    )


def _listed(blocks: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """How many key blocks each row of a (Q, K) bool matrix has, and which, those first.

    (1, 1, Q) and (1, 1, Q, K).
    """
    import torch

    order = torch.argsort(blocks.int(), dim=1, descending=True, stable=True)
    return blocks.sum(1, dtype=torch.int32)[None, None], order.int()[None, None].contiguous()
