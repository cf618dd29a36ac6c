"""Evidence on one argument of a call that both answers make.

Either there are two values of it, or one side goes without.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from difflib import SequenceMatcher
from typing import Any, NamedTuple

from looptool_kit.checks.rules import GROUNDED
from looptool_kit.core.records import Evidence
from looptool_kit.core.samples import Sample, ToolCall
from looptool_kit.core.toolcalls import canonical
from looptool_kit.stages.verify import _weights as weights
from looptool_kit.stages.verify._answers import Side, equivalent, schema_of, show
from looptool_kit.stages.verify._places import (
    is_asked,
    is_distinct,
    is_fresh,
    is_said,
    is_stale,
    left_over,
    own_grounding,
    said_places,
    used_by,
    used_by_others,
)
from looptool_kit.stages.verify._records import meant
from looptool_kit.text.grounding import ground
from looptool_kit.text.grounding.moments import moment
from looptool_kit.text.grounding.scores import SAID_THRESHOLD
from looptool_kit.text.grounding.support import Grounding
from looptool_kit.text.passages import Dialogue, Span, holds, overlap
from looptool_kit.text.relevance import role
from looptool_kit.text.words import STOP, alike, stems

WHO = ("label", "prediction")
Both = tuple[bool, bool]
"""One answer for the label's value, one for the prediction's."""


class Argument(NamedTuple):
    """One argument of two calls of one tool.

    In each pair the label's part comes first.
    """

    sample: Sample
    said: Dialogue
    name: str
    calls: tuple[ToolCall, ToolCall]
    sides: tuple[Side, Side]

    @property
    def where(self) -> str:
        """Tool and parameter, for a person."""
        return f"{self.calls[0].name}.{self.name}"

    @property
    def schema(self) -> dict[str, Any]:
        """The parameter's schema."""
        return schema_of(self.sample, self.calls[0], self.name)


def argument_evidence(argument: Argument) -> Evidence | None:
    """Evidence on an argument that at least one of two calls has.

    None where both have the same value.
    """
    has = [argument.name in c.arguments for c in argument.calls]
    if not all(has):
        return _one_sided(argument, has.index(True))
    a, b = (c.arguments[argument.name] for c in argument.calls)
    if canonical(a) == canonical(b):
        return None
    if equivalent(a, b):
        words = f"{argument.where}: {show(a)} and {show(b)} mean the same"
        return Evidence(name="wording", for_label=weights.EVEN, for_prediction=weights.EVEN, words=words)
    pair = _pair(argument)
    if _said_as_one(pair):
        words = f"{argument.where}: {show(a)} and {show(b)} are said by the same words"
        return Evidence(name="wording", for_label=weights.EVEN, for_prediction=weights.EVEN, words=words)
    support = _supports(pair)
    words = (
        f"{argument.where}: the label has {show(a)} ({pair.found[0].words}), the prediction {show(b)}"
        f" ({pair.found[1].words})"
    )
    name = "meant" if min(g.supported for g in pair.found) >= SAID_THRESHOLD else "grounding"
    return Evidence(name=name, for_label=support[0], for_prediction=support[1], words=words)


# ------------------------------------------------------------- two values


class Pair(NamedTuple):
    """Two values of one argument with their groundings."""

    argument: Argument
    values: tuple[Any, Any]
    found: tuple[Grounding, Grounding]


def _pair(argument: Argument) -> Pair:
    name, calls = argument.name, argument.calls
    a, b = (own_grounding(name, s.found_of(c)) for s, c in zip(argument.sides, calls, strict=True))
    return Pair(argument, (calls[0].arguments[name], calls[1].arguments[name]), (a, b))


def _said_as_one(pair: Pair) -> bool:
    """True for two texts that the same words say, as "CA" and "California".

    Not for two choices or two days, of which one is meant.
    """
    a, b = pair.found
    choices = pair.argument.schema.get("enum")
    return (
        all(isinstance(v, str) and moment(v) is None for v in pair.values)
        and min(a.supported, b.supported) >= SAID_THRESHOLD
        and bool(set(a.spans) & set(b.spans))
        and not (isinstance(choices, list) and all(v in choices for v in pair.values))
    )


def _supports(pair: Pair) -> list[float]:
    """Support for either value.

    By its grounding; of two values that are said, by the first rule that tells them apart.
    """
    of = pair.argument
    holds = [not is_stale(of.sample, of.said, g, v) for g, v in zip(pair.found, pair.values, strict=True)]
    support = _weakened([g.supported for g in pair.found], holds, weights.STALE)
    if _near_copies(pair):
        # Of two near copies the one that stands in the dialogue to the letter is the original.
        support = _weakened(support, [s >= max(support) for s in support], weights.NEAR_COPY)
    for rule, factor in _RULES:
        # A rule that has told them apart leaves one of them below the threshold, so that the others rest.
        if min(support) >= SAID_THRESHOLD:
            support = _weakened(support, rule(pair), factor)
    return support


