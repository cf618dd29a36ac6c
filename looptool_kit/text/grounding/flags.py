"""Is a boolean said, or that nothing is meant?

By negations near the parameter's own words.
"""

from __future__ import annotations

import re
from typing import Any

from looptool_kit.text.grounding.scores import (
    CANNOT_TELL,
    FLAG_DESCRIBED,
    FLAG_NAMED,
    NOTHING_NAMED,
    NOTHING_SOMEWHERE,
)
from looptool_kit.text.grounding.support import Grounding, unknown, user_passages
from looptool_kit.text.passages import Dialogue, Passage
from looptool_kit.text.words import STOP, alike, stems

NEGATIONS = {
    "no", "not", "without", "don", "dont", "never", "skip", "t", "nothing", "none", "avoid", "disable", "off",
    "exclude", "few", "isn", "doesn", "needn", "minus", "excluding", "except",
}  # fmt: skip
"""Stems that deny; "don" and "t" are the two parts of "don't"."""
_ANY = {
    "any", "whatever", "whichever", "matter", "care", "preference", "either", "anywhere", "anytime", "open",
}  # fmt: skip
"""Stems that leave a value open."""
_OBJECTS = {"everyone", "everybody", "all", "them", "me", "him", "her", "us", "the", "my", "every"}
"""What stands behind a verb: after "and" they tell that a new clause has begun."""
_LEFT_OUT = re.compile(r"\b(?:leav(?:e|ing)|left) (?:[\w']+ ){0,3}out\b", re.IGNORECASE)
_NEGATIVE_NAME = {"no", "skip", "exclude", "disable", "without", "not"}
"""Words of flags that are true where the thing is not wanted: `no_pets`."""
_EMPTY_NAME = {
    "is", "has", "include", "with", "allow", "enable", "use", "only", "want", "require", "send", "whether",
    "true", "false", "set", "if", "show", "should",
}  # fmt: skip
"""Words of flags and their descriptions that name no thing."""
_NOT_OWN = STOP | _EMPTY_NAME
_DENIALS = NEGATIONS | _ANY
_NOTHING = re.compile(
    r"\b(?:none|no|without|nothing|not|n't|any|anything|skip|leave (?:it|that) (?:out|empty)|one"
    r" way|don'?t)\b",
    re.IGNORECASE,
)
_CLAUSE_WORDS = 4
"""Words before a flag's word among which its negation stands."""
_AROUND_WORDS = 3
"""Words on either side of a flag's word in which "leave ... out" is looked for, and which are quoted."""
_AFTER_WORDS = 2
"""Words behind a flag's word among which "off" and "free" deny it: "music off", "sugar free"."""
_MIN_WORD = 4
"""Letters from which a word of a description says something."""


def ground_boolean(value: bool, schema: dict[str, Any], d: Dialogue, name: str) -> Grounding:
    """How far the user says yes or no to a flag.

    The last passage that speaks of it counts. A word of the flag's name decides before one of its
    description, wherever either stands.
    """
    own = [w for w in stems(name) if w not in _NOT_OWN and w not in _NEGATIVE_NAME]
    described = stems(str(schema.get("description", "")))
    own_words = [w for w in described if len(w) >= _MIN_WORD and w not in _NOT_OWN]
    denying = bool(_NEGATIVE_NAME & set(stems(name)))
    for words, strength in ((own, FLAG_NAMED), (own_words, FLAG_DESCRIBED)):
        for n, p in user_passages(d):
            if places := _places_of(words, p):
                denied = {_denied(p, at) for at in places}
                if len(denied) > 1:  # "once with a legend, once without"
                    return unknown(f"{name} is both asked for and denied")
                at = places[0]
                if strength == FLAG_DESCRIBED and not _denied(p, at):
                    break  # a description shares words with the request that say nothing of the flag
                agrees = _denied(p, at) == denying
                support = CANNOT_TELL + (strength if agrees == value else -strength)
                token = p.tokens[at]
                start = p.tokens[max(0, at - _AROUND_WORDS)].start
                quote = f"“{p.text[start : token.end]}”"
                return Grounding(support, quote, ((n, token.start, token.end),))
    return unknown(f"nothing is said about {name.replace('_', ' ') or 'it'}")


def _places_of(words: list[str], p: Passage) -> list[int]:
    """Indices of a passage's words that are like one of `words`."""
    return [at for at, t in enumerate(p.tokens) if any(alike(w, t.stem) for w in words)]


_ANSWERED = re.compile(r"[\w -]{0,40}: (yes|no)\b", re.IGNORECASE)


def _denied(p: Passage, at: int) -> bool:
    """True where the words around the one at a place deny it, or a list answers it: "signature: no"."""
    if answered := _ANSWERED.match(p.text, p.tokens[at].end):
        return answered[1].lower() == "no"
    after = {t.stem for t in p.tokens[at + 1 : at + 1 + _AFTER_WORDS]} & {"off", "free"}
    return bool(_clause(p, at) & NEGATIONS or after or _LEFT_OUT.search(_around(p, at)))


def _clause(p: Passage, at: int) -> set[str]:
    """The stems before a word, from where its clause begins."""
    first = max(0, at - _CLAUSE_WORDS)
    for k in range(at, first, -1):
        if _begins_clause(p, k, at):
            return {t.stem for t in p.tokens[k:at]}
    return {t.stem for t in p.tokens[first:at]}


def _begins_clause(p: Passage, k: int, at: int) -> bool:
    """True where word `k` begins the clause of word `at`.

    "Without pets and kids" is one clause, "do not wait and notify everyone" are two.
    """
    last, here = p.tokens[k - 1], p.tokens[k]
    verb = last.stem == "and" and k == at and at + 1 < len(p.tokens) and p.tokens[at + 1].stem in _OBJECTS
    if verb or last.stem in ("but", "then"):
        return True
    return re.search(r"[.;!?]\s", p.text[last.end : here.start + 1]) is not None


def _around(p: Passage, at: int) -> str:
    last = min(at + _AROUND_WORDS, len(p.tokens) - 1)
    return p.text[p.tokens[max(0, at - _AROUND_WORDS)].start : p.tokens[last].end]


def ground_nothing(d: Dialogue, name: str) -> Grounding:
    """How far the user says that a parameter has no value.

    That is null, an empty list or object, or a choice such as "none".
    """
    for n, p in user_passages(d):
        for at, token in enumerate(p.tokens):
            first = max(0, at - _CLAUSE_WORDS)
            near = {t.stem for t in p.tokens[first : at + _CLAUSE_WORDS + 1]}
            if near & _DENIALS and any(alike(w, token.stem) for w in stems(name)):
                words = f"“{p.text[p.tokens[first].start : token.end]}”"
                return Grounding(NOTHING_NAMED, words, ((n, token.start, token.end),))
        if match := _NOTHING.search(p.text):
            return Grounding(NOTHING_SOMEWHERE, f"“{match[0]}”", ((n, *match.span()),))
    return unknown("nothing is said")
