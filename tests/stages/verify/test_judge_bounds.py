"""The evidence judge measured: bounds against planted noise, symmetry, and labels that keep the rules."""

from __future__ import annotations

import random
from collections import Counter
from datetime import date, timedelta
from typing import Any

import pytest

from looptool_kit.checks.rules import passes
from looptool_kit.config import load_preset
from looptool_kit.core.samples import Label, Sample, ToolCall
from looptool_kit.core.toolcalls import Answer, match
from looptool_kit.stages.verify.evidence import judge_one, signs_of
from looptool_kit.world import generate
from looptool_kit.world.noise import plant_noise
from looptool_kit.world.search import drawn

REPLIES = (
    "Sure, it is done.",
    "Could you tell me the date?",
    "For how many people?",
    "I'm sorry, I can't do that.",
)
SLIPS = (
    "slot", "earlier", "drop", "extra", "typo", "date", "number", "string", "tool", "fewer", "twice", "reply",
    "broken", "copy",
)  # fmt: skip
"""The ways in which a small model answers wrongly."""


def corrupted(s: Sample, rng: random.Random) -> Answer | None:
    """What a small model answers wrongly; None where the slip drawn has no place in the label."""
    calls = s.label.calls
    if not calls:
        return made_up(s, rng)
    at = rng.randrange(len(calls))
    kind = rng.choice(SLIPS)
    if kind == "broken":
        return Answer(error="unparsable", text="<tool_call>{")
    if kind == "reply":
        return Answer(text=rng.choice(REPLIES))
    if kind == "fewer" and len(calls) > 1:
        return Answer(calls=(*calls[:at], *calls[at + 1 :]))
    if kind == "twice":
        return Answer(calls=(*calls, calls[at]))
    call = calls[at]
    others = [t for t in s.tools if t.name != call.name]
    if kind == "tool" and others and call.arguments:
        other = rng.choice(others)
        values = list(call.arguments.values())
        borrowed = {name: call.arguments.get(name, rng.choice(values)) for name in other.required}
        spoilt = ToolCall(name=other.name, arguments=borrowed)
    elif call.arguments and s.tool(call.name) is not None:
        spoilt = ToolCall(name=call.name, arguments=slipped(s, call, kind, rng))
    else:
        return None
    return Answer(calls=(*calls[:at], spoilt, *calls[at + 1 :]))


def made_up(s: Sample, rng: random.Random) -> Answer:
    """A call where none is due, its required arguments taken from anywhere."""
    tool = rng.choice(s.tools)
    made: dict[str, Any] = {}
    for name in tool.required:
        schema = tool.properties[name]
        word = rng.choice(s.request.split()).strip(".,?!")
        made[name] = (
            rng.choice(schema["enum"])
            if "enum" in schema
            else {"integer": rng.randint(1, 9), "boolean": True}.get(str(schema.get("type")), word)
        )
    return Answer(calls=(ToolCall(name=tool.name, arguments=made),))


def slipped(s: Sample, call: ToolCall, kind: str, rng: random.Random) -> dict[str, Any]:
    """A call's arguments with a slip of this kind in one of them, unchanged where it has no place."""
    arguments: dict[str, Any] = dict(call.arguments)
    tool = s.tool(call.name)
    assert tool is not None
    key = rng.choice(list(arguments))
    value = arguments[key]
    pool = s.label.calls if kind == "slot" else [c for m in s.messages for c in m.tool_calls]
    values = [v for c in pool for v in c.arguments.values() if type(v) is type(value) and v != value]
    free = [p for p in tool.properties if p not in arguments]
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if kind in ("slot", "earlier") and values:
        arguments[key] = rng.choice(values)
    elif kind == "drop":
        del arguments[key]
    elif kind == "extra" and free:
        name = rng.choice(free)
        schema = tool.properties[name]
        plain = {"integer": 2, "boolean": True}.get(str(schema.get("type")), "Please")
        arguments[name] = rng.choice(schema["enum"]) if "enum" in schema else plain
    elif kind == "typo" and isinstance(value, str) and len(value) > 3:
        cut = rng.randrange(1, len(value) - 1)
        arguments[key] = rng.choice([value[:cut] + value[cut + 1 :], value[:cut] + value[cut] + value[cut:]])
    elif kind == "date" and isinstance(value, str) and len(value) == 10 and value[4] == "-":
        arguments[key] = (date.fromisoformat(value) + timedelta(rng.choice((-7, -1, 1, 7)))).isoformat()
    elif kind == "number" and is_number:
        arguments[key] = value + rng.choice((-1, 1, 2, 10))
    elif kind == "string" and not isinstance(value, str):
        arguments[key] = str(value)
    elif kind == "copy" and isinstance(value, str):
        words = s.request.split()
        start = rng.randrange(len(words))
        arguments[key] = " ".join(words[start : start + rng.randint(1, 3)]).strip(".,?!")
    return arguments