def _weakened(support: list[float], holds: list[bool] | Both, factor: float) -> list[float]:
    return [s if ok else s * factor for s, ok in zip(support, holds, strict=True)]


def _near_copies(pair: Pair) -> bool:
    a, b = pair.values
    if not isinstance(a, str) or not isinstance(b, str):
        return False
    return SequenceMatcher(None, a.lower(), b.lower(), autojunk=False).ratio() > weights.NEAR_COPY_RATIO


def _whole(pair: Pair) -> Both:
    """Whether each value is not merely a part of the other."""
    if not all(isinstance(v, str) for v in pair.values):
        return True, True
    of, (a, b) = pair.argument, pair.found
    ragged = [_ragged(of, g, at) for at, g in enumerate(pair.found)]
    if ragged[0] != ragged[1]:
        return not ragged[0], not ragged[1]
    return not _is_part(of, a, b), not _is_part(of, b, a)


_QUOTES = "\"'“”‘’«»"
_ARTICLES = ("a", "an", "the")


def _ragged(of: Argument, g: Grounding, at: int) -> bool:
    """True where a value is cut out of the dialogue beside the words that are meant.

    As "is ORD-1" or "Pacifica on April": at an end stands a word that says nothing, and no quotation mark
    behind it, or a part of it is another argument's.
    """
    others = used_by_others(of.sides[at], of.calls[at], of.name)
    return bool(g.spans) and all(_is_cut(of.said, s) or _shares(s, others) for s in g.spans)


def _is_cut(dialogue: Dialogue, span: Span) -> bool:
    passage = dialogue.passages[span[0]]
    inner = [t for t in passage.tokens if span[1] <= t.start and t.end <= span[2]]
    if len(inner) < 2:
        return False
    around = passage.text[max(0, span[1] - 1) : span[1]], passage.text[span[2] : span[2] + 1]
    if all(c and c in _QUOTES for c in around):
        return False
    first, last = (passage.text[t.start : t.end] for t in (inner[0], inner[-1]))
    return (first.islower() and first in STOP and first not in _ARTICLES) or (last.islower() and last in STOP)


def _shares(span: Span, others: set[Span]) -> bool:
    """True where a span and another one overlap, and neither holds the other."""
    return any(overlap(o, span) and not holds(o, span) and not holds(span, o) for o in others)


def _is_part(of: Argument, g: Grounding, whole: Grounding) -> bool:
    """True where a value is said only inside the other.

    As the "office" of "home office". Not where the rest is what the tool or the parameter is called after, as
    in "kitchen lights" for `set_lights`.
    """
    if not g.spans or not whole.spans:
        return False
    tool_stems = stems(f"{of.calls[0].name} {of.name}")
    for span in g.spans:
        around = [s for s in whole.spans if holds(s, span) and s != span]
        rest = {stem for s in around for stem in _stems_outside(of.said, s, span)}
        if not around or any(alike(stem, k) for stem in rest for k in tool_stems):
            return False
    return True


def _stems_outside(dialogue: Dialogue, outer: Span, inner: Span) -> list[str]:
    """The stems of the words in one span and not in another."""
    tokens = dialogue.passages[outer[0]].tokens
    begin = [t for t in tokens if outer[1] <= t.start < outer[2]]
    return [t.stem for t in begin if not inner[1] <= t.start < inner[2]]


def _of_meant_record(pair: Pair) -> Both:
    """Whether each value is of the record that the request means."""
    return meant(pair.argument.sample, pair.values) or (True, True)


def _full_list(pair: Pair) -> Both:
    """Whether each value is a full list, with no item too many.

    A list falls short where it lacks items of the other, or has items that are not meant.
    """
    a, b = pair.values
    if not isinstance(a, list) or not isinstance(b, list):
        return True, True
    items, others = {canonical(x) for x in a}, {canonical(x) for x in b}
    if items < others:
        return (False, True) if _adds_to_list(pair, 1) else (True, False)
    if others < items:
        return (True, False) if _adds_to_list(pair, 0) else (False, True)
    return True, True


def _adds_to_list(pair: Pair, longer: int) -> bool:
    """True where each added item of a list has its own place.

    The items are those that only the longer list has.

    Not what another argument says, as the room of the speaker beside the doors to lock; not another wording
    of an item that both lists have, as "blues music" beside "blues"; not the name of a parameter.
    """
    of = pair.argument
    side, call = of.sides[longer], of.calls[longer]
    both = {canonical(x) for x in pair.values[1 - longer]}
    tool = of.sample.tool(call.name)
    shared = [x for x in pair.values[longer] if canonical(x) in both]
    places = used_by_others(side, call, of.name) | said_places(_items(of, shared))
    extra = [x for x in pair.values[longer] if canonical(x) not in both]
    if tool and any(isinstance(x, str) and x in tool.properties for x in extra):
        return False
    return all(is_fresh(g, places) for g in _items(of, extra))


