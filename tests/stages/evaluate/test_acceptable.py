"""Acceptable values: recorded verdicts of the official checker (bfcl-eval 2026.3.23) on tools of our own."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from looptool_kit.core.samples import ToolCall
from looptool_kit.core.toolcalls import Answer, parse
from looptool_kit.stages.evaluate.bfcl.acceptable import bfcl_tools, match_acceptable

ROOM = {
    "name": "room.book",
    "description": "Book a room.",
    "parameters": {
        "type": "dict",
        "required": ["city", "nights"],
        "properties": {
            "city": {"type": "string", "description": "City."},
            "nights": {"type": "integer"},
            "price": {"type": "float", "default": 99.5},
            "smoking": {"type": "boolean"},
            "tags": {"type": "array", "items": {"type": "string"}},
            "at": {"type": "tuple", "items": {"type": "float"}},
            "guest": {"type": "dict", "properties": {"name": {"type": "string"}, "age": {"type": "integer"}}},
            "extras": {"type": "array", "items": {"type": "dict"}},
            "note": {"type": "any"},
        },
    },
}
CANCEL = {
    "name": "room_cancel",
    "description": "Cancel.",
    "parameters": {"type": "dict", "required": ["id"], "properties": {"id": {"type": "string"}}},
}
DOCS: list[dict[str, Any]] = [ROOM, CANCEL]
LABEL: list[dict[str, Any]] = [
    {
        "room.book": {
            "city": ["New York", "NYC"],
            "nights": [2],
            "price": [99.5, 100, ""],
            "smoking": [False, ""],
            "tags": [["Sea View", "quiet"], ""],
            "at": [[1.0, 2.5], ""],
            "guest": [{"name": ["Ann O'Hara", "Ann"], "age": [30, ""]}, ""],
            "extras": [[{"kind": ["bed"], "n": [1, 2]}, {"kind": ["tv"], "n": [1, ""]}], ""],
            "note": ["x", 3, ""],
        }
    }
]
# Arguments beside city and nights, and the official error type (empty: valid).
RECORDED: list[tuple[dict[str, Any], str]] = [
    ({}, ""),
    ({"city": "new-york."}, ""),
    ({"city": "NYC!"}, "value_error:string"),
    ({"city": "Boston"}, "value_error:string"),
    ({"nights": 2.0}, "type_error:simple"),
    ({"nights": "2"}, "type_error:simple"),
    ({"nights": True}, "type_error:simple"),
    ({"nights": None}, "type_error:simple"),
    ({"nights": 3}, "value_error:others"),
    ({"price": 100}, ""),
    ({"price": 100.0}, ""),
    ({"price": 99.5}, ""),
    ({"price": 99}, "value_error:others"),
    ({"price": "100"}, "type_error:simple"),
    ({"price": True}, "type_error:simple"),
    ({"smoking": False}, ""),
    ({"smoking": True}, "value_error:others"),
    ({"smoking": 0}, "type_error:simple"),
    ({"smoking": "false"}, "type_error:simple"),
    ({"tags": ["sea view", "QUIET"]}, ""),
    ({"tags": ["quiet", "sea view"]}, "value_error:list/tuple"),
    ({"tags": ["sea view"]}, "value_error:list/tuple"),
    ({"tags": []}, ""),
    ({"tags": ["sea view", 1]}, "value_error:list/tuple"),
    ({"tags": "sea view"}, "type_error:simple"),
    ({"tags": ""}, "type_error:simple"),
    ({"at": [1, 2.5]}, ""),
    ({"at": [1.0, 2.5]}, ""),
    ({"at": [2.5, 1.0]}, "value_error:list/tuple"),
    ({"at": ["1.0", 2.5]}, "value_error:list/tuple"),
    ({"guest": {"name": "ann ohara", "age": 30}}, "value_error:dict_value"),
    ({"guest": {"name": 'Ann "Hara', "age": 30}}, "value_error:dict_value"),
    ({"guest": {"name": "Ann O'HARA"}}, ""),
    ({"guest": {"age": 30}}, "value_error:dict_key"),
    ({"guest": {"name": "Ann", "age": "30"}}, "value_error:dict_value"),
    ({"guest": {"name": "Ann", "age": 30.0}}, ""),
    ({"guest": {"name": "Ann", "dog": 1}}, "value_error:dict_key"),
    ({"guest": {}}, "value_error:dict_key"),
    ({"guest": "Ann"}, "type_error:simple"),
    ({"extras": [{"kind": "BED", "n": 1}, {"kind": "tv"}]}, ""),
    ({"extras": [{"kind": "tv"}, {"kind": "bed", "n": 1}]}, "value_error:list_dict_count"),
    ({"extras": [{"kind": "bed", "n": True}, {"kind": "tv"}]}, ""),
    ({"extras": [{"kind": "bed", "n": 1}]}, "value_error:list_dict_count"),
    ({"extras": []}, ""),
    ({"extras": [{"kind": "bed"}, {"kind": "tv"}]}, "value_error:list_dict_count"),
    ({"note": "X"}, ""),
    ({"note": 3}, "type_error:simple"),
    ({"note": "3"}, "value_error:string"),
    ({"note": ""}, ""),
    ({"bogus": 1}, "simple_function_checker:unexpected_param"),
]


def as_calls(pairs: list[tuple[str, dict[str, Any]]]) -> list[ToolCall]:
    return [ToolCall(name=name, arguments=arguments) for name, arguments in pairs]


@pytest.mark.parametrize(("arguments", "error"), RECORDED)
def test_values_are_judged_as_recorded(arguments: dict[str, Any], error: str) -> None:
    prediction = as_calls([("room_book", {"city": "New York", "nights": 2, **arguments})])
    for tools in (DOCS, bfcl_tools(DOCS)):
        for category in ("simple_python", "live_multiple"):
            result = match_acceptable(prediction, LABEL, tools, category=category)
            assert (result.valid, result.error_type, bool(result.errors)) == (not error, error, bool(error))


ROME = ("room_book", {"city": "Rome", "nights": 1})
A1, B2 = ("room_cancel", {"id": "A1"}), ("room_cancel", {"id": "B2"})
THREE: list[dict[str, Any]] = [
    {"room.book": {"city": ["Rome"], "nights": [1]}},
    {"room_cancel": {"id": ["A-1"]}},
    {"room_cancel": {"id": ["A-1", "B-2"]}},
]
RECORDED_CALLS: list[tuple[str, list[tuple[str, dict[str, Any]]], str]] = [
    ("parallel_multiple", [ROME, ("room_cancel", {"id": "a1"}), B2], ""),
    ("parallel_multiple", [B2, ROME, A1], ""),
    ("parallel_multiple", [B2, B2, ROME], "parallel_function_checker_no_order:cannot_find_match"),
    ("parallel_multiple", [A1, A1, ROME], ""),
    ("parallel_multiple", [ROME, A1], "parallel_function_checker_no_order:wrong_count"),
    ("parallel_multiple", [], "parallel_function_checker_no_order:wrong_count"),
    (
        "live_parallel",
        [ROME, ("room_cancel", {"id": "a1"}), B2, ROME],
        "parallel_function_checker_no_order:wrong_count",
    ),
    ("multiple", [ROME], ""),
    ("multiple", [A1], "simple_function_checker:wrong_func_name"),
    ("multiple", [], "multiple_function_checker:wrong_count"),
    ("multiple", [ROME, ROME], "multiple_function_checker:wrong_count"),
    ("simple_python", [ROME, ROME], "simple_function_checker:wrong_count"),
    ("live_simple", [], "simple_function_checker:wrong_count"),
    (
        "simple_python",
        [("room.book", {"city": "Rome", "nights": 1})],
        "simple_function_checker:wrong_func_name",
    ),
    ("live_multiple", [("room_book", {"nights": 1})], "simple_function_checker:missing_required"),
    ("simple_python", [("room_book", {})], "simple_function_checker:missing_required"),
]


@pytest.mark.parametrize(("category", "prediction", "error"), RECORDED_CALLS)
def test_calls_are_assigned_as_recorded(
    category: str, prediction: list[tuple[str, dict[str, Any]]], error: str
) -> None:
    label = THREE if "parallel" in category else THREE[:1]
    for said in (as_calls(prediction), Answer(calls=tuple(as_calls(prediction)))):
        result = match_acceptable(said, label, DOCS, category=category)
        assert (result.valid, result.error_type) == (not error, error)


def source_doc(kinds: dict[str, str], items: tuple[str, str]) -> dict[str, Any]:
    properties: dict[str, Any] = {name: {"type": kind} for name, kind in kinds.items()}
    properties["l"]["items"], properties["a"]["items"] = {"type": items[0]}, {"type": items[1]}
    return {"name": "g", "parameters": {"type": "dict", "required": ["n"], "properties": properties}}


SOURCE = {
    "java": source_doc(
        {
            "n": "long",
            "f": "float",
            "b": "boolean",
            "l": "ArrayList",
            "m": "HashMap",
            "s": "String",
            "a": "Array",
        },
        ("String", "integer"),
    ),
    "javascript": source_doc(
        {"n": "Bigint", "f": "float", "b": "Boolean", "l": "array", "m": "dict", "s": "String", "a": "array"},
        ("String", "integer"),
    ),
}
SOURCE_LABEL: list[dict[str, Any]] = [
    {
        "g": {
            "n": [5],
            "f": [1.5, ""],
            "b": [True, ""],
            "l": [["a", "b"], ""],
            "m": [{"k": ["v"], "n": [1]}, ""],
            "s": ["user.name", ""],
            "a": [[1, 2], ""],
        }
    }
]
RECORDED_SOURCE: list[tuple[str, dict[str, Any], str]] = [
    ("java", {}, ""),
    ("java", {"n": "5"}, "type_error:simple"),
    ("java", {"n": 5}, "type_error:java"),
    ("java", {"f": "1.5f"}, ""),
    ("java", {"f": "1.5"}, "type_error:simple"),
    ("java", {"b": "true"}, ""),
    ("java", {"b": "True"}, "type_error:simple"),
    ("java", {"l": 'new ArrayList<>(Arrays.asList("a", "b"))'}, ""),
    ("java", {"l": 'new ArrayList<String>() {{ add("a"); add("b"); }}'}, ""),
    ("java", {"l": "new ArrayList<>()"}, ""),
    ("java", {"l": '["a", "b"]'}, "type_error:simple"),
    ("java", {"m": 'new HashMap<String, Object>() {{ put("k", "v"); put("n", 1); }}'}, ""),
    ("java", {"m": "new HashMap<>()"}, "value_error:dict_key"),
    ("java", {"s": "user.name"}, ""),
    ("java", {"a": "new int[]{1, 2}"}, ""),
    ("java", {"a": "new int[]{2, 1}"}, "value_error:list/tuple"),
    ("javascript", {}, ""),
    ("javascript", {"n": "5"}, "type_error:simple"),
    ("javascript", {"n": 5}, "type_error:js"),
    ("javascript", {"f": "1.5"}, ""),
    ("javascript", {"f": "1.5f"}, "type_error:simple"),
    ("javascript", {"b": "true"}, ""),
    ("javascript", {"b": "yes"}, "type_error:simple"),
    ("javascript", {"l": "[\"a\", 'b']"}, ""),
    ("javascript", {"l": 'new Array("a", "b")'}, ""),
    ("javascript", {"l": "[]"}, ""),
    ("javascript", {"l": "[a, b]"}, ""),
    ("javascript", {"m": '{"k": "v", n: 1}'}, ""),
    ("javascript", {"m": "{}"}, "value_error:dict_key"),
    ("javascript", {"s": "'user.name'"}, ""),
    ("javascript", {"a": "[1, 2]"}, ""),
    ("javascript", {"a": "[1, 2];"}, ""),
    ("javascript", {"a": "[2, 1]"}, "value_error:list/tuple"),
]


@pytest.mark.parametrize(("language", "arguments", "error"), RECORDED_SOURCE)
def test_java_and_javascript_are_judged_as_recorded(
    language: Any, arguments: dict[str, Any], error: str
) -> None:
    prediction = as_calls([("g", {"n": "5L" if language == "java" else "5n", **arguments})])
    result = match_acceptable(prediction, SOURCE_LABEL, [SOURCE[language]], language, f"simple_{language}")
    assert (result.valid, result.error_type) == (not error, error)


def test_relevance_asks_only_whether_there_is_a_call() -> None:
    call, broken = as_calls([ROME]), parse("<tool_call>{")
    assert match_acceptable([], [], DOCS, category="live_irrelevance").valid
    assert match_acceptable(broken, [], DOCS, category="irrelevance").valid
    assert not match_acceptable(call, [], DOCS, category="irrelevance").valid
    assert match_acceptable(call, [], DOCS, category="live_relevance").valid
    assert not match_acceptable([], [], DOCS, category="live_relevance").valid
    assert match_acceptable(broken, LABEL, DOCS).error_type == "ast_decoder:decoder_failed"


@pytest.mark.parametrize(
    ("label", "tools", "words"),
    [
        ([], DOCS, "at least one call"),
        ([{"pay": {}}], DOCS, "pay, which is not among the tools"),
        ([{"room_cancel": {"id": "A1"}}], DOCS, "list of acceptable values"),
        ([[]], DOCS, "object"),
        (LABEL, [{"name": "room.book"}], "parameters"),
        (
            [{"f": {"a": [1]}}],
            [{"name": "f", "parameters": {"properties": {"a": {"type": "matrix"}}}}],
            "matrix",
        ),
    ],
)
def test_a_malformed_label_is_named(label: Any, tools: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        match_acceptable(as_calls([("f", {"a": 1})]), label, tools)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda v: (
        st.lists(v, max_size=3)
        | st.dictionaries(st.sampled_from(["name", "age", "kind", "n"]), v, max_size=3)
    ),
    max_leaves=6,
)


@given(st.dictionaries(st.sampled_from([*ROOM["parameters"]["properties"], "other"]), json_values))  # type: ignore[index]
def test_no_prediction_makes_it_raise(arguments: dict[str, Any]) -> None:
    prediction = as_calls([("room_book", {"city": "NYC", "nights": 2, **arguments})])
    result = match_acceptable(prediction, LABEL, DOCS)
    assert result.valid is (result.error_type == "")
    text = {k: v if isinstance(v, str) else json.dumps(v) for k, v in arguments.items()}
    for language in ("java", "javascript"):
        letters = dict(zip("nfblmsa", text.values(), strict=False))
        match_acceptable(as_calls([("g", letters)]), SOURCE_LABEL, [SOURCE[language]], language)  # type: ignore[arg-type]


def test_function_documents_become_json_schema() -> None:
    room, cancel = bfcl_tools(DOCS)
    assert (room.name, cancel.name, room.required, room.description) == (
        "room_book",
        "room_cancel",
        ("city", "nights"),
        "Book a room.",
    )
    assert {k: v.get("type") for k, v in room.properties.items()} == {
        "city": "string", "nights": "integer", "price": "number", "smoking": "boolean", "tags": "array",
        "at": "array", "guest": "object", "extras": "array", "note": None,
    }  # fmt: skip
    assert room.properties["at"]["items"] == {"type": "number"} and room.properties["extras"]["items"] == {
        "type": "object"
    }
    assert room.properties["price"]["default"] == 99.5 and room.parameters["type"] == "object"
    named = bfcl_tools(
        [
            {
                "name": "a.b.c",
                "parameters": {"type": "dict", "properties": {"type": {"type": "float", "required": True}}},
            }
        ]
    )[0]
    assert (named.name, named.parameters) == (
        "a_b_c",
        {"type": "object", "properties": {"type": {"type": "number"}}},
    )
    java = bfcl_tools([SOURCE["java"]], "java")[0]
    assert all(p["type"] == "string" and "Java source" in p["description"] for p in java.properties.values())
    assert (
        "Its elements are of type String." in java.properties["l"]["description"]
        and "items" not in java.properties["l"]
    )
    for tool in (room, cancel, named, java):
        Draft202012Validator.check_schema(tool.parameters)
