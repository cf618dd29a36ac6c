"""Typed tables: a sequence of frozen rows, kept as Parquet or JSONL, readable without this package.

Scalars and lists of scalars are ordinary Parquet columns; nested values are JSON text in a string column of
the same name. Every write goes to a temporary file beside the target and is renamed over it, so a table is
whole or absent.
"""

from __future__ import annotations

import errno
import gc
import json
import os
import secrets
import shutil
import stat
import typing
import warnings
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from itertools import chain, islice
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

from pydantic import BaseModel, TypeAdapter

from looptool_kit.core.columns import (
    GROUP_ROWS,
    Keep,
    arrow_type,
    jsonl_rows,
    parquet_explained,
    parquet_rows,
    reason_of,
    share_field_sets,
)
from looptool_kit.core.errors import RunError
from looptool_kit.core.parts import batches, write_groups
from looptool_kit.core.terminal import visible

Row = TypeVar("Row", bound=BaseModel)
T = TypeVar("T")


class Table(Sequence[Row], Generic[Row]):
    """An immutable sequence of rows of one pydantic type."""

    row_type: ClassVar[type[BaseModel]]

    def __init__(self, rows: Iterable[Row] = ()) -> None:
        self.rows: tuple[Row, ...] = tuple(rows)

    def __len__(self) -> int:
        return len(self.rows)

    @overload
    def __getitem__(self, at: int) -> Row: ...
    @overload
    def __getitem__(self, at: slice) -> Self: ...
    def __getitem__(self, at: int | slice) -> Row | Self:
        return type(self)(self.rows[at]) if isinstance(at, slice) else self.rows[at]

    def __iter__(self) -> Iterator[Row]:
        return iter(self.rows)

    def __add__(self, other: Iterable[Row]) -> Self:
        return type(self)((*self.rows, *other))

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Table) and type(self) is type(other) and self.rows == other.rows

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} rows)"

    def _repr_html_(self) -> str:
        from looptool_kit.core.preview import preview

        return preview(self)

    def where(self, keep: Callable[[Row], bool]) -> Self:
        """Return the rows for which `keep` is true, in order."""
        return type(self)(row for row in self.rows if keep(row))

    def by_id(self) -> dict[str, Row]:
        """Return the rows by their id."""
        return {row.id: row for row in self.rows}  # type: ignore[attr-defined]

    def frame(self) -> Any:
        """Return the rows as a pandas DataFrame.

        Nested values are Python objects.
        """
        import pandas as pd

        return pd.DataFrame([({"id": r.id} if hasattr(r, "id") else {}) | r.model_dump() for r in self.rows])

    # ------------------------------------------------------------------ disk

    def write(self, path: str | Path) -> Path:
        """Write as Parquet (`.parquet`) or JSON lines (`.jsonl`), atomically. Returns the path."""
        return self.write_rows(path, self.rows)

    @classmethod
    def write_rows(cls, path: str | Path, rows: Iterable[Row]) -> Path:
        """Write rows as they come, otherwise as `write`.

        A file can hold more than memory does.
        """
        path, source = Path(path), iter(rows)
        if path.suffix == ".jsonl":
            with atomic(path) as tmp, open(tmp, "w", encoding="utf-8") as out:
                for row in source:
                    out.write(json.dumps(row.model_dump(mode="json"), ensure_ascii=False) + "\n")
            return path
        groups = iter(lambda: list(islice(source, GROUP_ROWS)), [])
        first = next(groups, [])
        write_groups(path, (cls.arrow_table(group) for group in chain([first], groups)))
        return path

    @classmethod
    def arrow_table(cls, rows: Sequence[Row]) -> Any:
        """Return rows as they are in a Parquet file."""
        import pyarrow as pa

        columns: dict[str, Any] = {}
        if hasattr(cls.row_type, "id") and "id" not in cls.row_type.model_fields:
            columns["id"] = pa.array([r.id for r in rows], pa.string())  # type: ignore[attr-defined]
        for name, field in cls.row_type.model_fields.items():
            kind = arrow_type(field.annotation)
            values = (getattr(row, name) for row in rows)
            if kind is None:
                text = TypeAdapter[Any](typing.cast(Any, field.annotation)).dump_json
                columns[name] = pa.array(
                    [None if v is None else text(v).decode("utf-8") for v in values], pa.string()
                )
            else:
                columns[name] = pa.array(list(values), kind)
        return pa.table(columns)

    @classmethod
    def read(
        cls,
        path: str | Path,
        on_reject: Callable[[int, str, str], None] | None = None,
        fault: Callable[[Row], str] | None = None,
        rows: range | None = None,
    ) -> Self:
        """Read a Parquet or JSON-lines file.

        Args:
            on_reject: Called with row number (from 1), raw text and reason for each bad row, which is left
                out.
            fault: Says what is wrong with a row that is well formed; an empty text for nothing.
            rows: Only these rows of a Parquet file, counted from 0.

        Raises:
            ValueError: A row is bad and there is no `on_reject`; the message names file, row and reason.
        """
        with no_collection():
            return cls(cls._read(Path(path), on_reject, fault, rows))

    @classmethod
    def _read(
        cls,
        path: Path,
        on_reject: Callable[[int, str, str], None] | None = None,
        fault: Callable[[Row], str] | None = None,
        rows: range | None = None,
        without: Collection[str] = (),
        keep: Keep | None = None,
    ) -> Iterator[Row]:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist")
        for number, raw, load in (
            jsonl_rows(path)
            if path.suffix == ".jsonl"
            else parquet_rows(path, cls.row_type, rows, without, keep)
        ):
            try:
                row = typing.cast(Row, cls.row_type.model_validate(load()))
                if fault is not None and (wrong := fault(row)):
                    raise ValueError(wrong)
            except (ValueError, TypeError) as error:  # pydantic's ValidationError is a ValueError
                reason = reason_of(error)
                if on_reject is None:
                    raise ValueError(f"{path}, row {number}: {reason}") from None
                on_reject(number, raw(), reason)
                continue
            share_field_sets(row)
            yield row