def _items(of: Argument, items: list[Any]) -> list[Grounding]:
    """The groundings of a list's items."""
    return [ground(x, of.schema.get("items"), of.said, of.name) for x in items]


def _has_own_place(pair: Pair) -> Both:
    """Whether each value stands where no other argument of its answer does.

    Both do where that does not tell them apart.
    """
    of = pair.argument
    a, b = (
        is_fresh(g, used_by_others(s, c, of.name))
        for g, s, c in zip(pair.found, of.sides, of.calls, strict=True)
    )
    return (a, b) if a != b else (True, True)


def _asked_last(pair: Pair) -> Both:
    """Whether the last request says each value as much as the other."""
    a, b = (is_asked(pair.argument.sample, pair.argument.said, g) for g in pair.found)
    return a >= b, b >= a


def _in_its_role(pair: Pair) -> Both:
    """Whether the words around each value speak as much of the parameter.

    Not where one holds the other: "sewing" has the "room" of "sewing room" beside it.
    """
    of, schema = pair.argument, pair.argument.schema
    one, other = (g.spans for g in pair.found)
    if any(x != y and (holds(x, y) or holds(y, x)) for x in one for y in other):
        return True, True
    a, b = (
        max((role(of.said.passages[s[0]], s, of.name, schema) for s in g.spans), default=0.0)
        for g in pair.found
    )
    return a >= b, b >= a


_RULES: tuple[tuple[Callable[[Pair], Both], float], ...] = (
    (_whole, weights.PART_OF_VALUE),
    (_of_meant_record, weights.OTHER_RECORD),
    (_full_list, weights.SHORTER_LIST),
    (_has_own_place, weights.USED_ELSEWHERE),
    (_asked_last, weights.NOT_ASKED_LAST),
    (_in_its_role, weights.LESS_OF_A_ROLE),
)
"""What tells two said values apart, the surest first, with the factor for a value that does not stand."""

# ----------------------------------------------------------------- one value


def _one_sided(argument: Argument, at: int) -> Evidence:
    """Evidence on an argument that only the side `at` has."""
    side, call = argument.sides[at], argument.calls[at]
    g, value = side.found_of(call)[argument.name], show(call.arguments[argument.name])
    if g.by_schema or call.arguments[argument.name] is None:
        name, support, words = "default", weights.EVEN_PAIR, f"{value} is the default"
    elif call.arguments[argument.name] is False and g.supported == GROUNDED:
        name, support, words = "made up", weights.UNSAID_FALSE, f"{value}, of which nothing is said"
    else:
        name = "left out" if is_said(g) else "made up"
        support, words = _extra(argument, at, g, value)
    ordered = support if at == 0 else support[::-1]
    return Evidence(
        name=name, for_label=ordered[0], for_prediction=ordered[1], words=f"{argument.where}: {words}"
    )


def _extra(of: Argument, at: int, g: Grounding, value: str) -> tuple[weights.Support, str]:
    """Support for the side with an argument and for the other."""
    side, other = WHO[at], WHO[1 - at]
    used = used_by(of.sides[1 - at], of.said)
    if not is_said(g):
        # A flag or a choice may have been asked for in words that nobody here knows; then something of the
        # request is left over.
        unsure = g.supported == GROUNDED and left_over(of.sample, of.said, used) >= weights.MIN_LEFT_OVER
        against = weights.MADE_UP_UNSURE if unsure else weights.MADE_UP.other
        support = weights.Support(min(g.supported, weights.MADE_UP.own), against)
        return support, f"the {side} adds {value}: {g.words}"
    if not is_fresh(g, used):
        return (
            weights.SAID_BY_ANOTHER,
            f"the {side} adds {value}, which another argument already says ({g.words})",
        )
    if not is_distinct(of.sample, of.said, g, of.name, of.schema, of.calls[at].arguments[of.name]):
        return weights.MAY_BE_CHANCE, f"the {side} adds {value}, which may not be meant ({g.words})"
    if _for_later(of, g):
        return (
            weights.FOR_LATER,
            f"the {side} adds {value}, which the request says for a later step ({g.words})",
        )
    support = weights.Support(g.supported, weights.LEFT_OUT)
    return support, f"the {other} leaves out {value} ({g.words})"


_THEN = re.compile(
    r"\b(?:then|afterwards|after (?:that|this|which)|(?:once|when) (?:that|this|it)(?:['’]s| is)"
    r" (?:done|finished))\b",
    re.IGNORECASE,
)


def _for_later(of: Argument, g: Grounding) -> bool:
    """True for a value that the request says for a later step.

    It stands only after a word of sequence, and not as this parameter's: in "First list them, then add X to
    Y" X and Y are not for the list.
    """
    if not g.spans or any(s[0] != of.said.last for s in g.spans):
        return False
    request = of.said.passages[of.said.last]
    then = _THEN.search(request.text)
    return then is not None and not any(
        s[1] < then.end() or role(request, s, of.name, of.schema) for s in g.spans
    )
