"""Deduplication: exact by calls and words, near by MinHash candidates whose real Jaccard similarity is then computed. Cost is linear in the samples.

Two samples are near-duplicates where the word 3-shingles of what user and tools say in them have a Jaccard similarity of at least `ALIKE` and their
answers are equal, or of at least `SAME` whatever the answers are. (ReverseGen, section 3.2, deduplicates proposals by MinHash as well.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable

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
    words = normalised(text).split()
    return frozenset(" ".join(words[i : i + 3]) for i in range(max(1, len(words) - 2)))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Share of the shingles of either set that are in both, in [0, 1]."""
    return len(a & b) / len(a | b) if a or b else 1.0


def said(sample: Sample) -> frozenset[str]:
    """What deduplication compares of a sample: the shingles of what user and tools say in it."""
    return shingles(_said(sample))


def _answer(sample: Sample) -> _Answer:
    return canonical_calls(sample.label.calls), normalised(sample.label.reply) if not sample.label.calls else ""


class Deduplicator:
    """Holds the samples that are there; asks of each new one whether it repeats one of them."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self._exact: dict[tuple[str, _Answer], str] = {}
        self._rows: list[tuple[str, frozenset[str], _Answer]] = []
        self._near = RMinHashLSH(threshold=ALIKE, num_perm=_PERMUTATIONS, num_bands=_BANDS)
        for sample in samples:
            self.add(sample)

    def add(self, sample: Sample) -> None:
        """Take a sample in, duplicate or not."""
        words, answer = said(sample), _answer(sample)
        self._exact.setdefault(_key(sample, answer), sample.id)
        self._near.insert(len(self._rows), _minhash(words))
        self._rows.append((sample.id, words, answer))

    def duplicate_of(self, sample: Sample) -> str | None:
        """Id of the sample already there that this one repeats most, or None."""
        answer = _answer(sample)
        if (known := self._exact.get(_key(sample, answer))) is not None:
            return known
        words = said(sample)
        best, most = None, 0.0
        for row in sorted(self._near.query(_minhash(words))):
            other, other_words, other_answer = self._rows[row]
            similarity = jaccard(words, other_words)
            if similarity >= (ALIKE if answer == other_answer else SAME) and similarity > most:
                best, most = other, similarity
        return best


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


def _key(sample: Sample, answer: _Answer) -> tuple[str, _Answer]:
    return normalised(_said(sample)), answer


def _said(sample: Sample) -> str:
    # "The first one, please" says nothing without the turns before it.
    return "\n".join(m.content for m in sample.messages if m.role in ("user", "tool"))


def _minhash(words: frozenset[str]) -> RMinHash:
    minhash = RMinHash(num_perm=_PERMUTATIONS, seed=1)
    minhash.update(sorted(words))
    return minhash
