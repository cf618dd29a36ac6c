"""The columns of a table: numbers, words, and codes of words."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

MAX_CELL_CHARACTERS = 200
"""Characters of a cell that are sent to the page."""


class Numbers:
    """A column of numbers."""

    def __init__(self, values: np.ndarray) -> None:
        self.values = values

    def show(self, row: int) -> str:
        return f"{self.values[row]:.4f}" if self.values.dtype.kind == "f" else str(self.values[row])

    @property
    def ranks(self) -> np.ndarray:
        return self.values if self.values.dtype.kind == "f" else self.values.astype(np.int64)

    def counts(self, within: np.ndarray | None = None) -> dict[str, int]:
        values, counts = np.unique(self.values if within is None else self.values[within], return_counts=True)
        return {str(v): int(n) for v, n in zip(values, counts, strict=True)}

    def holds(self, value: str) -> np.ndarray:
        try:
            return self.values == float(value)
        except ValueError:
            return np.zeros(len(self.values), bool)


class Words:
    """A column of strings or tuples of strings.

    Codes into the distinct values are made when a sort or a facet first needs them.
    """

    def __init__(self, values: Sequence[Any] | np.ndarray) -> None:
        self.values = values

    def show(self, row: int) -> str:
        text = ", ".join(members(self.values[row]))
        return text if len(text) <= MAX_CELL_CHARACTERS else text[:MAX_CELL_CHARACTERS] + "…"

    @cached_property
    def coded(self) -> tuple[np.ndarray, list[Any]]:
        names = list(dict.fromkeys(self.values))
        place = {name: k for k, name in enumerate(names)}
        return np.fromiter(map(place.__getitem__, self.values), np.int64, len(self.values)), names

    @cached_property
    def ranks(self) -> np.ndarray:
        keys = sortable([v if isinstance(v, str) else ", ".join(members(v)) for v in self.values])
        ranks = pc.rank(_arrow(keys), tiebreaker="dense")
        return np.frombuffer(ranks.buffers()[1], np.uint64, len(keys)).astype(np.int64)

    def counts(self, within: np.ndarray | None = None) -> dict[str, int]:
        codes, names = self.coded
        codes = codes if within is None else codes[within]
        out: dict[str, int] = {}
        for name, n in zip(names, np.bincount(codes, minlength=len(names)), strict=True):
            for member in members(name):
                out[member] = out.get(member, 0) + int(n)
        return out

    def holds(self, value: str) -> np.ndarray:
        codes, names = self.coded
        having = np.fromiter((value in members(n) for n in names), bool, len(names))
        return having[codes] if len(having) else np.zeros(len(codes), bool)


class Coded(Words):
    """A column of words, as codes into ordered names."""

    def __init__(self, codes: np.ndarray, names: Sequence[str | tuple[str, ...]]) -> None:
        super().__init__(codes)
        self.coded, self.ranks = (codes, list(names)), codes

    def show(self, row: int) -> str:
        return ", ".join(members(self.coded[1][self.coded[0][row]]))


def members(value: Any) -> tuple[str, ...]:
    return value if isinstance(value, tuple) else (str(value),)


def sortable(texts: list[str]) -> list[Any]:
    """Keys to sort texts by.

    By value if all are whole numbers, else by text without regard to case.
    """
    return [int(t) for t in texts] if all(t.isdecimal() for t in texts) else [t.casefold() for t in texts]


def _arrow(keys: list[Any]) -> pa.Array:
    """The keys as Arrow.

    `pa.array` of a list first imports pandas, which takes longer than sorting.
    """
    if keys and isinstance(keys[0], int):
        return pa.Array.from_buffers(pa.int64(), len(keys), [None, pa.py_buffer(np.array(keys, np.int64))])
    texts = [k.encode("utf-8", "surrogatepass") for k in keys]
    ends = np.cumsum([0, *map(len, texts)], dtype=np.int64)
    return pa.Array.from_buffers(
        pa.large_binary(), len(keys), [None, pa.py_buffer(ends), pa.py_buffer(b"".join(texts))]
    )
