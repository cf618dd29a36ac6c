"""Attention over prompts that share beginnings: each distinct token is computed and kept once.

Token sequences in sorted order form a tree. `plant` lays its distinct tokens out in one row ("packed"), `Prefill` runs the model over them in
chunks with each token seeing exactly its ancestors, and `Decode` then attends from all rows at once: to a beginning that a group of rows shares
with one matrix product for the group (Hydragen, arXiv 2402.05099, section 3), to what is a row's own through its own buffer.

Both take the place of the model's attention by transformers' `AttentionInterface` (`installed`), so any decoder that supports it can be run.
"""

from __future__ import annotations

import contextlib
import itertools
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

IMPLEMENTATION = "looptool_prefix_tree"
CHUNK = 256
"""Packed tokens of one prefill forward: enough to keep the matrix products busy, few enough that little attention goes to masked tokens."""
GROW = 64
"""Steps by which the decode buffers grow."""
GROUP_COST = 128
"""What a group's extra kernel calls cost in a decode step, in tokens of one row's keys and values that could be read meanwhile."""


class Tree(NamedTuple):
    """The distinct tokens of sorted sequences; packed index p belongs to `tokens[p]`."""

    tokens: list[int]
    depths: list[int]
    """Position of each packed token in its sequences."""
    paths: list[list[int]]
    """For each sequence, the packed index of each of its tokens."""


def shared_length(a: Sequence[int], b: Sequence[int]) -> int:
    """Length of the longest common prefix."""
    limit = min(len(a), len(b))
    if a[:limit] == b[:limit]:
        return limit
    return next(i for i in range(limit) if a[i] != b[i])


def plant(sequences: Sequence[Sequence[int]]) -> Tree:
    """The tree of `sequences`, which must be sorted: then what a sequence shares with any earlier one, it shares with the one before."""
    tokens: list[int] = []
    depths: list[int] = []
    paths: list[list[int]] = []
    for i, sequence in enumerate(sequences):
        common = shared_length(sequences[i - 1], sequence) if i else 0
        paths.append((paths[-1][:common] if i else []) + list(range(len(tokens), len(tokens) + len(sequence) - common)))
        tokens.extend(sequence[common:])
        depths.extend(range(common, len(sequence)))
    return Tree(tokens, depths, paths)


# -------------------------------------------------------------- prefill


class Prefill:
    """Keys and values of a whole tree, [layers] of [kv heads, packed tokens, head dim], filled chunk by chunk."""

    def __init__(self, tree: Tree, device: Any):
        self.tree, self.device = tree, device
        self.keys: list[Any] = []
        self.values: list[Any] = []
        self._owner: list[int] = [0] * len(tree.tokens)
        done = 0
        for i, path in enumerate(tree.paths):
            if path and path[-1] >= done:
                for p in path[tree.depths[done] :]:
                    self._owner[p] = i
                done = path[-1] + 1

    def run(self, model: Any, wanted: set[int]) -> Iterator[tuple[list[int], Any]]:
        """Run the model over the tree; yields (packed indices, their logits [indices, vocabulary]) for the `wanted` ones, chunk by chunk."""
        import torch

        total = len(self.tree.tokens)
        for start in range(0, total, CHUNK):
            end = min(start + CHUNK, total)
            self._open(start, end)
            ask = [p for p in range(start, end) if p in wanted]
            logits = model(
                input_ids=torch.tensor([self.tree.tokens[start:end]], device=self.device),
                position_ids=torch.tensor([self.tree.depths[start:end]], device=self.device),
                use_cache=False,
                logits_to_keep=torch.tensor([p - start for p in ask], dtype=torch.long, device=self.device),
                prefix_tree=self,
            ).logits[0]
            if ask:
                yield ask, logits

    def _open(self, start: int, end: int) -> None:
        """Set the chunk: which earlier tokens it needs, and who sees whom."""
        import torch

        runs: list[tuple[int, int]] = []  # maximal stretches of one sequence's own tokens
        for p in range(start, end):
            if p == start or self._owner[p] != self._owner[p - 1]:
                runs.append((p, p + 1))
            else:
                runs[-1] = (runs[-1][0], p + 1)
        ancestors = [self.tree.paths[self._owner[a]][: self.tree.depths[a]] for a, _ in runs]
        earlier = sorted({p for path in ancestors for p in path if p < start})
        column = {p: i for i, p in enumerate(earlier)} | {p: len(earlier) + p - start for p in range(start, end)}
        mask = torch.zeros(end - start, len(column), dtype=torch.bool)
        for (a, b), path in zip(runs, ancestors, strict=True):
            mask[a - start : b - start, torch.tensor([column[p] for p in path], dtype=torch.long)] = True
            own = column[a]
            mask[a - start : b - start, own : own + b - a] = torch.ones(b - a, b - a, dtype=torch.bool).tril()
        self._start, self._end = start, end
        self._earlier = torch.tensor(earlier, dtype=torch.long, device=self.device)
        self._mask = mask.to(self.device)

    def attend(self, layer: int, query: Any, key: Any, value: Any, scaling: float) -> Any:
        """query [1, heads, chunk, d], key and value [1, kv heads, chunk, d] -> [1, heads, chunk, d]; keeps key and value."""
        import torch

        if layer == len(self.keys):
            shape = (key.shape[1], len(self.tree.tokens), key.shape[3])
            self.keys.append(key.new_empty(shape))
            self.values.append(value.new_empty((*shape[:2], value.shape[3])))
        self.keys[layer][:, self._start : self._end] = key[0]
        self.values[layer][:, self._start : self._end] = value[0]
        if len(self._earlier):
            key = torch.cat([self.keys[layer][None].index_select(2, self._earlier), key], 2)
            value = torch.cat([self.values[layer][None].index_select(2, self._earlier), value], 2)
        repeats = query.shape[1] // key.shape[1]
        key, value = key.repeat_interleave(repeats, 1), value.repeat_interleave(repeats, 1)
        return torch.nn.functional.scaled_dot_product_attention(query, key, value, attn_mask=self._mask, scale=scaling)


