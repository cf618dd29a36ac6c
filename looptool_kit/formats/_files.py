"""The rows of a file or folder."""

from __future__ import annotations

import codecs
import gzip
import io
import json
import re
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from itertools import accumulate
from pathlib import Path
from typing import IO, Any, NamedTuple

from looptool_kit.core.json_text import strict_json
from looptool_kit.core.tables import atomic
from looptool_kit.formats._parts import without_none

ROWS_AT_ONCE = 1024
"""Rows of a Parquet file that are held at a time."""
MAX_LINE = 1 << 24
"""Characters of a line: more fit no model's context, and a gzipped megabyte may hold a gigabyte of them."""
MAX_DOCUMENT = 1 << 29
"""Characters of a JSON list, which is read as a whole; a gzipped megabyte may hold far more."""
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
        text = file.read(MAX_DOCUMENT + 1)
    if len(text) > MAX_DOCUMENT:
        raise ValueError(
            f"{path} holds more than {MAX_DOCUMENT:,} characters, and a JSON list is read as a whole: write"
            " it with one row a line (`jq -c '.[]'`), under a name that ends in .jsonl"
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
        raise ValueError(
            f"{path} is not a JSON list ({str(document)[:200]}); a file with one row a line must end"
            " in .jsonl"
        )
    for row in document:
        yield _of_a_length(json.dumps(row, ensure_ascii=False), row)


def _of_a_length(raw: str, value: Any) -> tuple[str, Any]:
    """The text and value of a row; of one that is too long the beginning and the reason."""
    if len(raw) <= MAX_LINE:
        return raw, value
    return raw[:200], ValueError(f"the row is longer than {MAX_LINE:,} characters")


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


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path, nested: bool, split: str = "train") -> None:
    """Write rows to a file or folder, by the path's ending.

    It is JSON lines, a JSON list, Parquet, or else a folder as a hub keeps datasets: `datasets.load_dataset`
    opens it. `nested` keeps nested values of Parquet as they are; otherwise they become JSON text, which
    `datasets` reads as the values that they were.

    Raises:
        ValueError: The path has another ending.
    """
    if path.suffix in (".jsonl", ".json"):
        if path.suffix == ".jsonl":
            text = "\n".join(json.dumps(r, ensure_ascii=False) for r in rows) + "\n"
        else:
            text = json.dumps(rows, ensure_ascii=False, indent=1)
        with atomic(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
        return
    if path.suffix not in ("", ".parquet"):
        raise ValueError(f"{path}: give a name that ends in .jsonl, .json or .parquet, or a folder")
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = pa.Table.from_pylist([dict(row) for row in rows]) if nested else _json_columns(rows)
    file = path if path.suffix else path / SHARD.format(split=split)
    file.parent.mkdir(parents=True, exist_ok=True)
    with atomic(file) as unfinished:
        pq.write_table(columns, unfinished, compression="zstd")


def _json_columns(rows: Sequence[Mapping[str, Any]]) -> Any:
    """A table whose nested values are JSON text: a column has one type, and arguments have any.

    Its metadata are those of `datasets`, which decodes such text when it reads it (the feature `Json`).
    """
    import pyarrow as pa

    def texts(values: Sequence[str | None]) -> Any:
        return pa.ExtensionArray.from_storage(pa.json_(), pa.array(values, pa.string()))

    columns, features = dict[str, Any](), dict[str, Any]()
    for name in dict.fromkeys(key for row in rows for key in row):
        values: list[Any] = [row.get(name) for row in rows]
        if all(isinstance(v, str | int | float | None) for v in values):
            columns[name] = pa.array(values)
            features[name] = {"dtype": str(columns[name].type).replace("double", "float64"), "_type": "Value"}
        elif all(isinstance(v, list) for v in values):
            ends = accumulate((len(v) for v in values), initial=0)
            columns[name] = pa.ListArray.from_arrays(
                pa.array(ends, pa.int32()), texts([_text(item) for v in values for item in v])
            )
            features[name] = {"feature": {"_type": "Json"}, "_type": "List"}
        else:
            columns[name] = texts([None if v is None else _text(v) for v in values])
            features[name] = {"_type": "Json"}
    return pa.table(columns).replace_schema_metadata(
        {JSON_FEATURES: json.dumps({"info": {"features": features}})}
    )


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)
