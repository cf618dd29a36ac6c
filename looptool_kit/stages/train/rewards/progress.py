"""The reward `progress`: the share of the label's calls that are made right.

EnvTuning (arXiv 2510.10197) pays for the steps of a task that are done; this is its reward within one
assistant turn, behind the gate of `gated`. Gate and formula are ours: the calls that are equal, divided by
those of label or answer, whichever are more, so that calls beside the right ones do not come for nothing.
With one call it is `match`.
"""

from __future__ import annotations

from collections import Counter

from looptool_kit.core.grading import grade
from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import Answer, canonical_calls
from looptool_kit.stages.train.rewards.gated import passes_gate


def reward(answer: Answer, sample: Sample) -> float:
    """Reward an answer from 0 to 1.

    1 for an answer that is exactly right, and for no other.
    """
    if grade(answer, sample.label, sample.tools).correct:
        return 1.0
    if not passes_gate(answer, sample) or not answer.calls or not sample.label.calls:
        return 0.0
    wanted, made = Counter(canonical_calls(sample.label.calls)), Counter(canonical_calls(answer.calls))
    return (wanted & made).total() / max(wanted.total(), made.total())
