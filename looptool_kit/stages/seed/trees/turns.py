"""Assistant turns of simulated dialogues, as samples and as rows."""

from __future__ import annotations

import json
from collections.abc import Sequence
from datetime import date
from typing import Any, Literal, NamedTuple

from looptool_kit.checks import contamination
from looptool_kit.checks.experts import label_checks
from looptool_kit.checks.tool_errors import error_behind
from looptool_kit.core.grading import json_type
from looptool_kit.core.records import Check
from looptool_kit.core.samples import Frozen, Label, Message, Sample, Tool
from looptool_kit.core.tables import Table
from looptool_kit.core.toolcalls import Answer
from looptool_kit.stages.seed.trees.agents import Agents, Plan

STRATEGY = "seeders.dialogue"


class Job(NamedTuple):
    """A dialogue to simulate."""

    number: int
    tools: tuple[Tool, ...]
    kind: str
    split: str
    today: date
    level: str = ""
    """harder, simpler, or neither."""


class Turn(Frozen):
    """An assistant turn of a simulated dialogue, and its outcome.

    `kind` is empty for a dialogue that ended before or between such turns.
    """

    dialogue: int
    turn: int
    """Messages before it."""
    kind: str
    votes: tuple[str, ...] = ()
    """The answers that were sampled, as text; of unusable ones the reason."""
    outcome: Literal["accepted", "masked", "rejected", "ended"]
    reason: str = ""
    sample_id: str = ""
    reflected: str = ""
    """The fault that the assistant was shown before it answered again; empty where it was not."""


class Turns(Table[Turn]):
    """A row for each assistant turn and each dialogue's end."""

    row_type = Turn


class Step(NamedTuple):
    sample: Sample
    votes: tuple[str, ...]
    agreed: bool
    fault: str
    reflected: str = ""


class Dialogue:
    """A dialogue under way."""

    def __init__(self, job: Job) -> None:
        self.job = job
        self.plan: Plan | None = None
        self.messages: list[Message] = [Message(role="system", content=f"Today is {job.today:%A, %Y-%m-%d}.")]
        self.steps: list[Step] = []
        self.user_turns = 0
        self.in_a_row = 0
        self.over = ""

    @property
    def waits_for(self) -> str:
        """Whose turn it is: user, assistant, tool, or nobody's (empty)."""
        last = self.messages[-1]
        return (
            ""
            if self.over
            else "tool"
            if last.tool_calls
            else "assistant"
            if last.role in ("user", "tool")
            else "user"
        )


def sample_of(d: Dialogue, answer: Answer, same: Sequence[Answer]) -> Sample:
    """An assistant turn as a sample."""
    question = not answer.calls and d.job.kind == "ask" and not d.steps and all("?" in a.text for a in same)
    mentions = () if answer.calls or question else _told(d.messages, same)
    label = Label(calls=answer.calls, reply=answer.text, asks=question, mentions=mentions)
    after_result = d.messages[-1].role == "tool"
    if answer.calls:
        kind = (
            "multi_step"
            if after_result
            else "multi_turn"
            if d.user_turns > 1
            else "parallel"
            if len(answer.calls) > 1
            else "single"
        )
    else:
        kind = (
            "ask"
            if question
            else "finish"
            if after_result
            else "decline"
            if d.job.kind == "decline"
            else "reply"
        )
    return Sample(
        tools=d.job.tools,
        messages=tuple(d.messages),
        label=label,
        kind=kind,
        split=d.job.split,
        source="trees",
        strategy=STRATEGY,
        meta={"dialogue": d.job.number, "turn": len(d.messages), "planned": d.job.kind},
    )


def _told(messages: Sequence[Message], same: Sequence[Answer]) -> tuple[tuple[str, ...], ...]:
    """What a right reply has to say: at most four values.

    They are those of the newest tool results that all agreeing replies mention.
    """
    newest: list[str] = []
    for m in reversed(messages):
        if m.role != "tool":
            break
        newest[:0] = _leaves(json.loads(m.content))
    values = [v for v in dict.fromkeys(newest) if all(v.casefold() in a.text.casefold() for a in same)]
    return tuple((v,) for v in values[:4])


def _leaves(value: Any) -> list[str]:
    if isinstance(value, dict):
        return [leaf for v in value.values() for leaf in _leaves(v)]
    if isinstance(value, list):
        return [leaf for v in value for leaf in _leaves(v)]
    text = value.strip() if isinstance(value, str) else str(value) if json_type(value) == "number" else ""
    return [text] if len(text) > 1 else []


def verify(
    dialogues: Sequence[Dialogue],
    agents: Agents,
    fingerprints: contamination.Fingerprints | None,
    mask_errors: bool = True,
) -> tuple[list[Sample], Turns]:
    """Judge every turn that kept the rules.

    A turn that fails takes those after it along. With `mask_errors` one whose call led to an error result is
    neither judged nor a sample, and those after it teach how to recover.
    """
    errors = [
        [error_behind(d.messages, len(s.sample.messages)) if mask_errors else "" for s in d.steps]
        for d in dialogues
    ]
    asked = [
        step.sample
        for d, failed in zip(dialogues, errors, strict=True)
        for step, error in zip(d.steps, failed, strict=True)
        if not step.fault and not error
    ]
    verdicts = iter(
        label_checks(asked, agents.judge, agents.store, "judge turns", agents.most, agents.experts)
    )
    samples: list[Sample] = []
    rows: list[Turn] = []
    for d, failed in zip(dialogues, errors, strict=True):
        broken = ""
        for step, error in zip(d.steps, failed, strict=True):
            judged = () if step.fault or error else next(verdicts)
            fault = broken or step.fault or _verdict_fault(judged)
            guard = (
                contamination.check_sample(step.sample, fingerprints) if fingerprints and not fault else None
            )
            fault = fault or (f"contamination: {guard.detail}" if guard and not guard.passed else "")
            if fault and not broken:
                broken = f"follows turn {len(step.sample.messages)}, which failed"
            why = f"the call led to {error}" if error else "" if step.agreed else "no two answers agree"
            masked = not fault and bool(why)
            rows.append(
                Turn(
                    dialogue=d.job.number,
                    turn=len(step.sample.messages),
                    kind=step.sample.kind,
                    votes=step.votes,
                    outcome="rejected" if fault else "masked" if masked else "accepted",
                    reason=fault or why,
                    sample_id=step.sample.id,
                    reflected=step.reflected,
                )
            )
            if not fault and not masked:
                samples.append(step.sample)
        rows.append(
            Turn(dialogue=d.job.number, turn=len(d.messages), kind="", outcome="ended", reason=d.over)
        )
    return samples, Turns(rows)


def _verdict_fault(checks: Sequence[Check]) -> str:
    return next((f"{c.name}: {c.detail}" for c in checks if not c.passed), "")
