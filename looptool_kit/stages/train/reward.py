"""The reward of GRPO, for the trainers `trl` and `unsloth` and for verl.

What a completion earns is decided by a file of `rewards/`, chosen by the setting `reward.name`. verl loads
this file by its path and calls `compute_score` (docs/verl.md):

    reward.custom_reward_function.path=/path/to/looptool_kit/stages/train/reward.py

It needs this package in verl's environment, without the packages of training.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from looptool_kit.core.grading import grade
from looptool_kit.core.records import Rollout, Rollouts
from looptool_kit.core.samples import Label, Sample
from looptool_kit.core.toolcalls import Answer
from looptool_kit.core.wire.form import PROJECTS, WireForm
from looptool_kit.policy.wire import form_of
from looptool_kit.stages.train.rewards import find_reward

SHARE_CORRECT = "correct"
"""The column of the history with the share of a step's completions that are right."""

RECOVERIES = "recoveries"
"""How the history's columns about recoveries begin (`fission.py`): groups, reward, correct, waiting, ..."""


class Reward(NamedTuple):
    """What a completion earns."""

    value: float
    error: str
    """The kind of the first fault, which the rollouts' tables keep; empty where there is none."""
    correct: bool = False
    """Whether it is exactly right, whatever the reward is."""


def reward(answer: Answer, sample: Sample, name: str = "match") -> Reward:
    """Return what an answer earns, and whether it is right.

    By the reward of that name (`rewards/`).
    """
    graded = grade(answer, sample.label, sample.tools)
    return Reward(find_reward(name)(answer, sample), graded.error, graded.correct)


def rollouts_file(folder: Path, step: int) -> Path:
    """Return the file of a step's completions in a training folder."""
    return folder / "rollouts" / f"step-{step:04d}.parquet"


def tool_match(
    samples: Sequence[Sample],
    folder: Path,
    ends: Collection[int] = (),
    name: str = "match",
    tokenizer: Any = None,
) -> Callable[..., Any]:
    """TRL's reward function over `samples`; it keeps each step's rollouts in `folder`.

    Args:
        samples: What the column `row` of the training data points to. Two samples may have the same prompt
            and different labels, so the prompt does not identify them.
        folder: Gets `rollouts/step-NNNN.parquet`.
        ends: Tokens that end an answer. A completion without one of them was cut and does not parse. Not used
            where a rollout function says how each completion ended (`finish`).
        name: The reward, by the name of its file in `rewards/`.
        tokenizer: The policy's, whose own form the completions are in; None: the project's.
    """
    form = PROJECTS if tokenizer is None else form_of(tokenizer)

    def tool_match(
        completions: Sequence[str],
        completion_ids: Sequence[Sequence[int]],
        row: Sequence[int],
        trainer_state: Any,
        finish: Sequence[str] | None = None,
        episode: Sequence[float | None] | None = None,
        log_metric: Callable[[str, float], None] | None = None,
        **_: Any,
    ) -> list[float]:
        if finish is None:
            finish = ["stop" if len(ids) and ids[-1] in ends else "length" for ids in completion_ids]
        step = trainer_state.global_step + 1
        if not form.projects:  # TRL's texts are without the special tokens that mark the calls
            completions = texts_of(tokenizer, completion_ids, finish)
        rows = rewarded([samples[at] for at in row], completions, finish, step, name, form)
        if episode is not None:
            rows = Rollouts(map(_played, rows, episode))
        rows.write(rollouts_file(folder, step))
        if log_metric is not None:
            log_metric(SHARE_CORRECT, sum(r.correct for r in rows) / len(rows))
        return [r.reward for r in rows]

    return tool_match


def _played(row: Rollout, earned: float | None) -> Rollout:
    """A rollout with what its episode came to, where it was one."""
    facts = {"reward": earned, "correct": earned == 1.0, "error": ""}
    return row if earned is None else row.model_copy(update=facts)