class Stored(Generic[Row]):
    """A table in a Parquet file, read again on each pass.

    A hundred thousand rows are never held at once.
    """

    def __init__(
        self,
        kind: type[Table[Row]],
        path: Path,
        without: Collection[str] = (),
        keep: Keep | None = None,
    ) -> None:
        """Name the file and what is read of it.

        Args:
            without: Columns that are left at their defaults.
            keep: Only rows where one of these columns holds one of its values, as it is in the file.
        """
        self.kind, self.path, self.without, self.keep = kind, path, without, keep

    def __iter__(self) -> Iterator[Row]:
        return self.kind._read(self.path, without=self.without, keep=self.keep)

    def table(self) -> Table[Row]:
        """The rows as a table."""
        with no_collection():
            return self.kind(self)


def column(path: Path, name: str) -> list[Any]:
    """The values of one column of a Parquet file, in row order.

    A table of samples has their ids in the column `id`. Raises `ValueError` where it cannot be read.
    """
    with parquet_explained(path):
        return [v for _, batch in batches(path, [name], None, GROUP_ROWS) for v in batch[name].to_pylist()]


@contextmanager
def no_collection() -> Iterator[None]:
    """Suspend the cycle collector for work that makes many rows.

    It would visit all rows again and again: two thirds of the time of reading 100,000 samples.
    """
    enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if enabled:
            gc.collect(1)  # they become old in one pass, where the next stage would make several
            gc.enable()


LEFTOVER = r"\..+\.[a-z0-9_]{8}\.tmp"
"""Names of the temporary files of `atomic`, as a kill in the middle of a write leaves them."""


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """A temporary path beside `path`, renamed over it on success.

    It is flushed to disk before, and removed on failure. Who may read it is what the umask says, or what
    holds of the file that it replaces.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    tmp = path.with_name(f".{path.name}.{secrets.token_hex(4)}.tmp")
    tmp.touch(exist_ok=False)  # not by `tempfile`, whose files nobody else may read
    try:
        if path.exists():
            shutil.copymode(path, tmp)
        yield tmp
        with open(tmp, "rb") as done:
            os.fsync(done.fileno())
        os.replace(tmp, path)
    finally:
        tmp.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    """Write text atomically."""
    with atomic(path) as tmp:
        tmp.write_text(text, encoding="utf-8")


def write_json(path: str | Path, value: Any) -> None:
    """Write indented JSON atomically."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False) + "\n")


def read_json(path: Path, kind: type[T], remedy: str) -> T:
    """A JSON file of a run, checked to be of a kind.

    Raises:
        RunError: It is not there or not of that kind; the message names it and ends with the remedy.
    """
    try:
        return TypeAdapter(kind).validate_json(path.read_bytes())
    except (OSError, ValueError) as error:
        raise RunError(f"{path} cannot be read: {_why(error)}. {remedy}") from None


def read_lines(path: Path) -> list[dict[str, Any]]:
    """Return the records of a JSON-lines file.

    A line that is not a record is left out, and a warning names it.
    """
    try:
        lines = path.read_bytes().split(b"\n")
    except OSError as error:
        _warn(f"{path} cannot be read, so nothing of it counts: {_why(error)}")
        return []
    records = []
    for number, line in enumerate(lines, 1):
        try:
            if line.strip():
                records.append(TypeAdapter(dict[str, Any]).validate_json(line))
        except ValueError as error:
            _warn(f"{path}, line {number} is left out: {_why(error)}")
    return records


def _why(error: OSError | ValueError) -> str:
    return error.strerror or str(error) if isinstance(error, OSError) else reason_of(error)


def _warn(text: str) -> None:
    warnings.warn(visible(text), stacklevel=3)


def open_own(path: Path) -> int:
    """A handle on a run's own file, to read and append.

    Makes a missing file.

    Raises:
        RunError: It is a link, which may lead to any file of the person who opens the folder, or not a file.
    """
    try:
        handle = os.open(path, os.O_RDWR | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_NONBLOCK, 0o644)
    except OSError as error:
        if error.errno not in (errno.ELOOP, errno.EISDIR, errno.ENXIO):
            raise
        handle = -1
    if handle >= 0 and stat.S_ISREG(os.fstat(handle).st_mode):
        return handle
    if handle >= 0:
        os.close(handle)
    raise RunError(
        f"{path} is a link, a folder or something else that is not a plain file, so nothing is written to"
        " it. Move it away, and do the same again; if the run folder is not your own, look through it first."
    )


def json_line(record: dict[str, Any]) -> str:
    """A record as `append_lines` writes it, without the line's end."""
    return json.dumps(record, ensure_ascii=False)


def append_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Append records as JSON lines, on disk when this returns.

    A last line that was cut short is ended first.

    Raises:
        RunError: The path is not a plain file.
    """
    lines = "".join(f"{json_line(record)}\n" for record in records)
    with os.fdopen(open_own(path), "r+b", buffering=0) as out:
        size = os.fstat(out.fileno()).st_size
        cut = size and os.pread(out.fileno(), 1, size - 1) != b"\n"
        rest = (("\n" if cut else "") + lines).encode("utf-8")
        while rest:
            rest = rest[out.write(rest) :]
        os.fsync(out.fileno())
