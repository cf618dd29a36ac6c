"""What the `evidence` judge weighs: each difference between label and prediction as one piece of evidence
with support for either side.
"""

from __future__ import annotations

import json
import math
import re
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from difflib import SequenceMatcher
from functools import partial
from typing import Any, NamedTuple

from looptool_kit.checks.rules import GROUNDED, groundings
from looptool_kit.core.records import Evidence
from looptool_kit.core.samples import Message, Sample, ToolCall
from looptool_kit.core.toolcalls import Answer, align, canonical, loose, match, reply_fault
from looptool_kit.stages.verify._records import meant
from looptool_kit.text.grounding import Grounding, moment
from looptool_kit.text.passages import Dialogue, Span
from looptool_kit.text.relevance import relevance, role, tool_words
from looptool_kit.text.words import COMMANDS, STOP, alike, stems

LIKELIHOOD = 0.15
"""Weight of the policy's own likelihood: greedy predictions are always likely to their policy, so it never
decides alone.
"""


class Side(NamedTuple):
    """One of the two answers with what is known of it."""

    answer: Answer
    errors: list[str]
    """Why it does not parse or breaks a schema."""
    found: list[dict[str, Grounding]]
    """For each call, argument name -> its grounding."""


def weigh(sample: Sample, said: Dialogue, label: Side, prediction: Side) -> Iterator[Evidence | None]:
    """Each difference between the two answers as one piece of evidence; None where a difference says nothing."""
    errors = [s.errors for s in (label, prediction)]
    if any(errors):
        sides = [f"{who}: {e[0]}" for who, e in zip(("label", "prediction"), errors, strict=True) if e]
        yield Evidence(
            name="schema",
            for_label=0.0 if errors[0] else 1.0,
            for_prediction=0.0 if errors[1] else 1.0,
            words="; ".join(sides),
        )
    if (
        label.answer.error
        or prediction.answer.error
        or match(label.answer, prediction.answer)
        and label.answer.calls
    ):
        return
    if not label.answer.calls and not prediction.answer.calls:
        yield _replies(sample, label.answer.text, prediction.answer.text)
    elif not label.answer.calls:
        yield _flip(_call_or_reply(sample, said, prediction, label.answer.text))
    elif not prediction.answer.calls:
        yield _call_or_reply(sample, said, label, prediction.answer.text)
    else:
        yield from _calls(sample, said, label, prediction)


def _flip(e: Evidence | None) -> Evidence | None:
    return e and Evidence(name=e.name, for_label=e.for_prediction, for_prediction=e.for_label, words=e.words)


def likelihood(label: Sequence[float] | None, prediction: Sequence[float] | None) -> Evidence | None:
    """Which answer the policy finds likelier, by mean natural-log probability; None where either is unknown."""
    if not label or not prediction:
        return None
    means = sum(label) / len(label), sum(prediction) / len(prediction)
    lean = LIKELIHOOD * math.tanh(means[1] - means[0]) / 2
    words = f"mean log-probability {means[0]:.2f} for the label, {means[1]:.2f} for the prediction"
    return Evidence(name="likelihood", for_label=0.5 - lean, for_prediction=0.5 + lean, words=words)


def _replies(sample: Sample, label: str, prediction: str) -> Evidence:
    """Two plain replies: what a right one has to say, as far as the sample tells; else what they say that
    nothing supports.
    """
    faults = [reply_fault(text, sample.label) for text in (label, prediction)]
    words = "; ".join(
        f"the {who}'s reply lacks {show(f.expected)}"
        for who, f in zip(("label", "prediction"), faults, strict=True)
        if f
    )
    return Evidence(
        name="reply",
        for_label=float(faults[0] is None),
        for_prediction=float(faults[1] is None),
        words=words or "both replies say what they must",
    )


# ---------------------------------------------------------- call against call


def _calls(sample: Sample, said: Dialogue, label: Side, prediction: Side) -> Iterator[Evidence | None]:
    found = {id(c): f for s in (label, prediction) for c, f in zip(s.answer.calls, s.found, strict=True)}
    used = [_used(s, said) for s in (label, prediction)]
    for want, got in align(label.answer.calls, prediction.answer.calls):
        if want is None or got is None:
            call = want or got
            assert call is not None
            mine, other = (label, prediction) if want is not None else (prediction, label)
            twice = (
                sum(
                    c.name == call.name and canonical(c.arguments) == canonical(call.arguments)
                    for c in mine.answer.calls
                )
                > 1
            )
            e = _lone_call(sample, said, call, found[id(call)], used[int(other is prediction)], twice)
            yield e if want is not None else _flip(e)
        elif want.name != got.name:
            yield _tools(sample, said, want, got, found)
        else:
            for name in dict.fromkeys([*want.arguments, *got.arguments]):
                yield _argument(sample, said, name, want, got, (label, prediction), used)


