"""Every paid model call: OpenAI-compatible chat completions behind a keyed store, with retries, bounded
concurrency and progress.

The store is one SQLite file (in a run: `calls.sqlite`) that maps the hash of a request to the server's raw
answer. An answer is kept the moment it arrives, so a killed run repeats at most the calls in flight, and
whoever changes only how answers are read never pays twice. What failed is not kept: the next call of
`complete` asks again. API keys come from the environment, go into the Authorization header and nowhere else:
they are hidden in what a server says of an error, and an answer that repeats one is refused, never rewritten.

A server of this kind renders prompts by itself, so the name of a special token in the data (`<|im_end|>`) is
sent as it stands, and what the server makes of it is not decided here. The policy's engines send token ids
instead (`policy/engines/prompts.py`).
"""

from __future__ import annotations

import asyncio
import errno
import hashlib
import json
import math
import os
import random
import sqlite3
import warnings
import zlib
from collections import deque
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from itertools import count
from pathlib import Path
from threading import Thread
from typing import Any, NamedTuple
from urllib.parse import quote, urlsplit
from urllib.request import getproxies, proxy_bypass

from looptool_kit.core.endpoint import Endpoint, hide_key
from looptool_kit.core.toolcalls import strict_json
from looptool_kit.trust import require_endpoint

__all__ = [
    "LARGEST", "LONGEST_WAIT", "Endpoint", "EndpointError", "Reply", "Request", "StoreError", "Totals", "complete",
    "json_object", "spent", "spent_words", "totals",
]  # fmt: skip

NOT_TRIED = "not tried"
"""How the error of a call begins that was left alone because too many before it had failed."""
LONGEST_WAIT = 300.0
"""Seconds: a server that asks (Retry-After) to wait longer than this is not waited for."""
LARGEST = 4 * 2**20
"""Bytes of an answer, as they come and unpacked: a hundred times what a judge writes. Reading stops there."""


class Request(NamedTuple):
    """One question to a model."""

    messages: Sequence[Mapping[str, str]]
    """Turns with `role` and `content`."""
    temperature: float = 0.0
    max_tokens: int = 1024
    seed: int = 0
    """Tells repeated askings of one question apart in the store (votes). Not sent: some servers break on it,
    and the store repeats answers anyway.
    """
    schema: dict[str, Any] | None = None
    """JSON Schema that the answer shall have. Servers enforce it or do not: read answers with `json_object`
    and check.
    """


class Reply(NamedTuple):
    """What came of a request."""

    text: str | None
    """The answer, None where there is none."""
    error: str = ""
    """Why there is none: the last failure, a refusal, an answer cut at the length limit."""
    tokens_in: int = 0
    tokens_out: int = 0
    cached: bool = False
    """From the store, not asked now."""


class Totals(NamedTuple):
    """What a list of replies amounts to; tokens and money whether paid now or when the answer was stored."""

    answered: int
    failed: int
    cached: int
    tokens_in: int
    tokens_out: int
    money: float


class EndpointError(ValueError):
    """No call to this endpoint can succeed (wrong key, address or model); the message says which and what to
    do.
    """


class StoreError(ValueError):
    """The store of answers cannot be used; the message says why and what to do."""


def complete(
    requests: Sequence[Request], endpoint: Endpoint, store: Path, desc: str = "calls", most: int | None = None
) -> list[Reply]:  # fmt: skip
    """The replies to `requests`, in order; what `store` holds is not asked again, equal requests are asked
    once.

    `most` is the budget: answers of this model that the store may hold (setting `calls.most`).

    Works in a script and inside a running event loop alike. A request that fails for good is a reply with
    `error`, and is asked again by the next call; after many such in a row the rest is not tried. Interrupting
    (Ctrl-C) keeps every answer that had arrived. Raises `EndpointError` where the server knows neither key,
    address nor model and where the budget is too small, `StoreError` where the store cannot be used,
    `OSError` where the disk is full.
    """
    from tqdm.auto import tqdm

    try:
        import aiohttp  # noqa: F401
    except ImportError:
        raise EndpointError("calls to a model server need aiohttp: pip install 'looptool-kit[llm]'") from None
    bodies = [_body(r, endpoint) for r in requests]
    keys = [_key(r, b, endpoint) for r, b in zip(requests, bodies, strict=True)]
    todo = dict(zip(keys, bodies, strict=True))
    replies: dict[str, Reply] = {}
    with closing(_open(store)) as db, _explained(store):
        for key in list(todo):
            if row := db.execute("SELECT answer FROM calls WHERE key = ?", (key,)).fetchone():
                with suppress(ValueError):  # what cannot be read any more is asked again
                    replies[key] = _read(row[0])._replace(cached=True)
                    del todo[key]
    if todo:
        require_endpoint(store, endpoint)
    if todo and most is not None:
        _afford(len(todo), most, endpoint, store, desc)
    if todo:
        calls = _Calls(endpoint, store, todo)
        # A thread of its own, with or without a running loop here: the interrupt then reaches this thread,
        # which can stop the other in order.
        thread = Thread(target=calls.run, name="calls", daemon=True)
        try:
            thread.start()
            with tqdm(
                total=len(todo),
                desc=f"{desc} ({len(replies)} from the store)" if replies else desc,
                unit="call",
            ) as bar:
                while thread.is_alive():
                    thread.join(0.2)
                    bar.set_postfix_str(calls.news(), refresh=False)
                    bar.update(len(calls.replies) - bar.n)
        finally:
            calls.stop()
            thread.join()
        if calls.error:
            raise calls.error
        replies |= calls.replies
    return [replies[key] for key in keys]


