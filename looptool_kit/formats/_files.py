"""The rows of a file or folder."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import re
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from itertools import accumulate, islice
from pathlib import Path
from textwrap import indent
from typing import IO, Any, NamedTuple

from looptool_kit.core.json_text import SPACE, first_json, strict_json
from looptool_kit.core.tables import atomic
from looptool_kit.formats._parts import without_none

ROWS_AT_ONCE = 1024
"""Rows of a Parquet file that are held at a time."""
MAX_LINE = 1 << 24
"""Characters of a line: more fit no model's context, and a gzipped megabyte may hold a gigabyte of them."""
CHUNK = 1 << 20
"""Characters of a JSON list that are read at a time."""
MAX_DOCUMENT = 1 << 29
"""Characters of a JSON document that is read as a whole, and of an item of a list; a gzipped megabyte may
hold far more."""
_PLAIN = json.JSONDecoder()
_DEVELOPMENT = ("validation", "valid", "val", "dev", "development")
_SPLITS = ("train", "test", "eval", "evaluation", "holdout", *_DEVELOPMENT)
SHARD = "data/{split}-00000-of-00001.parquet"
"""The file of a split in a folder as hubs keep datasets."""
JSON_FEATURES = b"huggingface"
"""Key of a table's metadata under which `datasets` keeps the types of columns."""
_DATA = (".parquet", ".jsonl", ".json", ".ndjson", ".arrow")


class Row(NamedTuple):
    """One row of a file or folder."""

    number: int
    """From 1, over all files."""
    raw: str
    value: Any
    """The row; where it cannot be parsed, the exception."""
    split: str = "train"
    """The split by the file's or folder's name."""


