"""Evidence between two answers that both make calls.

Their calls are aligned; a pair may differ in its tool or its arguments, and a call may stand alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from looptool_kit.checks.rules import GROUNDED
from looptool_kit.core.grading import align
from looptool_kit.core.preview import show_call
from looptool_kit.core.records import Evidence
from looptool_kit.core.samples import Sample, ToolCall
from looptool_kit.stages.verify import _weights as weights
from looptool_kit.stages.verify._answers import Side, same_call
from looptool_kit.stages.verify._arguments import Argument, argument_evidence
from looptool_kit.stages.verify._places import already_made, is_fresh, is_said, own_grounding, used_by
from looptool_kit.text.grounding.support import Grounding
from looptool_kit.text.passages import Dialogue, Span
from looptool_kit.text.relevance import relevance


def swapped(e: Evidence) -> Evidence:
    """Evidence with label and prediction exchanged."""
    return Evidence(name=e.name, for_label=e.for_prediction, for_prediction=e.for_label, words=e.words)


def evidence(name: str, support: tuple[float, float], words: str) -> Evidence:
    """Evidence with support for the label, then for the prediction."""
    return Evidence(name=name, for_label=support[0], for_prediction=support[1], words=words)


def calls_evidence(
    sample: Sample, dialogue: Dialogue, label: Side, prediction: Side
) -> Iterator[Evidence | None]:
    """Evidence on each call or argument in which the two answers differ."""
    for want, got in align(label.answer.calls, prediction.answer.calls):
        if want is None or got is None:
            one, other = (label, prediction) if got is None else (prediction, label)
            call = want or got
            assert call is not None
            e = _lone_call(sample, dialogue, call, one, used_by(other, dialogue))
            yield e if one is label else swapped(e)
        elif want.name != got.name:
            yield _tools(sample, dialogue, (want, got), (label, prediction))
        else:
            for name in dict.fromkeys([*want.arguments, *got.arguments]):
                yield argument_evidence(Argument(sample, dialogue, name, (want, got), (label, prediction)))


def _lone_call(sample: Sample, dialogue: Dialogue, call: ToolCall, side: Side, used: set[Span]) -> Evidence:
    """Evidence on a lone call, written as if the label made it."""
    if sum(same_call(c, call) for c in side.answer.calls) > 1:
        return evidence("repeat", weights.TWICE, f"{show_call(call)} appears twice")
    if already_made(sample.messages, call):
        words = f"{call.name} was already called with these arguments"
        return evidence("repeat", weights.ALREADY_MADE, words)
    grounding = side.found_of(call)
    worst = min((g.supported for g in grounding.values()), default=GROUNDED)
    if worst < GROUNDED:
        words = f"nothing asks for {show_call(call)}"
        return evidence("call", (worst, weights.NOT_ASKED_FOR), words)
    if any(is_said(g) and is_fresh(g, used) for g in grounding.values()):
        return evidence("call", weights.ASKED_AS_WELL, f"the request asks for {show_call(call)} as well")
    moved = weights.FIT_OF_LONE_CALL * relevance(sample, dialogue, call.name, grounding)
    support = weights.NOTHING_OF_ITS_OWN.own + moved, weights.NOTHING_OF_ITS_OWN.other - moved
    return evidence("call", support, f"{show_call(call)} uses nothing of its own")


def _tools(
    sample: Sample, dialogue: Dialogue, calls: tuple[ToolCall, ToolCall], sides: tuple[Side, Side]
) -> Evidence:
    """Evidence between two tools for one call.

    By which of them was made before, by what the request speaks of, and by the values that the calls take.
    """
    made = [already_made(sample.messages, c) for c in calls]
    if made[0] != made[1]:
        again = calls[made.index(True)]
        support = weights.ALREADY_MADE if made[0] else weights.ALREADY_MADE[::-1]
        return evidence("repeat", support, f"{again.name} was already called with these arguments")
    grounded = [s.found_of(c) for s, c in zip(sides, calls, strict=True)]
    # Both are read around the values of either, so that neither gains by taking values elsewhere.
    either = {f"{n}/{k}": g for n, f in enumerate(grounded) for k, g in f.items()}
    fits = [
        relevance(sample, dialogue, c.name, either) * backed(f) for c, f in zip(calls, grounded, strict=True)
    ]
    taken = [sum(is_said(own_grounding(k, f)) for k in f) for f in grounded]
    fits = [
        f + weights.MORE_VALUES * (n - min(taken)) / max(1, max(taken))
        for f, n in zip(fits, taken, strict=True)
    ]
    share = _shares(fits)
    better, worse = (calls[1], calls[0]) if share[1] > share[0] else calls
    return evidence("tool", share, f"the request speaks of {better.name} rather than {worse.name}")


def _shares(fits: list[float]) -> tuple[float, float]:
    """The share of either of two, nearly even where both are small."""
    whole = sum(fits)
    if not whole:
        return weights.EVEN_PAIR
    sure = min(1.0, max(fits) / weights.SURE_RELEVANCE)
    first, second = (weights.EVEN + (f / whole - weights.EVEN) * sure for f in fits)
    return first, second


def backed(grounded: dict[str, Grounding]) -> float:
    """How well the arguments of a call are supported on average."""
    return sum(g.supported for g in grounded.values()) / len(grounded) if grounded else weights.NO_ARGUMENTS
