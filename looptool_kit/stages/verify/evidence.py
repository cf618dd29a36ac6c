"""The `evidence` judge: decides between label and prediction without a language model.

It stands in place of JGLV's judge (LoopTool, section 3.4). Each difference between the two answers
becomes one piece of evidence with support for either side: does the answer satisfy the schemas, is a value
supported by the dialogue, does a call use what the user asked for, is the tool the one that the request
speaks of, which answer does the policy itself find likelier. What the pieces say together are calibrated
probabilities (`_odds`), from which the verdict follows. A prediction that breaks a schema, holds a value that
nothing supports or makes a call again never replaces a label, and two answers are both wrong only where
something speaks against each. Where the evidence is thin the judge abstains.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from looptool_kit.checks.rules import GROUNDED, call_errors, groundings
from looptool_kit.core.records import Evidence, Verdict, VerdictName
from looptool_kit.core.samples import Sample, ToolCall
from looptool_kit.core.toolcalls import Answer, canonical
from looptool_kit.stages.verify import Case, Context, Logprobs, each
from looptool_kit.stages.verify import _weights as weights
from looptool_kit.stages.verify._answers import Side, is_left_out, same_call, schema_of, show
from looptool_kit.stages.verify._compare import likelihood, weigh
from looptool_kit.stages.verify._odds import between, probabilities, together
from looptool_kit.stages.verify._places import already_made
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
        `confidence` is the verdict's probability, 0 where unjudged.
    """
    signs = signs_of(sample, prediction, label_logprobs, prediction_logprobs)
    return verdict_of(sample, prediction, signs, probabilities(signs.between, signs.together, weights.PRIOR))


def verdict_of(
    sample: Sample,
    prediction: Answer,
    signs: Signs,
    odds: dict[VerdictName, float],
    both_denied: bool = False,
) -> Verdict:
    """The verdict that follows from its probabilities.

    Args:
        odds: The probability of each verdict.
        both_denied: Whether something beside the signs speaks against both answers.
    """
    verdict, reason = _decide(signs, odds, both_denied)
    right_label = prediction.label if verdict == "LABEL_WRONG" else sample.label
    return Verdict(
        sample_id=sample.id,
        iteration=sample.iteration,
        status="judged" if verdict else "unjudged",
        verdict=verdict,
        rationale=reason,
        confidence=odds[verdict] if verdict else 0.0,
        for_label=odds["PRED_WRONG"] + odds["BOTH_CORRECT"],
        for_prediction=odds["LABEL_WRONG"] + odds["BOTH_CORRECT"],
        evidence=signs.evidence,
        judge="evidence",
        label=right_label if verdict else None,
    )


_each = each(judge_one)


def judge(cases: Sequence[Case], context: Context) -> list[Verdict]:
    """Judge each case; a label is replaced only from `verify.floor` on.

    Below it the row is unjudged and keeps its probabilities, so that a person sees it first.
    """
    floor = context.settings.verify.floor
    return [held_back(v, floor) for v in _each(cases, context)]


def held_back(verdict: Verdict, floor: float) -> Verdict:
    """The verdict, unjudged where it is LABEL_WRONG below the floor."""
    if verdict.verdict != "LABEL_WRONG" or verdict.confidence >= floor:
        return verdict
    words = f"Perhaps the label is wrong ({verdict.confidence:.0%}, below {floor:.0%}). {verdict.rationale}"
    return verdict.model_copy(
        update={"status": "unjudged", "verdict": None, "rationale": words, "confidence": 0.0, "label": None}
    )


# --------------------------------------------------------------------- signs


class Signs(NamedTuple):
    """What the judge weighs of one case."""

    evidence: tuple[Evidence, ...]
    sides: tuple[Side, Side]
    """The label's, then the prediction's."""
    between: dict[str, float]
    together: dict[str, float]
    repeated: str = ""
    """A call of the prediction, not of the label, that was made since the user last spoke."""


