"""Tools from anywhere: Python files and functions, OpenAI lists, OpenAPI files, MCP servers."""

from __future__ import annotations

import asyncio
import datetime
import importlib.metadata
import importlib.util
import json
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from looptool_kit.core.samples import Tool
from looptool_kit.tools.catalog import load_tools, python_function_to_tool
from looptool_kit.tools.schema import legal_name, plain_parameters

MY_TOOLS = '''
"""Tools of a restaurant."""
import dataclasses, datetime, enum
from os.path import join  # not ours, so no tool
from typing import Annotated, Literal, Optional, TypedDict
from pydantic import BaseModel, Field

import helper

class Mood(enum.Enum):
    CALM = "calm"
    LOUD = "loud"

@dataclasses.dataclass
class Place:
    """Where to sit."""
    row: int
    window: bool = False

class Dish(BaseModel):
    name: str = Field(description="What it is called.")
    title: str | None = None
    sides: list["Dish"] = []

class Wish(TypedDict, total=False):
    text: str

def book_table(
    day: datetime.date,
    at: datetime.datetime,
    people: Annotated[int, Field(ge=1, le=20)] = 2,
    unit: Literal["inside", "outside"] = "inside",
    note: Optional[str] = None,
    place: Place = None,
    mood: Mood | None = None,
    dishes: list[Dish] = [],
    wish: Wish | None = None,
    prices: dict[str, float] | None = None,
    json=None,
    *rest: int,
    **more: str,
) -> str:
    """Book a table.

    The guests are told by mail.

    Args:
        day: The day,
            in local time.
        people (int): How many.
    """
    raise RuntimeError("tools are never called when loaded")

async def cancel(booking_id: str):
    """Cancel.

    :param booking_id: From the mail.
    """

def numpy_style(a: float, b=1.5):
    """Add.

    Parameters
    ----------
    a : float
        The first.
    """

def _hidden(x: int): ...

class Helper: ...
'''


@pytest.fixture
def my_tools(tmp_path: Path) -> Path:
    (tmp_path / "helper.py").write_text("X = 1\n")
    path = tmp_path / "my_tools.py"
    path.write_text(MY_TOOLS)
    return path


def test_a_python_file_gives_its_public_functions(my_tools: Path) -> None:
    book, cancel, add = load_tools(my_tools)
    assert (book.name, cancel.name, add.name) == ("book_table", "cancel", "numpy_style")
    assert book.description == "Book a table.\nThe guests are told by mail."
    assert book.required == ("day", "at")
    assert book.properties == {
        "day": {"type": "string", "format": "date", "description": "The day, in local time."},
        "at": {"type": "string", "format": "date-time"},
        "people": {"type": "integer", "minimum": 1, "maximum": 20, "default": 2, "description": "How many."},
        "unit": {"type": "string", "enum": ["inside", "outside"], "default": "inside"},
        "note": {"type": ["string", "null"], "default": None},
        "place": {
            "type": ["object", "null"],
            "description": "Where to sit.",
            "properties": {"row": {"type": "integer"}, "window": {"type": "boolean", "default": False}},
            "required": ["row"],
            "default": None,
        },
        "mood": {"type": ["string", "null"], "enum": ["calm", "loud", None], "default": None},
        "dishes": {
            "type": "array",
            "default": [],
            "items": {
                "type": "object",
                "properties": {
                    "name": {"type": "string", "description": "What it is called."},
                    "title": {"type": ["string", "null"], "default": None},
                    "sides": {
                        "type": "array",
                        "default": [],
                        "items": {"type": "object", "description": "A Dish, not described further here."},
                    },
                },
                "required": ["name"],
            },
        },
        "wish": {"type": ["object", "null"], "properties": {"text": {"type": "string"}}, "default": None},
        "prices": {"type": ["object", "null"], "additionalProperties": {"type": "number"}, "default": None},
        "json": {"default": None},
    }
    assert cancel.properties == {"booking_id": {"type": "string", "description": "From the mail."}}
    assert add.properties == {"a": {"type": "number", "description": "The first."}, "b": {"default": 1.5}}
    assert str(my_tools.parent) not in sys.path


def test_all_decides_where_there_is_one(tmp_path: Path) -> None:
    path = tmp_path / "t.py"
    path.write_text("__all__ = ['b']\ndef a(): ...\ndef b(): ...\n")
    assert [t.name for t in load_tools(path)] == ["b"]
    path.write_text("__all__ = ['c']\n")
    with pytest.raises(ValueError, match="'c', which the file does not define"):
        load_tools(path)


