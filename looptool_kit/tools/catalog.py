"""Tools from anywhere: Python functions, OpenAI tool lists, OpenAPI files, MCP servers.

`load_tools("my_tools.py")`, `load_tools("tools.json")`, `load_tools("api.yaml")`, `load_tools("mcp:python
server.py")`, `load_tools("mcp:https://host/mcp")` and `load_tools([function, ...])` all give checked tools
with legal, unique names. `catalog_schema` says what is simplified in their schemas.
"""

from __future__ import annotations

import importlib.util
import inspect
import json
import re
import sys
import traceback
import types
import typing
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Optional

import typing_extensions
from pydantic import BaseModel, Field, create_model

from looptool_kit.core.samples import Tool
from looptool_kit.tools.schema import legal_name, plain_parameters, resolve
from looptool_kit.trust import tools_kind

OnReject = Callable[[int, str, str], None]
_METHODS = ("get", "put", "post", "delete", "options", "head", "patch", "trace")
_MCP_TIMEOUT = timedelta(seconds=60)


def load_tools(
    spec: str | Path | Sequence[Callable[..., Any]], on_reject: OnReject | None = None
) -> list[Tool]:
    """Tools from a Python file, an OpenAI tools file (JSON or JSON lines), an OpenAPI 3 file (JSON or YAML),
    an MCP server, or functions.

    Names are made legal ([A-Za-z0-9_-], at most 64) and unique; every schema is checked against JSON Schema
    2020-12. `on_reject(row, raw, reason)` is called for each tool that cannot be used, and the others are
    returned; without it the first such tool raises `ValueError` naming source, row and reason. A `Path` is
    always a file; only a text can name an MCP server.

    Rows count from 1: lines, list items, operations or functions in order. Raises `FileNotFoundError`,
    `ValueError` (unreadable source, or one without tools), `ImportError` (MCP without the `mcp` package).
    """
    if not isinstance(spec, str | Path):
        source, rows = "the list of functions", _function_rows(spec)
    elif (kind := tools_kind(spec)) == "mcp":
        source, rows = str(spec), _mcp_rows(str(spec)[4:].strip())
    else:
        path = Path(spec)
        source = str(path)
        if not path.is_file():
            raise FileNotFoundError(
                f"{path} does not exist: give a .py, .json, .jsonl, .yaml or .yml file, or `mcp:` and a"
                " command line or URL"
            )
        rows = _function_rows(_public_functions(path)) if kind == "python" else _file_rows(path)
    tools: list[Tool] = []
    taken: set[str] = set()
    rejected = 0
    for number, raw, make in rows:
        try:
            tool = make()
        except (ValueError, TypeError) as error:
            reason = _one_line(error)
            if on_reject is None:
                raise ValueError(f"{source}, row {number} ({raw[:80]}): {reason}") from None
            on_reject(number, raw, reason)
            rejected += 1
            continue
        tools.append(tool.model_copy(update={"name": legal_name(tool.name, taken)}))
    if not tools and not rejected:
        raise ValueError(
            f"{source} holds no tools: expected public functions, function objects with a name, or OpenAPI"
            " operations"
        )
    return tools


Rows = Iterator[tuple[int, str, Callable[[], Tool]]]
"""Row number, what stands there (for the report), and what makes the tool or raises `ValueError`."""


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())[:500] or type(error).__name__


# ------------------------------------------------------------ functions


def python_function_to_tool(fn: Callable[..., Any]) -> Tool:
    """A function with type hints and a docstring as a tool; it is never called.

    Texts come from the docstring (Google, NumPy, Sphinx and Epydoc styles), types from the hints by way of
    pydantic: Literal and Enum -> enum, Optional -> null allowed, date / datetime / time -> string with
    format, dataclass, BaseModel and TypedDict -> nested object, no hint -> any type. `*args` and `**kwargs`
    are left out. Raises `ValueError` where a hint has no JSON form, naming the parameter.
    """
    from docstring_parser import parse

    name = getattr(fn, "__name__", type(fn).__name__)
    document = parse(inspect.getdoc(fn) or "")
    texts = {p.arg_name: " ".join((p.description or "").split()) for p in document.params}
    try:
        hinted: Any = fn if inspect.isroutine(fn) else type(fn).__call__
        hints = typing.get_type_hints(hinted, include_extras=True)
        hints = {name: _portable(hint) for name, hint in hints.items()}
        parameters = inspect.signature(fn).parameters.values()
    except Exception as error:  # hints are evaluated, so they may raise anything
        raise ValueError(
            f"the type hints of {name} cannot be read: {type(error).__name__}: {error}"
        ) from None
    fields: dict[str, Any] = {}
    for p in parameters:
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            default = ... if p.default is p.empty else p.default
            hint = hints.get(p.name, Any)
            hint = Optional[hint] if p.default is None and p.name in hints else hint  # noqa: UP045 (of a value)
            fields[p.name] = (hint, Field(default, alias=p.name, description=texts.get(p.name) or None))
    schema = _json_schema(name, fields)
    schema.pop("description", None)
    described = "\n".join(part for part in (document.short_description, document.long_description) if part)
    return Tool(name=name, description=described, parameters=plain_parameters(schema))


