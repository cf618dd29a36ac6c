"""The suite `acebench` on entries of our own in its format: conversion, the rules of its script, the strict
reading, weights, the run folder.

Nothing of ACEBench's data is kept here. With LOOPTOOL_ACEBENCH naming a checkout, its own script is asked
too.
"""

from __future__ import annotations

import json
import os
import random
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from looptool_kit.checks.contamination import build, check_sample, check_tool
from looptool_kit.core import stats
from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.core.toolcalls import render_calls
from looptool_kit.policy.engines import Completion, Sampling
from looptool_kit.policy.policy import base_policy
from looptool_kit.run.folder import Run
from looptool_kit.stages.evaluate import acebench, find_suite
from looptool_kit.stages.evaluate.acebench import check as acebench_check
from looptool_kit.stages.evaluate.acebench import labels as acebench_labels
from looptool_kit.stages.evaluate.acebench.labels import Entry

FERRY: dict[str, Any] = {
    "name": "Ferry.book",
    "description": "Book a ferry.",
    "parameters": {
        "type": "dict",
        "required": ["port", "seats"],
        "properties": {
            "port": {"type": "string", "description": "Where to."},
            "seats": {"type": "integer"},
            "price": {"type": "number"},
            "weight": {"type": "float"},
            "quiet": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string", "enum": ["window", "upper deck"]}},
            "guest": {
                "type": "object",
                "properties": {"name": {"type": "string"}, "age": {"type": "integer"}},
                "required": ["name"],
            },
            "cars": {
                "type": "array",
                "items": {"type": "object", "properties": {"plate": {"type": "string"}}},
            },
        },
    },
}
DISTRACTOR = {
    "name": "harbour_state",
    "description": "State of a harbour.",
    "arguments": {"type": "object", "properties": {"at": {"type": "float"}}},
}
QUESTION = (
    "user: Two seats to Lundey.\nFor Ann: soon.\n"
    'system: [Ferry.book(port="Lundey", seats=2, guest={"name": "A]nn(", "ok": true}), harbour_state()]\n'
    "system: Booked.\nuser: The same to Grimsey, please.\n"
)
ARGUMENTS: dict[str, Any] = {"port": "Grimsey North", "seats": 2, "price": 9.5, "weight": 1.5, "quiet": True}


def entry(truth: Any = None, category: str = "en/normal_atom_bool", **update: Any) -> Entry:
    truth = {"Ferry.book": ARGUMENTS} if truth is None else truth
    made = Entry("en/x_0", category, "en/x_0", QUESTION, (DISTRACTOR, FERRY), "Today is Sunday.", "", truth)
    return made._replace(**update)


def answer(*calls: dict[str, Any], name: str = "Ferry.book") -> str:
    return render_calls([ToolCall(name=name, arguments=c) for c in calls])


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


