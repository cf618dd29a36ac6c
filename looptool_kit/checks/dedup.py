"""Deduplication: exact, and near by the Jaccard similarity of word 3-shingles.

Two samples are near-duplicates where what user and tools say in them is similar by `NEAR_THRESHOLD` and their
answers are equal, or by `REPEAT_THRESHOLD` whatever the answers are. MinHash finds the candidates, of which
the real similarity is then computed, so the cost is nearly linear in the samples. (ReverseGen, section 3.2,
deduplicates proposals by MinHash as well.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import NamedTuple

from rensa import RMinHash, RMinHashLSH

from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.tables import no_collection
from looptool_kit.core.toolcalls import match

NEAR_THRESHOLD = 0.6
"""Jaccard similarity of near-duplicates with one answer: one or two words of a usual request differ."""
REPEAT_THRESHOLD = 0.9
"""The same whatever the answers are. Higher: a request with another value rightly has another answer."""
# 40 bands of 5: of pairs at Jaccard 0.6 96% become candidates, at 0.7 99.9%, at 0.2 1.3%. Few candidates keep
# the cost near linear.
_PERMUTATIONS, _BANDS, _SEED = 200, 40, 1


class _Letters(dict[int, str]):
    """Table for `str.translate`: letters and digits stay, others become spaces.

    Filled as characters are met; translating takes half the time of a regex.
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
    runs = zip(words, words[1:], words[2:], strict=False) if len(words) > 3 else [words]
    return frozenset(map(" ".join, runs))


def jaccard(a: frozenset[str], b: frozenset[str]) -> float:
    """Share of the shingles that are in both sets, in [0, 1]."""
    both = len(a & b)
    return both / (len(a) + len(b) - both) if a or b else 1.0


def said(sample: Sample) -> frozenset[str]:
    """The shingles of what user and tools say: what is compared."""
    # All turns count: "The first one, please" says nothing without those before it.
    return shingles("\n".join([m.content for m in sample.messages if m.role in ("user", "tool")]))


def _same_answer(a: Label, b: Label) -> bool:
    return match(a, b) and (bool(a.calls) or normalised(a.reply) == normalised(b.reply))


class _Known(NamedTuple):
    """What is kept of a sample: a dialogue takes most of the memory, and only its words are compared."""

    id: str
    label: Label
    words: frozenset[str]


class Deduplicator:
    """The samples so far.

    Tells of a new one whether it repeats one.
    """

    def __init__(self, samples: Iterable[Sample] = ()) -> None:
        self._rows: list[_Known] = []
        self._same: dict[frozenset[str], list[_Known]] = {}
        self._near = _index()
        self._last: tuple[Sample, frozenset[str], RMinHash] | None = None
        for sample in samples:
            self.add(sample)

    def add(self, sample: Sample) -> None:
        """Take a sample in, duplicate or not."""
        _, words, minhash = self._look(sample)
        known = _Known(sample.id, sample.label, words)
        self._same.setdefault(words, []).append(known)
        self._near.insert(len(self._rows), minhash)
        self._rows.append(known)

    def duplicate_of(self, sample: Sample) -> str | None:
        """Return the id of the sample that this one repeats most.

        None where it repeats none.
        """
        _, words, minhash = self._look(sample)
        for other in self._same.get(words, ()):
            if _same_answer(sample.label, other.label):
                return other.id
        best, most = None, 0.0
        for at in sorted(self._near.query(minhash)):
            other = self._rows[at]
            similarity = jaccard(words, other.words)
            if (
                similarity >= NEAR_THRESHOLD
                and similarity > most
                and (similarity >= REPEAT_THRESHOLD or _same_answer(sample.label, other.label))
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
    """Drop the samples that repeat an earlier one.

    The result is that of asking a `Deduplicator` about each sample in turn and adding what is new.

    Returns:
        The samples that are kept, in order, and id of a dropped sample -> id of the one it repeats.
    """
    rows = list(samples)  # before collection stops: what makes the samples may well make cycles
    found = repeats(rows)
    kept = Samples(sample for at, sample in enumerate(rows) if at not in found)
    return kept, {rows[at].id: other for at, other in found.items()}


def repeats(samples: Iterable[Sample]) -> dict[int, str]:
    """Find the samples that repeat an earlier one, as `deduplicate` does.

    Args:
        samples: They are passed over twice and not held: a `Stored` may hold more than memory does.

    Returns:
        Place of a sample, from 0 -> id of the one it repeats.
    """
    seen, found = Deduplicator(), dict[int, str]()
    with no_collection():
        # Most rows share no band with any other: they neither repeat one nor are repeated, and nothing more
        # is asked of them or kept.
        sketches = RMinHash.digest_matrix_from_token_sets((said(s) for s in samples), _PERMUTATIONS, _SEED)
        alike = _index().query_duplicate_flags_matrix_one_shot(sketches)
        del sketches
        for at, (sample, near) in enumerate(zip(samples, alike, strict=True)):
            if not near:
                continue
            if (duplicate := seen.duplicate_of(sample)) is not None:
                found[at] = duplicate
            else:
                seen.add(sample)
    return found


def _index() -> RMinHashLSH:
    return RMinHashLSH(threshold=NEAR_THRESHOLD, num_perm=_PERMUTATIONS, num_bands=_BANDS)
