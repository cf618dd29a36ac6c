"""The `evidence` judge: decides between label and prediction without a language model.

It stands in the place of JGLV's judge (LoopTool, section 3.4). Each difference between the two answers
becomes one piece of evidence with support for either side: does the answer satisfy the schemas, is a value
supported by the dialogue, does a call use what the user asked for, is the tool the one that the request
speaks of, which answer does the policy itself find likelier. An answer is broken where it does not parse,
breaks a schema or holds a value that nothing supports; a broken answer never wins. Both sides are treated
alike, so swapping them swaps PRED_WRONG and LABEL_WRONG. Where the evidence is thin the judge abstains.
"""

from __future__ import annotations

from typing import Any

from looptool_kit.checks.rules import GROUNDED, call_errors, groundings
from looptool_kit.core.grading import align
from looptool_kit.core.records import Evidence, Verdict, VerdictName
from looptool_kit.core.samples import Sample, ToolCall
from looptool_kit.core.toolcalls import Answer, canonical
from looptool_kit.stages.verify import Logprobs, each
from looptool_kit.stages.verify import _weights as weights
from looptool_kit.stages.verify._answers import Side, equivalent, schema_of, show
from looptool_kit.stages.verify._weighing import likelihood, weigh
from looptool_kit.text.passages import Dialogue, dialogue


def judge_one(
    sample: Sample,
    prediction: Answer,
    *,
    label_logprobs: Logprobs = None,
    prediction_logprobs: Logprobs = None,
) -> Verdict:
    """Weigh the prediction against the label of `sample`.

    Args:
        label_logprobs: Natural-log probabilities of the label under the policy, one for each token.
        prediction_logprobs: The same of the prediction.

    Returns:
        A verdict with its evidence. Its `label` is the one that stands: the prediction where LABEL_WRONG. Its
        `confidence` is 0 to 1, 0 where unjudged.
    """
    d = dialogue(sample)
    sides = [_side(a, sample, d) for a in (Answer.of(sample.label), prediction)]
    evidence = [e for e in weigh(sample, d, sides[0], sides[1]) if e is not None]
    if (odds := likelihood(label_logprobs, prediction_logprobs)) is not None:
        evidence.append(odds)
    verdict, reason, confidence = _decide(sample, evidence, sides[0], sides[1])
    right_label = prediction.label if verdict == "LABEL_WRONG" else sample.label
    return Verdict(
        sample_id=sample.id,
        iteration=sample.iteration,
        status="judged" if verdict else "unjudged",
        verdict=verdict,
        rationale=reason,
        confidence=confidence,
        evidence=tuple(evidence),
        judge="evidence",
        label=right_label if verdict else None,
    )


judge = each(judge_one)


def _side(answer: Answer, sample: Sample, d: Dialogue) -> Side:
    errors = (
        [f"{answer.error}: {answer.detail}"]
        if answer.error
        else [e for c in answer.calls for e in call_errors(c, sample.tools)]
    )
    return Side(answer, errors, [groundings(c, sample.tools, d) for c in answer.calls])


# -------------------------------------------------------------------- decide


def _decide(
    sample: Sample, evidence: list[Evidence], label: Side, prediction: Side
) -> tuple[VerdictName | None, str, float]:
    broken = [_broken(s) for s in (label, prediction)]
    total = sum(e.lean for e in evidence)
    telling = sorted((e for e in evidence if e.name != "likelihood"), key=lambda e: -abs(e.lean))
    words = "; ".join(e.words for e in telling[:2] if abs(e.lean) >= weights.MIN_TOLD)
    sure = min(1.0, abs(total))
    if all(broken):
        words = f"Neither answer stands. Label: {broken[0]}. Prediction: {broken[1]}."
        return "BOTH_WRONG", words, weights.SURE_BOTH_BROKEN
    if not telling or abs(telling[0].lean) < weights.MIN_TELLING and not any(broken):
        if _same_in_substance(sample, label.answer, prediction.answer):
            return (
                "BOTH_CORRECT",
                "The answers differ in wording or in saying a default, not in substance.",
                weights.SURE_SAME,
            )
        return None, "Nothing tells the answers apart.", 0.0
    against = any(e.lean * total < 0 and abs(e.lean) >= weights.MIN_AGAINST for e in telling)
    if abs(total) < weights.DECISIVE or against and abs(total) < weights.DECISIVE_AGAINST:
        return None, f"The evidence is thin: {words}." if words else "The evidence is thin.", 0.0
    if fault := broken[total > 0]:
        return None, f"The better answer does not pass the rules either: {fault}.", 0.0
    if total > 0:
        return "LABEL_WRONG", f"The prediction is right. {words}.", sure
    return "PRED_WRONG", f"The label is right. {words}.", sure


def _broken(side: Side) -> str:
    """Why an answer cannot stand by itself, empty where it can."""
    if side.errors:
        return side.errors[0]
    if not side.answer.calls and not side.answer.text.strip():
        return "it says nothing"
    for call, grounded in zip(side.answer.calls, side.found, strict=True):
        for name, g in grounded.items():
            if g.supported < GROUNDED:
                return f"{call.name}.{name} = {show(call.arguments[name])}: {g.words}"
    return ""


def _same_in_substance(sample: Sample, a: Answer, b: Answer) -> bool:
    if a.error or b.error or bool(a.calls) != bool(b.calls):
        return False
    if len(a.calls) != len(b.calls):
        return False
    return all(
        x is not None and y is not None and _same_call(sample, x, y) for x, y in align(a.calls, b.calls)
    )


def _same_call(sample: Sample, a: ToolCall, b: ToolCall) -> bool:
    names = {*a.arguments, *b.arguments}
    return a.name == b.name and all(_same(a, b, name, schema_of(sample, a, name)) for name in names)


def _same(a: ToolCall, b: ToolCall, name: str, schema: dict[str, Any]) -> bool:
    if name in a.arguments and name in b.arguments:
        return equivalent(a.arguments[name], b.arguments[name])
    value = a.arguments.get(name, b.arguments.get(name))
    return "default" in schema and canonical(schema["default"]) == canonical(value)
