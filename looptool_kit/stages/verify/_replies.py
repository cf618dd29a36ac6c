"""Evidence where at least one answer is a plain reply."""

from __future__ import annotations

import re
from typing import Any, NamedTuple

from looptool_kit.checks.rules import GROUNDED
from looptool_kit.core.grading import reply_fault
from looptool_kit.core.preview import show_call
from looptool_kit.core.records import Evidence
from looptool_kit.core.samples import Sample, ToolCall
from looptool_kit.stages.verify import _weights as weights
from looptool_kit.stages.verify._answers import Side, schema_of, show
from looptool_kit.stages.verify._calls import backed, evidence
from looptool_kit.stages.verify._places import (
    already_made,
    calls_since,
    is_fresh,
    is_said,
    own_grounding,
    taken,
)
from looptool_kit.text.grounding.support import Grounding
from looptool_kit.text.passages import Dialogue
from looptool_kit.text.relevance import is_introduced, relevance, tool_words
from looptool_kit.text.words import COMMANDS, STOP, alike, stems

_DECLINES = re.compile(
    r"\b(?:can(?:'|’)?t|cannot|unable|not able|don(?:'|’)t have|do not have|no"
    r" (?:tool|function|way)|sorry|unfortunately|outside)\b",
    re.IGNORECASE,
)
_IDENTIFIER = re.compile(r"[A-Za-z]-?\d")
_HOW_MANY = re.compile(r"\bhow (?:many|much|long|far|old|often)\b", re.IGNORECASE)
_SAME_LETTERS = 4
"""First letters that tie a word of a question to a parameter's: shorter beginnings are shared widely."""


def replies_evidence(sample: Sample, label: str, prediction: str) -> Evidence:
    """Evidence between two plain replies: what a right one must say."""
    faults = [reply_fault(text, sample.label) for text in (label, prediction)]
    words = "; ".join(
        f"the {who}'s reply lacks {show(f.expected)}"
        for who, f in zip(("label", "prediction"), faults, strict=True)
        if f
    )
    support = float(faults[0] is None), float(faults[1] is None)
    return evidence("reply", support, words or "both replies say what they must")


# ------------------------------------------------------------ call or reply


class CallsAndReply(NamedTuple):
    """An answer with calls against a plain reply."""

    sample: Sample
    said: Dialogue
    calls: Side
    reply: str

    @property
    def asks(self) -> bool:
        """True where the reply is a question."""
        return "?" in self.reply

    @property
    def first(self) -> ToolCall:
        """The first of the calls."""
        return self.calls.answer.calls[0]

    def pairs(self) -> list[tuple[ToolCall, dict[str, Grounding]]]:
        """Each call with the groundings of its arguments."""
        return list(zip(self.calls.answer.calls, self.calls.found, strict=True))


def call_or_reply(sample: Sample, dialogue: Dialogue, calls: Side, reply: str) -> Evidence:
    """Evidence between calls and a plain reply, the first that tells.

    It is written as if the calls were the label.
    """
    case = CallsAndReply(sample, dialogue, calls, reply)
    if e := _missing(case) or _nothing_new(case):
        return e
    fit = max(relevance(sample, dialogue, c.name, grounded) for c, grounded in case.pairs())
    least_backed = min((backed(grounded) for grounded in calls.found), default=0.0)
    earlier = calls_since(sample.messages)
    e = None
    if case.asks:
        e = _asks_for_another_tool(case, fit)
    elif _DECLINES.search(reply):
        e = _declines(case)
    elif not earlier and fit >= weights.SPOKEN_OF:
        support = weights.EVEN + weights.RESULT_WITHOUT_CALL.own * least_backed
        words = f"the reply speaks of a result, and {case.first.name} has not been called"
        e = evidence("answer", (support, weights.RESULT_WITHOUT_CALL.other), words)
    if e:
        return e
    if any(c.name == before.name for c in calls.answer.calls for before in earlier):
        fit *= weights.REPEATED_TOOL
    lean = fit * least_backed / 2
    words = f"{show_call(case.first)} is what the request asks, and all of it is said"
    return evidence("answer", (weights.EVEN + lean, weights.EVEN - lean), words)


def _missing(case: CallsAndReply) -> Evidence | None:
    """Evidence by an unsupported value, or one the reply asks for."""
    for call, grounded in case.pairs():
        for name in grounded:
            if e := _missing_value(case, call, name, own_grounding(name, grounded)):
                return e
    return None


def _missing_value(case: CallsAndReply, call: ToolCall, name: str, g: Grounding) -> Evidence | None:
    tool, schema = case.sample.tool(call.name), schema_of(case.sample, call, name)
    is_asked_for = case.asks and _names(case.reply, name, *(schema.get("enum") or ()))
    unsupported = g.supported < GROUNDED or is_asked_for and g.supported == GROUNDED and not g.spans
    if tool is not None and name in tool.required and unsupported:
        words = f"{call.name} needs {name}, and nothing says {show(call.arguments[name])} ({g.words})"
        if is_asked_for or case.asks and _speaks_of(case.reply, schema):
            return evidence("asking", weights.MISSING_ASKED, f"{words}; asking for it is right")
        if case.asks:
            return evidence("answer", weights.MISSING_ASKED, f"{words}; asking is right")
        return evidence("answer", weights.MISSING_NOT_ASKED, words)
    if is_asked_for and not any(is_introduced(case.said.passages[s[0]], s, name, schema) for s in g.spans):
        words = f"the reply asks for {name}, and {show(call.arguments[name])} may be something else"
        return evidence("answer", weights.ASKED_ABOUT, words)
    return None