@pytest.mark.parametrize(
    ("source", "words"),
    [
        ("def f(:\n    pass\n", "line 1: SyntaxError"),
        ("import os\n\nx = 1 / 0\n", "line 3: ZeroDivisionError: division by zero"),
        ("import no_such_module_at_all\n", "line 1: ModuleNotFoundError"),
        ("\nraise SystemExit(3)\n", "line 2: SystemExit"),
        ("x = 1\n", "holds no tools"),
        ("def f(a: 'Nope'): ...\n", r"row 1 \(f\): the type hints of f cannot be read: NameError"),
    ],
)
def test_a_python_file_that_does_not_import_is_named_with_its_line(
    source: str, words: str, tmp_path: Path
) -> None:
    path = tmp_path / "broken.py"
    path.write_text(source)
    with pytest.raises(ValueError, match=r"broken\.py.*" + words):
        load_tools(path)


def test_functions_are_tools() -> None:
    class Weather:
        def forecast(self, city: str, days: int = 3) -> str:
            """Forecast."""
            return city

    def with_callback(city: str, done: Callable[[int], int]) -> None: ...

    forecast, later = load_tools([Weather().forecast, Weather().forecast])
    assert (forecast.name, later.name, list(forecast.properties), forecast.required) == (
        "forecast",
        "forecast_2",
        ["city", "days"],
        ("city",),
    )
    with pytest.raises(ValueError, match=r"with_callback: done has a type without a JSON form"):
        python_function_to_tool(with_callback)
    rejected: list[tuple[int, str, str]] = []
    assert len(load_tools([with_callback, Weather().forecast], lambda *row: rejected.append(row))) == 1
    assert rejected[0][:2] == (1, "with_callback")
    with pytest.raises(ValueError, match="item 1 .* not a function"):
        load_tools(["print"])  # type: ignore[list-item]


KINDS: list[Any] = [
    int, str, float, bool, datetime.date, datetime.time, Any, list[int], dict[str, list[str]], int | None, Literal["a", "b"], Literal[1, 2],
    tuple[int, str],
]  # fmt: skip


@given(
    st.dictionaries(
        st.from_regex(r"[a-z_][a-z0-9_]{0,8}", fullmatch=True), st.sampled_from(KINDS), max_size=6
    )
)
def test_any_signature_gives_a_valid_schema_with_its_own_names(hints: dict[str, Any]) -> None:
    import inspect
    import keyword

    hints = {k: v for k, v in hints.items() if not keyword.iskeyword(k)}

    def f(**given: Any) -> None: ...

    f.__signature__ = inspect.Signature([inspect.Parameter(k, inspect.Parameter.KEYWORD_ONLY) for k in hints])  # type: ignore[attr-defined]
    f.__annotations__ = dict(hints)
    tool = python_function_to_tool(f)
    Draft202012Validator.check_schema(tool.parameters)
    assert list(tool.properties) == list(hints) and tool.required == tuple(hints)


# ---------------------------------------------------------- OpenAI lists

WRAPPED = {"type": "function", "function": {"name": "get weather!", "description": None, "strict": True, "parameters": {"type": "object", "properties": {"city": {"$ref": "#/$defs/City"}}, "$defs": {"City": {"type": "string", "title": "C"}}}}}  # fmt: skip  # noqa: E501
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
def test_an_openai_list_is_read_and_bad_rows_are_set_aside(suffix: str, tmp_path: Path) -> None:
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
        ("a.json", '{"swagger": "2.0"}', "convert it to OpenAPI 3"),
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


# --------------------------------------------------------------- OpenAPI

API = """
openapi: 3.0.3
paths:
  /pets/{petId}:
    parameters:
      - {name: petId, in: path, required: true, schema: {type: integer}}
      - $ref: '#/components/parameters/Trace'
    get:
      summary: Get a pet
      operationId: pets.get
      parameters:
        - {name: trace, in: query, description: Overrides., schema: {type: string, enum: [on, off]}}
        - {name: session, in: cookie, schema: {type: string}}
        - {name: Authorization, in: header, schema: {type: string}}
        - {name: X-Key, in: header, description: A key., schema: {$ref: '#/components/schemas/Key'}}
        - {name: since, in: query, example: 2020-01-01, schema: {type: string, format: date}}
        - {name: filter, in: query, content: {application/json: {schema: {type: object, properties: {a: {type: integer}}}}}}
    put:
      description: Change a pet
      requestBody: {$ref: '#/components/requestBodies/Pet'}
    patch:
      operationId: patch_pet
      requestBody: {content: {application/merge-patch+json: {schema: {$ref: '#/components/schemas/Base'}}}}
    post:
      operationId: upload
      requestBody: {required: true, content: {image/png: {schema: {type: string}}}}
  /bulk:
    post:
      operationId: pets/get
      requestBody: {required: true, content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Base'}}}}}
    get:
      parameters: [{name: q, in: query, schema: {$ref: '#/components/schemas/Nope'}}]
components:
  parameters:
    Trace: {name: trace, in: query, required: true, description: Trace it, schema: {type: boolean, nullable: true}}
  requestBodies:
    Pet: {required: true, content: {application/json; charset=utf-8: {schema: {$ref: '#/components/schemas/Pet'}}}}
  schemas:
    Key: {type: string, minLength: 3, description: Any key.}
    Base:
      {type: object, required: [name, id], xml: {name: pet}, properties: {name: {type: string, title: N}, id: {type: integer, readOnly: true}}}
    Pet:
      allOf:
        - $ref: '#/components/schemas/Base'
        - type: object
          required: [age]
          properties:
            age: {type: integer, minimum: 0, exclusiveMinimum: true}
            parent: {$ref: '#/components/schemas/Pet'}
            petId: {type: string}
            kind: {type: string, nullable: true, enum: [cat, dog]}
            friend: {nullable: true, allOf: [{$ref: '#/components/schemas/Base'}]}
"""
BASE = {"type": "object", "properties": {"name": {"type": "string"}}, "required": ["name"]}


