"""Definitions of tools in the forms of others, and their names of types."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from looptool_kit.tools.catalog import load_tools
from looptool_kit.tools.definition import definitions, tool_of
from looptool_kit.tools.schema import plain_parameters
from looptool_kit.tools.types import JSON_TYPES, of_name, typed

SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "days": {"type": "integer"}},
    "required": ["city"],
}
BARE = {"name": "get_weather", "description": "Weather of a city"}
FORMS: dict[str, Any] = {
    "openai": [{"type": "function", "function": {**BARE, "parameters": SCHEMA, "strict": True}}],
    "responses": {"tools": [{"type": "function", **BARE, "parameters": SCHEMA}]},
    "anthropic": [{**BARE, "input_schema": SCHEMA}],
    "mcp": {"tools": [{**BARE, "inputSchema": SCHEMA, "annotations": {"properties": {}}}]},
    "json-rpc": {"jsonrpc": "2.0", "id": 1, "result": {"tools": [{**BARE, "inputSchema": SCHEMA}]}},
    "gemini": [{"functionDeclarations": [{**BARE, "parameters": SCHEMA}]}],
    "gemini python": {"function_declarations": [{**BARE, "parametersJsonSchema": SCHEMA}]},
    "bedrock": {"toolConfig": {"tools": [{"toolSpec": {**BARE, "inputSchema": {"json": SCHEMA}}}]}},
    "old openai": {"functions": [{**BARE, "parameters": SCHEMA}]},
    "pydantic": [{"title": "get_weather", "description": "Weather of a city", **SCHEMA}],
    "as text": [{**BARE, "parameters": json.dumps(SCHEMA)}],
    "flat": [{**BARE, "parameters": {"city": {"type": "str"}, "days": {"type": "int, optional"}}}],
    "smolagents": [
        {**BARE, "inputs": {"city": {"type": "string"}, "days": {"type": "integer", "nullable": True}}}
    ],
    "listed": [
        {
            **BARE,
            "parameters": [
                {"name": "city", "type": "string", "required": True},
                {"name": "days", "type": "integer", "required": False},
            ],
        }
    ],
    "toolbench": [
        {
            **BARE,
            "required_parameters": [{"name": "city", "type": "STRING"}],
            "optional_parameters": [{"name": "days", "type": "NUMBER"}],
        }
    ],
    "cohere": [
        {
            **BARE,
            "parameter_definitions": {
                "city": {"type": "str", "required": True},
                "days": {"type": "int", "required": False},
            },
        }
    ],
    "beside the name": [{**BARE, **SCHEMA, "type": "function"}],
    "required inside": [
        {
            **BARE,
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string", "required": True}, "days": {"type": "integer"}},
            },
        }
    ],
    "bfcl": [{**BARE, "parameters": {**SCHEMA, "type": "dict"}}],
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_gives_the_same_tool(form: str, tmp_path: Path) -> None:
    path = tmp_path / "tools.json"
    path.write_text(json.dumps(FORMS[form]))
    (tool,) = load_tools(path)
    assert (tool.name, tool.description) == ("get_weather", "Weather of a city")
    assert tool.required == ("city",) and list(tool.properties) == ["city", "days"]
    assert tool.properties["city"]["type"] == "string"
    days = tool.properties["days"]["type"]
    assert days == {"toolbench": "number", "smolagents": ["integer", "null"]}.get(form, "integer")


def test_parameters_under_an_unknown_key_are_not_lost_in_silence() -> None:
    with pytest.raises(ValueError, match="stand under 'schema_of_input'"):
        tool_of({**BARE, "schema_of_input": SCHEMA})
    for hidden in ({"city": {"type": "string"}}, [{"name": "city", "type": "string"}]):
        with pytest.raises(ValueError, match="stand under 'fields'"):
            tool_of({**BARE, "fields": hidden})
    with pytest.raises(ValueError, match="has no name"):
        tool_of({"type": "web_search"})
    assert tool_of({**BARE, "outputSchema": SCHEMA}).properties == {}


def test_what_holds_definitions_is_opened_and_a_tool_is_not() -> None:
    tool = {"name": "tools", "parameters": {"type": "object", "properties": {"tools": {"type": "array"}}}}
    assert list(definitions([tool, {"tools": [tool, tool]}])) == [tool] * 3


@pytest.mark.parametrize(
    ("name", "schema"),
    [
        ("dict", {"type": "object"}),
        ("Float", {"type": "number"}),
        ("any", {}),
        ("STRING", {"type": "string"}),
        ("tuple", {"type": "array"}),
        ("list[str]", {"type": "array", "items": {"type": "string"}}),
        ("List[Dict[str, Any]]", {"type": "array", "items": {"type": "object"}}),
        ("Dict[str, int]", {"type": "object", "additionalProperties": {"type": "integer"}}),
        ("ArrayList<String>", {"type": "array", "items": {"type": "string"}}),
        ("array of strings", {"type": "array", "items": {"type": "string"}}),
        ("int[]", {"type": "array", "items": {"type": "integer"}}),
        ("Optional[float]", {"type": ["number", "null"]}),
        ("int | None", {"type": ["integer", "null"]}),
        ("str or int", {"type": ["string", "integer"]}),
        ("str, optional", {"type": "string"}),
        ("Literal['a', 'b']", {"enum": ["a", "b"]}),
        ("datetime.date", {"type": "string", "format": "date"}),
        ("tuple[int, ...]", {"type": "array", "items": {"type": "integer"}}),
        ("tuple[int, str]", {"type": "array"}),
        ("wibble", None),
        ("__import__('os')", None),
    ],
)  # fmt: skip
def test_names_of_types(name: str, schema: dict[str, Any] | None) -> None:
    assert of_name(name) == schema


@given(st.text(max_size=40) | st.sampled_from(["list[", "a | b", "x" * 300, "[" * 200, "Optional[int"]))
def test_a_name_of_a_type_is_read_or_left(name: str) -> None:
    read = of_name(name)
    if read is None:
        assert typed({"type": name}) == {"type": name}
    else:
        plain_parameters({"properties": {"x": typed({"type": name})}})


@given(st.sampled_from(JSON_TYPES))
def test_json_types_stay(kind: str) -> None:
    assert typed({"type": kind, "items": {}}) == {"type": kind, "items": {}}


def test_types_are_mapped_at_every_depth_and_foreign_words_dropped() -> None:
    deep = {
        "type": "dict",
        "properties": {
            "rows": {
                "type": "list",
                "$comment": "ours",
                "items": {"type": "OBJECT", "x-order": 1, "properties": {"at": {"type": "float"}}},
            },
            "either": {"anyOf": [{"type": "str"}, {"type": "int"}]},
        },
        "required": ["rows", "rows"],
    }
    assert plain_parameters(deep) == {
        "type": "object",
        "properties": {
            "rows": {
                "type": "array",
                "items": {"type": "object", "properties": {"at": {"type": "number"}}},
            },
            "either": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
        },
        "required": ["rows"],
    }


def test_words_of_other_drafts() -> None:
    old = {
        "id": "http://x/y",
        "properties": {
            "pair": {
                "type": "array",
                "items": [{"type": "string"}, {"type": "integer"}],
                "additionalItems": False,
            },
            "step": {"type": "number", "divisibleBy": 5},
            "id": {"type": "string"},
            "name": {"type": "string", "description": "A name.", "pattern": "("},
            "tree": {"$recursiveRef": "#"},
        },
        "dependencies": {"step": ["pair"]},
        "$recursiveAnchor": True,
    }
    plain = plain_parameters(old)
    assert plain["dependentRequired"] == {"step": ["pair"]} and "$recursiveAnchor" not in plain
    assert plain["properties"]["pair"]["prefixItems"] == [{"type": "string"}, {"type": "integer"}]
    assert plain["properties"]["pair"]["items"] is False
    assert plain["properties"]["step"] == {"type": "number", "multipleOf": 5}
    assert plain["properties"]["id"] == {"type": "string"}
    assert plain["properties"]["name"] == {"type": "string", "description": "A name. Pattern: ("}
    assert "step" in plain["properties"]["tree"]["properties"]


@pytest.mark.parametrize(
    "custom",
    [
        {"type": "custom", "custom": {"name": "sql", "description": "Runs a query"}},
        {"type": "custom", "name": "sql", "description": "Runs a query", "format": {"type": "text"}},
    ],
)
def test_a_custom_tool_takes_free_text_as_its_input(custom: dict[str, Any]) -> None:
    [item] = definitions([custom])
    tool = tool_of(item)
    assert tool.name == "sql" and tool.description == "Runs a query"
    assert tool.parameters == {
        "type": "object",
        "properties": {"input": {"type": "string"}},
        "required": ["input"],
    }
    # Anthropic's tools are of this type too, and have a schema.
    assert tool_of({"type": "custom", **BARE, "input_schema": SCHEMA}).properties.keys() == {"city", "days"}