def _used(side: Side, said: Dialogue) -> set[Span]:
    """The places that an answer's arguments use, with the words before a value that name its parameter ("card
    LC-12" for `card_id`).
    """
    spans = set()
    for f in side.found:
        for name, g in f.items():
            for at, start, end in g.spans if g.supported >= GROUNDED else ():
                words = said.passages[at].tokens
                before = bisect_right(words, start, key=lambda t: t.end)
                for t in reversed(words[max(0, before - 2) : before]):
                    if not any(alike(t.stem, w) for w in stems(name)):
                        break
                    start = t.start
                spans.add((at, start, end))
    return spans


def _overlaps(span: Span, spans: Iterable[Span]) -> bool:
    return any(s[0] == span[0] and s[1] < span[2] and span[1] < s[2] for s in spans)


def _fresh(g: Grounding, spans: Iterable[Span]) -> bool:
    """True where a value stands somewhere that `spans` do not use."""
    spans = list(spans)
    return any(not _overlaps(s, spans) for s in g.spans)


def _argument(
    sample: Sample,
    said: Dialogue,
    name: str,
    want: ToolCall,
    got: ToolCall,
    sides: tuple[Side, Side],
    used: list[set[Span]],
) -> Evidence | None:
    where = f"{want.name}.{name}"
    schema = schema_of(sample, want, name)
    if name in want.arguments and name in got.arguments:
        a, b = want.arguments[name], got.arguments[name]
        if canonical(a) == canonical(b):
            return None
        if equivalent(a, b):
            return Evidence(
                name="wording",
                for_label=0.5,
                for_prediction=0.5,
                words=f"{where}: {show(a)} and {show(b)} mean the same",
            )
        ga, gb = (_own(name, _found(s, c)) for s, c in zip(sides, (want, got), strict=True))
        support = [ga.supported, gb.supported]
        support = [
            s * (0.4 if _stale(sample, said, g, v) else 1.0)
            for s, g, v in zip(support, (ga, gb), (a, b), strict=True)
        ]
        if (
            isinstance(a, str)
            and isinstance(b, str)
            and SequenceMatcher(None, a.lower(), b.lower(), autojunk=False).ratio() > 0.8
        ):
            # Of two near copies the one that stands in the dialogue to the letter is the original.
            support = [s * (0.3 if s < max(support) else 1.0) for s in support]
        if isinstance(a, str) and isinstance(b, str) and min(support) >= 0.7:
            parts = [_is_part(said, *pair, want.name, name) for pair in ((ga, gb), (gb, ga))]
            support = [s * (0.4 if p else 1.0) for s, p in zip(support, parts, strict=True)]
        if min(support) >= 0.7 and (which := meant(sample, (a, b))) is not None:
            support = [s * (1.0 if w else 0.3) for s, w in zip(support, which, strict=True)]
        if min(support) >= 0.7 and isinstance(a, list) and isinstance(b, list):
            # What the user lists is listed whole.
            items = [{canonical(x) for x in v} for v in (a, b)]
            support = [
                s * (0.4 if mine < other else 1.0)
                for s, mine, other in zip(support, items, reversed(items), strict=True)
            ]
        fresh = [
            _fresh(g, _elsewhere(s, c, name)) for g, s, c in zip((ga, gb), sides, (want, got), strict=True)
        ]
        if min(support) >= 0.7 and fresh[0] != fresh[1]:
            support = [s * (1.0 if f else 0.4) for s, f in zip(support, fresh, strict=True)]
        if min(support) >= 0.7:
            # What the user asks last outweighs what stands in a result, or where a call already made has
            # taken it from.
            asked = [_asked(sample, said, g) for g in (ga, gb)]
            support = [s * (1.0 if a >= max(asked) else 0.4) for s, a in zip(support, asked, strict=True)]
        if min(support) >= 0.7:
            roles = [
                max((role(said.passages[s[0]], s, name, schema) for s in g.spans), default=0.0)
                for g in (ga, gb)
            ]
            support = [s * (1.0 if r >= max(roles) else 0.4) for s, r in zip(support, roles, strict=True)]
        words = f"{where}: the label has {show(a)} ({ga.words}), the prediction {show(b)} ({gb.words})"
        return Evidence(name="grounding", for_label=support[0], for_prediction=support[1], words=words)
    mine, other = (0, 1) if name in want.arguments else (1, 0)
    call = (want, got)[mine]
    g = _found(sides[mine], call)[name]
    value = call.arguments[name]
    distinct = _distinct(sample, said, g, name, schema, value)
    if g.by_schema:
        return Evidence(
            name="default", for_label=0.5, for_prediction=0.5, words=f"{where}: {show(value)} is the default"
        )
    who = ("label", "prediction")
    if g.supported >= 0.7 and _fresh(g, used[other]) and not distinct:
        e = 0.45, 0.65, f"{where}: the {who[mine]} adds {show(value)}, which may not be meant ({g.words})"
    elif g.supported >= 0.7 and _fresh(g, used[other]) and _for_later(said, name, schema, g):
        e = (
            0.4,
            0.6,
            (
                f"{where}: the {who[mine]} adds {show(value)}, which the request says for a later step"
                f" ({g.words})"
            ),
        )
    elif g.supported >= 0.7 and _fresh(g, used[other]):
        e = g.supported, 0.1, f"{where}: the {who[other]} leaves out {show(value)} ({g.words})"
    elif g.supported >= 0.7:
        e = (
            0.35,
            0.65,
            f"{where}: the {who[mine]} adds {show(value)}, which another argument already says ({g.words})",
        )
    else:
        # A flag or a choice may have been asked for in words that nobody here knows; then something of the
        # request is left over.
        unsure = g.supported == GROUNDED and _left_over(sample, said, used[other]) > 1
        e = (
            min(g.supported, 0.4),
            0.7 if unsure else 0.9,
            f"{where}: the {who[mine]} adds {show(value)}: {g.words}",
        )
    support = [e[0], e[1]] if mine == 0 else [e[1], e[0]]
    return Evidence(name="coverage", for_label=support[0], for_prediction=support[1], words=e[2])