@pytest.mark.parametrize("suffix", ["yaml", "json"])
def test_operations_are_tools(suffix: str, tmp_path: Path) -> None:
    import yaml

    path = tmp_path / f"api.{suffix}"
    quoted = API.replace(
        "[on, off]", "['on', 'off']"
    )  # YAML 1.1, which PyYAML speaks, reads on and off as booleans
    path.write_text(API if suffix == "yaml" else json.dumps(yaml.safe_load(quoted), default=str))
    rejected: list[tuple[int, str, str]] = []
    tools = load_tools(path, lambda *row: rejected.append(row))
    trace = {"type": ["boolean", "null"], "description": "Trace it"}
    get, put, patch, bulk = tools
    assert [t.name for t in tools] == ["pets_get", "put_pets_petId", "patch_pet", "pets_get_2"]
    assert (get.description, put.description) == ("Get a pet", "Change a pet")
    assert get.required == ("petId",)
    assert get.properties == {
        "petId": {"type": "integer"},
        "trace": {"type": "string", "enum": ["on", "off"], "description": "Overrides."},
        "X-Key": {"type": "string", "minLength": 3, "description": "A key."},
        "since": {"type": "string", "format": "date", "examples": ["2020-01-01"]},
        "filter": {"type": "object", "properties": {"a": {"type": "integer"}}},
    }
    assert put.required == ("petId", "trace", "name", "age")
    assert put.properties == {
        "petId": {"type": "integer"},
        "trace": trace,
        "name": {"type": "string"},
        "age": {"type": "integer", "exclusiveMinimum": 0},
        "parent": {"type": "object", "description": "A Pet, not described further here."},
        "body_petId": {"type": "string"},
        "kind": {"type": ["string", "null"], "enum": ["cat", "dog", None]},
        "friend": {**BASE, "type": ["object", "null"]},
    }
    assert patch.required == ("petId", "trace") and patch.properties["name"] == {"type": "string"}
    assert bulk.parameters == {
        "type": "object",
        "properties": {"body": {"type": "array", "items": BASE}},
        "required": ["body"],
    }
    assert [(row, raw) for row, raw, _ in rejected] == [(4, "POST /pets/{petId}"), (6, "GET /bulk")]
    assert "image/png, not JSON" in rejected[0][2] and "points to nothing" in rejected[1][2]


# ------------------------------------------------------------ schemas


def test_references_end_however_they_are_knotted() -> None:
    def nested(schema: Any) -> int:
        inner = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else ()
        return 1 + sum(map(nested, inner))

    loop = {
        "properties": {"a": {"$ref": "#/$defs/A"}},
        "$defs": {"A": {"$ref": "#/$defs/B"}, "B": {"$ref": "#/$defs/A"}},
    }
    assert plain_parameters(loop)["properties"]["a"] == {"description": "A A, not described further here."}
    itself = {"type": "object", "properties": {"next": {"$ref": "#"}, "value": {"type": "integer"}}}
    out = plain_parameters(itself)
    assert out["properties"]["next"]["properties"]["next"] == {
        "type": "object",
        "description": "A #, not described further here.",
    }
    wide = {
        f"L{i}": {"type": "object", "properties": {f"p{j}": {"$ref": f"#/$defs/L{i + 1}"} for j in range(20)}}
        for i in range(30)
    }
    wide["L30"] = {"type": "string"}
    start = time.process_time()
    assert nested(plain_parameters({"properties": {"x": {"$ref": "#/$defs/L0"}}, "$defs": wide})) < 60_000
    assert time.process_time() - start < 10
    deep: dict[str, Any] = {}
    for _ in range(5_000):
        deep = {"properties": {"x": deep}}
    with pytest.raises(ValueError, match="nested too deeply"):
        plain_parameters(deep)


