"""Attention over prompts that share beginnings: each distinct token is computed and kept once.

`prefix_tree.plant` lays the distinct tokens of sorted sequences out in one row ("packed"). `Prefill` runs the
model over them in chunks, with each token seeing exactly its ancestors. `Decode` then attends from all rows
at once: to a beginning that a group of rows shares with one matrix product for the group (Hydragen, arXiv
2402.05099, section 3), to what is a row's own through its own buffer.

Both take the place of the model's attention by transformers' `AttentionInterface` (`installed`), so any
decoder that supports it can be run. In layers with a sliding window a token sees the last `window` tokens of
its own sequence, itself among them, as in transformers.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from looptool_kit.policy.engines.prefix_tree import Group, Tree, group, similar

IMPLEMENTATION = "looptool_prefix_tree"
CHUNK = 256
"""Packed tokens of one prefill forward: enough to keep the matrix products busy, few enough that little
attention goes to masked tokens.
"""
BUFFER_STEP = 64
"""Steps by which the decode buffers grow."""


class Prefill:
    """Keys and values of a whole tree, filled chunk by chunk.

    [layers] of [kv heads, packed tokens, head dim].
    """

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
        """Run the model over the tree, chunk by chunk.

        Yields (packed indices, their logits [indices, vocabulary]) of the `wanted` ones.
        """
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
        """Begin a chunk: which earlier tokens it needs, who sees whom, at which depths."""
        import torch

        runs: list[tuple[int, int]] = []  # maximal stretches of one sequence's own tokens
        for p in range(start, end):
            if p == start or self._owner[p] != self._owner[p - 1]:
                runs.append((p, p + 1))
            else:
                runs[-1] = (runs[-1][0], p + 1)
        ancestors = [self.tree.paths[self._owner[a]][: self.tree.depths[a]] for a, _ in runs]
        earlier = sorted({p for path in ancestors for p in path if p < start})
        column = {p: i for i, p in enumerate(earlier)} | {
            p: len(earlier) + p - start for p in range(start, end)
        }
        mask = torch.zeros(end - start, len(column), dtype=torch.bool)
        for (a, b), path in zip(runs, ancestors, strict=True):
            mask[a - start : b - start, torch.tensor([column[p] for p in path], dtype=torch.long)] = True
            own = column[a]
            mask[a - start : b - start, own : own + b - a] = torch.ones(b - a, b - a, dtype=torch.bool).tril()
        self._start, self._end = start, end
        self._earlier = torch.tensor(earlier, dtype=torch.long, device=self.device)
        self._masks: dict[int | None, Any] = {None: mask.to(self.device)}
        depths = torch.tensor(self.tree.depths, device=self.device)
        here = depths[start:end]
        self._depths = here[:, None], torch.cat([depths[self._earlier], here])

    def attend(self, layer: int, query: Any, key: Any, value: Any, scaling: float, window: int | None) -> Any:
        """Attention of a chunk, whose keys and values are kept.

        query [1, heads, chunk, d], key and value [1, kv heads, chunk, d] -> [1, heads, chunk, d].
        """
        import torch

        if window is not None and window not in self._masks:
            own, seen = self._depths
            self._masks[window] = self._masks[None] & (own - seen < window)

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
        return torch.nn.functional.scaled_dot_product_attention(
            query, key, value, attn_mask=self._masks[window], scale=scaling
        )


# --------------------------------------------------------------- decode


class Own:
    """Keys and values behind the shared beginning, of rows with remainders of similar length."""

    def __init__(self, rows: Any, blank: Any, layers: list[tuple[Any, Any]]):
        self.rows = rows
        """[n] long: the rows of the batch that stand here."""
        self.blank = blank
        """[n, width] bool: the remainders stand at the right of the first `width` columns; True where there
        is none.
        """
        self.layers = layers
        """A layer's keys and values, [kv heads, n, columns, head dim] each."""
        self.used = blank.shape[1]
        """Columns in use."""

    @property
    def columns(self) -> int:
        return self.layers[0][0].shape[2]

    def add(self) -> None:
        """One more column in use."""
        self.used += 1
        if self.used > self.columns:
            self.layers = [
                (_grown(k, self.used + BUFFER_STEP - 1), _grown(v, self.used + BUFFER_STEP - 1))
                for k, v in self.layers
            ]

    def keep(self, places: Any, rows: Any) -> Own:
        """Those at `places`, which are now `rows` of the batch."""
        kept = Own(
            rows,
            self.blank[places],
            [(k.index_select(1, places), v.index_select(1, places)) for k, v in self.layers],
        )
        kept.used = self.used
        return kept


