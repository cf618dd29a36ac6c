"""How ACEBench's answers are judged: the rules of its script, and the strict reading, on entries of our own.

With LOOPTOOL_ACEBENCH naming a checkout, its own script is asked too.
"""

from __future__ import annotations

import os
import random
import sys
from pathlib import Path
from typing import Any

import pytest
from acebench_entries import ARGUMENTS, FERRY, answer, arguments, entry
from hypothesis import given, settings
from hypothesis import strategies as st

from looptool_kit.core.samples import ToolCall
from looptool_kit.stages.evaluate.acebench import check as acebench_check
from looptool_kit.stages.evaluate.acebench import labels as acebench_labels
from looptool_kit.stages.evaluate.acebench.labels import Entry


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
