"""The `labels` judge.

Takes every label as it is, so that each disagreement is PRED_WRONG.

As in LoopTool's ablation without JGLV (section 3.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from looptool_kit.core.records import Verdict
from looptool_kit.stages.verify import Case, Context


def judge(cases: Sequence[Case], context: Context) -> list[Verdict]:
    """PRED_WRONG for every case; nothing is asked or computed."""
    judged: dict[str, Any] = {
        "status": "judged",
        "verdict": "PRED_WRONG",
        "rationale": "The label is taken as it is.",
        "judge": "labels",
    }
    samples = [case.sample for case in cases]
    return [Verdict(sample_id=s.id, iteration=s.iteration, label=s.label, **judged) for s in samples]