class Decode:
    """One token a row and step, after the prompts of `prefill` along `paths` (sorted, one a row)."""

    def __init__(self, prefill: Prefill, paths: Sequence[Sequence[int]]):
        import torch

        self.groups = group(paths)
        rests = [paths[row][g.shared :] for g in self.groups for row in range(g.first, g.last)]
        device = prefill.device
        picks = [
            torch.tensor(paths[g.first][: g.shared], dtype=torch.long, device=device) for g in self.groups
        ]
        self.own, sources = [], []
        for rows in similar([len(rest) for rest in rests]):
            width = max(len(rests[row]) for row in rows)
            blank = torch.zeros(len(rows), width, dtype=torch.bool)
            # What stands in blank and future columns is never seen.
            source = torch.zeros(len(rows), width + BUFFER_STEP, dtype=torch.long)
            for i, row in enumerate(rows):
                blank[i, : width - len(rests[row])] = True
                source[i, width - len(rests[row]) : width] = torch.tensor(rests[row], dtype=torch.long)
            self.own.append(Own(torch.tensor(rows, device=device), blank.to(device), []))
            sources.append(source.to(device))
        self.shared: list[list[tuple[Any, Any]]] = []
        for layer, (keys, values) in enumerate(zip(prefill.keys, prefill.values, strict=True)):
            self.shared.append([(keys.index_select(1, pick), values.index_select(1, pick)) for pick in picks])
            for own, source in zip(self.own, sources, strict=True):
                k, v = (
                    x.index_select(1, source.flatten()).view(x.shape[0], *source.shape, x.shape[2])
                    for x in (keys, values)
                )
                own.layers.append((k, v))
            prefill.keys[layer] = prefill.values[layer] = None
        self._scores: Any = None
        self._positions: Any = None
        self._gone: dict[int, Any] = {}
        """For each width of a sliding window what the step's tokens no longer see, [rows, columns] bool."""

    def step(self, model: Any, tokens: Any, positions: Any) -> Any:
        """Logits [rows, vocabulary] after one more token a row; `tokens` and `positions` are [rows]."""
        for own in self.own:
            own.add()
        self._positions, self._gone = positions, {}
        return model(
            input_ids=tokens[:, None],
            position_ids=positions[:, None],
            use_cache=False,
            logits_to_keep=1,
            prefix_tree=self,
        ).logits[:, -1]

    def attend(self, layer: int, query: Any, key: Any, value: Any, scaling: float, window: int | None) -> Any:
        """Attention of one token a row, whose key and value are kept.

        query [rows, heads, 1, d], key and value [rows, kv heads, 1, d] -> [rows, heads, 1, d].
        """
        import torch

        rows, heads, _, size = query.shape
        kv_heads, each = key.shape[1], heads // key.shape[1]
        wide, columns = max(g.shared for g in self.groups), max(own.columns for own in self.own)
        if self._scores is None or self._scores.shape[1:] != (rows, each, wide + columns):
            # Columns beyond a group's beginning and beyond a row's own are never written and stay out of the
            # softmax.
            self._scores = torch.full(
                (kv_heads, rows, each, wide + columns),
                float("-inf"),
                dtype=torch.float32,
                device=query.device,
            )
        scores = self._scores[..., : wide + max(own.used for own in self.own)]
        asked = (query.view(rows, kv_heads, each, size) * scaling).transpose(0, 1).contiguous()
        for g, (k, _) in zip(self.groups, self.shared[layer], strict=True):
            if not g.shared:
                continue
            seen = torch.bmm(asked[:, g.first : g.last].reshape(kv_heads, -1, size), k.transpose(1, 2))
            scores[:, g.first : g.last, :, : g.shared] = seen.view(kv_heads, -1, each, g.shared)
        for own in self.own:
            keys, values = own.layers[layer]
            keys[:, :, own.used - 1] = key[own.rows, :, 0].transpose(0, 1)
            values[:, :, own.used - 1] = value[own.rows, :, 0].transpose(0, 1)
            mine = torch.matmul(asked[:, own.rows], keys[:, :, : own.used].transpose(2, 3))
            mine[..., : own.blank.shape[1]].masked_fill_(own.blank[:, None], float("-inf"))
            scores[:, own.rows, :, wide : wide + own.used] = mine.float()
        if window is not None:
            if window not in self._gone:
                self._gone[window] = self._positions[:, None] - self._depths(wide, scores.shape[-1]) >= window
            scores.masked_fill_(self._gone[window][None, :, None], float("-inf"))
        weights = scores.softmax(-1).to(query.dtype)
        out = asked.new_empty(kv_heads, rows, each, value.shape[3])
        for own in self.own:
            out[:, own.rows] = torch.matmul(
                weights[:, own.rows, :, wide : wide + own.used], own.layers[layer][1][:, :, : own.used]
            )
        for g, (_, v) in zip(self.groups, self.shared[layer], strict=True):
            if not g.shared:
                continue
            seen = torch.bmm(weights[:, g.first : g.last, :, : g.shared].reshape(kv_heads, -1, g.shared), v)
            out[:, g.first : g.last] += seen.view(kv_heads, -1, each, value.shape[3])
        return out.transpose(0, 1).reshape(rows, heads, 1, value.shape[3])

    def _depths(self, wide: int, columns: int) -> Any:
        """The position in its row's sequence of each column of the scores, [rows, columns] long."""
        import torch

        device = self._positions.device
        out = torch.arange(columns, device=device).repeat(len(self._positions), 1)
        shared = torch.tensor([g.shared for g in self.groups for _ in range(g.first, g.last)], device=device)
        for own in self.own:
            out[own.rows, wide:] += (shared[own.rows] - own.blank.sum(1))[:, None] - wide
        return out

    def keep(self, rows: Sequence[int]) -> None:
        """Drop all rows but `rows` (ascending)."""
        import torch

        number = {row: i for i, row in enumerate(rows)}
        still = []
        for own in self.own:
            stay = [(place, number[row]) for place, row in enumerate(own.rows.tolist()) if row in number]
            if stay:
                places, now = torch.tensor(stay, device=own.rows.device).unbind(1)
                still.append(own.keep(places, now))
        self.own = still
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


def _attention(
    module: Any, query: Any, key: Any, value: Any, attention_mask: Any, **settings: Any
) -> tuple[Any, None]:
    tree = settings.pop("prefix_tree", None)
    if tree is None:
        raise ValueError(
            f"{type(module).__name__} gets no keyword arguments from its model, so the transformers engine"
            " cannot run it; use the vllm engine."
        )
    for name in ("softcap", "s_aux", "position_bias"):
        if settings.get(name) is not None:
            raise ValueError(
                f"The transformers engine runs plain attention only and this model's wants {name}. Use the"
                " vllm engine for it."
            )
    scaling = settings.get("scaling") or query.shape[-1] ** -0.5
    out = tree.attend(module.layer_idx, query, key, value, scaling, settings.get("sliding_window"))
    return out.transpose(1, 2).contiguous(), None


@contextlib.contextmanager
def installed(model: Any) -> Iterator[Any]:
    """The model (of a PEFT model, the one inside) with this attention, in evaluation mode.

    Both are as before afterwards.
    """
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