def _portable(hint: Any) -> Any:
    # Before Python 3.12 pydantic takes TypedDicts only from typing_extensions, while people write typing's.
    if typing.is_typeddict(hint):
        fields = {}
        for key, inner in typing.get_type_hints(hint, include_extras=True).items():
            bare = (
                typing.get_args(inner)[0]
                if typing.get_origin(inner) in (typing.Required, typing.NotRequired)
                else inner
            )
            wrap = typing.Required if key in hint.__required_keys__ else typing.NotRequired
            fields[key] = wrap[_portable(bare)]
        return typing_extensions.TypedDict(hint.__name__, fields)  # type: ignore[operator]
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        return typing.Union[tuple(map(_portable, args))]  # noqa: UP007 (of a tuple)
    return origin[tuple(map(_portable, args))] if origin in (list, dict, tuple, set) else hint


def _json_schema(function: str, fields: dict[str, Any]) -> dict[str, Any]:
    # Numbered fields with aliases, because pydantic reserves some names ("json", "_x") that functions may
    # use.
    numbered = {f"p{i}": field for i, field in enumerate(fields.values())}
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # defaults without a JSON form are left out
            model: type[BaseModel] = create_model("Arguments", **numbered)
            return model.model_json_schema(by_alias=True)
    except Exception as error:  # pydantic raises several kinds for types that it does not know
        if len(fields) > 1:
            for name, field in fields.items():
                _json_schema(function, {name: field})
        reason = str(error).split(". ")[0].split("\n")[0][:200]
        raise ValueError(
            f"{function}: {', '.join(fields)} has a type without a JSON form ({reason}); use JSON types or"
            " leave it out"
        ) from None


def _function_rows(functions: Sequence[Callable[..., Any]]) -> Rows:
    for number, fn in enumerate(functions, 1):
        if not callable(fn):
            raise ValueError(f"item {number} of the list of tools is {str(fn)[:60]!r}, not a function")
        yield number, getattr(fn, "__name__", repr(fn)), lambda fn=fn: python_function_to_tool(fn)  # type: ignore[misc]


def _public_functions(path: Path) -> list[Callable[..., Any]]:
    """The functions that the file defines and does not hide, in order; `__all__` decides where there is one."""
    path = path.resolve()
    name = f"looptool_tools_{re.sub(r'[^A-Za-z0-9_]', '_', path.stem)}_{abs(hash(str(path))):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} cannot be imported as a Python module")
    module = importlib.util.module_from_spec(spec)
    folder = str(path.parent)
    sys.modules[name] = module  # hints and dataclasses look their module up
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
    except (Exception, SystemExit) as error:
        del sys.modules[name]
        said = error.msg if isinstance(error, SyntaxError) else _one_line(error)
        raise ValueError(
            f"{path}, line {_line(error, path)}: {type(error).__name__}: {said}; the file must import cleanly"
        ) from None
    finally:
        sys.path.remove(folder)
    if hasattr(module, "__all__"):
        missing = [n for n in module.__all__ if not hasattr(module, n)]
        if missing:
            raise ValueError(
                f"{path}: __all__ names {', '.join(map(repr, missing))}, which the file does not define"
            )
        return [getattr(module, n) for n in module.__all__ if inspect.isroutine(getattr(module, n))]
    return [
        f
        for n, f in vars(module).items()
        if inspect.isfunction(f) and not n.startswith("_") and f.__module__ == name
    ]


def _line(error: BaseException, path: Path) -> int:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 0
    frames = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return (frames[-1] if frames else 0) or 0


# ---------------------------------------------------------------- files


