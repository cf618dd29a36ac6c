"""The store of paid answers: one SQLite file, in a run `calls.sqlite`.

It maps the hash of a request to the server's raw answer. Whoever changes only how answers are read never pays
twice.
"""

from __future__ import annotations

import errno
import sqlite3
import warnings
from collections.abc import Iterable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from urllib.parse import quote

from looptool_kit.core.endpoint import Endpoint
from looptool_kit.llm.messages import Reply, Totals, read_reply, totals


class StoreError(ValueError):
    """The store of answers cannot be used.

    The message says why and what to do.
    """


def spent(store: Path, endpoints: Sequence[Endpoint] = ()) -> dict[str, Totals]:
    """Model -> the sums of all its answers in a store.

    Money is at the prices of the endpoint of that model, 0 where none is given. A store that cannot be read
    is a warning and no sums.
    """
    if not store.exists():
        return {}
    answers: dict[str, list[Reply]] = {}
    try:
        address = f"file:{quote(str(store.absolute()))}?mode=ro"
        with closing(sqlite3.connect(address, timeout=60, uri=True)) as db:
            for model, raw in db.execute("SELECT model, answer FROM calls"):
                reply = Reply(None)
                with suppress(ValueError):
                    reply = read_reply(raw)._replace(text="")
                answers.setdefault(model, []).append(reply)
    except sqlite3.DatabaseError as error:
        warnings.warn(
            f"{store} cannot be read ({error}), so what was paid is not counted. The next paid call says what"
            " to do.",
            stacklevel=2,
        )
        return {}
    priced = {e.model: e for e in endpoints}
    return {
        m: totals(replies, priced.get(m) or Endpoint(base_url="http://localhost", model=m))
        for m, replies in sorted(answers.items())
    }


def copy(store: Path, target: Path) -> None:
    """Copy a store with all its answers.

    A killed process leaves its last ones in a file beside the store until the store is opened again.
    """
    with closing(open_store(store)) as db, explained(store), closing(sqlite3.connect(target)) as other:
        db.backup(other)


def spent_words(store: Path, endpoint: Endpoint) -> str:
    """The sums of a model's answers in a store, in words."""
    total = spent(store, [endpoint]).get(endpoint.model, Totals(0, 0, 0, 0, 0, 0.0))
    money = f", {total.money:.2f} spent" if endpoint.price_in or endpoint.price_out else ""
    return f"{total.answered + total.failed:,} calls ({total.tokens_in + total.tokens_out:,} tokens{money})"


def kept(store: Path, keys: Iterable[str]) -> dict[str, Reply]:
    """Key -> reply, for those that the store holds.

    An answer that cannot be read any more is left out, so that it is asked again.
    """
    replies: dict[str, Reply] = {}
    with closing(open_store(store)) as db, explained(store):
        for key in keys:
            if row := db.execute("SELECT answer FROM calls WHERE key = ?", (key,)).fetchone():
                with suppress(ValueError):
                    replies[key] = read_reply(row[0])._replace(cached=True)
    return replies


def keep(db: sqlite3.Connection, store: Path, key: str, model: str, raw: str) -> None:
    """Keep an answer; it is in the file when this returns."""
    values = (key, model, raw, datetime.now(UTC).isoformat(timespec="seconds"))
    with explained(store):
        db.execute("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?)", values)


def count_of(store: Path, model: str) -> int:
    """How many answers of a model the store holds."""
    with closing(open_store(store)) as db, explained(store):
        row = db.execute("SELECT COUNT(*) FROM calls WHERE model = ?", (model,)).fetchone()
    return int(row[0])


def open_store(store: Path) -> sqlite3.Connection:
    """Open the store, or make it.

    Raises:
        StoreError: It cannot be used.
    """
    with explained(store):
        store.parent.mkdir(parents=True, exist_ok=True)
        for end in ("", "-wal", "-shm", "-journal"):
            file = store.with_name(store.name + end)
            if file.is_symlink() or (file.exists() and not file.is_file()):
                raise StoreError(
                    f"{file} is a link or not a plain file, so no answers are written to it. Move it away; if"
                    " the run folder is not your own, look through it first."
                )
        # Without transactions: an answer is committed as it is written. Others may hold the file for a while.
        db = sqlite3.connect(store, timeout=60, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            # With WAL a killed process loses nothing; a power cut may lose the last answers.
            db.execute("PRAGMA synchronous = NORMAL")
            db.execute(
                "CREATE TABLE IF NOT EXISTS calls (key TEXT PRIMARY KEY, model TEXT, answer TEXT, time TEXT)"
                " WITHOUT ROWID"
            )
        except BaseException:
            db.close()
            raise
    return db


@contextmanager
def explained(store: Path) -> Iterator[None]:
    """Turn SQLite's errors into messages with the remedy.

    A damaged store is renamed.

    Raises:
        StoreError: The store cannot be used.
        OSError: The disk is full.
    """
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise OSError(errno.ENOSPC, str(error), str(store)) from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            damaged = _renamed(store)
            raise StoreError(
                f"{store}, which holds the answers of paid model calls, is damaged ({error}). It was moved to"
                f" {damaged}; nothing was deleted. If you have a copy from before, put it back as {store}."
                " Then start the same command again: what no copy holds is asked, and paid, once more."
            ) from None
        raise StoreError(
            f"{store}, which holds the answers of paid model calls, cannot be used: {error}. Check whether"
            " another program holds it and whether you may write to its folder, then start the same command"
            " again."
        ) from None


def _renamed(store: Path) -> Path:
    """Rename a store and what SQLite keeps beside it.

    Returns the new name, which no file had.
    """
    names = (store.with_name(f"{store.name}.damaged{f'-{n}' if n else ''}") for n in count())
    new = next(name for name in names if not name.exists())
    for end in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            store.with_name(store.name + end).rename(new.with_name(new.name + end))
    return new
