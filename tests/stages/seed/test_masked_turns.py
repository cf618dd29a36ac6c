"""A simulated turn whose call failed is neither judged nor a sample; the turn after it is."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

import pytest

from looptool_kit.core.records import Check
from looptool_kit.core.samples import Message, Sample, Tool, ToolCall
from looptool_kit.core.toolcalls import Answer
from looptool_kit.stages.seed.trees import turns
from looptool_kit.stages.seed.trees.turns import Dialogue, Job, Step, sample_of, verify

PAY = Tool(
    name="pay", parameters={"type": "object", "properties": {"to": {"type": "string"}}, "required": ["to"]}
)


def talk() -> Dialogue:
    """`pay` fails, is called again, and works."""
    d = Dialogue(Job(0, (PAY,), "single", "train", date(2026, 1, 1)))
    d.messages.append(Message(role="user", content="Pay Ann."))
    for to, result in (("Anne", '{"error": "no contact Anne"}'), ("Ann", '{"paid": true}')):
        call = ToolCall(name="pay", arguments={"to": to})
        answer = Answer(calls=(call,))
        d.steps.append(Step(sample_of(d, answer, [answer]), ("", ""), True, ""))
        d.messages.append(Message(role="assistant", tool_calls=(call,)))
        d.messages.append(Message(role="tool", name="pay", content=result))
    d.over = "the user is done"
    return d


@pytest.mark.parametrize("mask", [True, False])
def test_the_failed_call_is_masked_and_the_recovery_kept(mask: bool, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Sample] = []

    def judged(samples: Sequence[Sample], *_: Any) -> list[list[Check]]:
        asked.extend(samples)
        return [[Check(name="label", passed=True)] for _ in samples]

    monkeypatch.setattr(turns, "label_checks", judged)
    d = talk()

    class Agents:
        judge = store = most = experts = None

    samples, rows = verify([d], Agents(), None, mask)  # type: ignore[arg-type]
    kept = [s.sample for s in d.steps[mask:]]
    assert samples == asked == kept
    outcomes = [(r.outcome, r.reason) for r in rows[:2]]
    masked = ("masked", 'the call led to {"error": "no contact Anne"}')
    assert outcomes == [masked if mask else ("accepted", ""), ("accepted", "")]
