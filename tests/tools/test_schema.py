"""Foreign schemas made plain, and legal names."""

from __future__ import annotations

import re
import time
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator
from pydantic import BaseModel

from looptool_kit.tools.functions import python_function_to_tool
from looptool_kit.tools.schema import legal_name, plain_parameters


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