def _is_part(said: Dialogue, g: Grounding, whole: Grounding, tool: str, name: str) -> bool:
    """True where a value stands only as a part of the other one ("office" of "home office").

    Not where the rest is what the tool or the parameter is called after ("kitchen lights" for `set_lights`).
    """
    if not g.spans or not whole.spans:
        return False
    known = stems(f"{tool} {name}")
    for at, start, end in g.spans:
        around = [
            s for s in whole.spans if s[0] == at and s[1] <= start and end <= s[2] and s[1:] != (start, end)
        ]
        rest = [
            t
            for s in around
            for t in said.passages[at].tokens
            if s[1] <= t.start < start or end <= t.start < s[2]
        ]
        if not around or any(alike(t.stem, k) for t in rest for k in known):
            return False
    return True


_THEN = re.compile(
    r"\b(?:then|afterwards|after (?:that|this|which)|(?:once|when) (?:that|this|it)(?:['’]s| is)"
    r" (?:done|finished))\b",
    re.IGNORECASE,
)


def _for_later(said: Dialogue, name: str, schema: dict[str, Any], g: Grounding) -> bool:
    """True for a value that the request names only after a word of sequence ("first list them, then add X to
    Y") and not as this parameter's.
    """
    if not g.spans or any(at != said.last for at, _, _ in g.spans):
        return False
    request = said.passages[said.last]
    then = _THEN.search(request.text)
    return then is not None and not any(
        start < then.end() or role(request, (at, start, end), name, schema) for at, start, end in g.spans
    )


def _asked(sample: Sample, said: Dialogue, g: Grounding) -> bool:
    """True where a value stands in the last request and no call made since has used its place."""
    return _fresh(Grounding(1.0, "", tuple(s for s in g.spans if s[0] == said.last)), _taken(sample, said))


def _stale(sample: Sample, said: Dialogue, g: Grounding, value: Any) -> bool:
    """True for a date or time that a call since the user last spoke has used up, while the request names
    another that is still to be used.
    """
    taken = _taken(sample, said)
    if not isinstance(value, str) or moment(value) is None or not any(_overlaps(s, taken) for s in g.spans):
        return False
    left = [
        (said.last, m.start, m.end) for m in said.passages[said.last].mentions if m.kind in ("date", "time")
    ]
    return any(not _overlaps(s, [*taken, *g.spans]) for s in left)


