"""COVERT's perturbations: tool results with noise, in another format or failed, and vague requests."""

from __future__ import annotations

import json
import re
from collections import Counter
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from looptool_kit import world
from looptool_kit.augment import perturb as p
from looptool_kit.augment.results import FAILURES
from looptool_kit.checks.rules import check_sample
from looptool_kit.core.grading import grade
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.core.toolcalls import parse, render_answer
from looptool_kit.text.passages import dialogue
from looptool_kit.world.execute import execute, new_state, problem, remember
from looptool_kit.world.spec import specs
from looptool_kit.world.tasks import ASKED

COVERT = ("noisy_result", "failed_result", "other_result_format", "vague_request")
Made = dict[str, list[tuple[Sample, Sample]]]


def leaves(value: Any) -> list[Any]:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else None
    return [value] if inner is None else [leaf for v in inner for leaf in leaves(v)]


@settings(max_examples=25, deadline=None)
@given(st.integers(0, 10**6), st.sampled_from(COVERT))
def test_every_perturbed_sample_passes_the_rules_and_its_label_is_right_of_itself(
    seed: int, name: str
) -> None:
    pool = world.generate(16, seed, world.SPLITS[seed % 4])
    for s in pool:
        other = p.perturb(name, s, Random(seed), pool)
        if other is not None:
            assert [c.detail for c in check_sample(other) if not c.passed] == []
            answer = parse(render_answer(other.label), "stop")
            assert grade(answer, other.label, other.tools).correct


def test_they_apply_where_there_is_a_result_or_one_request(pool: Samples, made: Made) -> None:
    applied = {name: {s.id for s, _ in made[name]} for name in COVERT}
    results = {s.id for s in pool if any(m.role == "tool" for m in s.messages)}
    assert applied["noisy_result"] == applied["other_result_format"] == results
    assert applied["failed_result"] == {s.id for s in pool if s.messages[-1].role == "tool"}
    single = {s.id for s in pool if s.kind in ("single", "choice")}
    assert applied["vague_request"] < single and len(applied["vague_request"]) > len(single) / 3


# ------------------------------------------------------ the label stays


def test_noise_adds_fields_and_changes_none(made: Made) -> None:
    names = Counter[str]()
    for s, other in made["noisy_result"]:
        assert (other.label, other.tools, other.kind) == (s.label, s.tools, s.kind)
        for a, b in zip(s.messages, other.messages, strict=True):
            if a.role != "tool":
                assert a == b
                continue
            before, after = json.loads(a.content), json.loads(b.content)
            more = after.keys() - before.keys()
            assert {k: v for k, v in after.items() if k not in more} == before
            assert [k for k in after if k in before] == list(before) and 2 <= len(more) <= 4
            # None is a field that the result, a tool or the label has.
            assert not more & set(re.findall(r"\w+", a.content + "".join(t.canonical for t in s.tools)))
            names.update(more)
    assert len(names) > 8


def test_another_format_holds_every_value_to_the_letter(made: Made) -> None:
    forms = Counter[str]()
    for s, other in made["other_result_format"]:
        assert (other.label, other.tools, other.kind) == (s.label, s.tools, s.kind)
        for a, b in zip(s.messages, other.messages, strict=True):
            if a.role != "tool":
                assert a == b
                continue
            assert a.content != b.content
            for leaf in leaves(json.loads(a.content)):
                said = json.dumps(leaf, ensure_ascii=False)
                assert (
                    leaf if isinstance(leaf, str) and not b.content.startswith("{") else said
                ) in b.content
            start = b.content[:1]
            forms[
                "json"
                if start == "{"
                else "xml"
                if start == "<"
                else "| --" in b.content and "table" or "lines"
            ] += 1
    assert min(forms[f] for f in ("json", "xml", "table", "lines")) > 0


def result(content: Any, label: Label | None = None, **more: Any) -> Sample:
    tool = Tool(name="find", parameters={"type": "object", "properties": {"q": {"type": "string"}}})
    messages = (
        Message(role="user", content="Find Ada's orders and list them."),
        Message(role="assistant", tool_calls=(ToolCall(name="find", arguments={"q": "Ada"}),)),
        Message(
            role="tool", name="find", content=content if isinstance(content, str) else json.dumps(content)
        ),
    )
    return Sample(tools=(tool,), messages=messages, label=label or Label(reply="Done."), **more)


def test_the_formats_by_hand() -> None:
    rows = {"total": 2, "orders": [{"id": "A-1", "paid": True}, {"id": "B-2", "paid": None}]}
    seen = {
        other.messages[-1].content
        for seed in range(40)
        if (other := p.perturb("other_result_format", result(rows), Random(seed), Samples()))
    }
    assert seen == {
        "total: 2\norders:\n  - id: A-1\n    paid: true\n  - id: B-2\n    paid: null",
        "<response><total>2</total><orders><item><id>A-1</id><paid>true</paid></item><item><id>B-2</id>"
        "<paid>null</paid></item></orders></response>",
        "total: 2\norders:\n| id | paid |\n| --- | --- |\n| A-1 | true |\n| B-2 | null |",
        json.dumps({"ok": True, "code": 200, "data": rows}),
    }