def _afford(count: int, most: int, endpoint: Endpoint, store: Path, desc: str) -> None:
    """Raise `EndpointError` where `count` more answers of a model exceed its budget."""
    with closing(_open(store)) as db, _explained(store):
        (paid,) = db.execute("SELECT COUNT(*) FROM calls WHERE model = ?", (endpoint.model,)).fetchone()
    if paid + count > most:
        raise EndpointError(
            f"{desc}: {count:,} more calls to {endpoint.model}, after {spent_words(store, endpoint)}, exceed"
            f" the budget of calls.most = {most:,}. None of them was made, and all answers are kept. Set"
            f" calls.most to {paid + count} or more, or ask for less."
        )


def totals(replies: Sequence[Reply], endpoint: Endpoint) -> Totals:
    """Sum up replies; money = (tokens_in * price_in + tokens_out * price_out) / 1e6."""
    read, written = sum(r.tokens_in for r in replies), sum(r.tokens_out for r in replies)
    answered, cached = sum(r.text is not None for r in replies), sum(r.cached for r in replies)
    money = (read * endpoint.price_in + written * endpoint.price_out) / 1e6
    return Totals(answered, len(replies) - answered, cached, read, written, money)


def spent(store: Path, endpoints: Sequence[Endpoint] = ()) -> dict[str, Totals]:
    """Model -> what all its answers in a store amount to, whoever asked; money at the prices of the endpoint
    of that model, 0 where none is given.
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
                    reply = _read(raw)._replace(text="")
                answers.setdefault(model, []).append(reply)
    except sqlite3.DatabaseError as error:
        said = (
            f"{store} cannot be read ({error}), so what was paid is not counted. The next paid call says what"
            " to do."
        )
        warnings.warn(said, stacklevel=2)
        return {}
    priced = {e.model: e for e in endpoints}
    return {
        m: totals(replies, priced.get(m) or Endpoint(base_url="http://localhost", model=m))
        for m, replies in sorted(answers.items())
    }


def spent_words(store: Path, endpoint: Endpoint) -> str:
    """What the answers of the endpoint's model in a store amount to, in words."""
    total = spent(store, [endpoint]).get(endpoint.model, Totals(0, 0, 0, 0, 0, 0.0))
    money = f", {total.money:.2f} spent" if endpoint.price_in or endpoint.price_out else ""
    return f"{total.answered + total.failed:,} calls ({total.tokens_in + total.tokens_out:,} tokens{money})"


def json_object(text: str) -> dict[str, Any]:
    """The one JSON object that an answer consists of, strictly (`toolcalls.strict_json`); leading thoughts
    and a code fence around it are dropped.

    Raises `ValueError` for anything else.
    """
    said = text.strip()
    if not said.startswith(("{", "```")):
        said = said.partition("</think>")[2].strip()
    if said.startswith("```") and said.endswith("```") and "\n" in said:
        said = said[:-3].partition("\n")[2]
    value = strict_json(said.strip())
    if not isinstance(value, dict):
        raise ValueError("the answer is JSON but no object")
    return value


# ------------------------------------------------------------------- requests


