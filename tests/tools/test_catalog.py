"""Files of tools: OpenAI lists, and what cannot be read."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from looptool_kit.tools.catalog import load_tools

WRAPPED = {
    "type": "function",
    "function": {
        "name": "get weather!",
        "description": None,
        "strict": True,
        "parameters": {
            "type": "object",
            "properties": {"city": {"$ref": "#/$defs/City"}},
            "$defs": {"City": {"type": "string", "title": "C"}},
        },
    },
}
BARE = {"name": "stop"}
BAD: list[tuple[Any, str]] = [
    ({"type": "function"}, "no name"),
    ({"name": "  "}, "no name"),
    ("text", "a tool is an object"),
    ({"name": "a", "description": 3}, "must be text"),
    ({"name": "a", "parameters": {"type": "array"}}, "of type object"),
    ({"name": "a", "parameters": {"properties": {"x": {"type": "strin"}}}}, "not a JSON Schema"),
    (
        {"name": "a", "parameters": {"properties": {"x": {"type": "string", "minLength": -1}}}},
        "properties.x.minLength",
    ),
    ({"name": "a", "parameters": {"properties": {"x": 3}}}, "a schema is an object"),
    ({"name": "a", "parameters": {"properties": {"x": {}}, "required": ["y"]}}, "'y'"),
    ({"name": "a", "parameters": {"properties": {"x": {"$ref": "other.json#/x"}}}}, "outside of the file"),
    ({"name": "a", "parameters": {"properties": {"x": {"$ref": "#/x"}}}}, "points to nothing"),
]


@pytest.mark.parametrize("suffix", ["json", "jsonl"])
def test_an_openai_list_is_read_and_bad_rows_are_rejected(suffix: str, tmp_path: Path) -> None:
    items = [WRAPPED, *(bad for bad, _ in BAD), BARE, BARE]
    path = tmp_path / f"tools.{suffix}"
    path.write_text(
        json.dumps(items) if suffix == "json" else "\n".join(map(json.dumps, items)), encoding="utf-8-sig"
    )
    rejected: list[tuple[int, str, str]] = []
    tools = load_tools(path, lambda *row: rejected.append(row))
    assert [t.name for t in tools] == ["get_weather_", "stop", "stop_2"]
    assert tools[0].parameters == {"type": "object", "properties": {"city": {"type": "string"}}}
    assert tools[1].parameters == {"type": "object", "properties": {}}
    assert [row[0] for row in rejected] == list(range(2, 2 + len(BAD)))
    for (_, raw, reason), (bad, words) in zip(rejected, BAD, strict=True):
        assert json.loads(raw) == bad and words in reason and "\n" not in reason
    with pytest.raises(ValueError, match=rf"tools\.{suffix}, row 2 .*no name"):
        load_tools(str(path))


@pytest.mark.parametrize(
    ("name", "content", "words"),
    [
        ("a.json", "{", "is not JSON"),
        ("a.json", "[" * 100_000, "is not JSON"),
        ("a.json", "[]", "holds no tools"),
        ("a.json", "3", "neither a list of tools nor"),
        ("a.yaml", "a: [", "is not YAML"),
        ("a.json", '{"swagger": "1.2"}', "only 3.x and Swagger 2.0"),
        ("a.json", '{"openapi": "4.0"}', "only 3.x"),
        ("a.json", '{"openapi": "3.1.0", "paths": {}}', "holds no tools"),
        ("a.jsonl", '{"name": "a"}\n{', r"a\.jsonl, row 2"),
    ],
)
def test_an_unreadable_file_is_named(name: str, content: str, words: str, tmp_path: Path) -> None:
    (tmp_path / name).write_text(content)
    with pytest.raises(ValueError, match=words):
        load_tools(tmp_path / name)
    with pytest.raises(FileNotFoundError, match="none.json does not exist"):
        load_tools(tmp_path / "none.json")


DOUBLED = "".join(f"x{i}: &x{i} [{f'*x{i - 1}, *x{i - 1}' if i else 1}]\n" for i in range(40))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (DOUBLED + "tools: *x39\n", "aliases that stand for [0-9,]+ values"),
        ("- &a {function: {name: f, parameters: {properties: {q: *a}}}}\n", "aliases that hold themselves"),
        ("- &a [*a]\n", "aliases that hold themselves"),
    ],
)
def test_yaml_aliases_that_unfold_without_end_are_refused(tmp_path: Path, text: str, said: str) -> None:
    file = tmp_path / "api.yaml"
    file.write_text(text)
    with pytest.raises(ValueError, match=rf"api\.yaml has YAML {said}: write out"):
        load_tools(file)


def test_yaml_aliases_are_read_as_what_they_stand_for(tmp_path: Path) -> None:
    text = "- function: {name: %s, description: Find., parameters: {type: object, properties: %s}}\n"
    file = tmp_path / "tools.yaml"
    file.write_text(text % ("one", "&q {q: {type: string}}") + text % ("two", "*q") + text % ("three", "*q"))
    one, two, three = load_tools(file)
    assert one.parameters == two.parameters == three.parameters and "q" in str(one.parameters)
