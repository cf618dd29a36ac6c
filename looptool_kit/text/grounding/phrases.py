"""Where the words of a phrase stand in a dialogue."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from itertools import accumulate

from looptool_kit.text.grounding.scores import PART_OF_MENTION
from looptool_kit.text.grounding.support import Support
from looptool_kit.text.mentions import Mention
from looptool_kit.text.passages import Dialogue, Passage


class Holding:
    """Look-up of the mention that holds a span; none overlap."""

    def __init__(self, mentions: list[Mention]) -> None:
        self._mentions, self._starts = mentions, [m.start for m in mentions]

    def at(self, start: int, end: int) -> Mention | None:
        """The mention that holds the span, None where none does."""
        before = bisect_right(self._starts, start)
        mention = self._mentions[before - 1] if before else None
        return mention if mention and end <= mention.end else None


def phrase_places(words: Sequence[str], d: Dialogue, score: float) -> Iterator[Support]:
    """The places where these stems stand in a row, with that score.

    The score is less where they stand inside another value.
    """
    for n, p in enumerate(d.passages):
        places = _find(words, p)
        holding = Holding([m for m in p.mentions if m.kind != "quote"]) if places else None
        for start, end in places:
            whole = holding.at(start, end) if holding else None
            # One character less is the possessive or the sign of a currency, not another value.
            if whole and end - start < whole.end - whole.start - 1:
                yield min(score, PART_OF_MENTION), f"part of “{whole.text}”", (n, start, end)
            else:
                yield score, f"“{p.text[start:end]}”", (n, start, end)


def _find(phrase: Sequence[str], passage: Passage) -> list[tuple[int, int]]:
    """Character spans where the stems of `phrase` stand in a row.

    They do not overlap.
    """
    wanted = f" {' '.join(phrase)} "
    if not phrase or wanted not in passage.line:
        return []
    words = passage.tokens
    # Place in the line -> word, so that finding is left to the string's own search, which does not compare
    # word by word.
    starts = accumulate((len(t.stem) + 1 for t in words), initial=0)
    word_at = dict(zip(starts, range(len(words)), strict=False))
    spans, place = [], passage.line.find(wanted)
    while place >= 0:
        if (at := word_at.get(place)) is not None and at + len(phrase) <= len(words):
            spans.append((words[at].start, words[at + len(phrase) - 1].end))
        place = passage.line.find(wanted, place + len(wanted) - 1)
    return spans
