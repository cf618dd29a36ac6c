"""The result of grounding, and how several become one."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import NamedTuple

from looptool_kit.text.grounding.scores import CANNOT_TELL, UNSAID
from looptool_kit.text.mentions import Mention
from looptool_kit.text.passages import Dialogue, Passage, Span

Support = tuple[float, str, Span]
"""One place that supports a value: score, words for a person, where it stands."""


class Grounding(NamedTuple):
    """How far a value is supported."""

    supported: float
    """0 nothing supports it; 0.5 cannot tell; 1 the dialogue or the schema says so."""
    words: str
    spans: tuple[Span, ...] = ()
    """Where it stands."""
    by_schema: bool = False
    """The schema supports it (default, const, only choice), the dialogue does not."""


def best(places: Iterable[Support]) -> Grounding:
    """The best supported reading, with all places of equal support."""
    supports = list(places)
    if not supports:
        return Grounding(UNSAID, "nothing in the dialogue says so")
    top = max(score for score, _, _ in supports)
    words = next(w for score, w, _ in supports if score == top)
    return Grounding(top, words, tuple(dict.fromkeys(s for score, _, s in supports if score == top)))


def weakest(parts: list[tuple[str, Grounding]]) -> Grounding:
    """The grounding of a value with parts: that of the worst part.

    A list or object is as well supported as its weakest item: one made-up value spoils it. The places are
    those of all parts, of which there is at least one.
    """
    name, worst = min(parts, key=lambda p: p[1].supported)
    spans = dict.fromkeys(s for _, g in parts for s in g.spans)
    return Grounding(worst.supported, f"{name}: {worst.words}", tuple(spans))


def unknown(words: str) -> Grounding:
    """The grounding of a value of which nobody can tell."""
    return Grounding(CANNOT_TELL, words)


def user_passages(d: Dialogue) -> Iterator[tuple[int, Passage]]:
    """Passages that are not results of tools, the last first."""
    return ((n, d.passages[n]) for n in range(len(d.passages) - 1, -1, -1) if d.passages[n].role != "tool")


def mentions_of(d: Dialogue, *kinds: str) -> Iterator[tuple[int, Mention]]:
    """The mentions of these kinds, each with the index of its passage."""
    return ((n, m) for n, p in enumerate(d.passages) for m in p.mentions if m.kind in kinds)
