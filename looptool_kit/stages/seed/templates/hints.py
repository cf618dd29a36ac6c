"""What is left of a tool's headline where clauses say the rest: "a token for a user" -> "a token"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from looptool_kit.stages.seed.templates import lexicon as lex
from looptool_kit.stages.seed.templates.cuts import without_loose_end
from looptool_kit.stages.seed.templates.names import words_of
from looptool_kit.text.words import STOP, alike, stems
from looptool_kit.world.moments import DATE, DATETIME
from looptool_kit.world.spec import Param

VAGUE = (
    r"(?:given|specified|specific|particular|provided|certain|single|selected|chosen|existing|desired"
    r"|requested|named)"
)
PREPOSITION = (
    r"(?:for|in|at|from|to|on|by|with|between|into|onto|off|near|within|during|about|of|as|under|against"
    r"|over|after"
    r"|before|until|along|across|around|matching)"
)
_EMPTY_PART = lex.word_set("""
    all another date different more multiple new one other place several time two
    """)


def without_hints(text: str, params: Sequence[Param], verb: str) -> str:
    """The text without phrases about parameters, which clauses will say."""
    every, params = params, [p for p in params if not p.also]  # details are said with their names
    about = {w for p in params for w in stems(p.name) if w not in STOP | {"id", "name"}}
    # What a description speaks of is the parameter's where the text names nothing of its own: "for a city".
    told = {w for p in params if p.type.question not in _DAYS for w in stems(p.description) if w not in STOP}
    if about & {"day", "date", "weekday", "when"}:
        about |= {"day", "date", "week"}
    ties = {p.clauses[0].split(" ")[0] for p in params if p.clauses[0].startswith(("to ", "from "))} | {
        words_of(p.name) for p in params
    }
    kept: list[str] = []
    text = re.sub(r" up (?=(?:to|until) )", " ", text)
    for at, part in enumerate(re.split(rf"\s+(?={PREPOSITION}\b)", text)):
        words = [w for w in stems(re.sub(r"\{[^}]*\}", "", part)) if w not in STOP and w not in _EMPTY_PART]
        vague = bool(re.match(rf"{PREPOSITION} (?:one or more|multiple|several) ", part)) or (
            bool(re.search(rf"\b{VAGUE}\b", part))
            or (at and not words and not part.startswith("of "))
            or (words == ["name"] and any("name" in p.name for p in every))
        )
        spoken_of = (
            any(w in about or any(alike(w, a) for a in about) for w in words)
            or part.split(" ")[0] in ties
            or part.startswith("between two")
        )
        spoken_of |= bool(re.match(rf"{PREPOSITION} (?:an?|one|another) \w+$", part)) and set(words) <= told
        spoken_of |= bool(_PERIOD.match(part)) and any(p.type.question in _DAYS for p in params)
        if re.match(r"(?:with|by|using|as) ", part) and at:
            named = {w for p in every for w in stems(p.name)} - STOP
            spoken_of |= bool(named & set(words))
        # "A list of lamps", "the record of a pet": without its "of ..." nobody knows what is meant.
        whose = part.startswith("of ") and bool(kept) and not set(words) <= about
        # "Put a recipe on the week's plan": without its place it says nothing.
        placed = verb in _PLACING and len(kept) == 1 and not (vague or set(stems(part)[-1:]) & about)
        placed |= verb == "mark" and part.startswith("as ")  # "mark a record as sold"
        if at == 0 or "{" in part or whose or placed or part in _AFTER_VERBS or not (vague or spoken_of):
            kept.append(part)
        elif len(kept) > 1 and _HOLDS.match(kept[-1]) and part.startswith(("to ", "of ")):
            kept.pop()  # "with a link" of "with a link to the studio"
    joined = re.sub(rf"\b(?:{VAGUE}|one or (?:more|several)|a or several) ", "", " ".join(kept).strip())
    for p in every:  # "orders for plant {plant} and day", where the day is said by a clause
        joined = re.sub(rf" and (?:an? |the )?(?:{'|'.join(map(re.escape, _called(p)))})$", "", joined)
    if (last := joined.rsplit(" ", 1)[-1]) in _AFTER_VERBS and text.endswith(f" {last}"):
        return _articles(joined)  # "turn a light on"
    return _articles(without_loose_end(re.sub(rf"\s+(?:{PREPOSITION}|and|or|an?|the)$", "", joined)))


def _called(p: Param) -> list[str]:
    """Words for a parameter."""
    return [words_of(p.name), *(("day", "date") if p.type.question in _DAYS else ())]


_PERIOD = re.compile(
    r"(?:for|in|over|within|during|by) (?:an? |the )?(?:date range|period|time ?frame|time range)$"
)
_DAYS = (DATE.question, DATETIME.question)
_HOLDS = re.compile(
    r"with an? \w+$|(?:for|in|over|within|during) an? (?:range|period|set|list|number|span|series|pair)$"
)
_PLACING = ("put", "place", "lay", "hang", "pin")
_AFTER_VERBS = ("on", "off", "in", "out", "up", "down")


def _articles(text: str) -> str:
    """ "a activity", which is left of "a single activity", with its right article."""
    return re.sub(r"\ba (?=[aeio]|u(?!ni|se|rl|r[iy]|tc))", "an ", text)


def plain(said: str) -> str:
    """Drop words that only seem to say which one is meant.

    As in "a given user".
    """
    return _articles(re.sub(rf"\b(?:{VAGUE}) ", "", said))