flat = st.one_of(st.text('a"](,=b 名', max_size=3), st.integers(-9, 9), st.booleans(), st.none())
values = (
    flat
    | st.lists(flat, max_size=2)
    | st.dictionaries(st.sampled_from("ab"), flat | st.lists(flat, max_size=1))
    | st.just([{"a": [1]}, [2], {}])
)
arguments = st.dictionaries(
    st.sampled_from(["port", "seats", "price", "weight", "quiet", "tags", "guest", "cars", "bogus"]),
    values,
    max_size=4,
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


# --------------------------------------------------------------- the rules


def having(**update: Any) -> dict[str, Any]:
    return {k: v for k, v in (ARGUMENTS | update).items() if v is not ...}


@pytest.mark.parametrize(
    ("given", "official", "strict"),
    [
        (having(), True, True),
        (having(port="To grimsey_NORTH, now"), True, False),  # a text that holds the label's
        (having(port="Grimsey"), False, False),
        (having(seats=1002), True, False),  # no integer is compared
        (having(seats=2.0), True, True),
        (having(seats=2.5), False, False),  # but its type is
        (having(seats="2"), False, False),
        (having(seats=True), False, False),
        (having(price=77.25), True, False),  # a label of 9.5 is not of the type that `number` stands for
        (having(price=9), True, False),
        (having(weight=3), True, False),
        (having(quiet=False), True, False),
        (having(quiet="false"), True, False),
        (having(quiet="no"), False, False),
        (having(quiet=...), True, False),  # not required
        (having(port=...), False, False),
        (having(tags=["window"]), False, False),  # not in the label
        (having(bogus=1), False, False),
        (having(port=None), False, False),
        ({}, False, False),
    ],
)
def test_flat_arguments(given: dict[str, Any], official: bool, strict: bool) -> None:
    assert acebench_check.official(entry(), answer(given)).valid is official
    assert acebench_check.strict(entry(), answer(given)) is strict


@pytest.mark.parametrize(
    ("key", "label", "said", "official"),
    [
        ("tags", ["upper deck", "window"], ["Upper-Deck", "window."], True),
        ("tags", ["upper deck", "window"], ["window", "upper deck"], False),  # order counts
        ("tags", ["window"], ["window", "window"], False),
        ("tags", [], [], False),  # an empty list is never right
        ("guest", {"name": "Ann", "age": 5}, {"age": 15, "name": "Miss Ann"}, True),  # as printed: 15 holds 5
        ("guest", {"name": "Ann", "age": 5}, {"age": 4, "name": "Ann"}, False),
        ("guest", {"name": "Ann"}, {"name": "Ann", "age": 5}, False),
        ("guest", {"name": "Ann", "ok": True}, {"name": "Ann", "ok": "true"}, True),
        ("guest", {"name": ["Ann", "Bo"]}, {"name": ["Ann", "Bo"]}, True),
        (
            "guest",
            {"name": ["Ann Lee"]},
            {"name": ["Ann Lee"]},
            False,
        ),  # the spaces of the answer are dropped, the label's are not
        ("guest", {"name": {"first": "Ann"}}, {"name": {"first": "ann "}}, True),
        ("guest", {}, {}, False),
        ("guest", {"name": "Ann"}, "Ann", False),
        ("cars", [{"plate": "A 1"}, {"plate": "B 2"}], [{"plate": "a1"}, {"plate": "xB2"}], True),
        ("cars", [{"plate": "A 1"}, {"plate": "B 2"}], [{"plate": "B 2"}, {"plate": "A 1"}], False),
        ("cars", [{"plate": "A 1"}], [{"plate": "A 1"}, {"plate": "A 1"}], False),
        ("cars", [{"plate": "A 1"}], ["A 1"], False),
        ("port", "true", "true", False),  # no text that reads as a truth value is right where a string is due
    ],
)
def test_nested_arguments(key: str, label: Any, said: Any, official: bool) -> None:
    truth = {"Ferry.book": {"port": "Lundey", "seats": 1, key: label}}
    result = acebench_check.official(entry(truth), answer({"port": "Lundey", "seats": 1, key: said}))
    assert result.valid is official and (official or result.error_type)
    assert acebench_check.strict(entry(truth), answer(truth["Ferry.book"]))


def test_calls_are_counted_but_not_assigned() -> None:
    one, two = {"port": "Lundey", "seats": 1}, {"port": "Grimsey", "seats": 1}
    both = entry({"Ferry.book_1": one, "Ferry.book_2": two})
    check = acebench_check.official
    assert check(both, answer(two, one)).valid and acebench_check.strict(both, answer(two, one))
    assert check(both, answer(one)).error_type == "wrong functions number"
    assert not check(both, answer(one, one)).valid
    assert check(both, answer(one, name="harbour_state") + answer(two)).error_type == "function_mismatch"
    # Two calls that are expected alike may be met by one, and the other may be anything that has the name.
    alike = entry({"Ferry.book_1": one, "Ferry.book_2": one})
    assert check(alike, answer(one, two)).valid and not acebench_check.strict(alike, answer(one, two))


def test_one_of_several_alternatives_is_enough() -> None:
    several = entry([{"Ferry.book": having()}, {"Ferry.book": having(port="Lundey")}])
    assert acebench_check.official(several, answer(having(port="Lundey"))).valid and acebench_check.strict(
        several, answer(having(port="Lundey"))
    )
    assert acebench_check.official(several, answer(having(port="Flatey"))).error_type == "value_error:string"


def test_a_function_whose_name_ends_in_a_number_is_never_right() -> None:
    numbered = entry({"ferry_2": {"port": "Lundey"}}, functions=({**FERRY, "name": "ferry_2"},))
    assert (
        acebench_check.official(numbered, answer({"port": "Lundey"}, name="ferry_2")).error_type
        == "function_mismatch"
    )
    assert acebench_check.strict(numbered, answer({"port": "Lundey"}, name="ferry_2"))


@pytest.mark.parametrize("text", ["", "Booked.", "<tool_call>{}</tool_call>", "[Ferry.book(port='Lundey')]"])
def test_what_holds_no_call_is_wrong(text: str) -> None:
    assert acebench_check.official(
        entry(), text
    ).error_type == "wrong_output_format" and not acebench_check.strict(entry(), text)
    assert acebench_check.official(entry(), answer(having()), "length").error_type == "wrong_output_format"


@given(arguments, arguments)
def test_no_answer_and_no_label_stops_the_check(truth: dict[str, Any], said: dict[str, Any]) -> None:
    result = acebench_check.official(entry({"Ferry.book": truth}), answer(said))
    assert result.valid == (not result.error_type)
    assert acebench_check.strict(entry({"Ferry.book": truth}), answer(truth))


plain = st.fixed_dictionaries(
    {"port": st.text("abcXYZ _-'").filter(lambda s: s.strip()), "seats": st.integers(-99, 99)},
    optional={
        "quiet": st.booleans(),
        "weight": st.floats(-9, 9),
        "tags": st.lists(st.text("ab c"), min_size=1),
    },
)


@given(plain)
def test_labels_of_plain_values_pass_both_rules(truth: dict[str, Any]) -> None:
    made = entry({"Ferry.book": truth})
    assert acebench_check.official(made, answer(truth)).valid and acebench_check.strict(made, answer(truth))


MISSING = entry({"Ferry.book": ["port", " seats"]}, "en/special_incomplete")
WRONG = entry({"port": ["L4,nd"]}, "en/special_error_param")
BEYOND = entry(
    "Due to the limitations of the function, I cannot solve this problem.", "en/special_irrelevant"
)
CALL = answer({"port": "Lundey"})


@pytest.mark.parametrize(
    ("made", "said", "official", "strict", "no_call"),
    [
        (
            MISSING,
            '["Missing necessary parameters (seats,  seats, port) for the api (Ferry.book)"]',
            True,
            True,
            True,
        ),
        (MISSING, "Missing necessary parameters (port, seats) for the api (Ferry.book)", True, True, True),
        (MISSING, "Missing necessary parameters (port) for the api (Ferry.book)", False, False, True),
        (
            MISSING,
            "Missing necessary parameters (porter, your seats) for the api (Ferry.book)",
            True,
            False,
            True,
        ),  # names inside longer ones
        (
            MISSING,
            "Missing necessary parameters (port, seats, price) for the api (Ferry.book)",
            True,
            False,
            True,
        ),
        (
            MISSING,
            f"Missing necessary parameters (port, seats) for the api (Ferry.book) {CALL}",
            True,
            False,
            False,
        ),
        (MISSING, "Which port, and how many seats?", False, False, True),
        (MISSING, CALL, False, False, False),
        (
            WRONG,
            "There is incorrect value (L4,nd) for the parameters (port) in the conversation history.",
            True,
            True,
            True,
        ),
        (
            WRONG,
            "There is incorrect value (L4,nd) for the parameters (seats) in the conversation history.",
            True,
            False,
            True,
        ),
        (WRONG, "L4,nd is no port. Which one do you mean?", False, False, True),
        (BEYOND, "Due to the limitations of the function, I cannot solve this problem.", True, True, True),
        (
            BEYOND,
            "There is incorrect value. Due to the limitations of the function, I cannot solve this problem.",
            True,
            False,
            True,
        ),
        (BEYOND, "I have no tool for that, sorry.", False, False, True),
        (BEYOND, "", False, False, False),
    ],
)
def test_special_answers(made: Entry, said: str, official: bool, strict: bool, no_call: bool) -> None:
    from looptool_kit.core.toolcalls import parse

    made = made._replace(
        truth=(
            {k: [v.strip() for v in values] for k, values in made.truth.items()}
            if isinstance(made.truth, dict)
            else made.truth
        )
    )
    assert acebench_check.official(made, said).valid is official
    assert acebench_check.strict(made, said) is strict
    assert acebench_check.no_call(parse(said)) is no_call


def test_the_sentences_asked_for_pass_both_rules() -> None:
    for made in (MISSING, WRONG, BEYOND):
        said = acebench_labels.sentence(made)
        assert acebench_check.official(made, said).valid and acebench_check.strict(made, said)


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
        acebench.evaluate(Run.create(tmp_path / "run"), base_policy("embedded"))
    monkeypatch.setenv("LOOPTOOL_ACEBENCH", str(tmp_path))
    with pytest.raises(FileNotFoundError, match="is no checkout of ACEBench"):
        acebench_labels.checkout()


def rows_of(category: str, rows: Sequence[tuple[str, str, Any]], root: Path) -> None:
    language, name = category.split("/")
    folder = root / "data_all" / f"data_{language}"
    (folder / "possible_answer").mkdir(parents=True, exist_ok=True)
    asked = [
        {"id": id, "question": question, "function": [DISTRACTOR, FERRY], "time": ""}
        for id, question, _ in rows
    ]
    (folder / f"data_{name}.json").write_text("\n".join(json.dumps(r) for r in asked) + "\n")
    labels = [{"id": id, "ground_truth": truth} for id, _, truth in rows]
    (folder / "possible_answer" / f"data_{name}.json").write_text("\n".join(json.dumps(r) for r in labels))


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
    monkeypatch.setattr(acebench, "open_engine", lambda policy, batch: engine)
    run, policy = Run.create(tmp_path / "run"), base_policy("embedded")
    wanted = ["en/normal_similar_api", "en/multi_turn", "en/special_incomplete"]
    with pytest.raises(FileNotFoundError, match="user_switch.json is missing"):
        acebench.evaluate(run, policy, wanted)
    wanted[1] = "en/normal_multi_turn_user_adjust"
    scores = find_suite("acebench").evaluate(run, policy, wanted)
    assert [(s.sample_id.rpartition("normal_")[2], s.correct, s.error) for s in scores if s.split == wanted[0]] == [
        ("similar_api_0", True, ""), ("similar_api_1", False, "wrong_output_format"), ("similar_api_2", False, "context"),
    ]  # fmt: skip
    adjust, similar, special = acebench.by_category(scores)
    assert (adjust.n, adjust.official, adjust.strict) == (
        2,
        1,
        0,
    )  # a dialogue is right where all its steps are
    assert (similar.n, similar.official, similar.strict, similar.no_call) == (3, 1, 0, None)
    assert (special.n, special.official, special.strict, special.no_call) == (1, 0, 0, 1)
    asked = engine.asked
    assert acebench.evaluate(run, policy, wanted) == scores and engine.asked == asked == 7
    probes, samples = acebench.failures(run, policy)
    assert len(probes) == 4 and {p.sample_id for p in probes} == set(samples.by_id())
    assert [p.faults[0].kind for p in acebench.failures(run, policy, "en/special")[0]] == ["wrong_reply"]
    acebench.print_scores(scores, "base")
    said = capsys.readouterr().out
    assert "0.500" in said and "overall: normal and special" in said and "en: overall" not in said


def test_a_choice_takes_whole_dialogues(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(acebench, "open_engine", lambda policy, batch: Scripted(say))
    scores = acebench.evaluate(
        Run.create(tmp_path / "run"), base_policy("embedded"), ["en/normal_multi_turn_user_adjust"], 1
    )
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


# ----------------------------------------------------- the benchmark's script


@pytest.fixture(scope="module")
def script() -> tuple[Any, Any]:
    """(the module of the comparison, the checkout's script in a process of its own)."""
    if not os.environ.get("LOOPTOOL_ACEBENCH"):
        pytest.skip("set LOOPTOOL_ACEBENCH=/path/to/a/checkout of ACEBench")
    folder = str(Path(__file__).parents[3] / "benchmarks")
    sys.path.insert(0, folder)
    try:
        import acebench_agreement as agreement
    finally:
        sys.path.remove(folder)
    return agreement, agreement.Script(acebench_labels.checkout())


def test_verdicts_are_those_of_the_benchmarks_script(script: tuple[Any, Any]) -> None:
    agreement, official = script
    for category in ("en/normal_atom_object_deep", "zh/normal_similar_api", "en/special_error_param"):
        for found in acebench_labels.entries(acebench_labels.checkout(), category)[:20]:
            for kind in (
                "label",
                *(agreement.SPECIAL if "special" in category else ("number off by 1000", "words added")),
            ):
                if made := agreement.changed(found, kind, random.Random(0)):
                    assert official.valid(found, made[0]) is made[1], (found.id, kind)


@settings(max_examples=500)
@given(
    st.lists(arguments, min_size=1, max_size=2), st.lists(arguments, min_size=1, max_size=2), st.booleans()
)
def test_verdicts_on_anything_are_those_of_the_benchmarks_script(
    script: Any, truth: list[Any], said: list[Any], mixed: bool
) -> None:
    agreement, official = script
    made = entry({f"Ferry.book_{i}": {"port": "Lundey", "seats": 1} | t for i, t in enumerate(truth)})
    calls = [
        ToolCall(name="Ferry.book", arguments={"port": "lundey", "seats": 3} | (t if mixed else {}) | s)
        for t, s in zip(truth, said, strict=False)
    ]
    assert official.valid(made, agreement.as_text(calls)) is acebench_check.official_calls(made, calls).valid