def _taken(sample: Sample, said: Dialogue) -> set[Span]:
    """The places that the calls made since the user last spoke have used."""
    return {
        s
        for c in _since(sample.messages)
        for g in groundings(c, sample.tools, said).values()
        if g.supported >= 0.7
        for s in g.spans
    }


def _distinct(
    sample: Sample, said: Dialogue, g: Grounding, name: str, schema: dict[str, Any], value: Any
) -> bool:
    """False where the support of an argument may be chance: a common word, a place that another call has
    used, or a value of a result, that nothing ties to the parameter.
    """
    taken = _taken(sample, said)
    spans = [s for s in g.spans if not _overlaps(s, taken)]
    named = said.last >= 0 and any(
        alike(w, t.stem) for w in stems(name) if w not in STOP for t in said.passages[said.last].tokens
    )
    if any((named or s[0] == said.last) and role(said.passages[s[0]], s, name, schema) > 0 for s in spans):
        return True
    if not isinstance(value, str) or "enum" in schema:
        return any(s[0] >= said.last for s in spans)
    here = [s for s in spans if s[0] == said.last]
    return any(
        re.search(r"[\dA-Z@\"“]|\w\W+\w", said.passages[s[0]].text[max(0, s[1] - 1) : s[2]]) for s in here
    )


def _left_over(sample: Sample, said: Dialogue, used: set[Span]) -> int:
    """How many words of the last request stand neither in a value that is used nor in a tool's name or
    description.
    """
    if said.last < 0:
        return 0
    known = {w for t in sample.tools for w in tool_words(t)}
    rest = [t for t in said.passages[said.last].tokens if not _overlaps((said.last, t.start, t.end), used)]
    return sum(
        t.stem not in STOP and t.stem not in COMMANDS and not any(alike(t.stem, w) for w in known)
        for t in rest
    )


def _found(side: Side, call: ToolCall) -> dict[str, Grounding]:
    return next(f for c, f in zip(side.answer.calls, side.found, strict=True) if c is call)


def _elsewhere(side: Side, call: ToolCall, name: str) -> set[Span]:
    """The places that the answer's other arguments use, in any call."""
    return {
        s
        for c, f in zip(side.answer.calls, side.found, strict=True)
        for k, g in f.items()
        if (c is not call or k != name) and g.supported >= 0.7
        for s in g.spans
    }


def _own(name: str, found: dict[str, Grounding]) -> Grounding:
    """An argument's grounding, weakened where it stands only where another argument of the same call already
    stands.
    """
    g = found[name]
    others = [s for k, o in found.items() if k != name and o.supported >= 0.7 for s in o.spans]
    if (
        g.supported >= 0.7
        and g.spans
        and all(any(o[0] == s[0] and o[1] <= s[1] and s[2] <= o[2] for o in others) for s in g.spans)
    ):
        return Grounding(0.3 * g.supported, f"{g.words} is what another argument says", g.spans)
    return g


def _lone_call(
    sample: Sample, said: Dialogue, call: ToolCall, found: dict[str, Grounding], used: set[Span], twice: bool
) -> Evidence:
    """Evidence on a call that one side makes and the other does not, written as if the label made it."""
    if twice:
        return _evidence("coverage", 0.15, 0.85, f"{show_call(call)} stands twice")
    worst = min((g.supported for g in found.values()), default=GROUNDED)
    if _made(sample.messages, call):
        return Evidence(
            name="coverage",
            for_label=0.1,
            for_prediction=0.9,
            words=f"{call.name} was already called with these arguments",
        )
    if worst < GROUNDED:
        return Evidence(
            name="coverage", for_label=worst, for_prediction=0.9, words=f"nothing asks for {show_call(call)}"
        )
    if any(g.supported >= 0.7 and _fresh(g, used) for g in found.values()):
        return Evidence(
            name="coverage",
            for_label=0.9,
            for_prediction=0.1,
            words=f"the request asks for {show_call(call)} as well",
        )
    fit = relevance(sample, said, call.name, found)
    return Evidence(
        name="coverage",
        for_label=0.4 + 0.2 * fit,
        for_prediction=0.6 - 0.2 * fit,
        words=f"{show_call(call)} uses nothing of its own",
    )


