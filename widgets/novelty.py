"""How new a sample is to a dataset, by `checks.dedup`'s similarity."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from looptool_kit.checks.dedup import said
from looptool_kit.core.samples import Sample


class Novelty(NamedTuple):
    """1 - the Jaccard similarity to the nearest row, and that row."""

    value: float
    """In [0, 1]: 0 repeats a row's words, 1 shares no three words in a row with any."""
    nearest: Sample | None
    """None where no row shares anything."""


class Dataset:
    """The samples to compare with.

    `grow` indexes some of them at a time, so that a caller who must answer soon can do so in between.
    """

    def __init__(self, samples: Sequence[Sample]) -> None:
        self.samples = samples
        self._sizes: list[int] = []
        self._having: dict[str, list[int]] = {}

    @property
    def left(self) -> int:
        """Samples that are not indexed yet."""
        return len(self.samples) - len(self._sizes)

    def grow(self, seconds: float) -> None:
        """Index samples for about so long."""
        end = time.perf_counter() + seconds
        while self.left and time.perf_counter() < end:
            row = len(self._sizes)
            words = said(self.samples[row])
            for word in words:
                self._having.setdefault(word, []).append(row)
            self._sizes.append(len(words))

    def novelty(self, sample: Sample) -> Novelty:
        """How new a sample is to the other samples indexed so far."""
        words = said(sample)
        shared: Counter[int] = Counter()
        for word in words:
            shared.update(self._having.get(word, ()))
        best, nearest = 0.0, None
        for row, n in shared.items():
            similarity = n / (len(words) + self._sizes[row] - n)
            if similarity > best and self.samples[row].id != sample.id:
                best, nearest = similarity, self.samples[row]
        return Novelty(1.0 - best, nearest)
