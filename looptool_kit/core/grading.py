"""Grade a prediction against a label.

The reward, the state of a probe, and every fault by its kind.
"""

from __future__ import annotations

import json
import math
from collections import Counter
from collections.abc import Sequence
from typing import Any, Literal, NamedTuple

from pydantic import JsonValue

from looptool_kit.core.samples import QUESTION_MARKS, Frozen, Label, Tool, ToolCall
from looptool_kit.core.toolcalls import Answer, canonical, canonical_calls, match
from looptool_kit.core.wire import detect

FaultKind = Literal[
    "unparsable",
    "truncated",
    "unknown_tool",
    "wrong_tool",
    "missing_parameter",
    "hallucinated_parameter",
    "redundant_parameter",
    "wrong_value",
    "wrong_type",
    "missing_call",
    "extra_call",
    "should_have_declined",
    "should_have_called",
    "wrong_reply",
]


class Fault(Frozen):
    """One difference between a prediction and a label."""

    kind: FaultKind
    tool: str = ""
    """The label's tool where there is one, else the prediction's."""
    parameter: str = ""
    expected: JsonValue = None
    got: JsonValue = None

    def __str__(self) -> str:
        return self.told()

    def told(self, asks: bool = False) -> str:
        """The difference in words; `asks`: the label is a question back."""
        where = f"{self.tool}.{self.parameter}" if self.parameter else self.tool
        words = told_kind(self.kind, asks).replace("_", " ") + (f" at {where}" if where else "")
        if self.kind in ("wrong_value", "wrong_type"):
            words += (
                f": {json.dumps(self.got, ensure_ascii=False)} instead of"
                f" {json.dumps(self.expected, ensure_ascii=False)}"
            )
        elif self.kind in ("wrong_tool", "unknown_tool"):
            words += f": {self.got}"
        return words


def told_kind(kind: str, asks: bool) -> str:
    """The kind of a fault as people are told it.

    A call in place of a reply is one kind in all tables. Where the label asks back (`asks`) nothing was to be
    declined.
    """
    return "should_have_asked" if asks and kind == "should_have_declined" else kind


class Grade(NamedTuple):
    """How a prediction compares with a label."""

    correct: bool
    """Matched, and a plain reply says what it must: the reward, and what makes a probe or a score right."""
    match: bool
    faults: tuple[Fault, ...]

    @property
    def error(self) -> str:
        """The first fault's kind, empty when correct."""
        return self.faults[0].kind if self.faults else ""


def grade(prediction: Answer, label: Label, tools: Sequence[Tool] = ()) -> Grade:
    """Match and diagnose in one; never raises.

    The reward r in {0, 1} is `float(grade(...).correct)` (LoopTool, section 3.2).
    """
    matched = match(prediction, label)
    if not matched:
        return Grade(False, False, diagnose(prediction, label, tools))
    wrong = None if label.calls else reply_fault(prediction.text, label, tools)
    return Grade(wrong is None, True, (wrong,) if wrong else ())


def consistency(answers: Sequence[Answer]) -> tuple[float, float]:
    """How far answers agree: (agreement, entropy in nats), over their classes.

    A class has the same calls in any order; plain replies are one. Agreement is the share of the largest
    class. An answer that does not parse agrees with nothing: it is a class of its own for the entropy, and
    none for the agreement.
    """
    n = len(answers)
    classes = Counter(canonical_calls(a.calls) for a in answers if not a.error)
    counts = [*classes.values(), *(1 for a in answers if a.error)]
    entropy = sum(c / n * math.log(n / c) for c in counts)
    return max(classes.values(), default=0) / n, entropy


def reply_fault(text: str, label: Label, tools: Sequence[Tool] = ()) -> Fault | None:
    """Why a plain reply is wrong; None if it is right.

    It is wrong where it is empty, a call in any family's syntax (`wire`), not a question where one is due, or
    does not say what it must.
    """
    lowered = text.lower()
    if not lowered.strip():
        return Fault(kind="wrong_reply", expected="something said", got="")
    if form := detect(text, {t.name for t in tools}):
        return Fault(kind="wrong_reply", expected="a plain reply", got=f"a call as text ({form})")
    if label.asks and not any(mark in lowered for mark in QUESTION_MARKS):
        return Fault(kind="wrong_reply", expected="a question", got=text)
    for group in label.mentions:
        if not any(wording.lower() in lowered for wording in group):
            return Fault(kind="wrong_reply", expected=list(group), got=text)
    return None