def signs_of(
    sample: Sample,
    prediction: Answer,
    label_logprobs: Logprobs = None,
    prediction_logprobs: Logprobs = None,
) -> Signs:
    """The evidence on a case and its signs by name."""
    d = dialogue(sample)
    sides = _side(Answer.of(sample.label), sample, d), _side(prediction, sample, d)
    evidence = [e for e in weigh(sample, d, *sides) if e is not None]
    if (odds := likelihood(label_logprobs, prediction_logprobs)) is not None:
        evidence.append(odds)
    alike = _same_in_substance(sides[0].answer, sides[1].answer, evidence)
    again = (
        c.name
        for c in prediction.calls
        if already_made(sample.messages, c) and not any(same_call(c, w) for w in sample.label.calls)
    )
    return Signs(
        tuple(evidence), sides, between(evidence, *sides), together(evidence, *sides, alike), next(again, "")
    )


def _given(call: ToolCall, sample: Sample) -> ToolCall:
    """A call without what says nothing: null for an optional parameter, or the schema's own default.

    Many datasets write these out where the schema does not allow them.
    """
    tool = sample.tool(call.name)
    if tool is None:
        return call
    kept = {
        name: value
        for name, value in call.arguments.items()
        if name in tool.required
        or name not in tool.properties
        or not is_left_out(value, schema_of(sample, call, name))
    }
    return ToolCall(name=call.name, arguments=kept)


def _side(answer: Answer, sample: Sample, d: Dialogue) -> Side:
    errors = (
        [f"{answer.error}: {answer.detail}"]
        if answer.error
        else [e for c in answer.calls for e in call_errors(_given(c, sample), sample.tools)]
    )
    return Side(answer, errors, [groundings(c, sample.tools, d) for c in answer.calls])


# -------------------------------------------------------------------- decide


def _decide(
    signs: Signs, odds: dict[VerdictName, float], both_denied: bool
) -> tuple[VerdictName | None, str]:
    label, prediction = signs.sides
    telling = sorted((e for e in signs.evidence if e.name != "likelihood"), key=lambda e: -abs(e.lean))
    words = "; ".join(e.words for e in telling[:2] if abs(e.lean) >= weights.MIN_TOLD)
    # Of two places that exchange their values each lean is about the same question: which way around.
    leans = [] if _exchanged(label.answer, prediction.answer) else [e.lean for e in telling]
    against = (
        bool(label.errors) or any(lean >= weights.MIN_AGAINST for lean in leans),
        bool(prediction.errors) or any(lean <= -weights.MIN_AGAINST for lean in leans),
    )
    if (both_denied or all(against)) and odds["BOTH_WRONG"] >= weights.MIN_BOTH_WRONG:
        faults = [_broken(side) for side in signs.sides]
        told = "".join(f" {who}: {f}." for who, f in zip(("Label", "Prediction"), faults, strict=True) if f)
        return "BOTH_WRONG", f"Neither answer stands.{told} {words}."
    if odds["BOTH_CORRECT"] >= weights.MIN_BOTH_CORRECT and not (_broken(label) or _broken(prediction)):
        return "BOTH_CORRECT", "The answers differ in wording or in what may be left out, not in substance."
    if odds["LABEL_WRONG"] >= weights.MIN_LABEL_WRONG:
        if fault := _broken(prediction):
            return None, f"The better answer does not pass the rules either: {fault}."
        if signs.repeated:
            return None, f"The better answer makes a call again whose result is there: {signs.repeated}."
        return "LABEL_WRONG", f"The prediction is right. {words}."
    if odds["PRED_WRONG"] >= weights.MIN_PRED_WRONG:
        return "PRED_WRONG", f"The label is right. {words}."
    return None, f"The evidence is thin: {words}." if words else "Nothing tells the answers apart."


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


def _exchanged(a: Answer, b: Answer) -> bool:
    """True for answers with calls of the same tools and the same values, in other places."""
    sides = [
        sorted((c.name, canonical(v)) for c in answer.calls for v in c.arguments.values())
        for answer in (a, b)
    ]
    return bool(sides[0]) and sides[0] == sides[1]


def _same_in_substance(a: Answer, b: Answer, evidence: Sequence[Evidence]) -> bool:
    """True for answers that differ in wording or in what may be left out."""
    if a.error or b.error or len(a.calls) != len(b.calls):
        return False
    told = [e for e in evidence if e.name not in ("wording", "default", "likelihood")]
    return all(e.name == "reply" and e.lean == 0 for e in told)
