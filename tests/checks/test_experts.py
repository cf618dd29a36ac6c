"""Three experts, a question each, and the rule against repetition."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from mock_llm import MockLLM

from looptool_kit.checks.experts import QUESTIONS, check_repetition, label_checks, repeated
from looptool_kit.config import Settings, deciding, with_overrides
from looptool_kit.core.endpoint import Endpoint
from looptool_kit.core.samples import Label, Message, Sample
from looptool_kit.world import generate


class Expert:
    """Answers every question with "right", but for those of one expert about one sample."""

    def __init__(self, expert: str = "", request: str = "") -> None:
        self.expert, self.request = expert, request
        self.asked: Counter[str] = Counter()

    def __call__(self, body: dict[str, Any]) -> str:
        system, user = (m["content"] for m in body["messages"])
        name = next((n for n, question in QUESTIONS.items() if question in system), "one question")
        self.asked[name] += 1
        wrong = name == self.expert and json.dumps(self.request) in user
        return json.dumps({"reasoning": "Seen.", "verdict": "wrong" if wrong else "right"})


def judged(
    expert: Expert, samples: list[Sample], folder: Path, experts: bool = True, times: int = 1
) -> list[dict[str, bool]]:
    with MockLLM(expert) as server:
        endpoint = Endpoint(base_url=server.url, model="mock")
        found = [
            [
                {c.name: c.passed for c in row}
                for row in label_checks(samples, endpoint, folder / "calls.sqlite", experts=experts)
            ]
            for _ in range(times)
        ]
    assert all(rows == found[0] for rows in found)
    return found[0]


def test_each_expert_has_a_check_and_all_must_pass(tmp_path: Path) -> None:
    samples = list(generate(8, seed=3, kinds=("single", "finish")))
    with_results = [any(m.role == "tool" for m in s.messages) for s in samples]
    assert 0 < sum(with_results) < 8
    expert = Expert("values", samples[2].request)
    rows = judged(expert, samples, tmp_path, times=2)  # what is paid for is not asked again
    for at, (row, results) in enumerate(zip(rows, with_results, strict=True)):
        if at == 2:  # no other expert is paid for what one has rejected
            assert row == {"repetition": True, "expert values": False}
        else:
            names = ["repetition", "expert values", "expert consistency", *["expert responses"] * results]
            assert row == dict.fromkeys(names, True)
    asked = {"values": 8, "consistency": 7, "responses": sum(with_results[:2] + with_results[3:])}
    assert expert.asked == asked


def test_off_it_is_one_question(tmp_path: Path) -> None:
    expert = Expert()
    assert judged(expert, list(generate(3, seed=3)), tmp_path, experts=False) == [{"judge": True}] * 3
    assert expert.asked == {"one question": 3}


@pytest.mark.parametrize(
    ("text", "run"),
    [
        ("I will book the table for you. " * 3, "i will book the table for"),
        ("no " * 8, "no no no no no no"),
        ("I will book the table for you. " * 2, ""),
        ("Add milk to my list, add eggs to my list, add tea to my list, add rice to my list.", ""),
        ("", ""),
    ],
)
def test_repetition(text: str, run: str) -> None:
    assert repeated(text) == run
    sample = Sample(tools=(), messages=(Message(role="user", content="Hi."),), label=Label(reply=text or "."))
    assert check_repetition(sample).passed is not bool(run)


def test_results_of_tools_may_repeat() -> None:
    result = Message(role="tool", name="list", content="same row as the one above; " * 9)
    sample = Sample(
        tools=(), messages=(Message(role="user", content="Hi."), result), label=Label(reply="Done.")
    )
    assert check_repetition(sample).passed


def test_the_setting_decides_only_where_it_is_on() -> None:
    assert deciding(Settings(), ["check"]) == {}
    assert deciding(with_overrides(Settings(), check__experts=True), ["check"]) == {"check.experts": True}
