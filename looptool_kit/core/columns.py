"""Read rows of Parquet and JSON lines one by one.

Also how a column is stored.
"""

from __future__ import annotations

import json
import types
import typing
from collections.abc import Callable, Collection, Iterator, Mapping
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json

from looptool_kit.core.parts import batches

_SCALARS = (str, int, float, bool)
GROUP_ROWS = 1024
"""Rows of a Parquet file that are read or written at a time."""
MAX_SHARED_TEXTS = 256
"""Different texts of a column up to which equal ones become one object."""

MAX_SHARED_CHARACTERS = 1 << 23
"""Of texts whose values are shared; with more all are forgotten: a few of them may be long dialogues."""

RowSource = Iterator[tuple[int, Callable[[], str], Callable[[], Any]]]
"""Row number from 1, the row as text for a report, the row as a dictionary."""


_field_sets: dict[frozenset[str], set[str]] = {}


def share_field_sets(value: Any) -> None:
    """Let rows with the same given fields share their field set.

    That saves a third of the memory of a table.
    """
    if isinstance(value, BaseModel):
        given = value.__pydantic_fields_set__
        shared = _field_sets.setdefault(frozenset(given), given)
        if shared is not given:
            object.__setattr__(value, "__pydantic_fields_set__", shared)
        for inner in value.__dict__.values():
            if isinstance(inner, tuple | BaseModel):
                share_field_sets(inner)
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for inner in value:
            share_field_sets(inner)


def arrow_type(annotation: Any) -> Any:
    """The Arrow type of an annotation.

    None for what is kept as JSON text.
    """
    import pyarrow as pa

    scalars = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        rest = [a for a in args if a is not type(None)]
        return arrow_type(rest[0]) if len(rest) == 1 else None
    if origin is typing.Literal:
        return pa.string() if all(isinstance(a, str) for a in args) else None
    if origin in (tuple, list) and args and args[0] in _SCALARS:
        return pa.list_(scalars[args[0]])
    return scalars.get(annotation)


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\n")


def _loads_bytes(line: bytes) -> Any:
    return _loads(line.decode("utf-8-sig"))


def jsonl_rows(path: Path) -> RowSource:
    """The rows of a JSON-lines file; empty lines are left out."""
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, partial(_decoded, line), partial(_loads_bytes, line)


def _loads(text: str) -> Any:
    """The value of a JSON text, read strictly.

    Raises:
        ValueError: It could not be written again (NaN, infinities, lone surrogates) or is nested too deeply.
    """
    try:
        return from_json(text, allow_inf_nan=False)
    except ValueError:
        pass  # Python's own says it in the words that people know
    try:
        value = json.loads(text, parse_constant=_constant)
        if "\\ud" in text.lower():
            json.dumps(value, ensure_ascii=False).encode("utf-8")
        return value
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _constant(text: str) -> Any:
    raise ValueError(f"{text} is not JSON")


Keep = Mapping[str, Collection[Any]]
"""Which rows are read: those where any of these columns holds one of its values, as it is in the file."""


def parquet_rows(
    path: Path,
    row_type: type[BaseModel],
    rows: range | None,
    without: Collection[str],
    keep: Keep | None,
) -> RowSource:
    """The rows of a Parquet table, as `Table.read` and `Stored` choose them.

    Raises:
        ValueError: It cannot be read.
    """
    import pyarrow as pa

    nested = {
        name: _nested(field.annotation)
        for name, field in row_type.model_fields.items()
        if arrow_type(field.annotation) is None
    }
    columns = set(row_type.model_fields) - set(without)
    texts: dict[str, dict[str, str]] = {k: {} for k in columns}
    with parquet_explained(path):
        for first, batch in batches(path, [*columns, *(keep or ())], rows, GROUP_ROWS):
            places = range(len(batch)) if keep is None else _kept(batch, keep)
            taken = batch if keep is None else batch.take(pa.array(places, pa.int64()))
            for place, record in zip(places, taken.to_pylist(), strict=True):

                def load(record: dict[str, Any] = record) -> dict[str, Any]:
                    return {
                        k: (
                            nested[k](v)
                            if k in nested and v is not None
                            else _one_of(texts[k], v)
                            if isinstance(v, str)
                            else v
                        )
                        for k, v in record.items()
                        if k in columns
                    }

                yield first + place + 1, partial(json.dumps, record, default=str), load


def _kept(batch: Any, keep: Keep) -> list[int]:
    """The places of the rows that are kept: the others are never made into Python's values."""
    held = [[value in wanted for value in batch.column(name).to_pylist()] for name, wanted in keep.items()]
    return [place for place, row in enumerate(zip(*held, strict=True)) if any(row)]


@contextmanager
def parquet_explained(path: Path) -> Iterator[None]:
    """Name the file and the place where it is damaged.

    The place is its footer, a page, or a column that is missing.

    Raises:
        ValueError: It cannot be read.
    """
    import pyarrow as pa

    try:
        yield
    except PermissionError:
        raise
    except (pa.ArrowException, OSError, UnicodeDecodeError, LookupError) as error:
        raise ValueError(
            f"{path} is not a readable Parquet file ({error}). A table of a run is made again once it is"
            " deleted (`looptool plan` says what follows)."
        ) from None


def _one_of(texts: dict[str, str], text: str) -> str:
    """The same object for equal texts of a column with few."""
    return texts.get(text) or (texts.setdefault(text, text) if len(texts) < MAX_SHARED_TEXTS else text)


def _nested(annotation: Any) -> Callable[[str], Any]:
    """The function that reads a nested value from its JSON text.

    Rows that hold the same models, as samples do their tools, share them: half the memory.
    """
    args = typing.get_args(annotation)
    if typing.get_origin(annotation) is not tuple or not (
        isinstance(args[0], type) and issubclass(args[0], BaseModel)
    ):
        return _loads
    validate = TypeAdapter[Any](annotation).validate_python
    shared, characters = dict[str, Any](), 0

    def load(text: str) -> Any:
        nonlocal characters
        if text in shared:
            return shared[text]
        value = _loads(text)
        with suppress(ValidationError):  # the row's own validation says where it is wrong
            value = validate(value)
        characters += len(text)
        if characters > MAX_SHARED_CHARACTERS:
            shared.clear()
            characters = len(text)
        shared[text] = value
        return value

    return load


def reason_of(error: Exception) -> str:
    """Why a row is malformed: its first three errors."""
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'row'}: {e['msg']}" for e in error.errors()[:3])
    return str(error)
