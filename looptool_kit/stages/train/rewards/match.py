"""The reward `match`: 1 for an answer that is exactly right, else 0 (LoopTool, section 3.2)."""

from __future__ import annotations

from looptool_kit.core.grading import grade
from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import Answer


def reward(answer: Answer, sample: Sample) -> float:
    """1.0 for an answer that matches the label, else 0.0.

    A plain reply matches where it says what the label wants.
    """
    return float(grade(answer, sample.label, sample.tools).correct)
