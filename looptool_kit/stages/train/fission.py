"""Recoveries: a rollout whose calls failed becomes a prompt of the next step.

Fission-GRPO (arXiv 2601.15625). After a step, in groups without a right completion, each different call that
led to an error continues its prompt: the wrong turn, then the error as the tool's message, under the same
label. At the next step the policy answers the newest of these as well, in groups of their own. The wrong turn
is context, so it is not learned.

Fission-GRPO has the error written by a 32B model. Here it is the real one: that of the world's tool where the
sample has one, else what the rules say of the call. A call that is legal but wrong leads to no error, and to
no recovery; so does an answer of which one call went through, since it would be made twice.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from datetime import date
from functools import partial
from pathlib import Path
from random import Random
from typing import Any

from looptool_kit.checks.rules import call_errors
from looptool_kit.checks.tool_errors import is_error
from looptool_kit.config import FissionSettings, GrpoSettings, RewardSettings
from looptool_kit.core.json_text import strict_json
from looptool_kit.core.records import Rollouts
from looptool_kit.core.samples import Message, Sample, Samples, ToolCall
from looptool_kit.core.wire.form import PROJECTS, WireForm
from looptool_kit.policy.wire import form_of
from looptool_kit.stages.train.common import context_of
from looptool_kit.stages.train.reward import RECOVERIES, rewarded, rollouts_file, texts_of
from looptool_kit.world.execute import execute, new_state, remember
from looptool_kit.world.spec import specs

STRATEGY = "fission"
MAX_WAITING = 256
"""Recoveries that wait at the most; of more the oldest are dropped, whose mistakes may be unlearned."""
STABLE = 1e-4
"""Added to a group's deviation, as in TRL's advantages."""
Complete = Callable[[Samples, GrpoSettings, Sequence[str], Any], dict[str, Any]]
"""(samples, settings, rows, trainer) -> completions, as `grpo` has them."""


# --------------------------------------------------------------------- prompts


def recoveries(
    samples: Sequence[Sample], rollouts: Rollouts, group: int, form: WireForm = PROJECTS
) -> list[Sample]:
    """Return the recoveries of a step.

    One for each different failed call of the groups without a hit. `samples` are those of the rollouts,
    row by row; these are written in `form`.
    """
    found: dict[str, Sample] = {}
    for at in range(0, len(rollouts), group):
        of_group = rollouts[at : at + group]
        if any(r.correct for r in of_group):
            continue
        for sample, row in zip(samples[at : at + group], of_group, strict=True):
            if made := recovery(sample, row.text, row.finish_reason, form):
                found[made.id] = made
    return list(found.values())


def recovery(
    sample: Sample, text: str, finish_reason: str = "stop", form: WireForm = PROJECTS
) -> Sample | None:
    """Return the prompt behind a completion whose calls all fail.

    None where it has no calls or one goes through.
    """
    answer = form.parse(text, finish_reason, sample.tools)
    errors = [error_of(call, sample) for call in answer.calls]
    if answer.error or not errors or not all(errors):
        return None
    results = [
        Message(role="tool", name=c.name, content=json.dumps({"error": error}, ensure_ascii=False))
        for c, error in zip(answer.calls, errors, strict=True)
    ]
    wrong = Message(role="assistant", content=answer.text, tool_calls=answer.calls)
    origin = {"parent": sample.id, "source": STRATEGY, "strategy": STRATEGY}
    return sample.model_copy(update={"messages": (*sample.messages, wrong, *results), **origin})


def error_of(call: ToolCall, sample: Sample) -> str:
    """The error that a call leads to; empty where it is legal."""
    spec = specs().get(call.name)
    if spec is not None and sample.tool(call.name) == spec.tool:
        return str(execute(call, _state(sample), Random(0)).get("error", ""))
    return next(iter(call_errors(call, sample.tools)), "")


def _state(sample: Sample) -> dict[str, Any]:
    """The records of a dialogue of the world: what its calls made and list, and what its label refers to."""
    state = new_state(date(2026, 1, 1))  # the day decides what a result holds, and only errors are read
    turns = sample.messages
    for call in sample.label.calls:
        if (spec := specs().get(call.name)) is not None:
            remember(spec, call.arguments, state)
    for call, result in _exchanges(turns):
        spec = specs().get(call.name)
        if spec is None or not isinstance(result, dict) or is_error(json.dumps(result)):
            continue
        remember(spec, call.arguments, state)
        if spec.cancels is not None:
            for key in {v for v in call.arguments.values() if isinstance(v, str)}:
                state["records"].get(spec.cancels.noun, {}).pop(key, None)
        for kind in (spec.makes, spec.lists):
            if kind is not None:
                rows = [result, *(r for v in result.values() if isinstance(v, list) for r in v)]
                keys = {
                    v for row in rows if isinstance(row, dict) for v in row.values() if isinstance(v, str)
                }
                state["records"].setdefault(kind.noun, {}).update({k: {} for k in keys if kind.accepts(k)})
    return state


def _exchanges(turns: Sequence[Message]) -> list[tuple[ToolCall, Any]]:
    """The calls of a dialogue with their results."""
    found: list[tuple[ToolCall, Any]] = []
    waiting: list[ToolCall] = []
    for turn in turns:
        if turn.role != "tool":
            waiting = list(turn.tool_calls)
        elif call := next((c for c in waiting if turn.name in (None, c.name)), None):
            waiting.remove(call)
            try:
                found.append((call, strict_json(turn.content)))
            except ValueError:
                found.append((call, None))
    return found


# -------------------------------------------------------------------- training


def train_recoveries(
    trainer: Any,
    samples: Samples,
    settings: GrpoSettings,
    fission: FissionSettings,
    reward: RewardSettings,
    folder: Path,
    complete: Complete,
) -> None:
    """Let a GRPO trainer take recoveries into each step.

    With `fission.group` 0 it stays as it is. Those that wait after a step stand in
    `folder/recoveries/step-NNNN.parquet`, so that a training that was stopped resumes with them.
    """
    if not fission.group:
        return
    score = trainer._generate_and_score_completions
    own = settings.model_copy(update={"group": fission.group})

    def with_recoveries(inputs: list[dict[str, Any]]) -> dict[str, Any]:
        step = trainer.state.global_step + 1
        before = waiting_file(folder, step - 1)
        waiting = list(Samples.read(before)) if before.exists() else []
        rows = [samples[row["row"]] for row in inputs]
        scored: dict[str, Any] = score(inputs)
        fit, room = _fitting(trainer, waiting, settings.max_new_tokens), settings.prompts // 2
        taken = fit[: -room - 1 : -1]  # the newest first
        logged = trainer._metrics["train"]
        if taken:
            more = _score(trainer, Samples(taken), own, reward, folder, complete)
            rollouts = Rollouts.read(_rollouts_file(folder, step))
            logged[f"{RECOVERIES}/reward"].append(sum(r.reward for r in rollouts) / len(rollouts))
            logged[f"{RECOVERIES}/correct"].append(sum(r.correct for r in rollouts) / len(rollouts))
            prompts, answers = (sum(map(len, more[name])) for name in ("prompt_ids", "completion_ids"))
            logged[f"{RECOVERIES}/tokens"].append(prompts + answers)
            logged[f"{RECOVERIES}/generated"].append(answers)
            scored = joined(scored, more, trainer.processing_class.pad_token_id)
        form = form_of(trainer.processing_class)
        new = recoveries(rows, Rollouts.read(rollouts_file(folder, step)), settings.group, form)
        left = [*fit[: len(fit) - len(taken)], *new]
        dropped = max(0, len(left) - MAX_WAITING)
        left = left[dropped:]
        logged[f"{RECOVERIES}/groups"].append(len(taken))
        logged[f"{RECOVERIES}/waiting"].append(len(left))
        logged[f"{RECOVERIES}/too_long"].append(len(waiting) - len(fit))
        logged[f"{RECOVERIES}/dropped"].append(dropped)
        Samples(left).write(waiting_file(folder, step))
        return scored

    trainer._generate_and_score_completions = with_recoveries


def waiting_file(folder: Path, step: int) -> Path:
    """The recoveries that wait after a step, the oldest first."""
    return folder / "recoveries" / f"step-{step:04d}.parquet"


def _rollouts_file(folder: Path, step: int) -> Path:
    return folder / "rollouts" / f"recoveries-{step:04d}.parquet"


def _fitting(trainer: Any, waiting: Sequence[Sample], new_tokens: int) -> list[Sample]:
    """Those whose prompt leaves room for an answer in the model's context."""
    from looptool_kit.policy.engines.prompts import encode_prompts

    room = context_of(trainer.model) - new_tokens
    prompts = encode_prompts(trainer.processing_class, waiting)
    return [s for s, ids in zip(waiting, prompts, strict=True) if len(ids) <= room]


