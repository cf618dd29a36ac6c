"""The `labels` judge: takes every label as it is, so that each disagreement is PRED_WRONG, as in LoopTool's
ablation without JGLV (section 3.4).
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from looptool_kit.config import Settings
from looptool_kit.core.records import Verdict
from looptool_kit.core.samples import Sample
from looptool_kit.core.toolcalls import Answer


def judge_batch(
    samples: Sequence[Sample], predictions: Sequence[Answer], settings: Settings, store: Path
) -> tuple[list[Verdict], dict[str, Any]]:
    """PRED_WRONG for every sample; nobody is asked, so there is nothing to keep in `store`, and no facts."""
    said: dict[str, Any] = {
        "status": "judged",
        "verdict": "PRED_WRONG",
        "rationale": "The label is taken as it is.",
        "judge": "labels",
    }
    return [Verdict(sample_id=s.id, iteration=s.iteration, label=s.label, **said) for s in samples], {}