def test_all_of_stays_where_merging_would_change_its_meaning() -> None:
    apart = {
        "allOf": [
            {"type": "object", "properties": {"a": {}}, "additionalProperties": False},
            {"properties": {"b": {}}},
        ]
    }
    assert plain_parameters({"properties": {"x": apart}})["properties"]["x"]["allOf"]
    both = {"allOf": [{"properties": {"a": {"type": "string"}}}, {"properties": {"a": {"minLength": 1}}}]}
    assert plain_parameters({"properties": {"x": both}})["properties"]["x"]["allOf"]
    either = {"anyOf": [{"type": "string"}, {"type": "integer"}, {"type": "null"}]}
    assert plain_parameters({"properties": {"x": either}})["properties"]["x"] == either


def test_a_property_may_be_called_like_a_keyword() -> None:
    names = {
        "title": {"type": "string"},
        "$defs": {"type": "string"},
        "example": {"type": "integer"},
        "nullable": {"type": "boolean"},
    }
    assert plain_parameters({"properties": names})["properties"] == names


@given(st.lists(st.text(max_size=80), max_size=30))
def test_names_are_legal_and_unique(names: list[str]) -> None:
    taken: set[str] = set()
    legal = [legal_name(n, taken) for n in names]
    assert len(set(legal)) == len(names) and all(re.fullmatch(r"[A-Za-z0-9_-]{1,64}", n) for n in legal)


class Plain(BaseModel):
    a: int


@given(
    st.sampled_from([int, str, list[Plain], Plain | None, Plain, dict[str, Plain]]),
    st.sampled_from([{"a": 1}, [{"a": 2}], 3, "x", None, {"k": {"a": 1}}]),
)
def test_the_plain_schema_accepts_what_pydantic_accepts(kind: Any, value: Any) -> None:
    from pydantic import TypeAdapter, ValidationError

    def f(x: Any) -> None: ...

    f.__annotations__ = {"x": kind}
    valid = Draft202012Validator(python_function_to_tool(f).parameters).is_valid({"x": value})
    try:
        TypeAdapter(kind).validate_python(value, strict=True)
        assert valid
    except ValidationError:
        assert not valid or isinstance(value, dict)


# ---------------------------------------------------------------- MCP

needs_mcp = pytest.mark.skipif(
    importlib.util.find_spec("mcp") is None or importlib.metadata.version("mcp") < "2",
    reason="the optional package mcp (2 or later) is not installed",
)
SERVER = """
import sys
from mcp.server import MCPServer
server = MCPServer("demo")

@server.tool()
def add(a: int, b: int = 2) -> int:
    "Add two numbers."
    return a + b

@server.tool(name="get.time")
def get_time(zone: str | None = None) -> str:
    "The time."
    return "now"

if len(sys.argv) > 1:
    server.run("streamable-http", host="127.0.0.1", port=int(sys.argv[1]))
else:
    server.run("stdio")
"""


@pytest.fixture
def server(tmp_path: Path) -> Path:
    path = tmp_path / "server.py"
    path.write_text(SERVER)
    return path


def assert_demo(tools: list[Tool]) -> None:
    assert [(t.name, t.description) for t in tools] == [
        ("add", "Add two numbers."),
        ("get_time", "The time."),
    ]
    assert tools[0].parameters == {
        "type": "object", "properties": {"a": {"type": "integer"}, "b": {"type": "integer", "default": 2}}, "required": ["a"],
    }  # fmt: skip
    assert tools[1].properties == {"zone": {"type": ["string", "null"], "default": None}}


@needs_mcp
def test_an_mcp_server_over_stdio(server: Path) -> None:
    spec = f"mcp:{sys.executable} {server}"
    assert_demo(load_tools(spec))

    async def inside_a_notebook() -> list[Tool]:
        return load_tools(spec)

    assert_demo(asyncio.run(inside_a_notebook()))


@pytest.fixture
def url(server: Path) -> Iterator[str]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    process = subprocess.Popen(
        [sys.executable, str(server), str(port)], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    )
    try:
        for _ in range(300):
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.1)
        yield f"http://127.0.0.1:{port}/mcp"
    finally:
        process.kill()
        process.wait()


@needs_mcp
def test_an_mcp_server_over_http(url: str) -> None:
    assert_demo(load_tools(f"mcp:{url}"))


@needs_mcp
@pytest.mark.parametrize(
    "target", ["no-such-command-at-all --x", f"{sys.executable} -c 1", "http://127.0.0.1:9/mcp"]
)
def test_an_mcp_server_that_does_not_answer_is_named(target: str) -> None:
    with pytest.raises(ValueError, match="gave no tools: .*see why"):
        load_tools(f"mcp:{target}")


def test_without_a_target_or_the_package_the_remedy_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "mcp", None)
    with pytest.raises(ImportError, match=r"pip install 'looptool-kit\[mcp\]'"):
        load_tools(f"mcp:{os.devnull}")
