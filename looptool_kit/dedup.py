"""Deduplication: exact by calls and words, near by MinHash candidates whose real Jaccard similarity is then computed. Cost is linear in the samples.

Two samples are near-duplicates where the word 3-shingles of what user and tools say in them have a Jaccard similarity of at least `ALIKE` and their
answers are equal, or of at least `SAME` whatever the answers are. (ReverseGen, section 3.2, deduplicates proposals by MinHash as well.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import cached_property

from rensa import RMinHash, RMinHashLSH

from looptool_kit.samples import Sample, Samples
from looptool_kit.toolcalls import canonical_calls

ALIKE = 0.6
SAME = 0.9
# 40 bands of 5: of pairs at Jaccard 0.6 96% become candidates, at 0.7 99.9%, at 0.2 1.3%: that is what keeps the cost near linear.
_PERMUTATIONS, _BANDS = 200, 40

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
    both = len(a & b)
    return both / (len(a) + len(b) - both) if a or b else 1.0


def said(sample: Sample) -> frozenset[str]:
    """What deduplication compares of a sample: the shingles of what user and tools say in it."""
    return shingles(_said(sample))


def _answer(sample: Sample) -> _Answer:
    return canonical_calls(sample.label.calls), normalised(sample.label.reply) if not sample.label.calls else ""


class _Row:
    """What is compared of one sample."""

    def __init__(self, sample: Sample) -> None:
        self.sample = sample
        self.text = normalised(_said(sample))
        self.words = _shingles(self.text)

    @cached_property
    def answer(self) -> _Answer:
        # Asked for where the words are alike only: few are, and it takes as long as all else.
        return _answer(self.sample)


class Deduplicator:
    """Holds the samples that are there; asks of each new one whether it repeats one of them."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self._same_text: dict[str, list[_Row]] = {}
        self._rows: list[_Row] = []
        self._near = RMinHashLSH(threshold=ALIKE, num_perm=_PERMUTATIONS, num_bands=_BANDS)
        self._last: tuple[_Row, RMinHash] | None = None
        for sample in samples:
            self.add(sample)

    def add(self, sample: Sample) -> None:
        """Take a sample in, duplicate or not."""
        row, minhash = self._row(sample)
        self._same_text.setdefault(row.text, []).append(row)
        self._near.insert(len(self._rows), minhash)
        self._rows.append(row)

    def duplicate_of(self, sample: Sample) -> str | None:
        """Id of the sample already there that this one repeats most, or None."""
        row, minhash = self._row(sample)
        for other in self._same_text.get(row.text, ()):
            if other.answer == row.answer:
                return other.sample.id
        best, most = None, 0.0
        for at in sorted(self._near.query(minhash)):
            other = self._rows[at]
            similarity = jaccard(row.words, other.words)
            if similarity >= ALIKE and similarity > most and (similarity >= SAME or row.answer == other.answer):
                best, most = other.sample.id, similarity
        return best

    def _row(self, sample: Sample) -> tuple[_Row, RMinHash]:
        # One asks, then adds: the second time the row is there.
        if self._last is None or self._last[0].sample is not sample:
            row, minhash = _Row(sample), RMinHash(num_perm=_PERMUTATIONS, seed=1)
            minhash.update(list(row.words))
            self._last = row, minhash
        return self._last


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