# --------------------------------------------------------------- decode


class Group(NamedTuple):
    """Rows [first, last) of a batch whose paths begin with the same `shared` tokens."""

    first: int
    last: int
    shared: int


def group(paths: Sequence[Sequence[int]]) -> list[Group]:
    """Split consecutive rows into groups that share beginnings, so that a decode step reads least.

    A step reads each group's shared beginning once and, for every row, a buffer as wide as the longest remainder of all. For each of a few
    widths the best split is found exactly (dynamic programming over rows), and the cheapest of these wins.
    """
    common = [0, *(shared_length(a, b) for a, b in itertools.pairwise(paths))]
    # Rows with one path (samples of one prompt) always stay together.
    starts = [i for i, path in enumerate(paths) if i == 0 or not common[i] == len(path) == len(paths[i - 1])]
    ends = [*starts[1:], len(paths)]
    lengths, common = [len(paths[i]) for i in starts], [common[i] for i in starts]
    best: tuple[float, list[Group]] | None = None
    for width in (0, 16, 32, 64, 128, 256, 512, 1024, max(lengths)):
        cost = [0.0] + [float("inf")] * len(starts)
        came = [(0, 0)] * len(cost)  # where the last group begins, what it shares
        for first, longest in enumerate(lengths):
            shared = longest
            for last in range(first, len(starts)):
                if last > first:
                    shared, longest = min(shared, common[last]), max(longest, lengths[last])
                if longest - shared > width:
                    break
                if (total := cost[first] + shared + GROUP_COST) < cost[last + 1]:
                    cost[last + 1], came[last + 1] = total, (first, shared)
        if best is None or cost[-1] + len(paths) * width < best[0]:
            split, at = [], len(starts)
            while at:
                first, shared = came[at]
                split.append(Group(starts[first], ends[at - 1], shared))
                at = first
            best = cost[-1] + len(paths) * width, split[::-1]
    assert best is not None
    return best[1]