def _score(
    trainer: Any,
    taken: Samples,
    settings: GrpoSettings,
    reward: RewardSettings,
    folder: Path,
    complete: Complete,
) -> dict[str, Any]:
    """Sample the recoveries, reward them and work out their advantages, as TRL does for a step's prompts."""
    import torch

    group, step = settings.group, trainer.state.global_step + 1
    numbers = [str(i) for i in range(len(taken)) for _ in range(group)]
    made = complete(taken, settings, numbers, trainer)
    tokenizer = trainer.processing_class
    form, ids = form_of(tokenizer), made["completion_ids"]
    texts = (
        tokenizer.batch_decode(ids, skip_special_tokens=True)
        if form.projects
        else texts_of(tokenizer, ids, made["finish"])
    )
    asked = [taken[int(i)] for i in numbers]
    rows = rewarded(asked, texts, made["finish"], step, reward.name, form)
    rows.write(_rollouts_file(folder, step))
    earned = torch.tensor([r.reward for r in rows]).view(-1, group)
    hit = torch.tensor([r.correct for r in rows]).view(-1, group).any(1, keepdim=True)
    advantages = (earned - earned.mean(1, keepdim=True)) / (earned.std(1, keepdim=True) + STABLE)
    advantages = torch.where(hit, advantages, advantages * reward.no_hit)
    trainer.state.num_input_tokens_seen += sum(
        len(ids) for name in ("prompt_ids", "completion_ids") for ids in made[name]
    )
    return {**made, "advantages": advantages.flatten()}