def _tools(
    sample: Sample, said: Dialogue, want: ToolCall, got: ToolCall, found: dict[int, dict[str, Grounding]]
) -> Evidence:
    both = {f"{n}/{k}": g for n, c in enumerate((want, got)) for k, g in found[id(c)].items()}
    fits = [relevance(sample, said, c.name, both) * _backed(found[id(c)]) for c in (want, got)]
    worth = [sum(_own(k, found[id(c)]).supported >= 0.7 for k in c.arguments) for c in (want, got)]
    fits = [f + 0.5 * (w - min(worth)) / max(1, max(worth)) for f, w in zip(fits, worth, strict=True)]
    whole = sum(fits)
    # Where the request speaks of neither tool, the share of next to nothing says little.
    share = [0.5 + (f / whole - 0.5) * min(1.0, max(fits) / 0.3) if whole else 0.5 for f in fits]
    words = (
        f"the request speaks of {(want, got)[share[1] > share[0]].name} rather than"
        f" {(want, got)[share[1] <= share[0]].name}"
    )
    return Evidence(name="tool", for_label=share[0], for_prediction=share[1], words=words)


def _backed(found: dict[str, Grounding]) -> float:
    return sum(g.supported for g in found.values()) / len(found) if found else 0.8


# --------------------------------------------------------- call against reply

_DECLINES = re.compile(
    r"\b(?:can(?:'|’)?t|cannot|unable|not able|don(?:'|’)t have|do not have|no"
    r" (?:tool|function|way)|sorry|unfortunately|outside)\b",
    re.IGNORECASE,
)


def _call_or_reply(sample: Sample, said: Dialogue, calls: Side, reply: str) -> Evidence:
    """Evidence between calls (written as the label's) and a plain reply: a required value that nothing
    supports wants a question.
    """
    first = calls.answer.calls[0]
    asks, declines = "?" in reply, _DECLINES.search(reply) is not None
    for call, found in zip(calls.answer.calls, calls.found, strict=True):
        tool = sample.tool(call.name)
        for name in found:
            g = _own(name, found)
            named = (
                *stems(name),
                *(o for e in schema_of(sample, call, name).get("enum") or () for o in stems(str(e))),
            )
            about = asks and any(
                w[:4] == o[:4] for w in stems(reply) if w not in STOP for o in named if len(o) > 3
            )
            if (
                tool is not None
                and name in tool.required
                and (g.supported < GROUNDED or about and g.supported == GROUNDED and not g.spans)
            ):
                words = f"{call.name} needs {name}, and nothing says {show(call.arguments[name])}"
                return _evidence(
                    "grounding",
                    0.1,
                    0.9 if asks else 0.6,
                    words + (f" ({g.words}); asking is right" if asks else f" ({g.words})"),
                )
            if about and not any(
                role(said.passages[s[0]], s, name, schema_of(sample, call, name)) for s in g.spans
            ):
                return _evidence(
                    "coverage",
                    0.6,
                    0.4,
                    f"the reply asks for {name}, and {show(call.arguments[name])} may be something else",
                )
    if all(_made(sample.messages, c) for c in calls.answer.calls):
        return _evidence("coverage", 0.1, 0.9, f"{first.name} was already called with these arguments")
    earlier = _since(sample.messages)
    used = _taken(sample, said)
    if earlier and not any(_fresh(g, used) for f in calls.found for g in f.values() if g.supported >= 0.7):
        return _evidence(
            "coverage", 0.2, 0.8, f"{show_call(first)} uses nothing that the calls before it have not used"
        )
    fit = max(
        relevance(sample, said, c.name, f) for c, f in zip(calls.answer.calls, calls.found, strict=True)
    )
    backed = min((_backed(f) for f in calls.found), default=0.0)
    if declines and not asks:
        # Several values that fit, or a tool that the dialogue has used before, speak against declining even
        # where no word of the tool is said.
        values = [
            show(c.arguments[k])
            for c, f in zip(calls.answer.calls, calls.found, strict=True)
            for k, g in f.items()
            if g.supported >= 0.7
        ]
        few = len(values) <= 2 and not any(re.search(r"[A-Za-z]-?\d", v) for v in values)
        known = any(c.name == first.name for m in sample.messages for c in m.tool_calls)
        if not known and (
            noun := next(
                filter(None, map(partial(_other_thing, sample, said), calls.answer.calls, calls.found)), ""
            )
        ):
            return _evidence(
                "tool", 0.4, 0.6, f"the request speaks of a {noun}, of which {first.name} knows nothing"
            )
        if few and not known and max(relevance(sample, said, t.name, {}) for t in sample.tools) < 0.1:
            # A refusal that says what it refuses has understood the request; a bare one may be an excuse.
            asked = {t.stem for t in said.passages[said.last].tokens if t.stem not in STOP}
            told = any(alike(w, a) for w in stems(reply) if w not in STOP for a in asked)
            lean = 0.25 if told else 0.15
            return _evidence(
                "tool", 0.5 - lean, 0.5 + lean, "no tool on offer speaks of what the request asks"
            )
    elif not asks and not earlier and fit >= 0.1:
        return _evidence(
            "coverage",
            0.5 + 0.4 * backed,
            0.1,
            f"the reply speaks of a result, and {first.name} has not been called",
        )
    elif (
        asks
        and (other := _asked_tool(sample, said, reply)) not in ("", first.name)
        and relevance(sample, said, other, {}) >= fit
    ):
        return _evidence(
            "tool", 0.3, 0.7, f"the request speaks of {other}, for which the reply asks what is missing"
        )
    if any(c.name == e.name for c in calls.answer.calls for e in earlier):
        fit /= 2
    support = fit * backed
    return _evidence(
        "coverage",
        0.5 + support / 2,
        0.5 - support / 2,
        f"{show_call(first)} is what the request asks, and all of it is said",
    )


