"""Deduplication: exact by calls and words, near by MinHash candidates whose real Jaccard similarity is then computed. Cost is linear in the samples.

Two samples are near-duplicates where the word 3-shingles of what user and tools say in them have a Jaccard similarity of at least `ALIKE` and their
answers are equal, or of at least `SAME` whatever the answers are. (ReverseGen, section 3.2, deduplicates proposals by MinHash as well.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rensa import RMinHash, RMinHashLSH

from looptool_kit.samples import Label, Sample, Samples
from looptool_kit.tables import no_collection
from looptool_kit.toolcalls import match

ALIKE = 0.6
SAME = 0.9
# 40 bands of 5: of pairs at Jaccard 0.6 96% become candidates, at 0.7 99.9%, at 0.2 1.3%: that is what keeps the cost near linear.
_PERMUTATIONS, _BANDS = 200, 40


class _Letters(dict[int, str]):
    """Letters and digits as they are, anything else as a space, filled as characters are met; `str.translate` takes half the time of a regex."""

    def __missing__(self, code: int) -> str:
        self[code] = letter = re.sub(r"[\W_]", " ", chr(code))
        return letter


_LETTERS = _Letters()


def _words(text: str) -> list[str]:
    return text.casefold().translate(_LETTERS).split()


def normalised(text: str) -> str:
    """A text's words in lower case between single spaces: what is compared."""
    return " ".join(_words(text))


def shingles(text: str) -> frozenset[str]:
    """The word 3-shingles of a text; a shorter text is one shingle."""
    return _shingles(_words(text))


def _shingles(words: list[str]) -> frozenset[str]:
    return frozenset(map(" ".join, zip(words, words[1:], words[2:], strict=False) if len(words) > 3 else [words]))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Share of the shingles of either set that are in both, in [0, 1]."""
    both = len(a & b)
    return both / (len(a) + len(b) - both) if a or b else 1.0


def said(sample: Sample) -> frozenset[str]:
    """What deduplication compares of a sample: the shingles of what user and tools say in it."""
    return shingles(_said(sample))


def _same_answer(a: Label, b: Label) -> bool:
    return match(a, b) and (bool(a.calls) or normalised(a.reply) == normalised(b.reply))


class _Row:
    """What is compared of one sample."""

    __slots__ = ("sample", "shingles", "text")

    def __init__(self, sample: Sample) -> None:
        words = _words(_said(sample))
        self.sample = sample
        self.text = " ".join(words)
        self.shingles = _shingles(words)


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
            if _same_answer(sample.label, other.sample.label):
                return other.sample.id
        best, most = None, 0.0
        for at in sorted(self._near.query(minhash)):
            other = self._rows[at]
            similarity = jaccard(row.shingles, other.shingles)
            if similarity >= ALIKE and similarity > most and (similarity >= SAME or _same_answer(sample.label, other.sample.label)):
                best, most = other.sample.id, similarity
        return best

    def _row(self, sample: Sample) -> tuple[_Row, RMinHash]:
        # One asks, then adds: the second time the row is there.
        if self._last is None or self._last[0].sample is not sample:
            row, minhash = _Row(sample), RMinHash(num_perm=_PERMUTATIONS, seed=1)
            minhash.update(list(row.shingles))
            self._last = row, minhash
        return self._last


def deduplicate(samples: Iterable[Sample]) -> tuple[Samples, dict[str, str]]:
    """The samples of which no earlier one is a duplicate, in order, and for each other one's id the id that it repeats."""
    seen = Deduplicator()
    kept: list[Sample] = []
    dropped: dict[str, str] = {}
    rows = list(samples)  # what makes them may well make cycles
    with no_collection():
        for sample in rows:
            if (duplicate := seen.duplicate_of(sample)) is not None:
                dropped[sample.id] = duplicate
            else:
                seen.add(sample)
                kept.append(sample)
    return Samples(kept), dropped


def _said(sample: Sample) -> str:
    # "The first one, please" says nothing without the turns before it.
    return "\n".join([m.content for m in sample.messages if m.role in ("user", "tool")])
