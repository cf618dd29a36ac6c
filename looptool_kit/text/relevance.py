"""Which tool a request speaks of, and which parameter a value.

By the words of the request, and by those around the value.
"""

from __future__ import annotations

from typing import Any

from looptool_kit.core.samples import Sample, Tool
from looptool_kit.text.grounding.scores import SAID_THRESHOLD
from looptool_kit.text.grounding.support import Grounding
from looptool_kit.text.passages import Dialogue, Passage, Span
from looptool_kit.text.words import STOP, alike, stems

# All weights here are set by judgement, as those of grounding are (`grounding.scores`).

NAME_WEIGHT, DESCRIPTION_WEIGHT, PARAMETER_WEIGHT = 2.0, 1.0, 0.5
"""What a word of a tool weighs. A tool's name says most of what it does; parameters are shared by many."""
FULL_SHARE = 0.5
"""Share of a tool's weighed words from which a request speaks of it wholly: nobody says all of them."""
CHARACTERS_BEFORE, CHARACTERS_AFTER = 70, 50
"""How far around a call's values the request is read. English names what is wanted before its values."""
MAX_ENUM_CHARACTERS = 200
"""Of a parameter's choices so many characters are read: long lists would outweigh the tool's own words."""


def relevance(sample: Sample, dialogue: Dialogue, name: str, grounded: dict[str, Grounding]) -> float:
    """How far the last request speaks of a tool, 0 to 1.

    Only the words around the values that a call takes from the request count, all where it takes none. It is
    the share of the words of the tool's name, description and parameters that are said there. Words that
    other tools on offer have too count less.

    Args:
        sample: Whose tools are on offer.
        said: Its dialogue.
        name: The tool's name; 0 where it is not on offer.
        found: The groundings of the call's arguments.
    """
    if dialogue.last < 0 or (tool := sample.tool(name)) is None:
        return 0.0
    request = dialogue.passages[dialogue.last]
    places = [s for g in grounded.values() if g.supported >= SAID_THRESHOLD for s in g.spans]
    spans = [s for s in places if s[0] == dialogue.last]
    start, end = 0, len(request.text)
    if spans:
        start = min(s[1] for s in spans) - CHARACTERS_BEFORE
        end = max(s[2] for s in spans) + CHARACTERS_AFTER
    near = {t.stem for t in request.tokens if start <= t.start and t.end <= end}
    docs = [tool_words(t) for t in {t.name: t for t in sample.tools}.values()]
    weights = {
        w: weight / sum(any(alike(w, o) for o in words) for words in docs)
        for w, weight in tool_words(tool).items()
    }
    hit = sum(weight for w, weight in weights.items() if any(alike(w, r) for r in near))
    # The least divisor is for a tool without words.
    return min(1.0, hit / FULL_SHARE / max(1e-9, sum(weights.values())))


def tool_words(tool: Tool) -> dict[str, float]:
    """The stems that speak of a tool, with their weights.

    Of a stem that stands in two places the higher weight counts.
    """
    words: dict[str, float] = {}
    for name, schema in tool.properties.items():
        choices = str(schema.get("enum", ""))[:MAX_ENUM_CHARACTERS] if isinstance(schema, dict) else ""
        words |= dict.fromkeys((*stems(name), *stems(choices)), PARAMETER_WEIGHT)
    words |= dict.fromkeys(stems(tool.description), DESCRIPTION_WEIGHT)
    words |= dict.fromkeys(stems(tool.name), NAME_WEIGHT)
    return {w: weight for w, weight in words.items() if w not in STOP}


# ---------------------------------------------------------------- parameters

_CUES = {
    cue: frozenset(words.split(" "))
    for cue, words in {
        "from": "from origin source start departure depart sender begin pickup since after old",
        "to": "to destination target end arrival recipient until dropoff return new",
        "until": "end until to out return finish close",
        "by": "deadline due by end until",
        "under": "max maximum budget limit upper most",
        "over": "min minimum lower least",
        "at": "time at location place",
        "in": "city location country language currency",
    }.items()
}
"""Preposition before a value -> words of the parameters that go with it."""
_CUE_OF = {
    "till": "until", "through": "until", "starting": "from", "leaving": "from", "below": "under",
    "most": "under", "above": "over", "least": "over", "before": "by", "into": "to",
}  # fmt: skip
"""Other words that stand for one of those."""

OWN_WORD, RELATIVE, DESCRIBED = 1.0, 0.8, 0.5
"""Before a value: a word of the parameter's name, one of its family, a word of its description. In this order
of how surely they speak of the parameter.
"""
CUE = 0.9
"""A preposition that goes with the parameter: nearly as good as its name, since others may go with it too."""
RELATIVE_AFTER = 0.7
"""A word of the name's families behind the value: "7 guests". Less than before it: something new may begin.
"""
LESS_PER_WORD = 0.15
"""Taken off for each word between it and the value. With `WORDS_BEFORE` the last one keeps more than half."""
WORDS_BEFORE, WORDS_AFTER, CUE_WORDS = 4, 2, 2
"""How many words around a value are read, and before how many words a preposition still belongs to it."""


def role(passage: Passage, span: Span, name: str, schema: dict[str, Any]) -> float:
    """How far the words around a value speak of a parameter.

    From 0 to 1. The parameter's own words count, and a preposition that goes with it.
    """
    own, described = _words_of(name, schema)
    before, after = _around(passage, span)
    scores = [RELATIVE_AFTER * any(alike(w, o) for w in after for o in own)]
    for at, word in enumerate(reversed(before)):
        near = 1.0 - LESS_PER_WORD * at
        scores.append(near * _speaks(word, own, described))
        if at < CUE_WORDS and _is_cue(word, own):
            scores.append(CUE * near)
    return max(scores)


def is_introduced(passage: Passage, span: Span, name: str, schema: dict[str, Any]) -> bool:
    """True where the words right around a value speak of a parameter.

    Those before it reach back to the first word of content: in "its lyrics, sung by The Foxes" the foxes are
    not introduced as the lyrics.
    """
    own, described = _words_of(name, schema)
    before, after = _around(passage, span)
    if any(alike(w, o) for w in after for o in own):
        return True
    for word in reversed(before):
        if _speaks(word, own, described) or _is_cue(word, own):
            return True
        if word not in STOP:
            return False
    return False


def _words_of(name: str, schema: dict[str, Any]) -> tuple[set[str], set[str]]:
    """The stems of a parameter's name, and the others of its description."""
    own = set(stems(name))
    return own, {w for w in stems(str(schema.get("description", ""))) if w not in STOP} - own


def _around(passage: Passage, span: Span) -> tuple[list[str], list[str]]:
    """Stems of the words before a value on its line, and after."""
    line = passage.text.rfind("\n", 0, span[1]) + 1
    before = [t.stem for t in passage.tokens if line <= t.start and t.end <= span[1]][-WORDS_BEFORE:]
    return before, [t.stem for t in passage.tokens if t.start >= span[2]][:WORDS_AFTER]


def _is_cue(word: str, own: set[str]) -> bool:
    """True for a preposition that goes with a parameter."""
    return bool(_CUES.get(_CUE_OF.get(word, word), frozenset()) & own)


def _speaks(word: str, own: set[str], described: set[str]) -> float:
    if word in own:
        return OWN_WORD
    if any(alike(word, o) for o in own):
        return RELATIVE
    return DESCRIBED if word in described else 0.0