class Decode:
    """One token a row and step, after the prompts of `prefill` along `paths` (sorted; one a row)."""

    def __init__(self, prefill: Prefill, paths: Sequence[Sequence[int]]):
        import torch

        self.groups = group(paths)
        rests = [paths[row][g.shared :] for g in self.groups for row in range(g.first, g.last)]
        self.filled = width = max(map(len, rests))
        """Columns of the rows' own buffers in use; remainders stand at the right of the first `width`."""
        blank = torch.zeros(len(rests), width, dtype=torch.bool)
        source = torch.zeros(len(rests), width + GROW, dtype=torch.long)  # what stands in blank and future columns is never seen
        for row, rest in enumerate(rests):
            blank[row, : width - len(rest)] = True
            source[row, width - len(rest) : width] = torch.tensor(rest, dtype=torch.long)
        device = prefill.device
        self.blank, source = blank.to(device), source.flatten().to(device)
        picks = [torch.tensor(paths[g.first][: g.shared], dtype=torch.long, device=device) for g in self.groups]
        self.shared: list[list[tuple[Any, Any]]] = []
        self.own: list[tuple[Any, ...]] = []
        for layer, (keys, values) in enumerate(zip(prefill.keys, prefill.values, strict=True)):
            self.shared.append([(keys.index_select(1, pick), values.index_select(1, pick)) for pick in picks])
            self.own.append(
                tuple(kept.index_select(1, source).view(kept.shape[0], len(rests), width + GROW, kept.shape[2]) for kept in (keys, values))
            )
            prefill.keys[layer] = prefill.values[layer] = None
        self._scores: Any = None

    def step(self, model: Any, tokens: Any, positions: Any) -> Any:
        """Logits [rows, vocabulary] after one more token a row; `tokens` and `positions` are [rows]."""
        self.filled += 1
        if self.filled > self.own[0][0].shape[2]:
            for layer, (keys, values) in enumerate(self.own):
                self.own[layer] = _grown(keys, self.filled + GROW - 1), _grown(values, self.filled + GROW - 1)
            self._scores = None
        return model(input_ids=tokens[:, None], position_ids=positions[:, None], use_cache=False, logits_to_keep=1, prefix_tree=self).logits[:, -1]

    def attend(self, layer: int, query: Any, key: Any, value: Any, scaling: float) -> Any:
        """query [rows, heads, 1, d], key and value [rows, kv heads, 1, d] -> [rows, heads, 1, d]; keeps key and value."""
        import torch

        rows, heads, _, size = query.shape
        kv_heads, each, used = key.shape[1], heads // key.shape[1], self.filled
        keys, values = self.own[layer]
        keys[:, :, used - 1] = key[:, :, 0].transpose(0, 1)
        values[:, :, used - 1] = value[:, :, 0].transpose(0, 1)
        wide = max(g.shared for g in self.groups)
        if self._scores is None or self._scores.shape[1] != rows * each:
            # Columns beyond a group's beginning are never written and stay out of the softmax.
            self._scores = torch.full((kv_heads, rows * each, wide + keys.shape[2]), float("-inf"), dtype=torch.float32, device=query.device)
        scores = self._scores[:, :, : wide + used]
        asked = (query.reshape(rows, kv_heads, each, size) * scaling).transpose(0, 1).reshape(kv_heads, rows * each, size)
        for g, (k, _) in zip(self.groups, self.shared[layer], strict=True):
            scores[:, g.first * each : g.last * each, : g.shared] = torch.bmm(asked[:, g.first * each : g.last * each], k.transpose(1, 2))
        mine = torch.matmul(asked.view(kv_heads, rows, each, size), keys[:, :, :used].transpose(2, 3))
        mine[..., : self.blank.shape[1]].masked_fill_(self.blank[:, None], float("-inf"))
        scores[:, :, wide:] = mine.view(kv_heads, rows * each, used)
        weights = scores.softmax(-1).to(query.dtype)
        own = weights[:, :, wide:].reshape(kv_heads, rows, each, used)
        out = torch.matmul(own, values[:, :, :used]).view(kv_heads, rows * each, value.shape[3])
        for g, (_, v) in zip(self.groups, self.shared[layer], strict=True):
            out[:, g.first * each : g.last * each] += torch.bmm(weights[:, g.first * each : g.last * each, : g.shared], v)
        return out.view(kv_heads, rows, each, value.shape[3]).transpose(0, 1).reshape(rows, heads, 1, value.shape[3])

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but `rows` (ascending)."""
        import torch

        chosen = torch.tensor(rows, dtype=torch.long, device=self.blank.device)
        self.blank = self.blank[chosen]
        self.own = [(k.index_select(1, chosen), v.index_select(1, chosen)) for k, v in self.own]
        staying: list[int] = []
        groups: list[Group] = []
        for i, g in enumerate(self.groups):
            first = groups[-1].last if groups else 0
            if left := sum(g.first <= row < g.last for row in rows):
                staying.append(i)
                groups.append(Group(first, first + left, g.shared))
        self.groups = groups
        self.shared = [[layer[i] for i in staying] for layer in self.shared]
        self._scores = None


def _grown(buffer: Any, width: int) -> Any:
    grown = buffer.new_empty((*buffer.shape[:2], width, buffer.shape[3]))
    grown[:, :, : buffer.shape[2]] = buffer
    return grown


# -------------------------------------------------------------- install


def _attention(module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **settings: Any) -> tuple[Any, None]:
    tree = settings.pop("prefix_tree", None)
    if tree is None:
        raise ValueError(
            f"{type(module).__name__} gets no keyword arguments from its model, so the transformers engine cannot run it; use the vllm engine."
        )
    for name in ("sliding_window", "softcap", "s_aux", "position_bias"):
        if settings.get(name) is not None:
            raise ValueError(f"The transformers engine runs full attention only and this model's wants {name}; use the vllm engine for it.")
    scaling = settings.get("scaling") or query.shape[-1] ** -0.5
    out = tree.attend(module.layer_idx, query, key, value, scaling)
    return out.transpose(1, 2).contiguous(), None


@contextlib.contextmanager
def installed(model: Any) -> Iterator[Any]:
    """The causal language model (of a PEFT model, the one inside) with this attention and in evaluation mode; both are as before afterwards."""
    import torch
    from transformers import AttentionInterface

    inner = model.get_base_model() if hasattr(model, "get_base_model") else model
    AttentionInterface.register(IMPLEMENTATION, _attention)
    before = inner.config._attn_implementation
    training = [module for module in model.modules() if module.training]
    inner.config._attn_implementation = IMPLEMENTATION
    for module in training:
        module.training = False
    try:
        with torch.inference_mode():
            yield inner
    finally:
        inner.config._attn_implementation = before
        for module in training:
            module.training = True