def _file_rows(path: Path) -> Rows:
    text = path.read_bytes().decode("utf-8-sig", "replace")
    if path.suffix == ".jsonl":
        for number, line in enumerate(text.split("\n"), 1):
            if line.strip():
                yield number, line.strip(), lambda line=line: _openai_tool(json.loads(line))  # type: ignore[misc]
        return
    document = _document(path, text)
    if isinstance(document, Mapping) and "swagger" in document:
        raise ValueError(f"{path} is Swagger {document['swagger']}: convert it to OpenAPI 3 first")
    if isinstance(document, Mapping) and "openapi" in document:
        yield from _openapi_rows(path, document)
        return
    if isinstance(document, Mapping):
        document = document["tools"] if isinstance(document.get("tools"), list) else [document]
    if not isinstance(document, list):
        raise ValueError(f"{path} holds neither a list of tools nor an OpenAPI document")
    for number, item in enumerate(document, 1):
        yield number, json.dumps(item, ensure_ascii=False, default=str), lambda item=item: _openai_tool(item)  # type: ignore[misc]


def _document(path: Path, text: str) -> Any:
    if path.suffix in (".yaml", ".yml"):
        import yaml

        class Loader(yaml.SafeLoader):
            """JSON's types only, as in YAML 1.2: dates, yes, no, on and off stay text."""

        Loader.yaml_implicit_resolvers = {
            first: [
                (tag, pattern)
                for tag, pattern in known
                if tag.rpartition(":")[2] not in ("timestamp", "bool")
            ]
            for first, known in yaml.SafeLoader.yaml_implicit_resolvers.items()
        }
        Loader.add_implicit_resolver(
            "tag:yaml.org,2002:bool", re.compile("^(true|false|True|False|TRUE|FALSE)$"), list("tfTF")
        )
        try:
            return yaml.load(text, Loader)  # noqa: S506 (a SafeLoader)
        except (yaml.YAMLError, RecursionError) as error:
            raise ValueError(f"{path} is not YAML: {_one_line(error)}") from None
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(
            f"{path} is not JSON: {error}; a file with one tool a line is to end in .jsonl"
        ) from None


def _openai_tool(item: Any) -> Tool:
    function = item.get("function", item) if isinstance(item, Mapping) else None
    if not isinstance(function, Mapping):
        raise ValueError(
            "a tool is an object with name, description and parameters, bare or under `function`"
        )
    name, description = function.get("name"), function.get("description") or ""
    if not isinstance(name, str) or not name.strip():
        raise ValueError("the tool has no name")
    if not isinstance(description, str):
        raise ValueError("the description must be text")
    return Tool(name=name, description=description, parameters=plain_parameters(function.get("parameters")))


# -------------------------------------------------------------- OpenAPI


def _openapi_rows(path: Path, document: Mapping[str, Any]) -> Rows:
    if not str(document["openapi"]).startswith("3."):
        raise ValueError(f"{path} is OpenAPI {document['openapi']}: only 3.x is read")
    paths = document.get("paths") or {}
    if not isinstance(paths, Mapping):
        raise ValueError(f"{path}: `paths` must be an object")
    number = 0
    for route, item in paths.items():
        item = resolve(document, item["$ref"]) if isinstance(item, Mapping) and "$ref" in item else item
        for method, operation in item.items() if isinstance(item, Mapping) else ():
            if method in _METHODS:
                number += 1
                shared = item.get("parameters")
                read = partial(_operation, document, str(route), method, operation, shared)
                yield number, f"{method.upper()} {route}", read


_JSON_LIKE = re.compile(r"\*/\*|application/(.+\+)?json|application/x-www-form-urlencoded")


