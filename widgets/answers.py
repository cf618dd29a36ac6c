"""What TryView reads from a dialogue: its first request, an answer, and what the rules say against it."""

from __future__ import annotations

from looptool_kit.checks.rules import check_sample
from looptool_kit.core.records import Probe
from looptool_kit.core.samples import Sample
from looptool_kit.policy.engines import Completion

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
