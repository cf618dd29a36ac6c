"""Many sequences that share prefixes in one row, laid out flat as a tree.

Tool-calling prompts are mostly tool list: the completions of a GRPO group share a whole prompt, the samples
of one tool list most of theirs, those of one dialogue its turns as well. `pack` writes a prefix that is
shared, then what continues it, and so on; `shared_prefix.py` computes each token of the row once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import groupby
from typing import TYPE_CHECKING

from looptool_kit.policy.engines.prefix_tree import shared_length, similar

if TYPE_CHECKING:
    import torch

Tokens = tuple[int, ...]

MIN_SAVED = 48
"""Tokens that sharing a prefix must save: less does not pay for the calls of small kernels."""


@dataclass(frozen=True, eq=False)
class Bucket:
    """Branches of similar length behind one prefix.

    B branches of up to L tokens behind a prefix of P tokens.
    """

    prefix: int
    """Which prefix of the layout they stand behind."""
    segment: int
    """Which segment of the row holds them."""
    tokens: torch.Tensor
    """(B, L) long: places in that segment; short branches are filled up with their last token."""
    real: torch.Tensor
    """(B, L) bool: False where filled up. On a GPU the flat places of the others, long."""
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
    """For each prefix the one that it continues; None: it begins the sequence."""
    buckets: tuple[Bucket, ...]
    order: torch.Tensor
    """(T,) long: where each flat token stands among the outputs: of the prefixes without a parent, then of
    the buckets.
    """


@dataclass(frozen=True, eq=False)
class Packed:
    """Sequences in one row of T tokens.

    N is the number of completion tokens of all sequences, sequence by sequence.
    """

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
    tokens: Tokens
    branches: list[Tokens] = field(default_factory=list)
    """How single sequences continue it."""


@dataclass(eq=False)
class _Row:
    """A packed row in the making; lists of lists have one entry a prefix."""

    tokens: list[int] = field(default_factory=list)
    positions: list[int] = field(default_factory=list)
    until: list[int] = field(default_factory=list)
    sizes: list[int] = field(default_factory=list)
    buckets: list[Bucket] = field(default_factory=list)
    chains: list[list[int]] = field(default_factory=list)
    """The places of all tokens from the sequence's first to the prefix's last."""
    starts: list[list[int]] = field(default_factory=list)
    """The places where its branches begin."""
    ends: list[int] = field(default_factory=list)
    """The place behind its last branch."""
    roots: list[torch.Tensor] = field(default_factory=list)
    """The places of prefixes without a parent, in the order of attention's outputs."""
    produced: list[torch.Tensor] = field(default_factory=list)
    """The places of the buckets' tokens, in the same order."""


def pack(prompts: Sequence[Sequence[int]], completions: Sequence[Sequence[int]]) -> Packed:
    """Pack sequences of token ids (prompt + completion).

    Raises ValueError for an empty prompt.
    """
    import torch

    if not all(prompts):
        index = next(i for i, prompt in enumerate(prompts) if not prompt)
        raise ValueError(
            f"sequence {index} has an empty prompt: its first token has nothing to be predicted from"
        )
    # A sequence's last token predicts nothing, so it needs no place.
    sequences = [(*prompt, *completion[:-1]) for prompt, completion in zip(prompts, completions, strict=True)]
    prefixes: list[_Prefix] = []
    ends: dict[Tokens, tuple[int, int]] = {}
    _hang(sorted(set(sequences)), None, 0, 0, prefixes, ends)
    row = _Row()
    for n, prefix in enumerate(prefixes):
        _add(row, n, prefix)
    _set_until(row, prefixes)
    predictor: list[int] = []
    for sequence, prompt, completion in zip(sequences, prompts, completions, strict=True):
        wanted = range(len(prompt) - 1, len(prompt) - 1 + len(completion))
        predictor += _places(row, ends[sequence], wanted)
    return Packed(
        torch.tensor([row.tokens]),
        torch.tensor([row.positions]),
        torch.tensor(row.until),
        Layout(
            tuple(row.sizes),
            tuple(p.parent for p in prefixes),
            tuple(row.buckets),
            torch.argsort(torch.cat(row.roots + row.produced)),
        ),
        torch.tensor(predictor, dtype=torch.long),
        torch.tensor([t for ids in completions for t in ids], dtype=torch.long),
    )


def _hang(
    members: Sequence[Tokens],
    parent: int | None,
    base: int,
    at: int,
    prefixes: list[_Prefix],
    ends: dict[Tokens, tuple[int, int]],
) -> None:
    """Hang sequences on the tree: sorted, each once, alike in their first `at` tokens.

    The prefixes up to `parent` hold `base` of these. Fills `ends`: for each sequence its last prefix, and
    which of that prefix's branches continues it (-1: none).
    """
    for _, group in groupby(members, key=lambda sequence: sequence[at : at + 1]):
        alike = list(group)
        end = shared_length(alike[0], alike[-1])
        if len(alike) > 1 and (end - base) * (len(alike) - 1) < MIN_SAVED:
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


def _add(row: _Row, n: int, prefix: _Prefix) -> None:
    """Append prefix number `n` and its branches to the row."""
    import torch

    at, behind = len(row.tokens), len(row.tokens) + len(prefix.tokens)
    own = list(range(at, behind))
    row.chains.append((row.chains[prefix.parent] if prefix.parent is not None else []) + own)
    length = len(row.chains[n])
    row.tokens += prefix.tokens
    row.positions += range(prefix.base, length)
    row.until += [0] * len(own)  # known when all that continues it is laid out
    if prefix.parent is None:
        row.roots.append(torch.tensor(own))
    else:
        row.buckets.append(_bucket(prefix.parent, 2 * n, prefix.base, [(0, len(own))]))
        row.produced.append(torch.tensor(own))
    starts: list[int] = []
    for branch in prefix.branches:
        starts.append(len(row.tokens))
        row.tokens += branch
        row.positions += range(length, length + len(branch))
        row.until += [len(row.tokens)] * len(branch)
    row.starts.append(starts)
    row.ends.append(len(row.tokens))
    row.sizes += (len(own), len(row.tokens) - behind)
    for members in similar([len(branch) for branch in prefix.branches]):
        places = [(starts[i] - behind, len(prefix.branches[i])) for i in members]
        bucket = _bucket(n, 2 * n + 1, length, places)
        row.buckets.append(bucket)
        row.produced.append(behind + bucket.tokens[bucket.real])


def _set_until(row: _Row, prefixes: Sequence[_Prefix]) -> None:
    """Set `until` of the prefixes' own tokens, which all that continues them sees."""
    for n in reversed(range(len(prefixes))):
        prefix = prefixes[n]
        if prefix.parent is not None:
            row.ends[prefix.parent] = max(row.ends[prefix.parent], row.ends[n])
        first = row.chains[n][-1] + 1 - len(prefix.tokens) if prefix.tokens else 0
        row.until[first : first + len(prefix.tokens)] = [row.ends[n]] * len(prefix.tokens)


def _places(row: _Row, end: tuple[int, int], wanted: Sequence[int]) -> list[int]:
    """The places in the row of a sequence's tokens at the positions `wanted`.

    `end` is the sequence's as `_hang` has it.
    """
    n, which = end
    chain = row.chains[n]
    start = row.starts[n][which] - len(chain) if which >= 0 else 0
    return [chain[t] if t < len(chain) else start + t for t in wanted]


def _bucket(prefix: int, segment: int, length: int, branches: list[tuple[int, int]]) -> Bucket:
    """A bucket of branches behind a prefix of `length` tokens.

    A branch is given as (place in the segment, tokens).
    """
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