def texts_of(tokenizer: Any, completion_ids: Sequence[Sequence[int]], finish: Sequence[str]) -> list[str]:
    """The texts of completions, as an engine gives them."""
    from looptool_kit.policy.engines.prompts import decode

    return [
        decode(tokenizer, ids[:-1] if how == "stop" else ids)
        for ids, how in zip(completion_ids, finish, strict=True)
    ]


def rewarded(
    samples: Sequence[Sample],
    texts: Sequence[str],
    finish: Sequence[str],
    step: int,
    name: str,
    form: WireForm = PROJECTS,
) -> Rollouts:
    """Make the rollouts of a step with their rewards.

    They are written in `form`.
    """
    rows = []
    for sample, text, how in zip(samples, texts, finish, strict=True):
        earned = reward(form.parse(text, how, sample.tools), sample, name)
        facts = {"reward": earned.value, "error": earned.error, "correct": earned.correct}
        rows.append(Rollout(step=step, sample_id=sample.id, text=text, finish_reason=how, **facts))
    return Rollouts(rows)


def weigh_groups_without_hit(trainer: Any, folder: Path, group: int, factor: float) -> None:
    """Multiply the advantages of groups without a right completion.

    By `factor` (`reward.no_hit`). Such a group teaches only which wrong answer is the least wrong one.
    Works on TRL's `GRPOTrainer` and Unsloth's; at a factor of 1 the trainer stays as it is.
    """
    if factor == 1.0:
        return
    score = trainer._generate_and_score_completions

    def weighed(inputs: Any) -> Any:
        scored = score(inputs)
        right = [r.correct for r in Rollouts.read(rollouts_file(folder, trainer.state.global_step + 1))]
        hits = [any(right[at : at + group]) for at in range(0, len(right), group)]
        factors = [1.0 if hit else factor for hit in hits for _ in range(group)]
        given = scored["advantages"]  # of rollouts, or of their tokens
        scored["advantages"] = given * given.new_tensor(factors).view(-1, *[1] * (given.dim() - 1))
        return scored

    trainer._generate_and_score_completions = weighed


def compute_score(
    data_source: str,
    solution_str: str,
    ground_truth: str,
    extra_info: Mapping[str, Any] | None = None,
    reward: str = "match",
    **_: Any,
) -> dict[str, float]:
    """The reward of one completion, as verl asks for it.

    verl does not say whether a completion was cut at the length limit: a cut call does not parse, a cut plain
    reply counts by what it says.

    Args:
        data_source: Not used: all rows have one reward.
        solution_str: The decoded completion.
        ground_truth: The label as JSON.
        extra_info: Its `sample` has the tools on offer, which all rewards but `match` need. Its `form` is the
            form that the model writes calls in, where that is not the project's.
        reward: The reward's name, from verl's `reward_kwargs`.

    Returns:
        `score`, the reward; `acc`, 1.0 where the completion is right, for validation metrics; `parsed`, 1.0
        where it could be read at all.

    Raises:
        ValueError: There is no such reward, or the row lacks the sample that it needs.
    """
    label, kept = Label.model_validate_json(ground_truth), (extra_info or {}).get("sample")
    if not kept and reward != "match":
        raise ValueError(
            f"the reward {reward} needs the tools on offer, and the row has no extra_info.sample; write the"
            " file with `looptool export --form verl`"
        )
    sample = Sample.model_validate_json(kept) if kept else Sample(tools=(), messages=(), label=label)
    written = (extra_info or {}).get("form")
    form = WireForm.model_validate_json(written) if written else PROJECTS
    answer = form.parse(solution_str, tools=sample.tools)
    sample = sample.model_copy(update={"label": label})
    graded = grade(answer, label, sample.tools)
    return {
        "score": find_reward(reward)(answer, sample),
        "acc": float(graded.correct),
        "parsed": float(answer.error is None),
    }
