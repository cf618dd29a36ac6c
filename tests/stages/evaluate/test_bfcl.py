"""The suite `bfcl`: conversion, the driving of dialogues and the run folder on entries of our own;
the official package where it is set up.

The package's own tests run with `LOOPTOOL_BFCL_WORKER=1` after `looptool evaluate --suite bfcl --setup`.
Nothing of BFCL's data is kept here.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from looptool_kit.core.records import Score, Scores
from looptool_kit.core.samples import Sample, ToolCall
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.policy.policy import base_policy
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate import Entry, bfcl, stage
from looptool_kit.stages.evaluate.bfcl import env as bfcl_env
from looptool_kit.stages.evaluate.bfcl import labels as bfcl_labels
from looptool_kit.stages.evaluate.bfcl import multi_turn as bfcl_multi_turn
from looptool_kit.stages.evaluate.bfcl import weights
from looptool_kit.stages.evaluate.bfcl.acceptable import match_acceptable

FERRY = {
    "name": "ferry.book",
    "description": "Book a ferry.",
    "parameters": {
        "type": "dict",
        "required": ["port", "seats"],
        "properties": {
            "port": {"type": "string"},
            "seats": {"type": "integer"},
            "price": {"type": "float"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "guest": {"type": "dict", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}},
        },
    },
}
LABEL: list[dict[str, Any]] = [
    {
        "ferry.book": {
            "port": ["Lundey", "LUN"],
            "seats": [2],
            "price": ["", 9.5],
            "tags": [""],
            "guest": [{"name": ["Ann"], "age": ["", 30]}],
            "gone": ["", 1],
        }
    }
]


def entry(**update: Any) -> dict[str, Any]:
    turns = [
        [
            {"role": "system", "content": "Be brief."},
            {"role": "user", "content": "Two seats to Lundey for Ann."},
        ]
    ]
    return {
        "id": "live_simple_0-0-0",
        "turns": turns,
        "tools": [FERRY],
        "later": {},
        "docs": [FERRY],
        "truth": LABEL,
    } | update


def test_a_label_gives_an_answer_that_it_accepts() -> None:
    (call,) = bfcl_labels.first_acceptable(LABEL, [FERRY])
    # Of what may be left out, only what has another value first is given; a parameter that the function lacks
    # never is.
    assert call == ToolCall(
        name="ferry_book",
        arguments={"port": "Lundey", "seats": 2, "price": 9.5, "guest": {"name": "Ann", "age": 30}},
    )
    assert match_acceptable([call], LABEL, [FERRY], category="live_simple").valid


values = st.one_of(
    st.text("abc ", min_size=1).filter(str.strip),
    st.integers(-99, 99),
    st.booleans(),
    st.floats(-9, 9, allow_nan=False),
)
KINDS = {str: "string", int: "integer", bool: "boolean", float: "float"}


@given(st.dictionaries(st.sampled_from("pqrstu"), st.tuples(values, st.booleans()), min_size=1))
def test_any_label_of_plain_values_is_met_by_its_answer(made: dict[str, tuple[Any, bool]]) -> None:
    doc = {
        "name": "f",
        "parameters": {
            "required": [],
            "properties": {k: {"type": KINDS[type(v)]} for k, (v, _) in made.items()},
        },
    }
    label = [{"f": {k: [v, ""] if optional else [v] for k, (v, optional) in made.items()}}]
    assert match_acceptable(
        bfcl_labels.first_acceptable(label, [doc]), label, [doc], category="simple_python"
    ).valid


@pytest.mark.parametrize(
    ("language", "schema", "value", "text"),
    [
        ("java", {"type": "long"}, 5, "5L"),
        ("java", {"type": "float"}, 1.5, "1.5f"),
        ("java", {"type": "boolean"}, True, "true"),
        ("java", {"type": "String"}, "user.name", "user.name"),
        (
            "java",
            {"type": "ArrayList", "items": {"type": "String"}},
            ["a", "b"],
            'new ArrayList<>(Arrays.asList("a", "b"))',
        ),
        ("java", {"type": "ArrayList", "items": {"type": "String"}}, [], "new ArrayList<>()"),
        ("java", {"type": "Array", "items": {"type": "integer"}}, [1, 2], "new integer[]{1, 2}"),
        (
            "java",
            {"type": "HashMap"},
            {"k": "v", "n": 1},
            'new HashMap<>() {{ put("k", "v"); put("n", 1); }}',
        ),
        ("javascript", {"type": "Bigint"}, 5, "5n"),
        ("javascript", {"type": "Boolean"}, False, "false"),
        ("javascript", {"type": "array", "items": {"type": "String"}}, ["a"], '["a"]'),
        ("javascript", {"type": "dict"}, {"k": 1}, '{"k": 1}'),
    ],
)
def test_values_are_written_as_source_that_reads_back(
    language: Any, schema: dict[str, Any], value: Any, text: str
) -> None:
    assert bfcl_labels.source_text(value, schema, language) == text
    doc = {"name": "f", "parameters": {"required": ["p"], "properties": {"p": schema}}}
    label = [{"f": {"p": [{k: [v] for k, v in value.items()} if isinstance(value, dict) else value]}}]
    answer = bfcl_labels.first_acceptable(label, [doc], language)
    assert answer[0].arguments == {"p": text}
    assert match_acceptable(answer, label, [doc], language, f"simple_{language}").valid


def test_an_entry_becomes_a_sample() -> None:
    sample = bfcl_labels.sample_of(entry(), "live_simple")
    assert [m.role for m in sample.messages] == ["system", "user"] and sample.tools[0].name == "ferry_book"
    assert sample.tools[0].parameters["properties"]["price"] == {"type": "number"}
    assert (sample.split, sample.source, sample.meta) == (
        "live_simple",
        "bfcl",
        {"bfcl": "live_simple_0-0-0"},
    )
    assert not bfcl_labels.sample_of(entry(truth=[]), "irrelevance").label.calls


# ------------------------------------------------------- a scripted policy


class Scripted:
    """An engine whose answers depend on the number of messages; prompts with `long` in them do not fit."""

    def __init__(self, say: Callable[[Any], str]) -> None:
        self.say, self.asked = say, 0

    def plan(self, chats: Sequence[Any]) -> list[list[int]]:
        if any("long" in m.content for c in chats for m in c.messages):
            raise ValueError("too long")
        return [[i] for i in range(len(chats))]

    def generate(
        self, chats: Sequence[Any], sampling: Sampling, on_batch: Any = None
    ) -> list[list[Completion]]:
        self.asked += len(chats)
        return [[Completion(self.say(c), (1, 2), (-0.5, -0.5), ("a", "b"), "stop")] for c in chats]

    def score(self, chats: Any, answers: Any) -> Any:
        raise NotImplementedError


class Recorded:
    """Stands where the official process does: our own matcher, and an environment that repeats its calls."""

    entries: list[dict[str, Any]] = []

    def __init__(self) -> None:
        self.executed: list[Any] = []

    def __enter__(self) -> Recorded:
        return self

    def __exit__(self, *_: object) -> None:
        pass

    def ask(self, op: str, **given: Any) -> Any:
        if op == "entries":
            return [e | {"id": f"{given['category']}_{i}"} for i, e in enumerate(self.entries)]
        if op == "check":
            calls = [ToolCall(name=n, arguments=a) for n, a in given["calls"] or []]
            result = match_acceptable(calls, LABEL, [FERRY], category=given["id"].rsplit("_", 1)[0])
            return {"valid": result.valid, "error_type": result.error_type, "error": list(result.errors)}
        if op == "execute":
            self.executed.append(given["calls"])
            return [f"done {name}" for name, _ in given["calls"]]
        return {"valid": True, "error_type": "", "error": []} if op == "check_turns" else None


RIGHT = (
    '<tool_call>{"name": "ferry_book", "arguments": {"port": "lundey", "seats": 2, "guest": {"name":'
    ' "Ann"}}}</tool_call>'
)


@pytest.fixture
def evaluated(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> tuple[Run, Scripted]:
    long = entry(turns=[[{"role": "user", "content": "long"}]])
    Recorded.entries = [entry(), entry(turns=[[{"role": "user", "content": "Wrong."}]]), long]
    engine = Scripted(lambda c: RIGHT if c.messages[-1].content.startswith("Two") else "No idea.")
    monkeypatch.setattr(bfcl, "Worker", Recorded)
    monkeypatch.setattr(stage, "open_engine", lambda policy, batch: engine)
    monkeypatch.setitem(weights.CATEGORIES, "multiple", 3)
    return Run.create(tmp_path / "run"), engine


def test_scores_and_failures_stand_in_the_run_folder(
    evaluated: tuple[Run, Scripted], capsys: pytest.CaptureFixture[str]
) -> None:
    run, engine = evaluated
    policy = base_policy("embedded")
    scores = stage.evaluate(run, policy, "bfcl", ["multiple"])
    assert [(s.sample_id, s.correct, s.error) for s in scores] == [
        ("multiple_0", True, ""),
        ("multiple_1", False, "multiple_function_checker:wrong_count"),
        ("multiple_2", False, "context"),
    ]
    assert engine.asked == 2
    assert stage.evaluate(run, policy, "bfcl", ["multiple"]) == scores and engine.asked == 2
    probes, samples = stage.failures(run, policy, "bfcl")
    assert [p.text for p in probes] == ["No idea.", ""] and {p.sample_id for p in probes} == set(
        samples.by_id()
    )
    from looptool_kit.widgets import ProbeView

    assert len(ProbeView(probes, samples).selection) == 2
    bfcl.print_scores(run, policy, scores)
    said = capsys.readouterr().out
    assert "0.333" in said and "v3" in said and "v4" in said and "not evaluated" in said


def test_categories_have_their_intervals() -> None:
    def row(i: int, category: str) -> Score:
        return Score(
            sample_id=str(i), suite="bfcl", split=category, kind="live", policy="D1", correct=i % 2 == 0
        )

    a, b = bfcl.by_category(Scores([*(row(i, "live_simple") for i in range(10)), row(0, "simple_python")]))
    assert (a.category, a.n, a.correct, b.category, b.n, b.accuracy) == (
        "simple_python",
        1,
        1,
        "live_simple",
        10,
        0.5,
    )
    assert b.lo < 0.5 < b.hi


def user(text: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": text}]


def play(worker: Any, say: Callable[[Any], str], row: dict[str, Any]) -> list[bfcl_multi_turn.Dialogue]:
    asked = Entry(bfcl_labels.sample_of(row, "multiple"), row["id"], source=row)
    engine: Any = Scripted(say)
    return bfcl_multi_turn.play(worker, 10, engine, [asked])


def test_a_dialogue_is_played_turn_by_turn() -> None:
    given = entry(
        id="multi_turn_miss_func_0",
        turns=[user("One."), user("And now?")],
        tools=[FERRY],
        later={"1": [FERRY | {"name": "ferry.cancel"}]},
    )

    def say(chat: Any) -> str:
        if chat.messages[-1].role == "tool":
            return "Done."
        return RIGHT if len(chat.tools) == 1 else RIGHT.replace("ferry_book", "ferry_cancel")

    worker = Recorded()
    (played,) = play(worker, say, given)
    assert [[len(step) for step in turn] for turn in played.turns] == [[1, 0], [1, 0]] and played.ended == ""
    assert [m.role for m in played.messages] == [
        "user",
        "assistant",
        "tool",
        "assistant",
        "user",
        "assistant",
        "tool",
    ]
    assert [t.name for t in played.tools] == ["ferry_book", "ferry_cancel"] and played.messages[
        2
    ].content == "done ferry_book"
    assert [calls[0][0] for calls in worker.executed] == ["ferry_book", "ferry_cancel"]
    assert played.perplexity == pytest.approx(2.718281828**0.5)


def test_a_dialogue_that_goes_round_in_circles_is_ended() -> None:
    worker = Recorded()
    given = entry(turns=[user("One."), user("Two.")])
    (played,) = play(worker, lambda c: RIGHT, given)
    assert (
        played.ended == "steps"
        and len(played.turns) == 1
        and len(worker.executed) == bfcl_multi_turn.STEPS + 1
    )
    (played,) = play(worker, lambda c: "Well.", entry(turns=[user("One."), user("long")]))
    assert played.ended == "context" and played.last is not None


def test_without_the_environment_the_command_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("LOOPTOOL_CACHE", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="looptool evaluate --suite bfcl --setup"):
        bfcl_env.python()


# ------------------------------------------------------ the official package

official = pytest.mark.skipif(
    not os.environ.get("LOOPTOOL_BFCL_WORKER"),
    reason="set LOOPTOOL_BFCL_WORKER=1 after `looptool evaluate --suite bfcl --setup`",
)


@official
def test_ground_truth_and_silence_through_the_official_checkers() -> None:
    with bfcl_env.Worker() as worker:
        for category in ("live_parallel", "simple_javascript"):
            for row in worker.ask("entries", category=category):
                sample: Sample = bfcl_labels.sample_of(row, category)
                language = bfcl_labels.language_of(category)
                calls = bfcl_labels.first_acceptable(row["truth"], row["docs"], language)
                assert worker.ask("check", id=row["id"], calls=[[c.name, c.arguments] for c in calls])[
                    "valid"
                ]
                assert (
                    not worker.ask("check", id=row["id"], calls=[])["valid"]
                    and not worker.ask("check", id=row["id"], calls=None)["valid"]
                )
                assert sample.tools
        for row in worker.ask("entries", category="multi_turn_base")[:5]:
            truth = [[turn] if turn else [] for turn in row["truth"]]
            assert worker.ask("check_turns", id=row["id"], turns=truth, source=True)["valid"]
            assert not worker.ask("check_turns", id=row["id"], turns=[[] for _ in truth])["valid"]
            assert (
                worker.ask("check_turns", id=row["id"], turns=[])["error_type"]
                == "multi_turn:force_terminated"
            )


@official
def test_a_models_words_are_never_evaluated(tmp_path: Path) -> None:
    target = tmp_path / "made"
    evil = [
        ["open", {"file": str(target), "mode": "w"}],
        [f"__import__('pathlib').Path({str(target)!r}).touch", {}],
        ["ls", {f"a=open({str(target)!r}, 'w'), b": 1}],
    ]
    with bfcl_env.Worker() as worker:
        results = worker.ask("execute", session="s", id="multi_turn_base_0", calls=evil)
        assert all("no_such_function" in r for r in results) and not target.exists()
        assert json.loads(worker.ask("execute", session="s", id="multi_turn_base_0", calls=[["ls", {}]])[0])
        with pytest.raises(bfcl_env.WorkerError, match="entries"):
            worker.ask("entries", category="no_such_category")
        assert worker.ask("entries", category="live_parallel")  # it still answers
