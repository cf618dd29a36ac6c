"""The reward of GRPO, for the trainers `trl` and `unsloth` and for verl.

`reward` decides what a completion earns; to train by another reward, change that function. verl loads this
file by its path and calls `compute_score` (docs/verl.md):

    reward.custom_reward_function.path=/path/to/looptool_kit/stages/train/reward.py

It needs this package in verl's environment, without the packages of training.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from looptool_kit.core.grading import grade
from looptool_kit.core.records import Rollout, Rollouts
from looptool_kit.core.samples import Label, Sample, Tool
from looptool_kit.core.toolcalls import Answer, parse


class Reward(NamedTuple):
    """What a completion earns."""

    value: float
    error: str
    """The kind of the first fault, which the rollouts' tables keep; empty where there is none."""


def reward(answer: Answer, label: Label, tools: Sequence[Tool] = ()) -> Reward:
    """1.0 for an answer that matches the label, else 0.0 (LoopTool, section 3.2).

    A plain reply matches where it says what the label wants. `tools` only make the fault's kind more exact.
    """
    graded = grade(answer, label, tools)
    return Reward(float(graded.correct), graded.error)


def tool_match(samples: Sequence[Sample], folder: Path, ends: Collection[int] = ()) -> Callable[..., Any]:
    """TRL's reward function over `samples`; it keeps each step's rollouts in `folder`.

    Args:
        samples: What the column `row` of the training data points to. Two samples may have the same prompt
            and different labels, so the prompt does not identify them.
        folder: Gets `rollouts/step-NNNN.parquet`.
        ends: Tokens that end an answer. A completion without one of them was cut and earns nothing. Not used
            where a rollout function says how each completion ended (`finish`).
    """

    def tool_match(
        completions: Sequence[str],
        completion_ids: Sequence[Sequence[int]],
        row: Sequence[int],
        trainer_state: Any,
        finish: Sequence[str] | None = None,
        **_: Any,
    ) -> list[float]:
        if finish is None:
            finish = ["stop" if len(ids) and ids[-1] in ends else "length" for ids in completion_ids]
        step = trainer_state.global_step + 1
        rows = []
        for at, text, how in zip(row, completions, finish, strict=True):
            sample = samples[at]
            earned = reward(parse(text, how), sample.label, sample.tools)
            facts = {"text": text, "finish_reason": how, "reward": earned.value, "error": earned.error}
            rows.append(Rollout(step=step, sample_id=sample.id, **facts))
        Rollouts(rows).write(folder / "rollouts" / f"step-{step:04d}.parquet")
        return [r.reward for r in rows]

    return tool_match


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: dict[str, Any] | None = None, **_: Any
) -> dict[str, float]:
    """The reward of one completion, as verl asks for it.

    verl does not say whether a completion was cut at the length limit: a cut call does not parse, a cut plain
    reply counts by what it says.

    Args:
        data_source: Not used: all rows have one reward.
        solution_str: The decoded completion without special tokens.
        ground_truth: The label as JSON.
        extra_info: Not used.

    Returns:
        `score`, the reward; `acc`, the same for validation metrics; `parsed`, 1.0 where the completion could
        be read at all.
    """
    answer = parse(solution_str)
    earned = reward(answer, Label.model_validate_json(ground_truth)).value
    return {"score": earned, "acc": earned, "parsed": float(answer.error is None)}