@pytest.mark.parametrize("value", ["Fig & Thyme", "a|b", "<b>", "two\nlines", " padded", ""])
def test_what_would_need_escapes_stays_json(value: str) -> None:
    sample = result({"rows": [{"name": value}]})
    for seed in range(8):
        other = p.perturb("other_result_format", sample, Random(seed), Samples())
        assert other is not None
        assert json.loads(other.messages[-1].content)["data"] == {"rows": [{"name": value}]}


@pytest.mark.parametrize("content", ["plain text", "[1, 2]", '{"error": "no order"}', "{}"])
def test_results_that_are_no_object_or_an_error_are_left_alone(content: str) -> None:
    for name in ("noisy_result", "other_result_format"):
        assert p.perturb(name, result(content), Random(1), Samples()) is None


# --------------------------------------------------- another thing to do


def test_a_failed_call_is_repeated_and_then_works(made: Made) -> None:
    """The label is the call that failed; in the world it can be executed, from the state before it."""
    for s, other in made["failed_result"]:
        assert other.messages[:-1] == s.messages[:-1] and other.tools == s.tools
        error = json.loads(other.messages[-1].content)
        assert error["error"] in FAILURES and set(error) <= {"error", "retryable"}
        (call,) = other.label.calls
        assert (call,) == other.messages[-2].tool_calls and not other.label.reply
        today = dialogue(s).today
        assert today is not None
        state = new_state(today)
        remember(specs()[call.name], call.arguments, state)
        assert "error" not in execute(call, state, Random(1))


def test_every_failure_says_to_send_the_call_again_and_that_it_did_nothing() -> None:
    for text in FAILURES:
        assert re.search(r"(?i)\b(again|retry|repeat)\b", text)
        assert re.search(r"(?i)nothing was done|not carried out|before|no effect|not reached", text)


def test_only_one_call_that_was_answered_can_fail() -> None:
    sample = result({"orders": 2})
    other = p.perturb("failed_result", sample, Random(1), Samples())
    assert other is not None and other.label.calls == sample.messages[1].tool_calls
    twice = sample.messages[1].model_copy(update={"tool_calls": sample.messages[1].tool_calls * 2})
    answers = (sample.messages[2],) * 2
    both = sample.model_copy(update={"messages": (sample.messages[0], twice, *answers)})
    assert p.perturb("failed_result", both, Random(1), Samples()) is None
    asked = sample.model_copy(update={"messages": (*sample.messages[:1],)})
    assert p.perturb("failed_result", asked, Random(1), Samples()) is None
    assert p.perturb("failed_result", result({"error": "gone"}), Random(1), Samples()) is None
    unknown = sample.model_copy(update={"tools": ()})
    assert p.perturb("failed_result", unknown, Random(1), Samples()) is None


def test_a_vague_request_lacks_one_required_value_and_the_label_asks_for_it(made: Made) -> None:
    near = []
    for s, other in made["vague_request"]:
        assert (other.tools, other.messages[0], other.kind) == (s.tools, s.messages[0], "ask")
        (call,) = s.label.calls
        spec = specs()[call.name]
        # The question is the world's own for exactly one parameter, which the call cannot do without.
        asked = [
            q
            for q in spec.params
            if other.label.reply in {a.format(x=q.question) for a in ASKED}
            and other.label.mentions == ((q.words,) if q.words else ())
        ]
        assert asked and other.label.asks and not other.label.calls
        lacking = {q.name: {k: v for k, v in call.arguments.items() if k != q.name} for q in asked}
        assert any(
            q.name in call.arguments
            and not q.optional
            and "required" in str(problem(call.model_copy(update={"arguments": lacking[q.name]})))
            for q in asked
        )
        gone = [
            v
            for q in asked
            for v in leaves(call.arguments.get(q.name))
            if isinstance(v, str) and v in s.request and "enum" not in q.type.schema
        ]
        assert not gone or any(v not in other.request for v in gone), (other.request, gone)
        near.append(
            len(set(s.request.split()) & set(other.request.split())) / len(set(other.request.split()))
        )
    assert sum(near) / len(near) > 0.6


def test_vague_requests_ask_where_nothing_else_can_be_done() -> None:
    """No tool on offer would find the value, and no look-up leaves out a day that may be today."""
    pool = world.generate(60, 5, kinds=["single", "choice"])
    asked = [(s, other) for s in pool if (other := p.perturb("vague_request", s, Random(2), pool))]
    assert len(asked) > 20
    for s, other in asked:
        spec = specs()[s.label.calls[0].name]
        if not (spec.makes or spec.changes or spec.cancels):
            assert not re.search(r"(?i)\b(which|what) (day|date)\b", other.label.reply)
        assert not re.search(r"\bones\b(?! \w)", other.request)
    with pytest.raises(ValueError, match="not a single request"):
        world.vague(world.generate(1, 1, kinds=["decline"])[0], Random(1))
    wrong = pool[0].model_copy(update={"label": Label(reply="No.")})
    with pytest.raises(ValueError, match="its label is not the call of its plan"):
        world.vague(wrong, Random(1))
