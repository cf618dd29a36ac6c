"""OpenAPI documents as tools."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from looptool_kit.tools.catalog import load_tools

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
        - name: filter
          in: query
          content: {application/json: {schema: {type: object, properties: {a: {type: integer}}}}}
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
      requestBody:
        required: true
        content: {application/json: {schema: {type: array, items: {$ref: '#/components/schemas/Base'}}}}
    get:
      parameters: [{name: q, in: query, schema: {$ref: '#/components/schemas/Nope'}}]
components:
  parameters:
    Trace:
      {name: trace, in: query, required: true, description: Trace it, schema: {type: boolean, nullable: true}}
  requestBodies:
    Pet:
      required: true
      content: {application/json; charset=utf-8: {schema: {$ref: '#/components/schemas/Pet'}}}
  schemas:
    Key: {type: string, minLength: 3, description: Any key.}
    Base:
      type: object
      required: [name, id]
      xml: {name: pet}
      properties: {name: {type: string, title: N}, id: {type: integer, readOnly: true}}
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
    # YAML 1.1, which PyYAML speaks, reads on and off as booleans.
    quoted = API.replace("[on, off]", "['on', 'off']")
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


SWAGGER = {
    "swagger": "2.0",
    "paths": {
        "/pets/{id}": {
            "parameters": [{"name": "id", "in": "path", "required": True, "type": "integer"}],
            "put": {
                "operationId": "putPet",
                "parameters": [
                    {"in": "body", "name": "pet", "required": True, "schema": {"$ref": "#/definitions/Pet"}}
                ],
            },
            "post": {
                "operationId": "photo",
                "consumes": ["multipart/form-data"],
                "parameters": [
                    {"in": "formData", "name": "title", "type": "string", "required": True, "maxLength": 9},
                    {"in": "formData", "name": "image", "type": "file", "description": "The picture."},
                    {"in": "query", "name": "tags", "type": "array", "items": {"type": "string"}},
                ],
            },
        }
    },
    "definitions": {
        "Pet": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
    },
}


def test_swagger_2_is_read(tmp_path: Path) -> None:
    path = tmp_path / "api.json"
    path.write_text(json.dumps(SWAGGER))
    put, photo = load_tools(path)
    assert put.properties == {"id": {"type": "integer"}, "name": {"type": "string"}}
    assert put.required == ("id", "name")
    assert photo.properties == {
        "id": {"type": "integer"},
        "tags": {"type": "array", "items": {"type": "string"}},
        "title": {"type": "string", "maxLength": 9},
        "image": {"type": "string", "description": "The picture."},
    }
    assert photo.required == ("id", "title")


def test_a_multipart_body_gives_parameters(tmp_path: Path) -> None:
    form = {"type": "object", "properties": {"file": {"type": "string", "format": "binary"}}}
    body = {"required": True, "content": {"multipart/form-data": {"schema": form}}}
    path = tmp_path / "api.json"
    path.write_text(
        json.dumps(
            {"openapi": "3.1.0", "paths": {"/f": {"post": {"operationId": "up", "requestBody": body}}}}
        )
    )
    assert load_tools(path)[0].properties == {"file": {"type": "string", "format": "binary"}}


def test_files_that_refer_to_each_other_are_one_document(tmp_path: Path) -> None:
    (tmp_path / "parts").mkdir()
    (tmp_path / "api.yaml").write_text(
        "openapi: 3.0.0\npaths:\n  /a: {$ref: 'parts/a.yaml#/item'}\n"
        "components: {schemas: {Id: {type: integer}}}\n"
    )
    (tmp_path / "parts" / "a.yaml").write_text(
        "item:\n  get:\n    operationId: get_a\n    parameters:\n"
        "      - {name: id, in: query, schema: {$ref: '../api.yaml#/components/schemas/Id'}}\n"
        "      - {name: key, in: query, schema: {$ref: 'key.json'}}\n"
    )
    (tmp_path / "parts" / "key.json").write_text('{"type": "string", "minLength": 3}')
    (tool,) = load_tools(tmp_path / "api.yaml")
    assert tool.properties == {"id": {"type": "integer"}, "key": {"type": "string", "minLength": 3}}


@pytest.mark.parametrize(
    ("ref", "words"),
    [
        ("https://example.org/a.yaml", "points to the web; bundle it"),
        ("../../etc/passwd", "outside of the file's folder"),
        ("/etc/passwd", "outside of the file's folder"),
        ("b.yaml#/x", "which does not exist"),
    ],
)
def test_references_that_cannot_be_bundled_are_named(ref: str, words: str, tmp_path: Path) -> None:
    path = tmp_path / "api.json"
    path.write_text(json.dumps({"openapi": "3.0.0", "paths": {"/a": {"$ref": ref}}}))
    with pytest.raises(ValueError, match=words):
        load_tools(path)


def test_what_a_body_requires_is_needed_unless_it_changes_a_part(tmp_path: Path) -> None:
    body = {
        "content": {
            "application/json": {
                "schema": {"type": "object", "required": ["name"], "properties": {"name": {"type": "string"}}}
            }
        }
    }
    path = tmp_path / "api.json"
    operations = {method: {"operationId": method, "requestBody": body} for method in ("post", "put", "patch")}
    path.write_text(
        json.dumps(
            {"openapi": "3.0.3", "info": {"title": "x", "version": "1"}, "paths": {"/pets": operations}}
        )
    )
    assert {t.name: t.required for t in load_tools(path)} == {
        "post": ("name",),
        "put": ("name",),
        "patch": (),
    }
