"""What TryView reads from a dialogue: its first request, an answer, and what the rules say against it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from looptool_kit.checks.rules import check_sample
from looptool_kit.core.errors import RunError
from looptool_kit.core.preview import show_call
from looptool_kit.core.records import Probe
from looptool_kit.core.samples import Label, Sample, ToolCall
from looptool_kit.policy.adapters import CONFIG
from looptool_kit.policy.engines import Completion
from looptool_kit.policy.policy import policy_of
from looptool_kit.run.folder import Run
from looptool_kit.run.tried import tried
from looptool_kit.widgets.detail import detail

Function = Callable[..., Any]
STUCK = (
    "It cannot be executed, as a call breaks its tool's schema: keep the right answer (“keep or correct …”),"
    " and the dialogue continues from that, or begin a new dialogue."
)
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


def answer_card(asked: Sample, answer: Probe) -> dict[str, Any]:
    """An answer as the label of what was asked, for the page.

    Args:
        asked: With the answer's calls or reply as its label.
        answer: Its text stands where it cannot be read.
    """
    card = detail(asked)
    reply = "" if answer.answer.calls else answer.answer.text or answer.text
    return card | {
        "label": {"calls": card["label"]["calls"], "reply": reply},
        "tokens": [list(pair) for pair in zip(answer.tokens, answer.logprobs, strict=False)],
        "perplexity": answer.perplexity,
    }


def tried_here(run: Run) -> dict[str, Sample]:
    """Samples that were kept, by id.

    None where somebody wrote another thing into their file.
    """
    try:
        return dict(tried(run).by_id())
    except ValueError:
        return {}


def tried_rows(run: Run) -> list[list[str]]:
    """Id, last request and label of kept samples, newest first."""
    return [[s.id, s.request, said_by(s.label)] for s in reversed(tried_here(run).values())]


def said_by(label: Label) -> str:
    """A label in one line."""
    return ", ".join(map(show_call, label.calls)) or label.reply


def rivals(run: Run, made: Sample) -> str:
    """Name kept samples of the same dialogue with another label."""
    same = (made.messages, made.tools)
    others = [s.id for s in tried_here(run).values() if (s.messages, s.tools) == same and s.id != made.id]
    if not others:
        return ""
    return f" Sample {', '.join(others)} answers the same otherwise: take back below what is wrong."


def is_lost(run: Run, iteration: int) -> bool:
    """Tell whether a policy's weights are not there.

    Whatever else is wrong with it is said when it is asked.
    """
    try:
        return not (Path(policy_of(run, iteration).adapter or "") / CONFIG).exists()
    except RunError:
        return False