def test_bounds_against_planted_noise() -> None:
    clean = generate(1600, 2024)  # of some 1,200 clean failures a judge accuses 8 or so: fewer say little
    noisy, truth = plant_noise(clean, 0.15, 5)
    caught = Counter(judge_one(s, Answer.of(truth[s.id])).verdict for s in noisy if s.id in truth)
    rng = random.Random(6)
    failures = [(s, p) for s in clean for p in [corrupted(s, rng)] if p is not None and not match(p, s.label)]
    # A greedy prediction is always likelier to its own policy than the label is.
    judged = Counter(
        judge_one(s, p, label_logprobs=[-1.2, -0.4], prediction_logprobs=[-0.1, -0.2]).verdict
        for s, p in failures
    )
    assert len(truth) >= 40 and len(failures) >= 200
    recall = caught["LABEL_WRONG"] / len(truth)
    accused = judged["LABEL_WRONG"] / len(failures)
    # One noisy label to five clean failures.
    precision = recall / (recall + 5 * accused)
    assert recall >= 0.75, caught
    assert precision >= 0.95, (recall, judged)
    assert judged["PRED_WRONG"] / len(failures) >= 0.7, judged


SWAPPED = {
    "PRED_WRONG": "LABEL_WRONG",
    "LABEL_WRONG": "PRED_WRONG",
    "BOTH_CORRECT": "BOTH_CORRECT",
    "BOTH_WRONG": "BOTH_WRONG",
    None: None,
}


def test_swapping_the_sides_swaps_the_verdict_or_asks_for_more() -> None:
    """Labels are right more often than failed predictions, so that replacing one takes more evidence than
    keeping it.
    """
    rng = random.Random(7)
    seen: Counter[str | None] = Counter()
    for s in generate(250, 77):
        first, second = corrupted(s, rng), Answer.of(s.label)
        # Of a parsed answer a label keeps calls and text only; replies that a label makes demands on are no
        # pure swap.
        if first is None or first.error or not (first.calls or second.calls):
            continue
        odds = [rng.uniform(-2, 0) for _ in range(3)], [rng.uniform(-2, 0) for _ in range(4)]
        plain = s.model_copy(update={"label": Label(calls=second.calls, reply=second.text)})
        other = s.model_copy(update={"label": first.label})
        here = judge_one(plain, first, label_logprobs=odds[0], prediction_logprobs=odds[1])
        there = judge_one(other, second, label_logprobs=odds[1], prediction_logprobs=odds[0])
        if here.verdict == "LABEL_WRONG":
            assert there.verdict == "PRED_WRONG", (here, there)
        elif here.verdict == "PRED_WRONG":
            assert there.verdict in ("LABEL_WRONG", None), (here, there)
        else:
            assert there.verdict in (SWAPPED[here.verdict], "PRED_WRONG"), (here, there)
        seen[here.verdict] += 1
        signs = (signs_of(plain, first).between, signs_of(other, second).between)
        assert signs[0] == pytest.approx({name: -value for name, value in signs[1].items()})
        assert signs_of(plain, first).together == pytest.approx(signs_of(other, second).together)
    assert seen["PRED_WRONG"] > 100 and seen[None] > 0


def test_the_prediction_never_replaces_a_label_with_something_that_breaks_the_rules() -> None:
    rng = random.Random(8)
    for s in generate(200, 78):
        noisy, clean = corrupted(s, rng), Answer.of(s.label)
        if noisy is None or noisy.error:
            continue
        spoiled = s.model_copy(update={"label": noisy.label})
        other = corrupted(s, rng)
        for prediction in filter(None, (clean, other)):
            verdict = judge_one(spoiled, prediction)
            if verdict.verdict == "LABEL_WRONG":
                assert verdict.label is not None
                fixed = spoiled.model_copy(update={"label": verdict.label})
                assert passes(fixed), verdict


def test_a_call_that_was_made_already_never_replaces_a_label() -> None:
    """Its result is there; searches over records repeat tools, parameters and words more than other data."""
    setup = load_preset("cpu").search
    rows = [s for s in drawn(setup, 120, 11, "judge") if s.label.calls]
    made = [(s, next((m.tool_calls for m in reversed(s.messages) if m.tool_calls), ())) for s in rows]
    again = [(s, calls) for s, calls in made if calls]
    assert len(again) >= 20
    for sample, calls in again:
        verdict = judge_one(sample, Answer(calls=calls))
        assert verdict.verdict != "LABEL_WRONG", (sample.request, sample.label.calls, calls)
