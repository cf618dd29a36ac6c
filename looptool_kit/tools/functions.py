"""Python functions as tools."""

from __future__ import annotations

import importlib.util
import inspect
import os
import re
import sys
import traceback
import types
import typing
import warnings
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, Optional

import typing_extensions
from pydantic import BaseModel, Field, create_model

from looptool_kit.core.errors import Stopped
from looptool_kit.core.samples import Tool
from looptool_kit.tools._rows import Rows, one_line
from looptool_kit.tools.schema import plain_parameters


def python_function_to_tool(fn: Callable[..., Any]) -> Tool:
    """Make a function with type hints a tool, without calling it.

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
    except (KeyboardInterrupt, Stopped):
        raise
    except BaseException as error:  # hints are evaluated, so they may raise anything, SystemExit too
        raise ValueError(
            f"the type hints of {name} cannot be read: {type(error).__name__}: {one_line(error)}"
        ) from None
    fields: dict[str, Any] = {}
    for p in parameters:
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD):
            default = ... if p.default is p.empty else p.default
            hint = hints.get(p.name, Any)
            if p.default is None and p.name in hints:
                hint = Optional[hint]  # noqa: UP045 (of a value)
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


def function_rows(functions: Sequence[Callable[..., Any]]) -> Rows:
    """Yield a row for each function; `ValueError` for other items."""
    for number, fn in enumerate(functions, 1):
        if not callable(fn):
            raise ValueError(f"item {number} of the list of tools is {str(fn)[:60]!r}, not a function")
        yield number, getattr(fn, "__name__", repr(fn)), partial(python_function_to_tool, fn)


def public_functions(path: Path) -> list[Callable[..., Any]]:
    """The functions that a file defines and does not hide.

    They are in order; `__all__` decides where there is one.

    Raises:
        ValueError: The file cannot be imported, or `__all__` names what it does not define.
    """
    path = path.resolve()
    name = f"looptool_tools_{re.sub(r'[^A-Za-z0-9_]', '_', path.stem)}_{abs(hash(str(path))):x}"
    spec = importlib.util.spec_from_file_location(name, path)
    if spec is None or spec.loader is None:
        raise ValueError(f"{path} cannot be imported as a Python module")
    module = importlib.util.module_from_spec(spec)
    folder, here = str(path.parent), os.open(".", os.O_RDONLY)
    sys.modules[name] = module  # hints and dataclasses look their module up
    sys.path.insert(0, folder)
    try:
        spec.loader.exec_module(module)
        functions, missing = _named(module, name)
    except (KeyboardInterrupt, Stopped):
        raise
    except BaseException as error:  # of any kind: it is a person's own code
        sys.modules.pop(name, None)
        reason = error.msg if isinstance(error, SyntaxError) else one_line(error)
        where = f"{path}, line {line}" if (line := _line(error, path)) else path
        raise ValueError(f"{where}: {type(error).__name__}: {reason}; the file must import cleanly") from None
    finally:
        if folder in sys.path:
            sys.path.remove(folder)
        os.fchdir(here)  # the run's folder may be named from here
        os.close(here)
    if missing:
        raise ValueError(
            f"{path}: __all__ names {', '.join(map(repr, missing))}, which the file does not define"
        )
    return functions


def _named(module: types.ModuleType, name: str) -> tuple[list[Callable[..., Any]], list[str]]:
    """The functions of an imported file, and what its `__all__` names without defining it."""
    if hasattr(module, "__all__"):
        names = list(module.__all__)
        there = [getattr(module, n) for n in names if hasattr(module, n)]
        return [f for f in there if inspect.isroutine(f)], [n for n in names if not hasattr(module, n)]
    return [
        f
        for n, f in vars(module).items()
        if inspect.isfunction(f) and not n.startswith("_") and f.__module__ == name
    ], []


def _line(error: BaseException, path: Path) -> int:
    if isinstance(error, SyntaxError) and error.filename == str(path):
        return error.lineno or 0
    frames = [f.lineno for f in traceback.extract_tb(error.__traceback__) if f.filename == str(path)]
    return (frames[-1] if frames else 0) or 0
