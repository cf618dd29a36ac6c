"""Details are said with their names, and only what a person says is asked for."""

from __future__ import annotations

import re
import warnings

import pytest
from template_draws import tool

from looptool_kit.checks.rules import check_sample
from looptool_kit.core.samples import Label, Message, Sample, Tool, ToolCall
from looptool_kit.stages.seed.templates import generate, usable
from looptool_kit.stages.seed.templates.conditions import bound
from looptool_kit.stages.seed.templates.nouns import counted, is_noun, is_opaque, label_of
from looptool_kit.stages.seed.templates.values import type_of

TEXT, WHOLE, DAY = {"type": "string"}, {"type": "integer"}, {"type": "string", "format": "date"}


def drawn(*tools: Tool, n: int = 24) -> list[Sample]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)
        return list(generate(tools, n, seed=2, kinds=["single"]))


PARCEL = tool(
    "create_parcel", "Create a parcel", weight_kg={"type": "number", "examples": [3, 12.5]},
    service_level={"enum": ["economy", "express"]}, parcel_count={"type": "integer", "examples": [2, 5]},
    insured_value={"type": "number", "description": "in EUR", "examples": [50, 900]},
)  # fmt: skip


def test_each_detail_is_said_with_its_name() -> None:
    for sample in drawn(PARCEL):
        asked = sample.request.lower()
        for name in ("weight", "service level", "number of parcels", "insured value"):
            assert f"{name}: " in asked or "typo" in sample.meta or len(set(asked) & set(name)) > 3


@pytest.mark.parametrize(
    ("words", "description", "label"),
    [
        ("fmt", "", "format"), ("txn id", "", "transaction ID"), ("parcel count", "", "number of parcels"),
        ("num guests", "", "number of guests"), ("price min", "", "minimum price"),
        ("duration min", "", "duration"), ("not before", "", "not before"),
        ("og", "Original gravity.", "original gravity"),
        ("card last4", "", "last four digits of the card"), ("weight g", "", "weight"),
    ],
)  # fmt: skip
def test_labels_are_words_that_people_say(words: str, description: str, label: str) -> None:
    text = "id" in words or words == "fmt"
    schema = {"description": description, "type": "string" if text else "integer"}
    kind = type_of(words.replace(" ", "_"), schema | {"examples": ["x1"] if text else [3]})
    assert label_of(words, description, kind, "thing") == label


def test_what_is_no_noun_stands_only_in_a_list() -> None:
    assert is_noun("weight") and is_noun("seat") and not is_noun("expires") and not is_noun("harvested on")
    assert is_opaque("txn id") and not is_opaque("order ID") and counted("room count") == "rooms"
    for day in ({"moved_by": DAY | {"description": "date"}}, {"expires": DAY}):
        board = tool("move_bed", "Move a bed", bed_id=TEXT, **day)
        assert not any(re.search(r"with (?:the )?(?:expires|moved)", s.request) for s in drawn(board))


def test_a_parameter_of_which_nothing_is_known_is_named_and_not_asked_for() -> None:
    strange = tool("set_gloop", "Set the gloop of a lamp", lamp_id=TEXT, gloop=TEXT)
    assert "gloop" in usable([strange])[1]["set_gloop"]
    optional = tool("paint_lamp", "Paint a lamp", 1, lamp_id=TEXT, gloop=TEXT)
    assert not any("gloop" in c.arguments for s in drawn(optional) for c in s.label.calls)


def test_nobody_asks_for_a_page() -> None:
    pages = tool(
        "list_lamps", "List lamps", 0, page=WHOLE, per_page=WHOLE, next_token=TEXT, offset=WHOLE, room_id=TEXT
    )
    assert {n for s in drawn(pages) for c in s.label.calls for n in c.arguments} <= {"room_id"}


def test_a_changed_attribute_is_changed_to_its_value() -> None:
    image = TEXT | {"description": "e.g. web:1.4 or web:2.0"}
    change = tool("set_image", "Change the image of a deployment", deployment_id=TEXT, image=image)
    for sample in drawn(change):
        assert not re.search(r"image web:\S+ of", sample.request)


def test_a_list_answers_a_flag() -> None:
    flag = tool(
        "ship", "Ship a parcel", parcel_id=TEXT, signature={"type": "boolean"}, gift={"type": "boolean"}
    )
    asked = "Ship parcel PAR-12345. Signature: no, gift: yes."
    call = ToolCall(name="ship", arguments={"parcel_id": "PAR-12345", "signature": False, "gift": True})
    sample = Sample(
        tools=(flag,), messages=(Message(role="user", content=asked),), label=Label(calls=(call,)),
        kind="single", split="train", source="templates", strategy="seeders.templates",
    )  # fmt: skip
    assert all(c.passed for c in check_sample(sample))
    wrong = call.model_copy(update={"arguments": call.arguments | {"signature": True}})
    assert not all(c.passed for c in check_sample(sample.model_copy(update={"label": Label(calls=(wrong,))})))


@pytest.mark.parametrize(
    ("description", "tie"),
    [
        ('Name of the hive, e.g. "Linden 3" or "North 7".', ""),
        ("Name of the hive, e.g. 'Linden 3' or 'North 7'.", ""),
        ("Name of the hive; a linden one has no frames.", "linden"),
        ('The hive of "late lime".', "late_lime"),
    ],
)
def test_a_longer_name_speaks_of_no_choice(description: str, tie: str) -> None:
    hive = TEXT | {"description": description}
    properties = {"hive": hive, "kind": {"enum": ["acacia", "linden", "late_lime"]}}
    harvest = Tool(
        name="record_harvest",
        description="Record a harvest.",
        parameters={"type": "object", "properties": properties, "required": ["hive", "kind"]},
    )
    assert bound("hive", harvest) == tie
