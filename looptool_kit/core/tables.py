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
import stat
import tempfile
import types
import typing
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager
from functools import lru_cache, partial
from itertools import islice
from pathlib import Path
from typing import Any, ClassVar, Generic, Self, TypeVar, overload

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import from_json

from looptool_kit.core.errors import RunError

Row = TypeVar("Row", bound=BaseModel)
_SCALARS = (str, int, float, bool)
_GROUP = 1024
"""Rows that are written to a Parquet file at a time."""


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
        return type(self) is type(other) and self.rows == typing.cast("Table[Row]", other).rows

    __hash__ = None  # type: ignore[assignment]

    def __repr__(self) -> str:
        return f"{type(self).__name__}({len(self)} rows)"

    def where(self, keep: Callable[[Row], bool]) -> Self:
        """The rows for which `keep` is true, in order."""
        return type(self)(row for row in self.rows if keep(row))

    def by_id(self) -> dict[str, Row]:
        """Row id -> row."""
        return {row.id: row for row in self.rows}  # type: ignore[attr-defined]

    def frame(self) -> Any:
        """The rows as a pandas DataFrame, nested values as Python objects."""
        import pandas as pd

        return pd.DataFrame([({"id": r.id} if hasattr(r, "id") else {}) | r.model_dump() for r in self.rows])

    # ------------------------------------------------------------------ disk

    def write(self, path: str | Path) -> Path:
        """Write as Parquet (`.parquet`) or JSON lines (`.jsonl`), atomically. Returns the path."""
        return self.write_rows(path, self.rows)

    @classmethod
    def write_rows(cls, path: str | Path, rows: Iterable[Row]) -> Path:
        """Write rows as they come, some thousands at a time, so that a file can hold more than memory does;
        otherwise as `write`.
        """
        path, source = Path(path), iter(rows)
        if path.suffix == ".jsonl":
            with atomic(path) as tmp, open(tmp, "w", encoding="utf-8") as out:
                for row in source:
                    out.write(json.dumps(row.model_dump(mode="json"), ensure_ascii=False) + "\n")
            return path
        import pyarrow.parquet as pq

        first = cls._arrow_table(list(islice(source, _GROUP)))
        with atomic(path) as tmp, pq.ParquetWriter(tmp, first.schema, compression="zstd") as out_file:
            out_file.write_table(first)
            while group := list(islice(source, _GROUP)):
                out_file.write_table(cls._arrow_table(group))
        return path

    @classmethod
    def _arrow_table(cls, rows: Sequence[Row]) -> Any:
        import pyarrow as pa

        columns: dict[str, Any] = {}
        if hasattr(cls.row_type, "id") and "id" not in cls.row_type.model_fields:
            columns["id"] = pa.array([r.id for r in rows], pa.string())  # type: ignore[attr-defined]
        for name, field in cls.row_type.model_fields.items():
            kind = _arrow(field.annotation)
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
        """Read a Parquet or JSON-lines file; with `rows`, which count from 0, only those of a Parquet file.

        `on_reject(row_number, raw, reason)` is called for each row that is malformed, or in which
        `fault(row)` finds something wrong (it says what, or nothing), and the good rows are returned; without
        it the first bad row raises `ValueError` naming file, row and reason. Rows count from 1.
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
        keep: Callable[[dict[str, Any]], bool] | None = None,
    ) -> Iterator[Row]:
        if not path.exists():
            raise FileNotFoundError(f"{path} does not exist")
        for number, raw, load in (
            _jsonl(path) if path.suffix == ".jsonl" else _parquet(path, cls.row_type, rows, without, keep)
        ):
            try:
                row = typing.cast(Row, cls.row_type.model_validate(load()))
                if fault is not None and (wrong := fault(row)):
                    raise ValueError(wrong)
            except (ValidationError, ValueError, TypeError) as error:
                reason = _reason(error)
                if on_reject is None:
                    raise ValueError(f"{path}, row {number}: {reason}") from None
                on_reject(number, raw(), reason)
                continue
            _share_sets(row)
            yield row


class Stored(Generic[Row]):
    """A table in a Parquet file, read anew each time it is gone through: a hundred thousand rows are never
    held at once.
    """

    def __init__(
        self,
        kind: type[Table[Row]],
        path: Path,
        without: Collection[str] = (),
        keep: Callable[[dict[str, Any]], bool] | None = None,
    ) -> None:
        """`without`: columns that are left at their defaults. `keep` says of a row as it is in the file
        whether it is read.
        """
        self.kind, self.path, self.without, self.keep = kind, path, without, keep

    def __iter__(self) -> Iterator[Row]:
        return self.kind._read(self.path, without=self.without, keep=self.keep)

    def table(self) -> Table[Row]:
        """The rows as a table."""
        with no_collection():
            return self.kind(self)


def column(path: Path, name: str) -> list[Any]:
    """The values of one column of a Parquet file, in row order. A table of samples has their ids in the
    column `id`.
    """
    import pyarrow.parquet as pq

    values: list[Any] = pq.ParquetFile(path).read(columns=[name]).column(0).to_pylist()
    return values


_sets: dict[frozenset[str], set[str]] = {}


def _share_sets(value: Any) -> None:
    """Let all frozen rows with the same fields given share the set that names them: a third of the memory of
    a table.
    """
    if isinstance(value, BaseModel):
        given = value.__pydantic_fields_set__
        shared = _sets.setdefault(frozenset(given), given)
        if shared is not given:
            object.__setattr__(value, "__pydantic_fields_set__", shared)
        for inner in value.__dict__.values():
            if isinstance(inner, tuple | BaseModel):
                _share_sets(inner)
    elif isinstance(value, tuple) and value and isinstance(value[0], BaseModel):
        for inner in value:
            _share_sets(inner)


@contextmanager
def no_collection() -> Iterator[None]:
    """Suspends the collector of cycles for work that makes many rows and no cycles.

    It would go through all rows there are, again and again as they become more: two thirds of the time of
    reading 100,000 samples.
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
    """A temporary path beside `path`, flushed and renamed over it on success, removed on failure."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handle, name = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    os.close(handle)
    tmp = Path(name)
    try:
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


def open_own(path: Path) -> int:
    """A handle on a run's own file, to read and to append to it; the file is made where there is none.

    Raises `RunError` for a link, which may lead to any file of the person who opens the folder, and for what
    is no file.
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
        f"{path} is a link, a folder or something else that is no plain file, so nothing is written to it."
        " Move it away, and do the same again; if the run folder is not your own, look through it first."
    )


