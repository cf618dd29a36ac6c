"""The suite `acebench` on entries of our own in its format: conversion, weights, the run folder."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from acebench_entries import DISTRACTOR, FERRY, QUESTION, answer, arguments, entry, rows_of
from hypothesis import given
from hypothesis import strategies as st

from looptool_kit.checks.contamination import build, check_sample, check_tool
from looptool_kit.core import stats
from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.policy.policy import base_policy
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate import acebench, stage
from looptool_kit.stages.evaluate.acebench import labels as acebench_labels

# -------------------------------------------------------------- conversion


def test_tools_are_converted_and_names_stay() -> None:
    other, ferry = acebench_labels.tools_of([DISTRACTOR, FERRY])
    assert (
        ferry.name == "Ferry.book"
        and ferry.required == ("port", "seats")
        and ferry.parameters["type"] == "object"
    )
    assert (
        ferry.properties["weight"] == {"type": "number"}
        and ferry.properties["tags"] == FERRY["parameters"]["properties"]["tags"]
    )
    assert ferry.properties["guest"]["required"] == ["name"]
    assert other.properties == {"at": {"type": "number"}}  # its parameters stand under `arguments`


def test_a_dialogue_in_one_text_becomes_messages() -> None:
    messages = acebench_labels.messages_of(QUESTION)
    assert [m.role for m in messages] == ["user", "assistant", "assistant", "user"]
    assert messages[0].content == "Two seats to Lundey.\nFor Ann: soon." and messages[2].content == "Booked."
    assert messages[1].content == "" and messages[1].tool_calls == (
        ToolCall(
            name="Ferry.book",
            arguments={"port": "Lundey", "seats": 2, "guest": {"name": "A]nn(", "ok": True}},
        ),
        ToolCall(name="harbour_state", arguments={}),
    )


@given(st.lists(st.tuples(st.sampled_from(["f", "a.b", "名称"]), arguments), min_size=1, max_size=3))
def test_any_list_of_calls_is_read_back(made: list[tuple[str, dict[str, Any]]]) -> None:
    text = ", ".join(f"{n}({', '.join(f'{k}={json.dumps(v)}' for k, v in a.items())})" for n, a in made)
    assert [(c.name, c.arguments) for c in acebench_labels.calls_in(f"[{text}]")] == made


@pytest.mark.parametrize(
    "text", ["[1, 2]", "[f(a=1)", "[f(a=b)]", "[f(a=1)] and more", "f(a=1)", "[]", "[f(a=1),]x", "[f(1)]", ""]
)
def test_other_texts_are_no_calls(text: str) -> None:
    assert acebench_labels.calls_in(text) == ()


def test_an_entry_becomes_a_sample() -> None:
    sample = acebench_labels.sample_of(entry({"Ferry.book_1": {"port": "a"}, "Ferry.book_2": {"port": "b"}}))
    assert [(c.name, c.arguments["port"]) for c in sample.label.calls] == [
        ("Ferry.book", "a"),
        ("Ferry.book", "b"),
    ]
    assert sample.messages[0].role == "system" and sample.messages[0].content.endswith("\nToday is Sunday.")
    assert sample.split == "en/normal_atom_bool" and sample.meta == {"acebench": "en/x_0"}
    asked = acebench_labels.sample_of(entry({"Ferry.book": ["port ", "seats"]}, "zh/special_incomplete"))
    assert (
        asked.label.reply.startswith("Missing necessary parameters (port , seats) for the api (Ferry.book)")
        and not asked.label.calls
    )
    assert asked.label.mentions == (("Missing necessary parameters",), ("Ferry.book",), ("port",), ("seats",))
    assert "函数" in asked.messages[0].content
    profile = (
        acebench_labels.sample_of(entry(category="en/normal_preference", profile="{'likes': 'boats'}"))
        .messages[0]
        .content
    )
    assert "The user's profile:\n{'likes': 'boats'}" in profile


# ------------------------------------------------------------ figures, data


def test_categories_groups_and_shares() -> None:
    names = acebench_labels.categories
    assert len(names(None)) == 30 and names(["normal_preference"]) == [
        "en/normal_preference",
        "zh/normal_preference",
    ]
    assert (
        names(["zh/special", "en/normal_atom_bool"])[0] == "en/normal_atom_bool"
        and len(names(["zh/special", "en/normal_atom_bool"])) == 4
    )
    assert len(names(["atom"])) == 12 and len(names(["en"])) == 15
    with pytest.raises(ValueError, match="no category 'agent_multi_step'"):
        names(["agent_multi_step"])
    for total in acebench.TOTALS[:-1]:
        assert sum(acebench_labels.shares(total).values()) == pytest.approx(1)
    assert sum(acebench_labels.shares("overall").values()) == pytest.approx(0.8456)


def test_a_weighted_share_has_an_interval() -> None:
    one = stats.weighted([(1.0, 3, 10)])
    assert one.value == 0.3 and (one.lo, one.hi) == pytest.approx(stats.wilson(3, 10))
    two = stats.weighted([(0.5, 3, 10), (0.5, 30, 100), (0.9, 0, 0)])
    assert two.value == pytest.approx(0.3) and one.lo < two.lo < 0.3 < two.hi < one.hi


def test_without_a_checkout_the_variable_and_the_command_are_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("LOOPTOOL_ACEBENCH", raising=False)
    with pytest.raises(
        FileNotFoundError,
        match=r"LOOPTOOL_ACEBENCH is not set: `git clone https://github.com/ACEBench/ACEBench`",
    ):
        stage.evaluate(Run.create(tmp_path / "run"), base_policy("embedded"), "acebench")
    monkeypatch.setenv("LOOPTOOL_ACEBENCH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="is not a checkout of ACEBench"):
        acebench_labels.checkout()


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A checkout with three categories of our own making; names as ACEBench has them."""
    root = tmp_path / "ACEBench"
    truth = {"Ferry.book": {"port": "Lundey", "seats": 2}}
    rows_of(
        "en/normal_similar_api",
        [
            (f"normal_similar_api_{i}", f"user: {q}\n", truth)
            for i, q in enumerate(["Two seats.", "Wrong.", "long"])
        ],
        root,
    )
    steps = [
        (f"normal_multi_turn_user_adjust_{d}_{s}", f"user: {q}\n", truth)
        for d, s, q in [(0, 0, "Two"), (0, 1, "Two"), (1, 0, "Two"), (1, 1, "No")]
    ]
    rows_of("en/normal_multi_turn_user_adjust", steps, root)
    rows_of(
        "en/special_incomplete", [("special_incomplete_0", "user: Ask.\n", {"Ferry.book": ["seats"]})], root
    )
    monkeypatch.setenv("LOOPTOOL_ACEBENCH", str(root))
    return root


