"""What words tell: which tool a request speaks of, and which parameter the words around a value speak of."""

from __future__ import annotations

from typing import Any

from looptool_kit.core.samples import Sample, Tool
from looptool_kit.text.grounding import Grounding
from looptool_kit.text.passages import Dialogue, Passage, Span
from looptool_kit.text.words import STOP, alike, stems


def relevance(sample: Sample, said: Dialogue, name: str, found: dict[str, Grounding]) -> float:
    """How far the last request, around the values that a call takes from it, speaks of a tool, 0 to 1.

    It is the share of the words of the tool's name, description and parameters that are said there; words
    that other tools on offer have too count less.
    """
    if said.last < 0 or (tool := sample.tool(name)) is None:
        return 0.0
    request = said.passages[said.last]
    spans = [s for g in found.values() if g.supported >= 0.7 for s in g.spans if s[0] == said.last]
    start, end = (
        (min(s[1] for s in spans) - 70, max(s[2] for s in spans) + 50) if spans else (0, len(request.text))
    )
    near = {t.stem for t in request.tokens if start <= t.start and t.end <= end}
    docs = {t.name: tool_words(t) for t in sample.tools}
    weights = {
        w: weight / sum(any(alike(w, o) for o in d) for d in docs.values())
        for w, weight in tool_words(tool).items()
    }
    hit = sum(weight for w, weight in weights.items() if any(alike(w, r) for r in near))
    return min(1.0, 2 * hit / max(1e-9, sum(weights.values())))


def tool_words(tool: Tool) -> dict[str, float]:
    """The stems that speak of a tool, with weights: name 2, description 1, parameters and their choices 0.5."""
    words = {
        w: 0.5
        for p, s in tool.properties.items()
        for w in (*stems(p), *stems(str(s.get("enum", ""))[:200] if isinstance(s, dict) else ""))
    }
    words |= {w: 1.0 for w in stems(tool.description) if w not in STOP}
    words |= {w: 2.0 for w in stems(tool.name)}
    return {w: weight for w, weight in words.items() if w not in STOP}


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
_CUE_OF = {
    **dict.fromkeys(("till", "through"), "until"), **dict.fromkeys(("starting", "leaving"), "from"), **dict.fromkeys(("below", "most"), "under"),
    **dict.fromkeys(("above", "least"), "over"), "before": "by", "into": "to",
}  # fmt: skip


def role(passage: Passage, span: Span, name: str, schema: dict[str, Any]) -> float:
    """How far the words around a value speak of the parameter: its own words nearby, or a preposition that
    goes with it.
    """
    own = set(stems(name))
    told = {w for w in stems(str(schema.get("description", ""))) if w not in STOP} - own
    line = passage.text.rfind("\n", 0, span[1]) + 1
    before = [t.stem for t in passage.tokens if line <= t.start and t.end <= span[1]][-4:]
    after = [t.stem for t in passage.tokens if t.start >= span[2]][:2]
    score = 0.0
    for at, word in enumerate(reversed(before)):
        near = 1.0 - 0.15 * at
        score = max(
            score,
            near
            * (
                1.0
                if word in own
                else 0.8
                if any(alike(word, o) for o in own)
                else 0.5
                if word in told
                else 0.0
            ),
        )
        if at < 2 and _CUES.get(_CUE_OF.get(word, word), frozenset()) & own:
            score = max(score, 0.9 * near)
    return max(score, 0.7 * any(alike(w, o) for w in after for o in own))
