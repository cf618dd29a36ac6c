"""Judges: who compares a failed prediction with the label (JGLV, LoopTool section 3.4).

A judge is a module of this package with one function

    judge(sample, prediction, *, label_logprobs=None, prediction_logprobs=None) -> Verdict

`sample` holds tools, context and label; `prediction` is the policy's parsed answer; the log-probabilities are
the policy's own, one for each token of either answer, where the caller has them. It returns a `Verdict`: one
of the four verdicts with its reasons, or status "unjudged" where it cannot tell. A judge that failed raises,
and the row stays unjudged: a failure is never a verdict.

A judge that wants many samples at once (a language model, of which 64 answers are awaited at a time) has
instead

    judge_batch(samples, predictions, settings, store) -> (verdicts, facts)

with one prediction and one verdict a sample, the run's settings, the store of its paid calls, and facts to be
kept with the verdicts. A row on which it failed is unjudged and names no judge.

Where settings of the run decide what it says, it has `decided_by(settings)`, their names: when one of them
changes, the verdicts are made again.
"""

from __future__ import annotations

from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from pkgutil import iter_modules
from typing import Any, Protocol, cast

from looptool_kit.config import Settings
from looptool_kit.core.records import Verdict
from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import Answer


class Judge(Protocol):
    """Compares a prediction with the label of a sample."""

    def __call__(
        self,
        sample: Sample,
        prediction: Answer,
        *,
        label_logprobs: Sequence[float] | None = None,
        prediction_logprobs: Sequence[float] | None = None,
    ) -> Verdict: ...


class BatchJudge(Protocol):
    """Compares many predictions with the labels of their samples."""

    def __call__(
        self, samples: Sequence[Sample], predictions: Sequence[Answer], settings: Settings, store: Path
    ) -> tuple[list[Verdict], dict[str, Any]]: ...


def names() -> list[str]:
    """The judges on offer."""
    return sorted(m.name for m in iter_modules(__path__) if not m.name.startswith("_"))


def find_judge(name: str) -> Judge:
    """The judge of that name; ValueError naming those there are, or where it judges in batches only."""
    if find_batch_judge(name):
        raise ValueError(f"the judge {name!r} judges many samples at once: see find_batch_judge")
    return cast(Judge, _module(name).judge)


def find_batch_judge(name: str) -> BatchJudge | None:
    """The judge of that name where it judges in batches, else None; ValueError naming those there are."""
    return cast(BatchJudge | None, getattr(_module(name), "judge_batch", None))


def decided_by(settings: Settings) -> Sequence[str]:
    """Names of the settings that decide the verdicts of the run's judge, beside its name."""
    module = _module(settings.verify.judge)
    return cast(Sequence[str], module.decided_by(settings)) if hasattr(module, "decided_by") else ()


def _module(name: str) -> Any:
    if name not in names():
        raise ValueError(f"there is no judge {name!r}; choose one of {', '.join(names())}")
    return import_module(f"{__name__}.{name}")
