"""Is a choice of an enum said, or is another one named?"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from looptool_kit.text.grounding.flags import ground_nothing
from looptool_kit.text.grounding.scores import (
    CANNOT_TELL,
    NAMED_THRESHOLD,
    OTHER_CHOICE_NAMED,
    PART_OF_OTHER_CHOICE,
    SAID_THRESHOLD,
    WORD_FAMILY,
)
from looptool_kit.text.grounding.strings import string_places
from looptool_kit.text.grounding.support import Grounding, Support, best, unknown
from looptool_kit.text.passages import Dialogue, Span, holds
from looptool_kit.text.words import MIN_COMMON, STOP, alike, stems

_NEGATIVE = ("none", "no", "off", "never")
"""Choices that mean nothing or no, said by any "no" of the user."""


def ground_choice(value: str, choices: list[Any], d: Dialogue, name: str) -> Grounding:
    """How far the dialogue says this choice rather than another."""
    others = [o for o in choices if isinstance(o, str) and o != value]
    own = best(_places(value, d))
    if own.supported < NAMED_THRESHOLD and any(_explains(o, own, d) for o in others):
        own = Grounding(PART_OF_OTHER_CHOICE, f"{own.words} is part of what names another choice")
    if value.lower() in _NEGATIVE:
        nothing = ground_nothing(d, name)
        if nothing.supported > max(SAID_THRESHOLD, own.supported):
            return nothing
    if own.supported >= SAID_THRESHOLD:
        return own
    for other in others:
        g = best(_places(other, d))
        if g.supported >= NAMED_THRESHOLD and any(s[0] == d.last for s in g.spans):
            return Grounding(OTHER_CHOICE_NAMED, f"what is said names {other!r}: {g.words}")
    return own if own.supported >= CANNOT_TELL else unknown("none of the choices is named")


def is_partly_said(value: str, d: Dialogue) -> bool:
    """True where a word of the choice, or its beginning, is said.

    "carbs" is the beginning of "Carbohydrates".
    """
    words = [w for w in stems(value) if w not in STOP]
    return any(
        alike(w, t.stem) or len(t.stem) >= MIN_COMMON and w.startswith(t.stem)
        for p in d.passages
        for t in p.tokens
        for w in words
    )


def _explains(other: str, own: Grounding, d: Dialogue) -> bool:
    """True where another choice explains better what is said.

    Its words hold all that speaks for this one.

    "Every two weeks" speaks of "biweekly", although "weekly" is of the same family as "weeks".
    """
    g = best(string_places(other, d))
    return g.supported > own.supported and _inside(own.spans, g.spans)


def _inside(spans: Sequence[Span], wider: Sequence[Span]) -> bool:
    return bool(spans) and all(any(holds(w, s) for w in wider) for s in spans)


def _places(value: str, d: Dialogue) -> Iterator[Support]:
    yield from string_places(value, d)
    words = [w for w in stems(value) if w not in STOP]
    for n, p in enumerate(d.passages):
        relatives = [t for w in words for t in p.tokens if alike(w, t.stem)]
        if words and len({t.stem for t in relatives}) >= len(words):
            first = relatives[0]
            yield WORD_FAMILY, f"“{p.text[first.start : first.end]}”", (n, first.start, first.end)
