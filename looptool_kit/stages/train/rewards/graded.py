"""The reward `graded`: worse mistakes cost more (TL-Training, arXiv 2412.15495).

The values are TL-Training's. Its code reads arguments by a pattern that sees only strings in single quotes,
so numbers, lists and booleans never count there; here values are compared as JSON. An answer of several
calls earns the mean over the pairs of calls that `align` makes, which is ours.
"""

from __future__ import annotations

from looptool_kit.core.grading import diagnose, grade
from looptool_kit.core.samples import Label, Sample, ToolCall
from looptool_kit.core.toolcalls import Answer
from looptool_kit.stages.train.rewards import pairs

UNREADABLE = -2.0
"""Of an answer that does not parse or was cut, and of a call of a tool that is not on offer."""
WRONG_CALL = -1.5
"""Of another tool, a missing or extra call, a call in place of a reply, a reply in place of a call."""
WRONG_VALUE = -0.25
"""Of a wrong value or type where the parameters are right, and of a reply that does not say what it must."""
PARAMETERS = {
    frozenset({"hallucinated_parameter", "redundant_parameter", "missing_parameter"}): -1.8,
    frozenset({"hallucinated_parameter", "redundant_parameter"}): -1.3,
    frozenset({"hallucinated_parameter", "missing_parameter"}): -1.3,
    frozenset({"redundant_parameter", "missing_parameter"}): -1.0,
    frozenset({"hallucinated_parameter"}): -0.8,
    frozenset({"redundant_parameter"}): -0.5,
    frozenset({"missing_parameter"}): -0.5,
}
"""Kinds of parameter faults of a call -> what it earns, whatever its values are."""


def reward(answer: Answer, sample: Sample) -> float:
    """Reward an answer from -2 to 1.

    1 for an answer that is exactly right, and for no other.
    """
    if answer.error:
        return UNREADABLE
    if grade(answer, sample.label, sample.tools).correct:
        return 1.0
    if not answer.calls:
        return WRONG_CALL if sample.label.calls else WRONG_VALUE
    scores = [_pair(want, got, sample) for want, got in pairs(answer, sample)]
    return sum(scores) / len(scores)


def _pair(want: ToolCall | None, got: ToolCall | None, sample: Sample) -> float:
    if got is not None and sample.tools and sample.tool(got.name) is None:
        return UNREADABLE
    if want is None or got is None or want.name != got.name:
        return WRONG_CALL
    kinds = {f.kind for f in diagnose(Label(calls=(got,)), Label(calls=(want,)), sample.tools)}
    if parameters := frozenset(k for k in kinds if k.endswith("_parameter")):
        return PARAMETERS[parameters]
    return WRONG_VALUE if kinds else 1.0
