"""Compare two answers: each difference is one piece of evidence.

Each piece has support for either side. The kinds of difference stand in `_calls`, `_arguments` and
`_replies`, how much each counts in `_weights`.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence

from looptool_kit.core.records import Evidence
from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import match
from looptool_kit.stages.verify._answers import Side
from looptool_kit.stages.verify._calls import calls_evidence, evidence, swapped
from looptool_kit.stages.verify._replies import call_or_reply, replies_evidence
from looptool_kit.stages.verify._weights import EVEN, LIKELIHOOD
from looptool_kit.text.passages import Dialogue


def weigh(sample: Sample, dialogue: Dialogue, label: Side, prediction: Side) -> Iterator[Evidence | None]:
    """Yield evidence on each difference; None where it says nothing.

    Args:
        sample: Whose label it is.
        said: Its dialogue.
        label: The label as an answer.
        prediction: The policy's answer.
    """
    if label.errors or prediction.errors:
        sides = ("label", label), ("prediction", prediction)
        words = "; ".join(f"{who}: {side.errors[0]}" for who, side in sides if side.errors)
        yield evidence("schema", (float(not label.errors), float(not prediction.errors)), words)
    a, b = label.answer, prediction.answer
    if a.error or b.error or (a.calls and match(a, b)):
        return
    if not a.calls and not b.calls:
        yield replies_evidence(sample, a.text, b.text)
    elif not a.calls:
        yield swapped(call_or_reply(sample, dialogue, prediction, a.text))
    elif not b.calls:
        yield call_or_reply(sample, dialogue, label, b.text)
    else:
        yield from calls_evidence(sample, dialogue, label, prediction)


def likelihood(label: Sequence[float] | None, prediction: Sequence[float] | None) -> Evidence | None:
    """Which answer the policy finds likelier; None where one is unknown.

    Args:
        label: Natural-log probabilities of the label, one a token.
        prediction: The same of the prediction.
    """
    if not label or not prediction:
        return None
    means = sum(label) / len(label), sum(prediction) / len(prediction)
    lean = LIKELIHOOD * math.tanh(means[1] - means[0]) / 2
    words = f"mean log-probability {means[0]:.2f} for the label, {means[1]:.2f} for the prediction"
    return evidence("likelihood", (EVEN - lean, EVEN + lean), words)
