"""Rewards: what a completion of GRPO earns, one file each, chosen by `reward.name`.

A reward is a module of this package with one function

    reward(answer, sample) -> float

`answer` is the parsed completion, `sample.label` what was expected. GRPO divides what a group's completions
earn by its deviation, so only their order and the distances between them count. By convention an answer that
is exactly right (`grade().correct`) earns 1, and no other one does.
"""

from __future__ import annotations

from typing import Protocol, cast

from looptool_kit.core.grading import align
from looptool_kit.core.samples import Sample, ToolCall
from looptool_kit.core.toolcalls import Answer, canonical
from looptool_kit.stages._find import find


class RewardFunction(Protocol):
    """What an answer to a sample earns."""

    def __call__(self, answer: Answer, sample: Sample) -> float: ...


def find_reward(name: str) -> RewardFunction:
    """The reward of that name; `ValueError` that lists those there are."""
    return cast(RewardFunction, find(__name__, name).reward)


def pairs(answer: Answer, sample: Sample) -> list[tuple[ToolCall | None, ToolCall | None]]:
    """Pair the label's calls with the answer's, by `align`.

    Whatever order either is written in.
    """
    return align(_in_order(sample.label.calls), _in_order(answer.calls))


def _in_order(calls: tuple[ToolCall, ...]) -> list[ToolCall]:
    # `align` breaks ties by place, so that the place must not depend on who wrote the calls down.
    return sorted(calls, key=lambda c: canonical([c.name, c.arguments]))
