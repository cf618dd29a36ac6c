"""A scenario as the stages of one iteration, each with its work."""

from __future__ import annotations

import math
from typing import Literal, NamedTuple

from looptool_kit.capacity.scenario import Rate, Scenario

Kind = Literal["pull", "gang"]


class Work(NamedTuple):
    """What one stage has to do."""

    stage: str
    kind: Kind
    """`pull`: workers take batches. `gang`: all work on each step together, as a training does."""
    items: int
    """Samples or calls; of a gang steps."""
    seconds: float
    """Of an item on one worker; of a gang a step's on one, which more workers divide."""
    batch: int = 1
    start: float = 0.0
    """Seconds until a worker is ready, again after each interruption."""
    client: float = 0.0
    """Seconds of an item in the one process that hands out the work."""
    retried: float = 0.0
    """Share of the items that are made again."""
    fixed: float = 0.0
    """Seconds of a step that more workers do not shorten."""
    checkpoint: int = 1
    pieces: int = 1
    """Of a gang's step: what can be shared out among workers at all."""
    group: int = 1
    """GPUs of one worker; 0: workers are processor cores, and no GPU is interrupted."""


def stages(plan: Scenario) -> list[Work]:
    """Return the stages of one iteration in their order.

    Each has all machines for itself, as in the loop of one process.
    """
    shares, tokens, batch = plan.shares, plan.tokens, plan.cluster.batch
    start, client = plan.rate("start").value, plan.rate("client").value
    answer = _seconds(plan.rate("answer"), tokens.prompt + tokens.answer)
    seeds = round(plan.samples * shares.error_seeds)
    candidates, failed = seeds * shares.children, round(plan.samples * shares.failed)
    children = round(candidates * shares.accepted)

    def cores(stage: str, items: int, purpose: str) -> Work:
        return Work(stage, "pull", items, plan.rate(purpose).value, batch, group=0)

    def asks(stage: str, items: int, length: int) -> Work:
        seconds = _seconds(plan.rate("judge"), tokens.judge_prompt + length)
        gpus = plan.cluster.judge_gpus
        return Work(stage, "pull", items, seconds / gpus, batch, start, client, shares.retried, group=gpus)

    work = [cores("seed", plan.samples, "generate"), _training(plan)]
    work.append(Work("probe", "pull", plan.samples, answer, batch, start))
    if plan.judged:
        work.append(asks("verify", failed, tokens.verdict))
        work.append(asks("expand", candidates, tokens.candidate))
    work.append(cores("rules", candidates, "rules"))
    if plan.judged:
        # The rules reject before the judge is asked; how many is in `accepted` alone, so all are asked here.
        work.append(asks("check", candidates, tokens.verdict))
    rows = plan.samples + children
    work.append(Work("compose", "pull", rows, 0.0, rows, client=plan.rate("compose").value, group=0))
    work.append(Work("evaluate", "pull", plan.held_out, answer, batch, start))
    return [w for w in work if w.items]


def workers_of(work: Work, plan: Scenario, gpus: int) -> int:
    """Return how many workers a stage has on so many GPUs."""
    return gpus * plan.cluster.cores if work.group == 0 else max(1, gpus // work.group)


def _training(plan: Scenario) -> Work:
    train, tokens = plan.train, plan.tokens
    rows = train.prompts * max(1, train.group)
    if train.group and plan.take.update:
        # A group's prompt is read once, its answers are written one by one.
        written = _seconds(plan.rate("answer"), tokens.prompt / train.group + tokens.answer)
        each = _seconds(plan.rate("update"), tokens.prompt + tokens.answer) + written
    else:
        each = _seconds(plan.rate("grpo" if train.group else "sft"), tokens.prompt + tokens.answer)
    return Work(
        "train",
        "gang",
        math.ceil(plan.samples * train.epochs / train.prompts),
        rows * each,
        start=plan.rate("start").value,
        fixed=train.sync,
        checkpoint=train.checkpoint,
        pieces=rows,
    )


def _seconds(rate: Rate, tokens: float) -> float:
    """Of one sample with so many tokens."""
    return tokens / rate.value if rate.unit.startswith("tokens") else 1 / rate.value
