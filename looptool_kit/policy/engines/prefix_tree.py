"""Token sequences that share beginnings, as a tree: each distinct token stands in it once."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import NamedTuple

GROUP_COST = 128
"""What a group's extra kernel calls cost in a decode step, in tokens of one row's keys and values that could
be read meanwhile.
"""


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
    """The tree of sorted sequences.

    Sorted, since then what a sequence shares with any earlier one it shares with the one before.
    """
    tokens: list[int] = []
    depths: list[int] = []
    paths: list[list[int]] = []
    for i, sequence in enumerate(sequences):
        common = shared_length(sequences[i - 1], sequence) if i else 0
        paths.append(
            (paths[-1][:common] if i else []) + list(range(len(tokens), len(tokens) + len(sequence) - common))
        )
        tokens.extend(sequence[common:])
        depths.extend(range(common, len(sequence)))
    return Tree(tokens, depths, paths)


class Group(NamedTuple):
    """Rows [first, last) of a batch whose paths begin with the same `shared` tokens."""

    first: int
    last: int
    shared: int


def group(paths: Sequence[Sequence[int]]) -> list[Group]:
    """Split consecutive rows into groups so that a decode step reads least.

    A step reads the beginning that a group shares once, and every row's remainder. The best split is found
    exactly (dynamic programming over rows).
    """
    common = [0, *(shared_length(a, b) for a, b in itertools.pairwise(paths))]
    # Rows with one path (samples of one prompt) always stay together.
    starts = [i for i, path in enumerate(paths) if i == 0 or not common[i] == len(path) == len(paths[i - 1])]
    ends = [*starts[1:], len(paths)]
    lengths, common = [len(paths[i]) for i in starts], [common[i] for i in starts]
    cost = [0.0] + [float("inf")] * len(starts)
    came = [(0, 0)] * len(cost)  # where the last group begins, what it shares
    for first, shared in enumerate(lengths):
        total = rows = 0
        for last in range(first, len(starts)):
            if last > first:
                shared = min(shared, common[last])
            rows += ends[last] - starts[last]
            total += lengths[last] * (ends[last] - starts[last])
            if (now := cost[first] + shared + GROUP_COST + total - rows * shared) < cost[last + 1]:
                cost[last + 1], came[last + 1] = now, (first, shared)
    split, at = [], len(starts)
    while at:
        first, shared = came[at]
        split.append(Group(starts[first], ends[at - 1], shared))
        at = first
    return split[::-1]


def similar(lengths: Sequence[int]) -> list[list[int]]:
    """Which of `lengths` to hold in one buffer.

    Little of a buffer is blank, and few buffers are needed.
    """
    todo = sorted(range(len(lengths)), key=lambda i: lengths[i])
    out = []
    while todo:
        most = 1.5 * lengths[todo[0]] + 48
        out.append(sorted(i for i in todo if lengths[i] <= most))
        todo = [i for i in todo if lengths[i] > most]
    return out
