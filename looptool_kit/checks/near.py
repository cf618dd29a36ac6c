"""Which rows of a whole table are near each other, by a banded index.

A row's shingles are hashed, and its MinHash sketch is cut into bands: rows that share a band are compared,
and no others. All that costs time is done batch by batch, by the workers of a cluster where one runs: the
sketches, the index of each band, and the similarities.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import partial
from itertools import islice, pairwise
from typing import Any, NamedTuple

import numpy as np
from rensa import RMinHash

from looptool_kit import cluster

PERMUTATIONS, BANDS, SEED = 200, 40, 1
"""40 bands of 5: of pairs at Jaccard 0.6 96% become candidates, at 0.7 99.9%, at 0.2 1.3%. Few candidates
keep the cost near linear."""
BATCH_ROWS = 1024
"""Rows of a batch: of so many the texts are held at once, as row groups are."""
_MIX = np.uint64(0x9E3779B97F4A7C15)
"""Odd, from the golden ratio: joins the five numbers of a band to one of 64 bits."""

Array = np.ndarray[Any, np.dtype[Any]]


class Index(NamedTuple):
    """The words of all rows, and who shares a band."""

    hashes: Array
    """The shingles of all rows, one row after the other, sorted in each."""
    ends: Array
    """Where the shingles of a row begin, and behind the last row where they end."""
    order: Array
    """The rows that share a band with another, band by band, those of one together and in order."""
    starts: Array
    """Row and band: where in `order` those begin that share it."""
    before: Array
    """Row and band: how many of them are before the row."""
    shared: Array
    """Whether a row shares any band with another."""

    def near(self, at: int, gone: Array) -> tuple[Array, Array]:
        """Return the earlier rows that share a band, and their similarities.

        The rows are in order.

        Args:
            gone: Rows that are left out.
        """
        bands = self.before[at].nonzero()[0]
        if not len(bands):
            return NONE
        ranges = zip(self.starts[at, bands], self.before[at, bands], strict=True)
        found = np.concatenate([self.order[start : start + count] for start, count in ranges])
        found = np.unique(found[~gone[found]])
        if not len(found):
            return NONE
        own = self.hashes[self.ends[at] : self.ends[at + 1]]
        others = np.concatenate([self.hashes[self.ends[n] : self.ends[n + 1]] for n in found])
        sizes = self.ends[found + 1] - self.ends[found]
        place = np.minimum(np.searchsorted(own, others), len(own) - 1)
        both = np.add.reduceat((own[place] == others).astype(np.int64), np.cumsum(sizes) - sizes)
        return found, both / (len(own) + sizes - both)

    def repeated(self, labels: Sequence[int]) -> Array:
        """Mark the rows that have an earlier one's words and label.

        Args:
            labels: A hash of each row's label.
        """
        words = (self.hashes[a:b].tobytes() for a, b in pairwise(self.ends))
        both = np.fromiter(map(hash, zip(words, labels, strict=True)), np.int64, len(labels))
        again = np.ones(len(labels), bool)
        again[np.unique(both, return_index=True)[1]] = False
        return again


NONE: tuple[Array, Array] = (np.empty(0, np.int32), np.empty(0))
"""What `Index.near` says of a row that is near no other."""


def index_of(shingles: Callable[[str], frozenset[str]], texts: Iterable[str]) -> Index:
    """Make the index of texts, which are passed over once."""
    hashes, sizes, keys = [], [], []
    source = iter(texts)
    batches = iter(lambda: list(islice(source, BATCH_ROWS)), [])
    for some, counts, bands in _in_order(batches, partial(_sketched, shingles)):
        hashes.append(some)
        sizes.append(counts)
        keys.append(bands)
    if not keys:
        return Index(*(np.empty(0, np.int64) for _ in range(6)))
    ends = np.concatenate([[0], np.cumsum(np.concatenate(sizes))])
    by_band = np.concatenate(keys).T.copy()
    del keys
    starts, before = np.zeros(by_band.shape, np.int32), np.zeros(by_band.shape, np.int32)
    shared, order, filled = np.zeros(by_band.shape[1], bool), [], 0
    for band, (rows, first, place) in enumerate(_in_order(by_band, _grouped)):
        starts[band, rows], before[band, rows] = first + filled, place - first
        shared[rows] = True
        order.append(rows)
        filled += len(rows)
    return Index(
        np.concatenate(hashes), ends, np.concatenate(order), starts.T.copy(), before.T.copy(), shared
    )


def all_pairs(index: Index, gone: Array, least: float) -> dict[int, tuple[Array, Array]]:
    """Ask `Index.near` of each row, by the workers of the cluster.

    Args:
        least: Rows that are less similar are left out.
    """
    rows = np.flatnonzero(index.before.any(axis=1))
    plan = [rows[at : at + BATCH_ROWS] for at in range(0, len(rows), BATCH_ROWS)]
    found = _in_order(plan, partial(_compared, index, gone, least))
    return {int(at): near for batch in zip(plan, found, strict=True) for at, near in zip(*batch, strict=True)}


def _compared(index: Index, gone: Array, least: float, rows: Array) -> list[tuple[Array, Array]]:
    found = (index.near(at, gone) for at in rows)
    return [(near[alike >= least], alike[alike >= least]) for near, alike in found]


def _in_order(items: Iterable[Any], work: Callable[[Any], Any]) -> Iterator[Any]:
    """What `work` makes of each item, in their order; by the workers of a cluster where one runs."""
    if cluster.running() is None:
        yield from map(work, items)
        return
    made = {item[0]: done for item, done in cluster.through(list(enumerate(items)), partial(_of, work))}
    yield from (made.pop(at) for at in range(len(made)))


def _of(work: Callable[[Any], Any], item: tuple[int, Any]) -> Any:
    return work(item[1])


def _sketched(shingles: Callable[[str], frozenset[str]], texts: list[str]) -> tuple[Array, Array, Array]:
    """The hashes of texts' shingles, how many each has, and the keys of their bands."""
    hashed = RMinHash.hash_token_sets([shingles(text) for text in texts])
    sketches = RMinHash.digest_matrix_from_token_hash_sets(hashed, PERMUTATIONS, SEED).to_rows()
    parts = np.array(sketches, np.uint64).reshape(len(texts), BANDS, PERMUTATIONS // BANDS)
    keys = np.zeros(parts.shape[:2], np.uint64)
    for n in range(parts.shape[2]):
        keys = (keys ^ parts[:, :, n]) * _MIX
        keys ^= keys >> np.uint64(29)
    rows = [np.sort(np.array(row, np.uint64)) for row in hashed]
    return np.concatenate(rows), np.array([len(row) for row in rows], np.int64), keys


def _grouped(keys: Array) -> tuple[Array, Array, Array]:
    """Of one band the rows that share it with another, where those of one begin, and the place of each."""
    order = np.argsort(keys, kind="stable").astype(np.int32)
    same = np.diff(keys[order]) == 0
    first = np.concatenate([[True], ~same])
    alone = first & np.concatenate([~same, [True]])
    order, first = order[~alone], first[~alone]
    place = np.arange(len(order), dtype=np.int32)
    return order, np.maximum.accumulate(np.where(first, place, 0)).astype(np.int32), place
