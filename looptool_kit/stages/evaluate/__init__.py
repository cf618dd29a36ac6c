"""Suites: what a policy is evaluated on. `held_out.py` holds the run's own held-out splits; the others are
benchmarks, found by name.

A benchmark is a module of this package, named in `NAMES`, with

    evaluate(run, policy, categories=None, per_category=None) -> Scores     done once for each policy and choice, resumed where it stopped
    print_scores(scores, policy)                                            figures with intervals, on the terminal
    failures(run, policy) -> (Probes, Samples)                              what failed, for the views: ProbeView(*failures(run, policy))

and, where it needs something that is not installed with this package, `setup() -> Path`, which fetches it
once. A benchmark whose figures are best read beside those of the run's other policies has `print_run(run,
policy)`, which `looptool evaluate` then calls instead of `print_scores`.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, cast

from looptool_kit.core.records import Probes, Scores
from looptool_kit.core.samples import Samples
from looptool_kit.policy.policy import Policy
from looptool_kit.run.folder import Run

NAMES = ("bfcl", "acebench", "robustness")
"""The benchmarks on offer."""


class Suite(Protocol):
    """A benchmark that a policy is scored on."""

    def evaluate(
        self, run: Run, policy: Policy, categories: list[str] | None = None, per_category: int | None = None
    ) -> Scores: ...

    def print_scores(self, scores: Scores, policy: str) -> None: ...

    def failures(self, run: Run, policy: Policy) -> tuple[Probes, Samples]: ...


def find_suite(name: str) -> Suite:
    """The benchmark of that name; ValueError naming those there are."""
    return cast(Suite, _module(name))


def setup(name: str) -> Path | None:
    """Fetch what a benchmark needs, once: where it lies, None where it needs nothing."""
    module = _module(name)
    return cast(Path, module.setup()) if hasattr(module, "setup") else None


def _module(name: str) -> Any:
    if name not in NAMES:
        raise ValueError(f"there is no suite {name!r}; choose one of held_out, {', '.join(NAMES)}")
    return import_module(f"{__name__}.{name}")
