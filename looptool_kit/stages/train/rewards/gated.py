"""The reward `gated`: nothing without the right form, else how much is right (InfTool, arXiv 2512.23611).

InfTool gates a correctness reward by the format; it publishes neither its parts nor their weights, so both
are ours. The gate: the answer parses and was not cut, its tools are on offer, its arguments satisfy their
schemas. Behind it the mean over the pairs of calls that `align` makes, of three shares.
"""

from __future__ import annotations

from looptool_kit.checks.rules import call_errors
from looptool_kit.core.grading import grade
from looptool_kit.core.samples import Sample, ToolCall
from looptool_kit.core.toolcalls import Answer, canonical
from looptool_kit.stages.train.rewards import pairs

NAME, PARAMETERS, VALUES = 0.2, 0.3, 0.5
"""Weights: the tool is right; F1 of the parameters' names; share of the label's arguments that are equal."""


def reward(answer: Answer, sample: Sample) -> float:
    """Reward an answer from 0 to 1.

    1 for an answer that is exactly right, and for no other. A plain reply earns 1 or 0. So does an answer
    whose label breaks the schema of its tool.
    """
    if grade(answer, sample.label, sample.tools).correct:
        return 1.0
    if not passes_gate(answer, sample) or not answer.calls or not sample.label.calls:
        return 0.0
    scores = [_pair(want, got) for want, got in pairs(answer, sample)]
    return sum(scores) / len(scores)


def passes_gate(answer: Answer, sample: Sample) -> bool:
    """Tell whether an answer can be read and its calls made."""
    return not answer.error and not any(call_errors(c, sample.tools) for c in answer.calls)


def _pair(want: ToolCall | None, got: ToolCall | None) -> float:
    if want is None or got is None or want.name != got.name:
        return 0.0
    wanted, given = want.arguments, got.arguments
    both = wanted.keys() & given.keys()
    f1 = 2 * len(both) / (len(wanted) + len(given)) if wanted or given else 1.0
    equal = sum(canonical(wanted[k]) == canonical(given[k]) for k in both)
    return NAME + PARAMETERS * f1 + VALUES * (equal / len(wanted) if wanted else 1.0)
