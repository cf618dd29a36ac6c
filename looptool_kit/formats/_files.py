"""The rows of a file or folder."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from looptool_kit.core.tables import atomic
from looptool_kit.core.toolcalls import strict_json

ROWS_AT_ONCE = 1024
"""Rows of a Parquet file that are held at a time."""


def rows_of(path: Path) -> Iterator[tuple[int, str, Any]]:
    """Yield row number (from 1), raw text and row.

    In place of a row that cannot be parsed stands the exception.
    """
    if not path.exists():
        raise FileNotFoundError(f"{path} does not exist")
    if path.is_dir():
        files = sorted(f for f in path.glob("**/*.arrow") if not f.name.startswith("cache-"))
        if not files:
            raise ValueError(
                f"{path} holds no .arrow file: give a folder written by `datasets` (save_to_disk), or a file"
            )
        yield from _table_rows(_arrow_tables(files))
    elif path.suffix == ".parquet":
        import pyarrow.parquet as pq

        yield from _table_rows(pq.ParquetFile(path).iter_batches(ROWS_AT_ONCE))
    elif path.suffix == ".jsonl":
        with open(path, "rb") as lines:
            for number, line in enumerate(lines, 1):
                if line.strip():
                    raw = line.decode("utf-8", "replace").strip()
                    yield number, raw, _loaded(line.decode("utf-8-sig", "replace"))
    else:
        document = _loaded(path.read_text(encoding="utf-8-sig"))
        if not isinstance(document, list):
            raise ValueError(
                f"{path} is not a JSON list ({document}); a file with one row a line must end in .jsonl"
            )
        for number, row in enumerate(document, 1):
            yield number, json.dumps(row, ensure_ascii=False), row


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


def _table_rows(batches: Iterable[Any]) -> Iterator[tuple[int, str, Any]]:
    number = 0
    for batch in batches:
        for row in batch.to_pylist():
            number += 1
            yield number, json.dumps(row, default=str, ensure_ascii=False), row


def write_rows(rows: Sequence[Mapping[str, Any]], path: Path, nested: bool) -> None:
    """Write rows to a file or folder, by the path's ending.

    It is JSON lines, a JSON list, Parquet, or else a folder. `nested` keeps nested values of Parquet and
    folders as they are; otherwise they become JSON text.
    """
    if path.suffix in (".jsonl", ".json"):
        if path.suffix == ".jsonl":
            text = "\n".join(json.dumps(r, ensure_ascii=False) for r in rows) + "\n"
        else:
            text = json.dumps(rows, ensure_ascii=False, indent=1)
        with atomic(path) as unfinished:
            unfinished.write_text(text, encoding="utf-8")
        return
    import pyarrow as pa

    columns = pa.Table.from_pylist([dict(r) if nested else _flat(r) for r in rows])
    if path.suffix == ".parquet":
        import pyarrow.parquet as pq

        with atomic(path) as unfinished:
            pq.write_table(columns, unfinished, compression="zstd")
        return
    if path.suffix:
        raise ValueError(f"{path}: give a name that ends in .jsonl, .json or .parquet, or a folder")
    from datasets import Dataset

    Dataset(columns).save_to_disk(str(path))


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    # A column of a table has one type, and arguments have any: nested values become JSON text.
    return {
        k: v if isinstance(v, str | int | float | None) else json.dumps(v, ensure_ascii=False)
        for k, v in row.items()
    }
