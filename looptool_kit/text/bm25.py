"""Okapi BM25: which passages a query's words speak of.

Robertson and Zaragoza, The Probabilistic Relevance Framework, 2009; the inverse document frequency is the one
that never falls below 0, and the constant factor k1 + 1, which changes no order, is left out, as in Lucene.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from math import log

K1, B = 1.5, 0.75
"""How soon more of one word stops counting, and how much long passages are discounted: the usual values."""


def words(text: str) -> list[str]:
    """Return the words of a text as they are compared.

    They are of letters and digits, in lower case.
    """
    return re.findall(r"\w+", text.lower())


class BM25:
    """Scores of passages for queries."""

    def __init__(self, passages: Sequence[str]) -> None:
        self._counts = [Counter(words(p)) for p in passages]
        self._lengths = [c.total() for c in self._counts]
        self._mean = sum(self._lengths) / max(1, len(passages)) or 1.0
        self._frequency = Counter(w for c in self._counts for w in c)

    def scores(self, query: str) -> list[float]:
        """Score each passage, in order.

        A score is 0 where no word of the query stands in the passage.
        """
        wanted = [w for w in words(query) if w in self._frequency]
        return [
            sum(self._rarity(w) * self._weight(count[w], length) for w in wanted)
            for count, length in zip(self._counts, self._lengths, strict=True)
        ]

    def _rarity(self, word: str) -> float:
        df = self._frequency[word]
        return log(1 + (len(self._counts) - df + 0.5) / (df + 0.5))

    def _weight(self, count: int, length: int) -> float:
        return count / (count + K1 * (1 - B + B * length / self._mean))