def _media(node: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    content = node.get("content") or {}
    if not isinstance(content, Mapping):
        raise ValueError(f"`content` must be an object, not {str(content)[:60]!r}")
    return {str(kind).split(";")[0].strip(): v for kind, v in content.items() if isinstance(v, Mapping)}


def _operation(document: Mapping[str, Any], route: str, method: str, operation: Any, shared: Any) -> Tool:
    """One operation as a tool: path, query and header parameters beside the fields of its JSON body.

    A body that is no object is the parameter `body`; a field whose name a parameter has already is called
    `body_<name>`. Cookies, and the headers Accept, Content-Type and Authorization (which OpenAPI describes
    elsewhere), are left out.
    """

    def follow(node: Any) -> Mapping[str, Any]:
        for _ in range(10):
            if not isinstance(node, Mapping):
                raise ValueError(f"expected an object, found {str(node)[:60]!r}")
            if "$ref" not in node:
                return node
            node = resolve(document, node["$ref"])
        raise ValueError("a chain of $ref never ends")

    operation = follow(operation)
    properties: dict[str, Any] = {}
    required: list[str] = []
    given = {
        (p.get("name"), p.get("in")): p
        for p in map(follow, [*(shared or []), *(operation.get("parameters") or [])])
    }
    for (name, place), parameter in given.items():
        if place not in ("path", "query", "header") or (
            place == "header" and str(name).lower() in ("accept", "content-type", "authorization")
        ):
            continue
        if not isinstance(name, str):
            raise ValueError("a parameter has no name")
        schema = (
            parameter.get("schema") or next((c.get("schema") for c in _media(parameter).values()), None) or {}
        )
        texts = {k: parameter[k] for k in ("description", "example") if k in parameter}
        properties[name] = {**schema, **texts} if "$ref" not in schema else {"allOf": [schema], **texts}
        if place == "path" or parameter.get("required") is True:
            required.append(name)
    if "requestBody" in operation:
        body = follow(operation["requestBody"])
        media = next((v for k, v in _media(body).items() if _JSON_LIKE.fullmatch(k)), None)
        if media is None and body.get("required") is True:
            raise ValueError(f"its body is {', '.join(_media(body)) or 'not described'}, not JSON")
        if media is not None:
            whole = plain_parameters({"properties": {"body": media.get("schema") or {}}}, document)[
                "properties"
            ].get("body", {})
            whole = whole if isinstance(whole, dict) else {}  # true: any body will do
            plain = whole.get("type") in ("object", None, ["object", "null"]) and not {
                "anyOf",
                "oneOf",
                "allOf",
            } & set(whole)
            fields = whole.get("properties") if plain else None
            for field, schema in (fields or {"body": whole}).items():
                name = field if field not in properties else f"body_{field}"
                properties[name] = schema
                if body.get("required") is True and (not fields or field in (whole.get("required") or [])):
                    required.append(name)
    text = "\n".join(
        dict.fromkeys(str(operation[k]).strip() for k in ("summary", "description") if operation.get(k))
    )
    name = operation.get("operationId") or f"{method}_{route.strip('/')}"
    schema = {"type": "object", "properties": properties} | ({"required": required} if required else {})
    return Tool(
        name=re.sub(r"[{}]", "", str(name)), description=text, parameters=plain_parameters(schema, document)
    )


# ------------------------------------------------------------------ MCP


def _mcp_tool(tool: Any) -> Tool:
    parameters = plain_parameters(tool.input_schema)
    return Tool(name=tool.name, description=tool.description or "", parameters=parameters)


def _mcp_rows(target: str) -> Rows:
    for number, tool in enumerate(_mcp_tools(target), 1):
        yield number, tool.name, partial(_mcp_tool, tool)


def _mcp_tools(target: str) -> list[Any]:
    """The tools that an MCP server lists; `target` is its URL (streamable HTTP) or the command line that
    starts it (stdio).
    """
    try:
        from mcp import Client, StdioServerParameters
    except ImportError:
        raise ImportError(
            "tools from an MCP server need the official `mcp` package, version 2 or later: pip install"
            " 'looptool-kit[mcp]'"
        ) from None
    import asyncio
    import shlex
    from concurrent.futures import ThreadPoolExecutor

    words = shlex.split(target)
    if not words:
        raise ValueError("`mcp:` must be followed by a command line or a URL, as in `mcp:python server.py`")
    server: Any = (
        target if re.match(r"https?://", target) else StdioServerParameters(command=words[0], args=words[1:])
    )

    async def ask() -> list[Any]:
        tools: list[Any] = []
        async with asyncio.timeout(_MCP_TIMEOUT.total_seconds()), Client(server) as client:
            cursor: str | None = None
            while True:
                page = await client.list_tools(cursor=cursor)
                tools.extend(page.tools)
                cursor = page.next_cursor
                if not cursor:
                    return tools

    # In a thread of its own, because a notebook's loop is already running.
    with ThreadPoolExecutor(1) as pool:
        try:
            return pool.submit(asyncio.run, ask()).result()
        except Exception as error:  # transports raise whatever their libraries raise, often in groups
            raise ValueError(
                f"mcp:{target} gave no tools: {_root(error)}; run the command (or open the URL) by itself to"
                " see why"
            ) from None


def _root(error: BaseException) -> str:
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {_one_line(error)}"
