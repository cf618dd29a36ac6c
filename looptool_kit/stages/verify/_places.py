"""Places in the dialogue: where values stand, and what is already used.

A place may be used by an answer or by an earlier call.
"""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Iterable, Sequence
from typing import Any

from looptool_kit.checks.rules import GROUNDED, groundings
from looptool_kit.core.samples import Message, Sample, ToolCall
from looptool_kit.stages.verify._answers import Side, same_call
from looptool_kit.stages.verify._weights import SAID_OF_ANOTHER
from looptool_kit.text.grounding.moments import moment
from looptool_kit.text.grounding.scores import SAID_THRESHOLD
from looptool_kit.text.grounding.support import Grounding
from looptool_kit.text.passages import Dialogue, Span, holds, overlap
from looptool_kit.text.relevance import role, tool_words
from looptool_kit.text.words import COMMANDS, STOP, alike, stems


def is_said(g: Grounding) -> bool:
    """True where a value counts as said, or as the schema's default."""
    return g.supported >= SAID_THRESHOLD


def said_places(grounded: Iterable[Grounding]) -> set[Span]:
    """The places of those values that count as said."""
    return {s for g in grounded if is_said(g) for s in g.spans}


def _touches(span: Span, places: Iterable[Span]) -> bool:
    return any(overlap(s, span) for s in places)


def is_fresh(g: Grounding, places: Iterable[Span]) -> bool:
    """True where a value stands somewhere that `places` do not touch."""
    places = list(places)
    return any(not _touches(s, places) for s in g.spans)


# ------------------------------------------------------- used by an answer


def used_by(side: Side, dialogue: Dialogue) -> set[Span]:
    """The places that an answer's arguments use.

    With the words before a value that name its parameter: "card LC-12" is used whole for `card_id`.
    """
    spans = set()
    for grounded in side.found:
        for name, g in grounded.items():
            if g.supported >= GROUNDED:
                spans |= {_with_name(span, name, dialogue) for span in g.spans}
    return spans


def _with_name(span: Span, name: str, dialogue: Dialogue) -> Span:
    """A span with the words before it that name the parameter."""
    at, start, end = span
    words = dialogue.passages[at].tokens
    before = bisect_right(words, start, key=lambda t: t.end)
    for token in reversed(words[max(0, before - 2) : before]):
        if not any(alike(token.stem, w) for w in stems(name)):
            break
        start = token.start
    return at, start, end


def used_by_others(side: Side, call: ToolCall, name: str) -> set[Span]:
    """The places that an answer's other arguments use, in any call."""
    return said_places(
        g
        for c, grounded in zip(side.answer.calls, side.found, strict=True)
        for k, g in grounded.items()
        if c is not call or k != name
    )


def own_grounding(name: str, grounded: dict[str, Grounding]) -> Grounding:
    """An argument's grounding, weakened where another one says it.

    That is where it stands only inside another argument of the same call.
    """
    g = grounded[name]
    others = said_places(o for k, o in grounded.items() if k != name)
    if is_said(g) and g.spans and all(any(holds(o, s) for o in others) for s in g.spans):
        return Grounding(SAID_OF_ANOTHER * g.supported, f"{g.words} is what another argument says", g.spans)
    return g


def left_over(sample: Sample, dialogue: Dialogue, used: set[Span]) -> int:
    """How many words of the last request nothing accounts for.

    No value uses them, and no tool's name or description holds them.
    """
    if dialogue.last < 0:
        return 0
    tool_stems = {w for t in sample.tools for w in tool_words(t)}
    rest = [
        t
        for t in dialogue.passages[dialogue.last].tokens
        if not _touches((dialogue.last, t.start, t.end), used)
    ]
    telling = [t for t in rest if t.stem not in STOP and t.stem not in COMMANDS]
    return sum(not any(alike(t.stem, w) for w in tool_stems) for t in telling)


# -------------------------------------------------------- used by earlier calls


def calls_since(messages: Sequence[Message]) -> list[ToolCall]:
    """The calls made since the user last spoke."""
    last = max((n for n, m in enumerate(messages) if m.role == "user"), default=0)
    return [c for m in messages[last:] for c in m.tool_calls]


def already_made(messages: Sequence[Message], call: ToolCall) -> bool:
    """True where the same call was made since the user last spoke."""
    return any(same_call(c, call) for c in calls_since(messages))


def taken(sample: Sample, dialogue: Dialogue) -> set[Span]:
    """The places used by calls since the user last spoke."""
    calls = calls_since(sample.messages)
    return said_places(g for c in calls for g in groundings(c, sample.tools, dialogue).values())


def is_asked(sample: Sample, dialogue: Dialogue, g: Grounding) -> bool:
    """True where a value stands unused in the last request.

    No call made since has used its place.
    """
    in_request = g._replace(spans=tuple(s for s in g.spans if s[0] == dialogue.last))
    return is_fresh(in_request, taken(sample, dialogue))


def is_stale(sample: Sample, dialogue: Dialogue, g: Grounding, value: Any) -> bool:
    """True for a date or time that a call has used up.

    Only where the request names another one that is still to be used.
    """
    used = taken(sample, dialogue)
    if not isinstance(value, str) or moment(value) is None or not any(_touches(s, used) for s in g.spans):
        return False
    dates = [m for m in dialogue.passages[dialogue.last].mentions if m.kind in ("date", "time")]
    return any(not _touches((dialogue.last, m.start, m.end), [*used, *g.spans]) for m in dates)


def is_distinct(
    sample: Sample, dialogue: Dialogue, g: Grounding, name: str, schema: dict[str, Any], value: Any
) -> bool:
    """False where the support of an argument may be chance.

    It may where nothing ties the value to the parameter, and it is a common word, stands where another call
    has taken a value from, or in a result.
    """
    used = taken(sample, dialogue)
    spans = [s for s in g.spans if not _touches(s, used)]
    request = dialogue.passages[dialogue.last].tokens if dialogue.last >= 0 else ()
    words = [w for w in stems(name) if w not in STOP]
    in_request = any(alike(w, t.stem) for w in words for t in request)
    if any(
        (in_request or s[0] == dialogue.last) and role(dialogue.passages[s[0]], s, name, schema) > 0
        for s in spans
    ):
        return True
    if not isinstance(value, str) or "enum" in schema:
        return any(s[0] >= dialogue.last for s in spans)
    # Digits, capitals, quotes or several words are seldom in a request by chance.
    return any(
        re.search(r"[\dA-Z@\"“]|\w\W+\w", dialogue.passages[s[0]].text[max(0, s[1] - 1) : s[2]])
        for s in spans
        if s[0] == dialogue.last
    )
