"""Deduplication: exact, and near by the Jaccard similarity of word 3-shingles.

Two samples are near-duplicates where what user and tools say in them is similar by `NEAR_THRESHOLD` and their
answers are equal, or by `REPEAT_THRESHOLD` whatever the answers are. MinHash finds the candidates, of which
the real similarity is then computed, so the cost is nearly linear in the samples. (ReverseGen, section 3.2,
deduplicates proposals by MinHash as well.)
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import NamedTuple

from rensa import RMinHash, RMinHashLSH

from looptool_kit import cluster
from looptool_kit.checks import near
from looptool_kit.core.samples import Label, Sample, Samples
from looptool_kit.core.tables import no_collection
from looptool_kit.core.toolcalls import match

NEAR_THRESHOLD = 0.6
"""Jaccard similarity of near-duplicates with one answer: one or two words of a usual request differ."""
REPEAT_THRESHOLD = 0.9
"""The same whatever the answers are. Higher: a request with another value rightly has another answer."""


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
    return shingles(_text(sample))


def _text(sample: Sample) -> str:
    # All turns count: "The first one, please" says nothing without those before it.
    return "\n".join([m.content for m in sample.messages if m.role in ("user", "tool")])


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
        others = (self._rows[at] for at in sorted(self._near.query(minhash)))
        return _most_alike(sample.label, ((o.id, o.label, jaccard(words, o.words)) for o in others))

    def _look(self, sample: Sample) -> tuple[Sample, frozenset[str], RMinHash]:
        # One asks, then adds: the second time it is there.
        if self._last is None or self._last[0] is not sample:
            words, minhash = said(sample), RMinHash(num_perm=near.PERMUTATIONS, seed=near.SEED)
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
    labels, found, known = list[int](), dict[int, str](), dict[int, tuple[str, Label]]()

    def texts() -> Iterator[str]:
        for sample in samples:
            labels.append(hash(sample.label.model_dump_json()))
            yield _text(sample)

    with no_collection():
        index = near.index_of(shingles, texts())
        # Of rows with the same words and label the first alone is compared with: what repeats another of them
        # repeats it, or what it repeats.
        left_out = index.repeated(labels)
        pairs = near.all_pairs(index, left_out, NEAR_THRESHOLD) if cluster.running() else None
        for at, (sample, shared) in enumerate(zip(samples, index.shared, strict=True)):
            if not shared:  # most rows: they neither repeat one nor are repeated
                continue
            places, similar = index.near(at, left_out) if pairs is None else pairs.get(at, near.NONE)
            others = [
                (*known[place], alike)
                for place, alike in zip(places.tolist(), similar.tolist(), strict=True)
                if alike >= NEAR_THRESHOLD and place in known
            ]
            said_before = (
                id for id, label, alike in others if alike == 1 and _same_answer(sample.label, label)
            )
            if (duplicate := next(said_before, None) or _most_alike(sample.label, others)) is not None:
                found[at], left_out[at] = duplicate, True
            else:
                known[at] = sample.id, sample.label
    return found


def _most_alike(label: Label, others: Iterable[tuple[str, Label, float]]) -> str | None:
    """The id of the sample that one with this label repeats most; None where it repeats none.

    Args:
        others: Id, label and similarity.
    """
    best, most = None, 0.0
    for id, other, alike in others:
        if (
            alike >= NEAR_THRESHOLD
            and alike > most
            and (alike >= REPEAT_THRESHOLD or _same_answer(label, other))
        ):
            best, most = id, alike
    return best


def _index() -> RMinHashLSH:
    return RMinHashLSH(threshold=NEAR_THRESHOLD, num_perm=near.PERMUTATIONS, num_bands=near.BANDS)
