"""Rewards: the worked examples of TL-Training and InfTool, and that only what is right earns 1."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from looptool_kit import world
from looptool_kit.config import GrpoSettings, LoraSettings, RewardSettings, load_preset
from looptool_kit.core.grading import grade
from looptool_kit.core.records import Rollout, Rollouts
from looptool_kit.core.samples import Label, Message, Sample, Samples, Tool, ToolCall
from looptool_kit.core.toolcalls import Answer, parse, render_answer
from looptool_kit.formats import to_row
from looptool_kit.stages.train.reward import compute_score, reward, tool_match
from looptool_kit.stages.train.rewards import find_reward
from looptool_kit.stages.train.stage import recipe

NAMES = ("match", "graded", "gated", "progress")


def tool(name: str, *required: str, **optional: str) -> Tool:
    properties = {p: {"type": "string" if p == "r" else "integer"} for p in required}
    properties |= {p: {"type": kind} for p, kind in optional.items()}
    return Tool(
        name=name, parameters={"type": "object", "properties": properties, "required": list(required)}
    )


TOOLS = (
    tool("book", "r", "g", seat="string"),
    tool("f", "a", b="integer"),
    tool("g"),
    tool("cancel", "a"),
)


def sample_of(*calls: ToolCall, **label: Any) -> Sample:
    said = (Message(role="user", content="please"),)
    return Sample(tools=TOOLS, messages=said, label=Label(calls=calls, **label))


def call(name: str, **arguments: Any) -> ToolCall:
    return ToolCall(name=name, arguments=arguments)


def earned(name: str, sample: Sample, *calls: ToolCall, text: str = "") -> float:
    return find_reward(name)(Answer(calls=calls, text=text), sample)


BOOK = sample_of(call("book", r="A", g=4))


@pytest.mark.parametrize(
    ("calls", "value"),
    [
        ([call("book", g=4, r="A")], 1),
        ([call("book", r="A", g=5)], -0.25),
        ([call("book", r="A", g="4")], -0.25),
        ([call("book", r="A")], -0.5),
        ([call("book", r="A", g=4, seat="bar")], -0.5),
        ([call("book", r="A", g=4, mood="good")], -0.8),
        ([call("book", r="A", seat="bar")], -1.0),
        ([call("book", r="A", people=4)], -1.3),
        ([call("book", r="A", g=4, seat="bar", mood="good")], -1.3),
        ([call("book", r="A", seat="bar", people=4)], -1.8),
        ([call("cancel", a=1)], -1.5),
        ([call("no_such_tool", r="A", g=4)], -2),
        ([], -1.5),
        ([call("book", r="A", g=4), call("g")], (1 - 1.5) / 2),
        ([call("book", r="A", g=5), call("nowhere")], (-0.25 - 2) / 2),
    ],
)
def test_graded_by_the_table_of_tl_training(calls: list[ToolCall], value: float) -> None:
    assert earned("graded", BOOK, *calls, text="" if calls else "Which one?") == pytest.approx(value)


def test_graded_what_cannot_be_read_and_plain_replies() -> None:
    graded = find_reward("graded")
    right = render_answer(BOOK.label)
    assert graded(parse(right, "length"), BOOK) == graded(parse("<tool_call>{"), BOOK) == -2
    assert graded(parse(right), BOOK) == 1
    asks = sample_of(reply="For how many?", asks=True, mentions=(("how many",),))
    assert earned("graded", asks, text="How many guests?") == 1
    assert earned("graded", asks, text="Gladly.") == -0.25
    assert earned("graded", asks, call("book", r="A", g=4)) == -1.5


@pytest.mark.parametrize(
    ("calls", "value"),
    [
        ([call("f", a=1, b=3)], 0.75),
        ([call("f", a=1)], 0.65),
        ([call("f", a="x", b=2)], 0),
        ([call("g")], 0),
        ([call("nowhere")], 0),
        ([call("f", a=1, b=2)], 1),
        ([call("f", a=1, b=2), call("g")], 0.5),
    ],
)
def test_gated_by_hand(calls: list[ToolCall], value: float) -> None:
    assert earned("gated", sample_of(call("f", a=1, b=2)), *calls) == pytest.approx(value)


def test_gated_and_progress_of_cut_answers_and_replies() -> None:
    label = sample_of(call("f", a=1, b=2))
    asks = sample_of(reply="Which?", asks=True)
    for name in ("gated", "progress"):
        score = find_reward(name)
        assert score(parse(render_answer(label.label), "length"), label) == 0
        assert earned(name, label, text="Done.") == earned(name, asks, text="Done.") == 0
        assert earned(name, asks, text="Which one?") == 1 and earned(name, asks, call("g")) == 0


def test_progress_is_the_share_of_calls_that_are_right() -> None:
    two = sample_of(call("f", a=1), call("f", a=2))
    assert earned("progress", two, call("f", a=2), call("f", a=3)) == 0.5
    assert earned("progress", two, call("f", a=2)) == 0.5
    assert earned("progress", two, call("f", a=2), call("f", a=2), call("f", a=1)) == pytest.approx(2 / 3)
    assert earned("progress", two, call("f", a=2), call("f", a="x")) == 0  # the gate
    assert earned("progress", two, call("f", a=2), call("f", a=1)) == 1


VALUES = st.one_of(st.integers(0, 2), st.sampled_from(["1", "A", 1.0, 2.5, True, None, [1], {"k": 1}]))
CALLS = st.lists(
    st.builds(
        ToolCall,
        name=st.sampled_from(["book", "f", "g", "nowhere"]),
        arguments=st.dictionaries(st.sampled_from(["r", "g", "a", "b", "seat", "odd"]), VALUES, max_size=3),
    ),
    max_size=3,
)


@given(CALLS, CALLS, st.booleans(), st.randoms())
def test_one_is_earned_by_what_is_right_alone_and_order_does_not_matter(
    label: list[ToolCall], made: list[ToolCall], same: bool, rng: Any
) -> None:
    made = list(label) if same else made
    sample = sample_of(*label) if label else sample_of(reply="Which?", asks=True)
    answer = Answer(calls=tuple(made), text="" if made else "Which one?")
    other = [
        c.model_copy(update={"arguments": dict(rng.sample(list(c.arguments.items()), len(c.arguments)))})
        for c in made
    ]
    rng.shuffle(other)
    shuffled = sample.model_copy(
        update={"label": sample.label.model_copy(update={"calls": tuple(rng.sample(label, len(label)))})}
    )
    right = grade(answer, sample.label, TOOLS).correct
    for name in NAMES:
        value = find_reward(name)(answer, sample)
        assert (value == 1) == right and value <= 1
        assert find_reward(name)(Answer(calls=tuple(other), text=answer.text), shuffled) == value


# ---------------------------------------------------------- tables and names


def test_rollouts_say_what_is_right_whatever_the_reward_is(tmp_path: Path) -> None:
    said = [render_answer(BOOK.label), render_answer(Label(calls=(call("book", r="A", g=5),)))]
    logged: dict[str, float] = {}
    given = {"completion_ids": [[1], [1]], "row": [0, 0], "finish": ["stop", "stop"]}

    class State:
        global_step = 0

    function = tool_match([BOOK], tmp_path, name="graded")
    values = function(completions=said, trainer_state=State, log_metric=logged.__setitem__, **given)
    rows = Rollouts.read(tmp_path / "rollouts" / "step-0001.parquet")
    assert values == [1, -0.25] and [r.correct for r in rows] == [True, False]
    assert logged == {"correct": 0.5}


def test_tables_of_before_are_read(tmp_path: Path) -> None:
    rows = [
        Rollout(step=1, sample_id="s", text="", finish_reason="stop", reward=value, error=error)
        for value, error in ((1.0, ""), (0.0, "wrong_tool"))
    ]
    path = Rollouts(rows).write(tmp_path / "new.parquet")
    old = pq.read_table(path).drop_columns(["correct"])
    pq.write_table(old, tmp_path / "old.parquet")
    assert [r.correct for r in Rollouts.read(tmp_path / "old.parquet")] == [True, False]


def test_an_unknown_reward_is_named_with_those_there_are() -> None:
    with pytest.raises(ValueError, match="no strategy 'best'; choose one of gated, graded, match, progress"):
        find_reward("best")


def test_the_reward_decides_a_training_with_grpo_alone() -> None:
    usual, graded = load_preset("cpu"), load_preset("cpu", reward__name="graded")
    assert recipe(usual, 2) == recipe(graded, 2) and "reward" in recipe(usual, 2)
    assert "reward" not in recipe(load_preset("cpu", grpo__steps=0), 2)


def test_verl_is_given_the_same_rewards() -> None:
    row = to_row(BOOK, "verl")
    truth, extra = row["reward_model"]["ground_truth"], row["extra_info"]
    wrong = render_answer(Label(calls=(call("book", r="A", g=5),)))
    assert compute_score("looptool", wrong, truth) == {"score": 0, "acc": 0, "parsed": 1}
    for name, value in (("match", 0), ("graded", -0.25), ("gated", 0.75)):
        scored = compute_score("looptool", wrong, truth, extra, reward=name)
        assert scored == {"score": pytest.approx(value), "acc": 0, "parsed": 1}
        assert compute_score("x", render_answer(BOOK.label), truth, extra, reward=name)["score"] == 1
    with pytest.raises(ValueError, match=r"no extra_info\.sample"):
        compute_score("looptool", wrong, truth, None, reward="graded")


# ----------------------------------------------------------------- in training

GROUP = (1.0, -0.25, -0.5, -1.5)


@pytest.mark.parametrize(("right", "no_hit", "factor"), [(True, 0.5, 1), (False, 0.5, 0.5), (False, 1, 1)])
def test_advantages_of_a_graded_group_with_and_without_a_hit(
    right: bool,
    no_hit: float,
    factor: float,
    tiny_loader: Any,
    tiny_engine: Any,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    pytest.importorskip("trl")
    from looptool_kit.stages.train import grpo
    from looptool_kit.stages.train import reward as rewards

    values: Iterator[float] = iter(GROUP)
    monkeypatch.setattr(
        rewards, "reward", lambda *_: rewards.Reward(v := next(values), "", right and v == 1.0)
    )
    seen: list[float] = []

    class Trainer(grpo.shared_prefix_trainer()):  # type: ignore[misc]
        def _compute_loss(self, model: Any, inputs: dict[str, Any]) -> Any:
            seen.extend(inputs["advantages"].tolist())
            return super()._compute_loss(model, inputs)

    monkeypatch.setattr(grpo, "shared_prefix_trainer", lambda: Trainer)
    facts = grpo.train(
        tiny_loader,
        tiny_engine,
        None,
        Samples([BOOK]),
        GrpoSettings(steps=1, prompts=1, group=4, max_new_tokens=4),
        LoraSettings(rank=4, alpha=8),
        tmp_path,
        seed=0,
        reward=RewardSettings(name="graded", no_hit=no_hit),
    )
    expected = [factor * a for a in (1.276, 0.061, -0.182, -1.155)]
    assert sorted(seen, reverse=True) == pytest.approx(expected, abs=5e-4)
    assert facts["groups_without_variance"] == 0
    row = json.loads((tmp_path / "history.jsonl").read_text().splitlines()[0])
    assert row["correct"] == facts["correct_last"] == (0.25 if right else 0)


def test_the_world_has_a_graded_order_of_its_planted_mistakes() -> None:
    for sample in world.generate(20, seed=4, kinds=["single"]):
        (first,) = sample.label.calls
        less = first.model_copy(update={"arguments": dict(list(first.arguments.items())[1:])})
        scores = [reward(Answer(calls=(c,)), sample, "graded").value for c in (first, less)]
        assert scores[0] == 1 > scores[1]
