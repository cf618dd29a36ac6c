"""The reward of verl's trainers on files written by `looptool export --form verl`: the project's one matcher,
as GRPO uses it here.

    reward.custom_reward_function.path=/path/to/looptool_kit/verl_reward.py        # its name, compute_score, is verl's default

`docs/verl.md` describes the whole path. Needs this package importable in verl's environment, without its
training dependencies.
"""

from __future__ import annotations

from typing import Any

from looptool_kit.core.samples import Label
from looptool_kit.core.toolcalls import grade, parse


def compute_score(
    data_source: str, solution_str: str, ground_truth: str, extra_info: dict[str, Any] | None = None, **_: Any
) -> dict[str, float]:
    """The reward of one completion: `score` 1.0 where it matches the label and a plain reply says what it
    must, else 0.0 (LoopTool, section 3.2).

    `solution_str` is the decoded completion without special tokens, `ground_truth` the label as JSON. `acc`
    repeats the score for validation metrics, `parsed` is 1.0 where the completion could be read at all. verl
    does not tell whether a completion was cut at the length limit: a cut call does not parse, a cut plain
    reply counts by what it says.
    """
    answer = parse(solution_str)
    reward = float(grade(answer, Label.model_validate_json(ground_truth)).correct)
    return {"score": reward, "acc": reward, "parsed": float(answer.error is None)}