def diagnose(
    prediction: Answer | Label, label: Answer | Label, tools: Sequence[Tool] = ()
) -> tuple[Fault, ...]:
    """Find every difference between prediction and label, most telling first.

    It never raises. Empty exactly where they match.
    """
    if isinstance(prediction, Answer) and prediction.error:
        return (Fault(kind=prediction.error, got=prediction.detail),)
    if isinstance(label, Answer) and label.error:
        return (Fault(kind="wrong_reply", expected="a label that parses", got=label.detail),)
    if match(prediction, label):
        return ()
    if not prediction.calls:
        return (
            Fault(
                kind="should_have_called", tool=label.calls[0].name, expected=[c.name for c in label.calls]
            ),
        )
    if not label.calls:
        return (
            Fault(
                kind="should_have_declined",
                tool=prediction.calls[0].name,
                got=[c.name for c in prediction.calls],
            ),
        )
    offered = {t.name: t for t in tools}
    faults: list[Fault] = []
    for want, got in align(label.calls, prediction.calls):
        if want is None and got is not None:
            unknown = bool(offered) and got.name not in offered
            faults.append(
                Fault(
                    kind="unknown_tool" if unknown else "extra_call",
                    tool=got.name,
                    got=got.name if unknown else dict(got.arguments),
                )
            )
        elif got is None and want is not None:
            faults.append(Fault(kind="missing_call", tool=want.name, expected=dict(want.arguments)))
        elif want is not None and got is not None:
            if want.name != got.name:
                kind: FaultKind = "unknown_tool" if offered and got.name not in offered else "wrong_tool"
                faults.append(Fault(kind=kind, tool=want.name, expected=want.name, got=got.name))
            else:
                faults.extend(_argument_faults(want, got, offered.get(want.name)))
    return tuple(faults)


def align(
    label: Sequence[ToolCall], prediction: Sequence[ToolCall]
) -> list[tuple[ToolCall | None, ToolCall | None]]:
    """Pair the label's calls with the prediction's.

    First calls of the same tool, those with most arguments in common first; then what is left, in order.
    Pairs come in the label's order; a side without partner is None.
    """
    # Keys in order: a set that gives the earliest call first.
    free = dict.fromkeys(range(len(prediction)))
    partner: dict[int, int] = {}
    wants, gots = (
        [{k: canonical(v) for k, v in c.arguments.items()} for c in calls] for calls in (label, prediction)
    )

    def unlike(i: int, j: int) -> float:
        w, g = wants[i], gots[j]
        return -len(w.items() & g.items()) / len(w.keys() | g.keys()) if w or g else -1.0

    same_tool = [
        (unlike(i, j), i, j)
        for i, w in enumerate(label)
        for j, g in enumerate(prediction)
        if w.name == g.name
    ]
    for _, i, j in sorted(same_tool):
        if i not in partner and j in free:
            partner[i] = j
            del free[j]
    for i in range(len(label)):
        if i not in partner and free:
            partner[i] = next(iter(free))
            del free[partner[i]]
    pairs = [(want, prediction[partner[i]] if i in partner else None) for i, want in enumerate(label)]
    return [*pairs, *((None, prediction[j]) for j in free)]


def _argument_faults(want: ToolCall, got: ToolCall, tool: Tool | None) -> list[Fault]:
    faults: list[Fault] = []
    for key, value in want.arguments.items():
        if key not in got.arguments:
            faults.append(Fault(kind="missing_parameter", tool=want.name, parameter=key, expected=value))
        elif canonical(value) != canonical(got.arguments[key]):
            other = got.arguments[key]
            kind: FaultKind = "wrong_value" if json_type(value) == json_type(other) else "wrong_type"
            faults.append(Fault(kind=kind, tool=want.name, parameter=key, expected=value, got=other))
    for key, value in got.arguments.items():
        if key not in want.arguments:
            exists = tool is None or key in tool.properties
            kind = "redundant_parameter" if exists else "hallucinated_parameter"
            faults.append(Fault(kind=kind, tool=want.name, parameter=key, got=value))
    return faults


def json_type(value: Any) -> str:
    """JSON Schema's name of a value's type.

    Integers and floats are both `number`.
    """
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "boolean"
    if isinstance(value, int | float):
        return "number"
    return "string" if isinstance(value, str) else "object" if isinstance(value, dict) else "array"
