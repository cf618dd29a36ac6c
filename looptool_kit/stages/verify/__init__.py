"""Judges compare failed predictions with labels (JGLV, LoopTool section 3.4).

A judge is a module of this package with one function

    judge(cases, context) -> list[Verdict]

which returns one `Verdict` for each `Case`: one of the four verdicts with its reasons, or status "unjudged"
where it cannot tell. Where judging itself failed, the row is unjudged and names no judge: a failure is never
a verdict, and the row can be judged later. A judge that looks at one case at a time is
`judge = each(judge_one)`.

Where settings of the run decide the verdicts, the module has `decided_by(settings)`, which returns their
names: when one of them changes, the verdicts are made again.

Where a judge is weighed by how it does on known errors, the module has `measure(known, context)`, which
returns verdicts and merits (`Measured`). `judge-check` calls it in place of `judge` and keeps the merits in
the card, from where `judge` gets them as `context.merits`; new merits make the verdicts again.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, Protocol, cast

from looptool_kit.config import Settings
from looptool_kit.core.records import Verdict, VerdictName
from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import Answer
from looptool_kit.stages._find import find

Logprobs = Sequence[float] | None
"""Natural-log probabilities of an answer's tokens under the policy; None where there is no policy."""


class Case(NamedTuple):
    """A failed sample with what the policy answered."""

    sample: Sample
    """Tools, context and label."""
    prediction: Answer
    prediction_logprobs: Logprobs = None


def _untold() -> None:
    """What is called where nobody follows how far a judge is."""


class Context(NamedTuple):
    """What a judge is given beside its cases."""

    settings: Settings
    store: Path
    """File of the paid answers, for `llm.client.complete`."""
    label_logprobs: Callable[[], Sequence[Logprobs]]
    """The log-probabilities of each case's label, in the order of the cases. The first call computes them,
    which takes longer than most judges do: a judge that needs none does not call it.
    """
    facts: dict[str, Any]
    """Filled by the judge; kept with the verdicts (calls, cost)."""
    merits: Mapping[str, Any] = {}
    """What `measure` found; empty where it never ran."""
    judged: Callable[[], object] = _untold
    """Called after each case by judges that `each` made, for whoever shows how far they are."""


class Known(NamedTuple):
    """A case whose right verdict is known."""

    case: Case
    expected: VerdictName
    group: str
    """The sample that it was made from: cases of one sample are alike."""


class Measured(NamedTuple):
    """What `measure` returns."""

    verdicts: list[Verdict]
    """Each by merits that do not know the case's sample."""
    merits: dict[str, Any]


class Judge(Protocol):
    """Compares predictions with the labels of their samples."""

    def __call__(self, cases: Sequence[Case], context: Context) -> list[Verdict]: ...


class JudgeOne(Protocol):
    """Compares one prediction with the label of its sample."""

    def __call__(
        self,
        sample: Sample,
        prediction: Answer,
        *,
        label_logprobs: Logprobs = None,
        prediction_logprobs: Logprobs = None,
    ) -> Verdict: ...


def each(judge_one: JudgeOne) -> Judge:
    """Make a judge of a function of one case.

    A case on which it raises stays unjudged, with the error.
    """

    def judge(cases: Sequence[Case], context: Context) -> list[Verdict]:
        verdicts = []
        for case, logprobs in zip(cases, context.label_logprobs(), strict=True):
            verdicts.append(_judged(judge_one, case, logprobs))
            context.judged()
        return verdicts

    return judge


def _judged(judge_one: JudgeOne, case: Case, label_logprobs: Logprobs) -> Verdict:
    sample, prediction, logprobs = case
    try:
        return judge_one(sample, prediction, label_logprobs=label_logprobs, prediction_logprobs=logprobs)
    except Exception as error:  # noqa: BLE001 - whatever a judge raises costs one row, not the stage
        reason = f"the judge failed: {type(error).__name__}: {error}"
        return Verdict(sample_id=sample.id, iteration=sample.iteration, status="unjudged", rationale=reason)


def find_judge(name: str) -> Judge:
    """Import the judge of that name.

    Raises:
        ValueError: There is none; the message lists those there are.
    """
    return cast(Judge, find(__name__, name).judge)


def find_measure(name: str) -> Callable[[Sequence[Known], Context], Measured] | None:
    """The judge's `measure`; None where it has none."""
    module: Any = find(__name__, name)
    return getattr(module, "measure", None)


def merits_of(checks: Path, judge: str) -> dict[str, Any]:
    """The merits in the judge's card, empty where there is none.

    Args:
        checks: Folder where `judge-check` keeps its cards.

    Raises:
        ValueError: The card cannot be read.
    """
    if find_measure(judge) is None:
        return {}
    card = next((c for n in (judge, f"{judge}-policy") if (c := checks / n / "card.json").is_file()), None)
    try:
        return dict(json.loads(card.read_text(encoding="utf-8"))["merits"]) if card else {}
    except (ValueError, KeyError, TypeError) as error:
        raise ValueError(
            f"{card} holds no merits of the judge ({type(error).__name__}: {error}): run `looptool"
            f" judge-check {checks.parent} --judge {judge}` again"
        ) from None


def decided_by(settings: Settings) -> Sequence[str]:
    """Settings that decide the verdicts of the run's judge, beside its name."""
    module: Any = find(__name__, settings.verify.judge)
    return cast(Sequence[str], module.decided_by(settings)) if hasattr(module, "decided_by") else ()
