"""Deduplication: exact by calls and words, near by MinHash candidates whose real Jaccard similarity is then
computed. Cost is linear in the samples.

Two samples are near-duplicates where the word 3-shingles of what user and tools say in them have a Jaccard
similarity of at least `ALIKE` and their answers are equal, or of at least `SAME` whatever the answers are.
(ReverseGen, section 3.2, deduplicates proposals by MinHash as well.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from rensa import RMinHash, RMinHashLSH

from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.tables import no_collection
from looptool_kit.core.toolcalls import match

ALIKE = 0.6
SAME = 0.9
# 40 bands of 5: of pairs at Jaccard 0.6 96% become candidates, at 0.7 99.9%, at 0.2 1.3%: that is what keeps
# the cost near linear.
_PERMUTATIONS, _BANDS, _SEED = 200, 40, 1


class _Letters(dict[int, str]):
    """Letters and digits as they are, anything else as a space, filled as characters are met; `str.translate`
    takes half the time of a regex.
    """

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
    words = _words(text)
    return frozenset(
        map(" ".join, zip(words, words[1:], words[2:], strict=False) if len(words) > 3 else [words])
    )


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Share of the shingles of either set that are in both, in [0, 1]."""
    both = len(a & b)
    return both / (len(a) + len(b) - both) if a or b else 1.0


def said(sample: Sample) -> frozenset[str]:
    """What deduplication compares of a sample: the shingles of what user and tools say in it."""
    # Of all turns: "The first one, please" says nothing without those before it.
    return shingles("\n".join([m.content for m in sample.messages if m.role in ("user", "tool")]))


def _same_answer(a: Label, b: Label) -> bool:
    return match(a, b) and (bool(a.calls) or normalised(a.reply) == normalised(b.reply))


class Deduplicator:
    """Holds the samples that are there; asks of each new one whether it repeats one of them."""

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self._rows: list[tuple[Sample, frozenset[str]]] = []
        self._same: dict[frozenset[str], list[Sample]] = {}
        self._near = _index()
        self._last: tuple[Sample, frozenset[str], RMinHash] | None = None
        for sample in samples:
            self.add(sample)

    def add(self, sample: Sample) -> None:
        """Take a sample in, duplicate or not."""
        _, words, minhash = self._look(sample)
        self._same.setdefault(words, []).append(sample)
        self._near.insert(len(self._rows), minhash)
        self._rows.append((sample, words))

    def duplicate_of(self, sample: Sample) -> str | None:
        """Id of the sample already there that this one repeats most, or None."""
        _, words, minhash = self._look(sample)
        for other in self._same.get(words, ()):
            if _same_answer(sample.label, other.label):
                return other.id
        best, most = None, 0.0
        for at in sorted(self._near.query(minhash)):
            other, its_words = self._rows[at]
            similarity = jaccard(words, its_words)
            if (
                similarity >= ALIKE
                and similarity > most
                and (similarity >= SAME or _same_answer(sample.label, other.label))
            ):
                best, most = other.id, similarity
        return best

    def _look(self, sample: Sample) -> tuple[Sample, frozenset[str], RMinHash]:
        # One asks, then adds: the second time it is there.
        if self._last is None or self._last[0] is not sample:
            words, minhash = said(sample), RMinHash(num_perm=_PERMUTATIONS, seed=_SEED)
            minhash.update(list(words))
            self._last = sample, words, minhash
        return self._last


def deduplicate(samples: Iterable[Sample]) -> tuple[Samples, dict[str, str]]:
    """The samples of which no earlier one is a duplicate, in order, and for each other one's id the id that
    it repeats.

    The outcome is that of asking a `Deduplicator` about each sample in turn and adding what is new.
    """
    rows = list(samples)  # what makes them may well make cycles
    seen = Deduplicator()
    kept: list[Sample] = []
    dropped: dict[str, str] = {}
    with no_collection():
        # Most rows share no band with any other: they neither repeat one nor are repeated, and nothing more
        # is asked of them or kept.
        sketches = RMinHash.digest_matrix_from_token_sets((said(s) for s in rows), _PERMUTATIONS, _SEED)
        for sample, alike in zip(rows, _index().query_duplicate_flags_matrix_one_shot(sketches), strict=True):
            if alike and (duplicate := seen.duplicate_of(sample)) is not None:
                dropped[sample.id] = duplicate
                continue
            if alike:
                seen.add(sample)
            kept.append(sample)
    return Samples(kept), dropped


def _index() -> RMinHashLSH:
    return RMinHashLSH(threshold=ALIKE, num_perm=_PERMUTATIONS, num_bands=_BANDS)