class Scripted:
    """An engine that answers by the last message; prompts with `long` in them do not fit."""

    def __init__(self, say: Callable[[str], str]) -> None:
        self.say, self.asked = say, 0

    def plan(self, chats: Sequence[Any]) -> list[list[int]]:
        if any(c.messages[-1].content == "long" for c in chats):
            raise ValueError("too long")
        return [[i] for i in range(len(chats))]

    def generate(self, chats: Sequence[Any], sampling: Sampling) -> list[list[Completion]]:
        self.asked += len(chats)
        return [
            [Completion(self.say(c.messages[-1].content), (1, 2), (-0.5, -0.5), ("a", "b"), "stop")]
            for c in chats
        ]


def say(asked: str) -> str:
    if asked.startswith("Two"):
        return answer({"port": "the isle of Lundey", "seats": 2 if asked == "Two" else 900})
    return "How many seats?" if asked == "Ask." else "No idea."


def test_scores_failures_and_figures(
    root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    engine = Scripted(say)
    monkeypatch.setattr(stage, "open_engine", lambda policy, batch: engine)
    run, policy = Run.create(tmp_path / "run"), base_policy("embedded")
    wanted = ["en/normal_similar_api", "en/multi_turn", "en/special_incomplete"]
    with pytest.raises(FileNotFoundError, match="user_switch.json is missing"):
        stage.evaluate(run, policy, "acebench", wanted)
    wanted[1] = "en/normal_multi_turn_user_adjust"
    scores = stage.evaluate(run, policy, "acebench", wanted)
    similar = [s for s in scores if s.split == wanted[0]]
    assert [(s.sample_id.rpartition("normal_")[2], s.correct, s.error) for s in similar] == [
        ("similar_api_0", True, ""),
        ("similar_api_1", False, "wrong_output_format"),
        ("similar_api_2", False, "context"),
    ]
    adjust, alike, special = acebench.by_category(scores)
    assert (adjust.n, adjust.official, adjust.strict) == (
        2,
        1,
        0,
    )  # a dialogue is right where all its steps are
    assert (alike.n, alike.official, alike.strict, alike.no_call) == (3, 1, 0, None)
    assert (special.n, special.official, special.strict, special.no_call) == (1, 0, 0, 1)
    asked = engine.asked
    assert stage.evaluate(run, policy, "acebench", wanted) == scores and engine.asked == asked == 7
    probes, samples = stage.failures(run, policy, "acebench")
    assert len(probes) == 4 and {p.sample_id for p in probes} == set(samples.by_id())
    assert [p.faults[0].kind for p in stage.failures(run, policy, "acebench", "en/special")[0]] == [
        "wrong_reply"
    ]
    acebench.print_scores(run, policy, scores)
    said = capsys.readouterr().out
    assert "0.500" in said and "overall: normal and special" in said and "en: overall" not in said


def test_a_choice_takes_whole_dialogues(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stage, "open_engine", lambda policy, batch: Scripted(say))
    run, policy = Run.create(tmp_path / "run"), base_policy("embedded")
    scores = stage.evaluate(run, policy, "acebench", ["en/normal_multi_turn_user_adjust"], 1)
    assert len(scores) == 2 and len({s.extra["unit"] for s in scores}) == 1


def test_totals_weigh_categories_alike(root: Path) -> None:
    rows = [
        acebench.CategoryScore(c, 10, 10 if "normal" in c else 0, 5, None)
        for c in acebench_labels.GROUPS["zh"]
    ]
    found = {t.name: t for t in acebench.totals(rows)}
    assert (
        set(found) == set(acebench.TOTALS)
        and found["normal"].official.value == pytest.approx(1)
        and found["special"].official.value == 0
    )
    assert found["overall"].official.value == pytest.approx(0.578 / 0.8456) and found[
        "overall"
    ].strict.value == pytest.approx(0.5)
    assert found["overall"].official.lo < found["overall"].official.value < found["overall"].official.hi
    assert [t.name for t in acebench.totals(rows[:6])] == ["atom"]


@pytest.mark.parametrize(
    ("lines", "says"),
    [
        ('{"id": "normal_similar_api_0"', r"data_normal_similar_api.json, line 1: "),
        ('{"id": "normal_similar_api_0", "function": []}', "line 1: KeyError: 'question'"),
        (
            '{"id": "normal_similar_api_0", "function": [], "question": "Hello."}',
            "line 1: ValueError: the question does not begin",
        ),
        ('{"id": "other_0", "function": [], "question": "user: Hello."}', "line 1: its label is missing"),
    ],
)
def test_a_malformed_file_is_named(root: Path, lines: str, says: str) -> None:
    (root / "data_all" / "data_en" / "data_normal_similar_api.json").write_text(lines)
    with pytest.raises(ValueError, match=says):
        acebench_labels.entries(root, "en/normal_similar_api")


# ------------------------------------------------------------ contamination


def test_the_contamination_guard_knows_its_turns_and_tools(tmp_path: Path) -> None:
    root = tmp_path / "bench"
    last = "The one that leaves for Grimsey at seven in the evening."
    english = f"user: Hold two quiet cabins for me.\nsystem: On which boat shall they be?\nuser: {last}\n"
    rows_of("en/normal_similar_api", [("normal_similar_api_0", english, {})], root)
    rows_of(
        "zh/normal_similar_api",
        [("normal_similar_api_0", "user: 请帮我预订明天早上七点去格里姆赛岛的渡轮，两个座位。\n", {})],
        root,
    )
    known = build([root / "data_all"])

    def clean(text: str) -> bool:
        return check_sample(
            Sample(tools=(), messages=(Message(role="user", content=text),), label=Label(reply="Yes.")), known
        ).passed

    assert not clean("Hold two quiet cabins for me!")  # a turn, not only the whole dialogue
    assert not clean(last)
    assert not clean("你好，请帮我预订明天早上七点去格里姆赛岛的渡轮，谢谢") and clean(
        "请帮我预订明天下午的火车票"
    )
    assert clean("Hold two cabins.")
    assert (
        not check_tool(Tool(name="ferry_book"), known).passed
        and not check_tool(Tool(name="HarbourState"), known).passed
    )
