"""Deduplication: exact by calls and words, near by MinHash candidates whose real Jaccard similarity is then computed. Cost is linear in the samples.

Two samples are near-duplicates where the word 3-shingles of what user and tools say in them have a Jaccard similarity of at least `ALIKE` and their
answers are equal, or of at least `SAME` whatever the answers are. (ReverseGen, section 3.2, deduplicates proposals by MinHash as well.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from rensa import RMinHash, RMinHashLSH

from looptool_kit.samples import Sample, Samples
from looptool_kit.toolcalls import canonical_calls

ALIKE = 0.6
SAME = 0.9
# 32 bands of 4: of pairs at Jaccard 0.6 99% become candidates, of pairs at 0.2 5%.
_PERMUTATIONS, _BANDS = 128, 32

_Answer = tuple[tuple[str, ...], str]


def normalised(text: str) -> str:
    """A text's words in lower case between single spaces: what is compared."""
    return " ".join(re.findall(r"[^\W_]+", text.casefold()))


def shingles(text: str) -> frozenset[str]:
    """The word 3-shingles of a text; a shorter text is one shingle."""
    return _shingles(normalised(text))


def _shingles(normal: str) -> frozenset[str]:
    words = normal.split()
    if len(words) <= 3:
        return frozenset((normal,))
    return frozenset([f"{a} {b} {c}" for a, b, c in zip(words, words[1:], words[2:], strict=False)])


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Share of the shingles of either set that are in both, in [0, 1]."""
    return len(a & b) / len(a | b) if a or b else 1.0


def said(sample: Sample) -> frozenset[str]:
    """What deduplication compares of a sample: the shingles of what user and tools say in it."""
    return shingles(_said(sample))


def _answer(sample: Sample) -> _Answer:
    return canonical_calls(sample.label.calls), normalised(sample.label.reply) if not sample.label.calls else ""


class _Row(NamedTuple):
    """What is compared of one sample."""

    id: str
    text: str
    words: frozenset[str]
    answer: _Answer
    minhash: RMinHash


class Deduplicator:
    """Holds the samples that are there; asks of each new one whether it repeats one of them."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self._exact: dict[tuple[str, _Answer], str] = {}
        self._rows: list[tuple[str, frozenset[str], _Answer]] = []
        self._near = RMinHashLSH(threshold=ALIKE, num_perm=_PERMUTATIONS, num_bands=_BANDS)
        self._last: tuple[Sample, _Row] | None = None
        for sample in samples:
            self.add(sample)

    def add(self, sample: Sample) -> None:
        """Take a sample in, duplicate or not."""
        row = self._row(sample)
        self._exact.setdefault((row.text, row.answer), row.id)
        self._near.insert(len(self._rows), row.minhash)
        self._rows.append((row.id, row.words, row.answer))

    def duplicate_of(self, sample: Sample) -> str | None:
        """Id of the sample already there that this one repeats most, or None."""
        row = self._row(sample)
        if (known := self._exact.get((row.text, row.answer))) is not None:
            return known
        best, most = None, 0.0
        for at in sorted(self._near.query(row.minhash)):
            other, other_words, other_answer = self._rows[at]
            similarity = jaccard(row.words, other_words)
            if similarity >= (ALIKE if row.answer == other_answer else SAME) and similarity > most:
                best, most = other, similarity
        return best

    def _row(self, sample: Sample) -> _Row:
        # One asks, then adds: the second time the row is there.
        if self._last is None or self._last[0] is not sample:
            text = normalised(_said(sample))
            words = _shingles(text)
            minhash = RMinHash(num_perm=_PERMUTATIONS, seed=1)
            minhash.update(list(words))
            self._last = sample, _Row(sample.id, text, words, _answer(sample), minhash)
        return self._last[1]


def deduplicate(samples: Iterable[Sample]) -> tuple[Samples, dict[str, str]]:
    """The samples of which no earlier one is a duplicate, in order, and for each other one's id the id that it repeats."""
    seen = Deduplicator()
    kept: list[Sample] = []
    dropped: dict[str, str] = {}
    for sample in samples:
        if (duplicate := seen.duplicate_of(sample)) is not None:
            dropped[sample.id] = duplicate
        else:
            seen.add(sample)
            kept.append(sample)
    return Samples(kept), dropped


def _said(sample: Sample) -> str:
    # "The first one, please" says nothing without the turns before it.
    return "\n".join(m.content for m in sample.messages if m.role in ("user", "tool"))
