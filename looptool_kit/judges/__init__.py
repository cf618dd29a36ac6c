"""Judges: who compares a failed prediction with the label (JGLV, LoopTool section 3.4).

A judge is a module of this package with one function

    judge(sample, prediction, *, label_logprobs=None, prediction_logprobs=None) -> Verdict

`sample` holds tools, context and label; `prediction` is the policy's parsed answer; the log-probabilities are the policy's own, one for each token of
either answer, where the caller has them. It returns a `Verdict`: one of the four verdicts with its reasons, or status "unjudged" where it cannot
tell. A judge that failed raises, and the row stays unjudged: a failure is never a verdict.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pkgutil import iter_modules
from typing import Protocol, cast

from looptool_kit.records import Verdict
from looptool_kit.samples import Sample
from looptool_kit.toolcalls import Answer


class Judge(Protocol):
    """Compares a prediction with the label of a sample."""

    def __call__(
        self, sample: Sample, prediction: Answer, *, label_logprobs: Sequence[float] | None = None, prediction_logprobs: Sequence[float] | None = None
    ) -> Verdict: ...


def names() -> list[str]:
    """The judges on offer."""
    return sorted(m.name for m in iter_modules(__path__) if not m.name.startswith("_"))


def find_judge(name: str) -> Judge:
    """The judge of that name; ValueError naming those there are."""
    if name not in names():
        raise ValueError(f"there is no judge {name!r}; choose one of {', '.join(names())}")
    return cast(Judge, import_module(f"{__name__}.{name}").judge)