def joined(scored: dict[str, Any], more: dict[str, Any], pad: int) -> dict[str, Any]:
    """Join further rows to a step's tensors.

    Given as lists of token ids and their advantages.
    """
    import torch

    device = scored["completion_ids"].device
    prompts, answers = more["prompt_ids"], more["completion_ids"]
    out = dict(scored)
    for name, rows, fill, left in (
        ("prompt_ids", prompts, pad, True),
        ("prompt_mask", [[1] * len(ids) for ids in prompts], 0, True),
        ("completion_ids", answers, pad, False),
        ("completion_mask", [[1] * len(ids) for ids in answers], 0, False),
        ("sampling_per_token_logps", more["logprobs"], 0.0, False),
    ):
        if name in scored and rows is not None:
            width = max(scored[name].shape[1], max(map(len, rows)))
            filled = partial(_filled, width=width, fill=fill, left=left)
            own = [filled(row) for row in scored[name].tolist()]
            values = own + [filled(row) for row in rows]
            out[name] = torch.tensor(values, dtype=scored[name].dtype, device=device)
    out["advantages"] = torch.cat([scored["advantages"], more["advantages"].to(device)])
    out["num_items_in_batch"] = scored["num_items_in_batch"] + sum(map(len, answers))
    return out


def _filled(row: Sequence[Any], width: int, fill: float, left: bool) -> list[Any]:
    rest = [fill] * (width - len(row))
    return [*rest, *row] if left else [*row, *rest]