def rows_of(path: Path) -> Iterator[Row]:
    """Yield the rows of a file or folder.

    A folder is one that `datasets` or a hub keeps. Files may be gzipped, in UTF-8 or UTF-16; JSON lines
    are told from a JSON list by what stands there.

    Raises:
        FileNotFoundError: There is no such file or folder.
        ValueError: A folder holds no file of rows, or a file is damaged; the message names it, and the last
            row that could be read.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    number = 0
    for file, split in _files(path):
        try:
            for raw, value in _rows(file):
                number += 1
                yield Row(number, raw, value, split)
        except Exception as error:
            if not _damage(error):
                raise
            raise ValueError(
                f"{file} is damaged behind row {number}: {error}. Fetch or write it again."
            ) from None


def _damage(error: Exception) -> bool:
    """Whether a reader raised it on bytes that are not those of a whole file."""
    import pyarrow as pa

    if isinstance(error, OSError):  # with a number it is the disk's, without one pyarrow's or gzip's
        return error.errno is None
    return isinstance(error, pa.ArrowException | EOFError | zlib.error | UnicodeDecodeError)


def _files(path: Path) -> Iterator[tuple[Path, str]]:
    """The files of a folder with their splits, those for training first."""
    if not path.is_dir():
        yield path, "train"
        return
    files = [
        f
        for f in sorted(path.glob("**/*"))
        if "".join(f.suffixes).removesuffix(".gz").endswith(_DATA)
        and f.is_file()
        and not re.match(r"cache-|dataset_infos?\.json|state\.json|dataset_dict\.json|\.", f.name)
    ]
    if not files:
        raise ValueError(
            f"{path} holds no .arrow, .parquet, .jsonl or .json file: give a folder written by `datasets`"
            " (save_to_disk) or of a hub, or a file"
        )
    named = [(f, _split(f, path)) for f in files]
    yield from sorted(named, key=lambda pair: pair[1] != "train")


def _split(file: Path, folder: Path) -> str:
    """The split that a file's name or its folder's says: `data/test-00000-of-00001.parquet` is `test`."""
    inside = file.relative_to(folder)
    for part in (inside.name, *reversed(inside.parts[:-1])):
        word = re.match(r"[a-z]+", part.lower())
        if word and word[0] in _SPLITS:
            return "development" if word[0] in _DEVELOPMENT else word[0]
    return "train"


def _rows(path: Path) -> Iterator[tuple[str, Any]]:
    if path.suffix == ".arrow":
        yield from _table_rows(_arrow_tables([path]))
    elif path.suffix == ".parquet":
        import pyarrow.parquet as pq

        yield from _table_rows(pq.ParquetFile(path).iter_batches(ROWS_AT_ONCE))
    elif path.name.removesuffix(".gz").endswith((".jsonl", ".ndjson")):
        yield from _lines(path)
    else:
        yield from _json_rows(path)


def _opened(path: Path) -> IO[str]:
    """The text of a file, unpacked and decoded."""
    with open(path, "rb") as raw:
        packed = raw.read(2) == b"\x1f\x8b"
    binary: Any = (gzip.open if packed else open)(path, "rb")
    start = binary.read(2)
    binary.seek(0)
    encoding = "utf-16" if start in (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE) else "utf-8-sig"
    return io.TextIOWrapper(binary, encoding, "replace", newline="\n")


def _lines(path: Path) -> Iterator[tuple[str, Any]]:
    with _opened(path) as file:
        while line := file.readline(MAX_LINE):
            if len(line) < MAX_LINE or line.endswith("\n"):
                if line.strip():
                    yield line.strip(), _loaded(line)
                continue
            start = line[:200]
            while line and not line.endswith("\n"):
                line = file.readline(MAX_LINE)
            yield start, ValueError(f"the line is longer than {MAX_LINE:,} characters")


def _json_rows(path: Path) -> Iterator[tuple[str, Any]]:
    """The rows of a JSON list, or of JSON lines under another ending."""
    with _opened(path) as file:
        start = file.read(CHUNK).lstrip()
        if start.startswith("["):
            yield from _listed(file, start[1:], path)
            return
        text = start + file.read(MAX_DOCUMENT + 1)
    if len(text) > MAX_DOCUMENT:
        raise ValueError(
            f"{path} holds more than {MAX_DOCUMENT:,} characters, and what is no JSON list is read as a"
            " whole: write one row a line, under a name that ends in .jsonl"
        )
    document = _loaded(text)
    if isinstance(document, Exception) and "\n" in text.strip():
        first = next((line for line in text.split("\n") if line.strip()), "")
        if isinstance(_loaded(first), dict):
            yield from _lines(path)
            return
    if isinstance(document, Mapping):  # {"data": [...]}
        lists = [v for v in document.values() if isinstance(v, list) and v and isinstance(v[0], Mapping)]
        document = lists[0] if len(document) == len(lists) == 1 else [document]
    if not isinstance(document, list):
        raise ValueError(_no_list(path, str(document)[:200]))
    for row in document:
        yield _of_a_length(json.dumps(row, ensure_ascii=False), row)


def _of_a_length(raw: str, value: Any) -> tuple[str, Any]:
    """The text and value of a row; of one that is too long the beginning and the reason."""
    if len(raw) <= MAX_LINE:
        return raw, value
    return raw[:200], ValueError(f"the row is longer than {MAX_LINE:,} characters")


def _no_list(path: Path, why: object) -> str:
    return f"{path} is not a JSON list ({why}); a file with one row a line must end in .jsonl"


def _listed(file: IO[str], text: str, path: Path) -> Iterator[tuple[str, Any]]:
    """The items of a JSON list behind its bracket, read a piece at a time.

    Raises:
        ValueError: The file is cut or is not a list; the items before that were given.
    """
    at, first, more = 0, True, True
    while True:
        try:
            value, end = _item(text, at, first)
            if more and _GOES_ON.fullmatch(text, end):
                raise ValueError("it is cut")
        except (ValueError, RecursionError) as error:
            if not more:
                raise ValueError(_no_list(path, error)) from None
            if len(text) - at > MAX_DOCUMENT:
                raise ValueError(
                    f"{path} holds more than {MAX_DOCUMENT:,} characters in one item of its list: write one"
                    " row a line, under a name that ends in .jsonl"
                ) from None
            piece = file.read(max(CHUNK, len(text) - at))
            text, at, more = text[at:] + piece, 0, bool(piece)
            continue
        if value is _END:
            if text[end:].strip() or file.read(1).strip():
                raise ValueError(_no_list(path, "other text follows the list"))
            return
        yield _of_a_length(text[at:end] if isinstance(value, Exception) else _text(value), value)
        at, first = end, False


_END = object()
_GOES_ON = re.compile(r"(?:\.|[eE][+-]?)?")
"""What stands behind a number that the next piece may continue."""


def _item(text: str, at: int, first: bool) -> tuple[Any, int]:
    """The item of a list that begins at a place, and where it ends.

    An exception for one that breaks the strict reading, `_END` for the list's bracket.

    Raises:
        ValueError: The text is cut there, or is not a list.
    """
    at = SPACE.match(text, at).end()  # type: ignore[union-attr]
    if text.startswith("]", at):
        return _END, at + 1
    if not first:
        if not text.startswith(",", at):
            raise ValueError(f"no comma behind an item, but {text[at : at + 20]!r}")
        at = SPACE.match(text, at + 1).end()  # type: ignore[union-attr]
    try:
        return first_json(text, at)
    except ValueError as wrong:
        return wrong, _PLAIN.raw_decode(text, at)[1]


def _loaded(text: str) -> Any:
    try:
        return strict_json(text)
    except ValueError as error:
        return error


def _arrow_tables(files: Iterable[Path]) -> Iterator[Any]:
    import pyarrow as pa

    for file in files:
        with pa.memory_map(str(file)) as source:
            yield from pa.ipc.open_stream(source)


def _table_rows(batches: Iterable[Any]) -> Iterator[tuple[str, Any]]:
    for batch in batches:
        for row in batch.to_pylist():
            raw = json.dumps(row, default=str, ensure_ascii=False)
            yield _of_a_length(raw, _objects(without_none(row)))


def _objects(row: dict[str, Any]) -> dict[str, Any]:
    """The row with lists of objects, where they stand as lists of JSON texts (`datasets`' feature `Json`)."""
    return {
        key: [_loaded(v) for v in value]
        if isinstance(value, list) and value and all(isinstance(v, str) and v[:1] == "{" for v in value)
        else value
        for key, value in row.items()
    }


def write_rows(
    rows: Callable[[], Iterable[Mapping[str, Any]]], path: Path, nested: bool, split: str = "train"
) -> None:
    """Write rows to a file or folder, by the path's ending.

    It is JSON lines, a JSON list, Parquet, or else a folder as a hub keeps datasets: `datasets.load_dataset`
    opens it. `nested` keeps nested values of Parquet as they are, and holds all rows; otherwise they become
    JSON text, which `datasets` reads as the values that they were, and few rows are held at a time.

    Args:
        rows: Gives the rows; it is called twice where their columns must be known before they are written.

    Raises:
        ValueError: The path has another ending.
    """
    if path.suffix in (".jsonl", ".json"):
        with atomic(path) as unfinished, open(unfinished, "w", encoding="utf-8") as file:
            file.writelines(_json_lines(rows()) if path.suffix == ".jsonl" else _json_list(rows()))
        return
    if path.suffix not in ("", ".parquet"):
        raise ValueError(f"{path}: give a name that ends in .jsonl, .json or .parquet, or a folder")
    import pyarrow as pa
    import pyarrow.parquet as pq

    file_path = path if path.suffix else path / SHARD.format(split=split)
    file_path.parent.mkdir(parents=True, exist_ok=True)
    if nested:
        table = pa.Table.from_pylist([dict(row) for row in rows()])
        schema, groups = table.schema, iter([table])
    else:
        schema = _json_schema(rows())
        groups = (_json_columns(group, schema) for group in _groups(rows()))
    with atomic(file_path) as unfinished, pq.ParquetWriter(unfinished, schema, compression="zstd") as out:
        for group in groups:
            out.write_table(group)


def _json_lines(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    return (json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _json_list(rows: Iterable[Mapping[str, Any]]) -> Iterator[str]:
    yield "["
    for at, row in enumerate(rows):
        yield ("," if at else "") + "\n" + indent(json.dumps(row, ensure_ascii=False, indent=1), " ")
    yield "\n]"


def _groups(rows: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    source = iter(rows)
    while group := list(islice(source, ROWS_AT_ONCE)):
        yield group


def _json_schema(rows: Iterable[Mapping[str, Any]]) -> Any:
    """The columns of a table whose nested values are JSON text.

    A column has one type, and arguments have any. The metadata are those of `datasets`, which decodes such
    text when it reads it (the feature `Json`).
    """
    import pyarrow as pa

    total, examples, lists = 0, dict[str, dict[type, Any]](), Counter[str]()
    for row in rows:
        total += 1
        for name, value in row.items():
            examples.setdefault(name, {})[type(value)] = value
            lists[name] += isinstance(value, list)
    fields, features = dict[str, Any](), dict[str, Any]()
    for name, values in examples.items():
        if all(isinstance(v, str | int | float | None) for v in values.values()):
            fields[name] = pa.infer_type(list(values.values()))
            features[name] = {"dtype": str(fields[name]).replace("double", "float64"), "_type": "Value"}
        elif lists[name] == total:
            fields[name] = pa.list_(pa.json_())
            features[name] = {"feature": {"_type": "Json"}, "_type": "List"}
        else:
            fields[name] = pa.json_()
            features[name] = {"_type": "Json"}
    return pa.schema(list(fields.items()), {JSON_FEATURES: json.dumps({"info": {"features": features}})})


def _json_columns(rows: Sequence[Mapping[str, Any]], schema: Any) -> Any:
    """Some rows as a table of that schema."""
    import pyarrow as pa

    def texts(values: Sequence[str | None]) -> Any:
        return pa.ExtensionArray.from_storage(pa.json_(), pa.array(values, pa.string()))

    columns = list[Any]()
    for field in schema:
        values: list[Any] = [row.get(field.name) for row in rows]
        if field.type == pa.json_():
            columns.append(texts([None if v is None else _text(v) for v in values]))
        elif pa.types.is_list(field.type):
            ends = pa.array(accumulate((len(v) for v in values), initial=0), pa.int32())
            items = texts([_text(item) for v in values for item in v])
            columns.append(pa.ListArray.from_arrays(ends, items))
        else:
            columns.append(pa.array(values, field.type))
    return pa.Table.from_arrays(columns, schema=schema)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