def _body(request: Request, endpoint: Endpoint) -> bytes:
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": [dict(sorted(m.items())) for m in request.messages],
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
    }
    if request.schema is not None:
        form = {"name": "answer", "schema": request.schema, "strict": _closed(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    # Not sorted: servers have a schema's properties written in its order, and a verdict must come after its
    # reasons.
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def _key(request: Request, body: bytes, endpoint: Endpoint) -> str:
    return hashlib.sha256(
        b"\0".join((endpoint.base_url.encode(), str(request.seed).encode(), body))
    ).hexdigest()


def _closed(schema: Any) -> bool:
    """Whether OpenAI's strict mode takes the schema: every object closed, with all of its properties
    required.
    """
    if isinstance(schema, list):
        return all(map(_closed, schema))
    if not isinstance(schema, dict):
        return True
    if schema.get("type") == "object" and (
        schema.get("additionalProperties") is not False
        or set(schema.get("required", ())) != set(schema.get("properties", {}))
    ):
        return False
    return all(map(_closed, schema.values()))


def _read(raw: str) -> Reply:
    """A chat completion as a reply; raises `ValueError` for what is none, or says nothing at all."""
    try:
        data = json.loads(raw)
        choice, usage = data["choices"][0], data.get("usage")
        message, finish = choice["message"], choice.get("finish_reason")
        said, refusal = message.get("content"), message.get("refusal")
        counts = usage if isinstance(usage, dict) else {}
        tokens = _tokens(counts.get("prompt_tokens")), _tokens(counts.get("completion_tokens"))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, RecursionError):
        raise ValueError(f"not a chat completion: {raw[:200]}") from None
    if finish == "length":
        return Reply(None, "the answer was cut at the length limit", *tokens)
    if refusal or finish == "content_filter":
        return Reply(None, f"the server refused: {refusal or finish}", *tokens)
    if not isinstance(said, str) or not said.strip():
        raise ValueError("an answer without text")
    return Reply(
        said.encode("utf-8", "replace").decode(), "", *tokens
    )  # a lone surrogate could not be written to any table


def _tokens(count: Any) -> int:
    """A number of tokens as a server reports it; 0 for what cannot be one, so that a strange count costs no
    answer.
    """
    return int(count) if type(count) in (int, float) and 0 <= count < 1e9 else 0


def _open(store: Path) -> sqlite3.Connection:
    with _explained(store):
        store.parent.mkdir(parents=True, exist_ok=True)
        db = sqlite3.connect(store, timeout=60, isolation_level=None)
        try:
            db.execute("PRAGMA journal_mode = WAL")
            db.execute(
                "PRAGMA synchronous = NORMAL"
            )  # with WAL a killed process loses nothing; a power cut may lose the last answers
            db.execute(
                "CREATE TABLE IF NOT EXISTS calls (key TEXT PRIMARY KEY, model TEXT, answer TEXT, time TEXT)"
                " WITHOUT ROWID"
            )
        except BaseException:
            db.close()
            raise
    return db


@contextmanager
def _explained(store: Path) -> Iterator[None]:
    """Turn what SQLite says of a store into a paragraph, and move one aside that is damaged."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        code = getattr(error, "sqlite_errorcode", 0) & 0xFF
        if code == sqlite3.SQLITE_FULL:
            raise OSError(errno.ENOSPC, str(error), str(store)) from error
        if code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB):
            aside = _move_aside(store)
            raise StoreError(
                f"{store}, which holds the answers of paid model calls, is damaged ({error}). It was moved to"
                f" {aside}; nothing was deleted. If you have a copy from before, put it back as {store}. Then"
                " start the same command again: what no copy holds is asked, and paid, once more."
            ) from None
        raise StoreError(
            f"{store}, which holds the answers of paid model calls, cannot be used: {error}. Look whether"
            " another program holds it and whether you may write to its folder, then start the same command"
            " again."
        ) from None


def _move_aside(store: Path) -> Path:
    """Rename a store and what SQLite keeps beside it; returns the new name, which no file had."""
    names = (store.with_name(f"{store.name}.damaged{f'-{n}' if n else ''}") for n in count())
    aside = next(name for name in names if not name.exists())
    for end in ("", "-wal", "-shm"):
        with suppress(FileNotFoundError):
            store.with_name(store.name + end).rename(aside.with_name(aside.name + end))
    return aside


# ---------------------------------------------------------------------- calls

_AGAIN = {408, 409, 429}
_OTHER_NAME = {"max_tokens": "max_completion_tokens", "temperature": None, "response_format": None}
"""Parameters that some models refuse with status 400: under which other name they take them, or None where
they want to go without.
"""


class _Failed(Exception):
    """A call had no usable answer; `wait` is the server's Retry-After in seconds.

    None where the question is at fault, infinity where the server is and trying again is no use.
    """

    def __init__(self, why: str, wait: float | None = 0.0) -> None:
        super().__init__(why)
        self.wait = wait


class _Calls:
    """The calls of one `complete`, made by a thread of their own. Other threads only look at `replies` and
    say `stop`.
    """

    def __init__(self, endpoint: Endpoint, store: Path, todo: Mapping[str, bytes]) -> None:
        self.endpoint, self.store, self.todo = endpoint, store, deque(todo.items())
        self.replies: dict[str, Reply] = {}
        self.error: BaseException | None = None
        self.renamed: dict[str, str | None] = {}
        self.lost, self.why = (
            0,
            "",
        )  # calls that failed for good since the last answer, and why the last of them did
        self.answered = False
        self.spent = Totals(0, 0, 0, 0, 0, 0.0)
        self.stopping = False
        self.running: tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None = None

    def run(self) -> None:
        try:
            asyncio.run(self._all())
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            self.error = error

    def news(self) -> str:
        total = self.spent
        words = f"{total.tokens_in + total.tokens_out:,} tokens" + (
            f", {total.failed} failed" if total.failed else ""
        )
        return words + (
            f", {total.money:.2f} spent" if self.endpoint.price_in or self.endpoint.price_out else ""
        )

    def stop(self) -> None:
        self.stopping = True
        if self.running:
            with suppress(RuntimeError):  # the loop has ended by itself
                self.running[0].call_soon_threadsafe(self.running[1].cancel)

    async def _all(self) -> None:
        import aiohttp

        task = asyncio.current_task()
        assert task is not None
        self.running = asyncio.get_running_loop(), task
        if self.stopping:
            return
        key = os.environ.get(self.endpoint.key_env, "").strip()
        headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        url = urlsplit(self.endpoint.base_url)
        here = url.hostname in ("localhost", "127.0.0.1", "::1") or proxy_bypass(url.hostname or "")
        with closing(_open(self.store)) as db:
            async with aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self.endpoint.concurrency),
                timeout=aiohttp.ClientTimeout(total=self.endpoint.timeout),
                headers=headers,
                auto_decompress=False,  # `_body_of` unpacks, within bounds
                proxy=None if here else getproxies().get(url.scheme),
            ) as session, asyncio.TaskGroup() as group:  # fmt: skip
                for _ in range(min(self.endpoint.concurrency, len(self.todo))):
                    group.create_task(self._work(session, db, key))

    async def _work(self, session: Any, db: sqlite3.Connection, secret: str) -> None:
        while self.todo:
            key, body = self.todo.popleft()
            try:
                raw = await self._answer(session, body, secret)
            except _Failed as failure:
                reply = Reply(None, str(failure))
            else:
                self._keep(db, key, raw)
                reply = _read(raw)
            self.replies[key] = reply
            self.spent = Totals._make(
                a + b for a, b in zip(self.spent, totals([reply], self.endpoint), strict=True)
            )

    def _keep(self, db: sqlite3.Connection, key: str, raw: str) -> None:
        values = (key, self.endpoint.model, raw, datetime.now(UTC).isoformat(timespec="seconds"))
        with _explained(self.store):
            db.execute("INSERT OR REPLACE INTO calls VALUES (?, ?, ?, ?)", values)

    async def _answer(self, session: Any, body: bytes, secret: str) -> str:
        """The raw answer; `_Failed` after the last try."""
        limit = max(8, self.endpoint.concurrency)
        for tried in range(self.endpoint.retries + 1):
            if self.lost >= limit:
                raise _Failed(f"{NOT_TRIED}: the last {limit} calls in a row failed. {self.why}")
            try:
                raw = await self._once(session, body, secret)
                self.lost, self.answered = 0, True
                return raw
            except _Failed as failure:
                why, wait = str(failure), failure.wait
            if wait is None or wait > LONGEST_WAIT or tried == self.endpoint.retries:
                break
            pause = min(8.0, 0.5 * 2**tried)
            await asyncio.sleep(
                wait * (1 + random.random() / 2) if wait else pause * (0.5 + random.random() / 2)
            )
        if wait is not None:
            self.lost, self.why = self.lost + 1, why
        raise _Failed(why)

    async def _once(self, session: Any, body: bytes, secret: str) -> str:
        import aiohttp

        sent = dict(self.renamed)
        if sent:
            values = json.loads(body)
            body = json.dumps(
                {sent.get(k, k): v for k, v in values.items() if sent.get(k, k)}, ensure_ascii=False
            ).encode("utf-8")
        try:
            async with session.post(
                f"{self.endpoint.base_url}/chat/completions", data=body, allow_redirects=False
            ) as response:
                status, headers, raw = response.status, response.headers, await _body_of(response)
        except TimeoutError:
            raise _Failed(f"no answer within {self.endpoint.timeout:g} s") from None
        except aiohttp.ClientError as error:
            raise _Failed(hide_key(f"{type(error).__name__}: {error}", secret)) from None
        said = hide_key(raw, secret)  # some servers repeat the key in what they say of it
        if status == 200:
            try:
                unchanged = _read(said).text == _read(raw).text
            except ValueError as error:
                raise _Failed(str(error)) from None
            if not unchanged:
                why = f"the answer repeats the API key of {self.endpoint.key_env}, so it is not kept"
                raise _Failed(why, math.inf)
            return said
        why = f"status {status}: {_complaint(said)}"
        if status == 400 and (
            refused := next((n for n in _OTHER_NAME if n not in sent and _about(said, n)), None)
        ):
            self.renamed[refused] = _OTHER_NAME[refused]
            return await self._once(session, body, secret)
        if status in (401, 404) and not self.answered:
            raise EndpointError(self._remedy(status, why, bool(secret)))
        wait = _retry_after(headers)
        if status in _AGAIN or status >= 500:
            asked = f" (asks to wait {wait:.0f} s)" if wait > LONGEST_WAIT else ""
            raise _Failed(why + asked, wait)
        raise _Failed(why, None)

    def _remedy(self, status: int, why: str, sent_key: bool) -> str:
        at = self.endpoint
        if status == 404:
            return (
                f"{at.base_url} knows no model {at.model!r}, or no /chat/completions ({why}). Mend base_url"
                " or model in the settings."
            )
        state = "holds a key that it refuses" if sent_key else "is not set"
        return (
            f"{at.base_url} wants an API key, and the environment variable {at.key_env} {state} ({why})."
            " Export the key under that name."
        )


async def _body_of(response: Any) -> str:
    """A response's text, unpacked; raises `_Failed` where it has more than `LARGEST` bytes, packed or not."""
    packing = response.headers.get("Content-Encoding", "identity").lower()
    unpack = zlib.decompressobj(wbits=47) if packing in ("gzip", "x-gzip", "deflate") else None
    if unpack is None and packing != "identity":
        raise _Failed(f"the answer is packed as {packing[:20]!r}, which was not asked for", math.inf)
    packed, text = 0, bytearray()
    try:
        async for chunk in response.content.iter_any():
            packed += len(chunk)
            text += unpack.decompress(chunk, LARGEST + 1 - len(text)) if unpack else chunk
            if max(packed, len(text)) > LARGEST:
                raise _Failed(
                    f"the answer has more than {LARGEST // 2**20} MB, and was read no further", math.inf
                )
    except zlib.error as error:
        raise _Failed(f"the answer is packed wrongly: {error}") from None
    return text.decode("utf-8", "replace")


def _complaint(said: str) -> str:
    """The message of an error body, shortened."""
    try:
        error = json.loads(said)
        error = error.get("error", error)
        said = error.get("message", said) if isinstance(error, dict) else str(error)
    except (ValueError, AttributeError, RecursionError):
        pass
    return " ".join(str(said).split())[:300] or "no words"


def _about(said: str, name: str) -> bool:
    """Whether an error body complains about that parameter."""
    try:
        error = json.loads(said).get("error", {})
        return (
            error.get("param") == name
            or f"'{name}'" in str(error.get("message", ""))
            and "nsupported" in error["message"]
        )
    except (ValueError, AttributeError, TypeError, RecursionError):
        return False


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to wait (Retry-After, a number or a date), 0 where it says nothing usable."""
    text = headers.get("Retry-After", "")
    try:
        seconds = float(text)
    except ValueError:
        try:
            seconds = parsedate_to_datetime(text).timestamp() - datetime.now(UTC).timestamp()
        except ValueError:
            return 0.0
    return seconds if seconds > 0 and math.isfinite(seconds) else 0.0