def _names(question: str, *named: Any) -> bool:
    """True where a question names one of these, by the first letters of a word."""
    own = [stem for text in named for stem in stems(str(text))]
    begins = {stem[:_SAME_LETTERS] for stem in own if len(stem) >= _SAME_LETTERS}
    return any(stem[:_SAME_LETTERS] in begins for stem in stems(question) if stem not in STOP)


def _speaks_of(question: str, schema: dict[str, Any]) -> bool:
    """True where a question may ask for a parameter of that schema.

    It names a thing of the description, or asks "how many" for a number.
    """
    if schema.get("type") in ("integer", "number") and _HOW_MANY.search(question):
        return True
    return _names(question, *(w for w in stems(str(schema.get("description", ""))) if w not in STOP))


def _nothing_new(case: CallsAndReply) -> Evidence | None:
    """Evidence where the calls add nothing to the calls before them."""
    messages = case.sample.messages
    if all(already_made(messages, c) for c in case.calls.answer.calls):
        words = f"{case.first.name} was already called with these arguments"
        return evidence("repeat", weights.ALREADY_MADE, words)
    used = taken(case.sample, case.said)
    said_groundings = [g for grounded in case.calls.found for g in grounded.values() if is_said(g)]
    if calls_since(messages) and not any(is_fresh(g, used) for g in said_groundings):
        words = f"{show_call(case.first)} uses nothing that the calls before it have not used"
        return evidence("answer", weights.USED_UP, words)
    return None


def _declines(case: CallsAndReply) -> Evidence | None:
    """Evidence for a reply that declines, None where it tells nothing.

    Several values that fit, or a tool that the dialogue has used before, speak against declining even where
    no word of the tool is said.
    """
    sample, dialogue = case.sample, case.said
    if any(c.name == case.first.name for m in sample.messages for c in m.tool_calls):
        return None
    noun = next(filter(None, (_other_thing(case, c, grounded) for c, grounded in case.pairs())), "")
    if noun:
        words = f"the request speaks of a {noun}, of which {case.first.name} knows nothing"
        return evidence("answer", weights.OTHER_THING, words)
    values = [show(c.arguments[k]) for c, grounded in case.pairs() for k, g in grounded.items() if is_said(g)]
    if len(values) > weights.MAX_CHANCE_VALUES or any(_IDENTIFIER.search(v) for v in values):
        return None
    if max(relevance(sample, dialogue, t.name, {}) for t in sample.tools) >= weights.SPOKEN_OF:
        return None
    # A refusal that says what it refuses has understood the request; a bare one may be an excuse.
    request = {t.stem for t in dialogue.passages[dialogue.last].tokens if t.stem not in STOP}
    says_what = any(alike(w, r) for w in stems(case.reply) if w not in STOP for r in request)
    lean = weights.REFUSAL_TELLS if says_what else weights.REFUSAL_BARE
    support = weights.EVEN - lean, weights.EVEN + lean
    return evidence("answer", support, "no tool on offer speaks of what the request asks")


def _other_thing(case: CallsAndReply, call: ToolCall, grounded: dict[str, Grounding]) -> str:
    """The request's word for the thing whose identifier a call uses.

    As in "ticket TK-1" for `rental_id`. Empty where the tool's words have that noun, where the request says
    what the tool's name acts on, or where the identifier does not stand behind a word of the request.
    """
    tool = case.sample.tool(call.name)
    request = case.said.passages[case.said.last].tokens
    acted_on = [w for w in stems(call.name) if w not in COMMANDS]
    if tool is None or any(alike(w, t.stem) for w in acted_on for t in request):
        return ""
    tool_stems = tool_words(tool)
    for name, g in grounded.items():
        if not is_said(g) or not _IDENTIFIER.search(str(call.arguments[name])):
            continue
        for at, start, _ in g.spans:
            before = [t.stem for t in request if t.end <= start] if at == case.said.last else []
            noun = before[-1] if before else ""
            if noun not in STOP and noun not in COMMANDS and not any(alike(noun, w) for w in tool_stems):
                return noun
    return ""


def _asks_for_another_tool(case: CallsAndReply, fit: float) -> Evidence | None:
    """Evidence for a question about another tool than the called one.

    Of the tools with a required parameter that the question names, it is the one of which the request speaks
    most, and at least as much as of the called one (`fit`).
    """
    words = [w for w in stems(case.reply) if w not in STOP]
    candidates = [
        t.name
        for t in case.sample.tools
        if any(alike(w, o) for name in t.required for o in stems(name) for w in words)
    ]
    fits = {name: relevance(case.sample, case.said, name, {}) for name in candidates}
    other = max(candidates, key=lambda name: fits[name], default="")
    if other in ("", case.first.name) or fits[other] < fit:
        return None
    text = f"the request speaks of {other}, for which the reply asks what is missing"
    return evidence("answer", weights.OTHER_TOOL_ASKED, text)