def append_lines(path: Path, records: Iterable[dict[str, Any]]) -> None:
    """Append records as JSON lines, on disk when this returns; a line that was cut short before is ended
    first.

    Raises `RunError` where the path is no plain file.
    """
    lines = "".join(json.dumps(record, ensure_ascii=False) + "\n" for record in records)
    with os.fdopen(open_own(path), "r+b", buffering=0) as out:
        size = os.fstat(out.fileno()).st_size
        cut = size and os.pread(out.fileno(), 1, size - 1) != b"\n"
        rest = (("\n" if cut else "") + lines).encode("utf-8")
        while rest:
            rest = rest[out.write(rest) :]
        os.fsync(out.fileno())


def _arrow(annotation: Any) -> Any:
    """The Arrow type of a scalar or list-of-scalars annotation, None for what is kept as JSON."""
    import pyarrow as pa

    scalars = {str: pa.string(), int: pa.int64(), float: pa.float64(), bool: pa.bool_()}
    origin, args = typing.get_origin(annotation), typing.get_args(annotation)
    if origin in (typing.Union, types.UnionType):
        rest = [a for a in args if a is not type(None)]
        return _arrow(rest[0]) if len(rest) == 1 else None
    if origin is typing.Literal:
        return pa.string() if all(isinstance(a, str) for a in args) else None
    if origin in (tuple, list) and args and args[0] in _SCALARS:
        return pa.list_(scalars[args[0]])
    return scalars.get(annotation)


def _decoded(line: bytes) -> str:
    return line.decode("utf-8", "replace").rstrip("\n")


def _loads_bytes(line: bytes) -> Any:
    return _loads(line.decode("utf-8-sig"))


def _jsonl(path: Path) -> Iterator[tuple[int, Callable[[], str], Callable[[], Any]]]:
    with open(path, "rb") as lines:
        for number, line in enumerate(lines, 1):
            if line.strip():
                yield number, partial(_decoded, line), partial(_loads_bytes, line)


def _loads(text: str) -> Any:
    """JSON, strictly: what could not be written again (NaN, infinities, lone surrogates) or is nested beyond
    reason raises `ValueError`.
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


def _parquet(
    path: Path,
    row_type: type[BaseModel],
    rows: range | None,
    without: Collection[str],
    keep_row: Callable[[dict[str, Any]], bool] | None,
) -> Iterator[tuple[int, Callable[[], str], Callable[[], Any]]]:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        file = pq.ParquetFile(path)
    except (pa.ArrowInvalid, OSError) as error:
        raise ValueError(
            f"{path} is not a readable Parquet file ({error}); delete it and run the stage again"
        ) from None
    nested = {
        name: _nested(field.annotation)
        for name, field in row_type.model_fields.items()
        if _arrow(field.annotation) is None
    }
    keep = set(row_type.model_fields) - set(without)
    known: dict[str, dict[str, str]] = {k: {} for k in keep}
    first = 0
    for batch in file.iter_batches(
        batch_size=1024, columns=[c for c in file.schema_arrow.names if c not in without]
    ):
        here = range(first, first + len(batch))
        wanted = here if rows is None else range(max(here.start, rows.start), min(here.stop, rows.stop))
        first = here.stop
        for number, record in enumerate(
            batch.slice(wanted.start - here.start, len(wanted)).to_pylist() if wanted else (),
            wanted.start + 1,
        ):
            if keep_row is not None and not keep_row(record):
                continue

            def load(record: dict[str, Any] = record) -> dict[str, Any]:
                return {
                    k: (
                        nested[k](v)
                        if k in nested and v is not None
                        else _one_of(known[k], v)
                        if isinstance(v, str)
                        else v
                    )
                    for k, v in record.items()
                    if k in keep
                }

            yield number, (lambda r=record: json.dumps(r, default=str)), load  # type: ignore[misc]


def _one_of(known: dict[str, str], text: str) -> str:
    """The same object for the same text, where a column holds few different ones."""
    return known.get(text) or (known.setdefault(text, text) if len(known) < 256 else text)


def _nested(annotation: Any) -> Callable[[str], Any]:
    """What reads a nested value from its JSON text. Rows that hold the same models, as samples do their
    tools, share them: half the memory.
    """
    args = typing.get_args(annotation)
    if typing.get_origin(annotation) is not tuple or not (
        isinstance(args[0], type) and issubclass(args[0], BaseModel)
    ):
        return _loads
    validate = TypeAdapter[Any](annotation).validate_python

    @lru_cache(maxsize=4096)
    def load(text: str) -> Any:
        value = _loads(text)
        try:
            return validate(value)
        except ValidationError:
            return value  # the row's own validation says where it is wrong

    return load


def _reason(error: Exception) -> str:
    if isinstance(error, ValidationError):
        return "; ".join(f"{'.'.join(map(str, e['loc'])) or 'row'}: {e['msg']}" for e in error.errors()[:3])
    return str(error)