def _other_thing(sample: Sample, said: Dialogue, call: ToolCall, found: dict[str, Grounding]) -> str:
    """What the request calls the thing whose identifier a call uses ("ticket TK-1" for `rental_id`), where
    neither the tool's words have that noun nor the request says what the tool's name acts on; else empty.
    """
    tool = sample.tool(call.name)
    request = said.passages[said.last].tokens
    if tool is None or any(alike(w, t.stem) for w in stems(call.name) if w not in COMMANDS for t in request):
        return ""
    for name, g in found.items():
        if g.supported >= 0.7 and re.search(r"[A-Za-z]-?\d", str(call.arguments[name])):
            for at, start, _ in g.spans:
                before = next((t.stem for t in reversed(request) if at == said.last and t.end <= start), "")
                if (
                    before not in STOP
                    and before not in COMMANDS
                    and not any(alike(before, w) for w in tool_words(tool))
                ):
                    return before
    return ""


def _asked_tool(sample: Sample, said: Dialogue, question: str) -> str:
    """The tool on offer that the request speaks of most among those with a required parameter that the
    question names; empty where none.
    """
    words = [w for w in stems(question) if w not in STOP]
    named = [t for t in sample.tools if any(alike(w, o) for p in t.required for o in stems(p) for w in words)]
    return max(named, key=lambda t: relevance(sample, said, t.name, {})).name if named else ""


def _evidence(name: str, for_label: float, for_prediction: float, words: str) -> Evidence:
    return Evidence(name=name, for_label=for_label, for_prediction=for_prediction, words=words)


def _since(messages: Sequence[Message]) -> list[ToolCall]:
    """The calls made since the user last spoke."""
    last = max((n for n, m in enumerate(messages) if m.role == "user"), default=0)
    return [c for m in messages[last:] for c in m.tool_calls]


def _made(messages: Sequence[Message], call: ToolCall) -> bool:
    """True where the same call was made since the user last spoke."""
    return any(
        c.name == call.name and canonical(c.arguments) == canonical(call.arguments) for c in _since(messages)
    )


def schema_of(sample: Sample, call: ToolCall, name: str) -> dict[str, Any]:
    """The schema of a parameter, empty where there is none."""
    tool = sample.tool(call.name)
    schema = tool.properties.get(name) if tool else None
    return schema if isinstance(schema, dict) else {}


def show(value: Any) -> str:
    """A value as JSON."""
    return json.dumps(value, ensure_ascii=False)


def show_call(call: ToolCall) -> str:
    """A call as it would be written in Python, its values as JSON."""
    return f"{call.name}({', '.join(f'{k}={show(v)}' for k, v in call.arguments.items())})"


def equivalent(a: Any, b: Any) -> bool:
    """Equal up to case, punctuation, plural, and the form of a date or time."""
    if canonical(a) == canonical(b):
        return True
    if isinstance(a, str) and isinstance(b, str):
        if re.search(r"\d", a + b) and moment(a) is None:  # of a code, every sign counts
            return a.casefold().split() == b.casefold().split()
        return (
            loose(a) == loose(b)
            or stems(a) == stems(b) != ()
            or (moment(a) is not None and moment(a) == moment(b))
        )
    if isinstance(a, list) and isinstance(b, list):
        return len(a) == len(b) and all(equivalent(x, y) for x, y in zip(a, b, strict=True))
    return False
