"""What TryView reads from a dialogue: its first request, an answer, and what the rules say against it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from typing import Any

from looptool_kit.checks.rules import check_sample
from looptool_kit.core.records import Probe
from looptool_kit.core.samples import Sample, ToolCall
from looptool_kit.policy.engines import Completion

Function = Callable[..., Any]
MAX_EXAMPLE = 200
"""Characters of the request that is shown as an example."""


def first_request(sample: Sample) -> str:
    """What a user says first in a sample, in one line."""
    said = next((m.content for m in sample.messages if m.role == "user"), "")
    return " ".join(said.split())[:MAX_EXAMPLE]


def read_answer(completion: Completion, asked: Sample, iteration: int) -> Probe:
    """A completion with what is read from it."""
    return Probe(
        sample_id="",
        iteration=iteration,
        text=completion.text,
        finish_reason=completion.finish_reason,
        perplexity=completion.perplexity,
        tokens=completion.tokens,
        logprobs=completion.logprobs,
        match=False,
        correct=False,
        state="failed",
        answer=completion.answer(asked.tools),
    )


def objections(sample: Sample, answer: Probe) -> list[str]:
    """What the rule tier says against an answer."""
    if answer.answer.error:
        return [f"{answer.answer.error}: {answer.answer.detail}"]
    return [f"{check.name}: {check.detail}" for check in check_sample(sample) if not check.passed]


def result_of(call: ToolCall, functions: Mapping[str, Function], in_world: Callable[[ToolCall], Any]) -> str:
    """The result of a call as JSON.

    Args:
        call: Legal by its tool's schema.
        functions: Those of the person, by name; an error of one is a result too.
        in_world: What runs it where there are none.
    """
    if not functions:
        return json.dumps(in_world(call), ensure_ascii=False)
    if call.name not in functions:
        return json.dumps({"error": f"there is no function {call.name} among those given to TryView"})
    try:
        return json.dumps(functions[call.name](**call.arguments), ensure_ascii=False, default=str)
    except Exception as error:  # noqa: BLE001 - a tool's error is what the policy is to see
        return json.dumps({"error": f"{type(error).__name__}: {error}"}, ensure_ascii=False)
