"""What a model wrote in a form of its own is read in that form where two policies stand side by side."""

from __future__ import annotations

import json

from looptool_kit import world
from looptool_kit.core.records import Score
from looptool_kit.core.wire.form import PROJECTS, WireForm
from looptool_kit.stages.evaluate.stage import probe_of

LLAMA = WireForm(name="llama", projects=False)


def test_an_evaluated_answer_is_read_in_the_form_of_its_policy() -> None:
    sample = next(s for s in world.generate(20, seed=1) if len(s.label.calls) == 1)
    [call] = sample.label.calls
    text = json.dumps({"name": call.name, "parameters": call.arguments})
    row = Score(
        sample_id=sample.id, suite="held_out", split="", kind="", policy="D1", correct=True, text=text,
        extra={"finish_reason": "stop", "perplexity": 1.25},
    )  # fmt: skip
    probe = probe_of(row, sample, LLAMA)
    assert probe.answer.calls == sample.label.calls and not probe.answer.error
    assert (probe.correct, probe.match, probe.state, probe.perplexity) == (True, True, "mastered", 1.25)
    assert probe_of(row, sample, PROJECTS).answer.calls == ()
    cut = row.model_copy(update={"correct": False, "extra": {"finish_reason": "length"}})
    assert probe_of(cut, sample, LLAMA).answer.error == "truncated"
