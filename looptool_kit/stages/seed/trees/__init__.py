"""The source `trees`: tools and dialogues written by a language model.

It writes them along two trees (LoopTool, section 3.1).
"""

from __future__ import annotations

from looptool_kit.core.records import Truths
from looptool_kit.core.samples import Samples
from looptool_kit.run.folder import Run
from looptool_kit.stages.seed._draw import Reject, Seeded

SETTINGS = ("synthesis", "generator_llm", "judge_llm", "targets.mask_errors", "check")


def draw(run: Run, count: int, have: Samples | None, reject: Reject) -> Seeded:
    """Draw seed data that `generator_llm` writes and `judge_llm` checks.

    No errors are planted.
    """
    from looptool_kit.stages.seed.trees.synthesis import synthesise

    return *synthesise(run, pool=have), Samples(), Truths()
