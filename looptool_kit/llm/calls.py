"""The calls of a language model.

Bounded concurrency, retries, and nothing kept that repeats an API key.

The retries are written here. A library's would need its own functions for each wait (Retry-After, or longer
after each try), for what is tried again, and for the stop after many failures in a row, which all calls
share.
"""

from __future__ import annotations

import asyncio
import json
import math
import random
import zlib
from collections import deque
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from looptool_kit.core.endpoint import Endpoint, EndpointError, hide_key
from looptool_kit.llm.messages import Reply, Totals, read_reply, totals, writable
from looptool_kit.llm.store import keep, open_store

NOT_TRIED = "not tried"
"""How the error of a call begins that was not tried, because too many before it had failed."""
MAX_WAIT = 300.0
"""Seconds: a server that asks (Retry-After) to wait longer is not waited for."""
MAX_ANSWER_BYTES = 4 * 2**20
"""Bytes of an answer, as they come and unpacked: a hundred times what a judge writes. Reading stops there."""
MAX_PAUSE = 8.0
"""Seconds between two tries, where the server asks for no wait."""
MIN_FAILURES = 8
"""Failed calls in a row after which the rest is not tried; at least as many as are in flight at once."""

Keep = Callable[[str, str], Awaitable[None]]
"""Keeps the raw answer to the request of that key; it is on disk when this returns."""

_RETRIED = {408, 409, 429}
_OTHER_NAME = {"max_tokens": "max_completion_tokens", "temperature": None, "response_format": None}
"""Parameters that some models refuse with status 400 -> the name under which they take them, None where they
take none.
"""


class _Failed(Exception):
    """A call had no usable answer."""

    def __init__(self, reason: str, wait: float | None = 0.0) -> None:
        """Say why, and what may help.

        Args:
            wait: The server's Retry-After in seconds. None: the question is at fault. Infinity: the server
            is,
                and another try does not help.
        """
        super().__init__(writable(reason))
        self.wait = wait


class Calls:
    """The calls of one `complete`, made by a thread of their own.

    Other threads only read `replies` and `progress` and call `stop`.
    """

    def __init__(self, endpoint: Endpoint, store: Path, todo: Mapping[str, bytes]) -> None:
        self.endpoint, self.store, self.todo = endpoint, store, deque(todo.items())
        self.replies: dict[str, Reply] = {}
        self.error: BaseException | None = None
        self.renamed: dict[str, str | None] = {}
        self.failures, self.last_failure = 0, ""  # calls that failed for good since the last answer
        self.answered = False
        self.spent = Totals(0, 0, 0, 0, 0, 0.0)
        self.stopping = False
        self.running: tuple[asyncio.AbstractEventLoop, asyncio.Task[None]] | None = None

    def run(self) -> None:
        """Make all calls; what goes wrong is kept as `error`."""
        try:
            asyncio.run(self._all())
        except asyncio.CancelledError:
            pass
        except BaseException as error:  # noqa: BLE001 - raised by the thread that waits
            while isinstance(error, BaseExceptionGroup):
                error = error.exceptions[0]
            self.error = error

    def progress(self) -> str:
        """Tokens, failures and money so far, in words."""
        total = self.spent
        failed = f", {total.failed} failed" if total.failed else ""
        priced = self.endpoint.price_in or self.endpoint.price_out
        money = f", {total.money:.2f} spent" if priced else ""
        return f"{total.tokens_in + total.tokens_out:,} tokens{failed}{money}"

    def stop(self) -> None:
        """Cancel the calls in flight."""
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
        key = self.endpoint.key()
        headers = {"Content-Type": "application/json", "Accept-Encoding": "gzip"}
        if key:
            headers["Authorization"] = f"Bearer {key}"
        url = urlsplit(self.endpoint.base_url)
        direct = url.hostname in ("localhost", "127.0.0.1", "::1") or proxy_bypass(url.hostname or "")
        with self.keeping() as kept:
            session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=self.endpoint.concurrency),
                timeout=aiohttp.ClientTimeout(total=self.endpoint.timeout),
                headers=headers,
                auto_decompress=False,  # `_text_of` unpacks, within bounds
                proxy=None if direct else getproxies().get(url.scheme),
            )
            async with session, asyncio.TaskGroup() as group:
                for _ in range(min(self.endpoint.concurrency, len(self.todo))):
                    group.create_task(self._work(session, kept, key))

    @contextmanager
    def keeping(self) -> Iterator[Keep]:
        """Open the store; gives what keeps an answer in it."""

        async def one(key: str, raw: str) -> None:
            keep(db, self.store, key, self.endpoint.model, raw)

        with closing(open_store(self.store)) as db:
            yield one

    async def _work(self, session: Any, kept: Keep, secret: str) -> None:
        while self.todo:
            key, body = self.todo.popleft()
            try:
                raw = await self._answer(session, body, secret)
            except _Failed as failure:
                reply = Reply(None, str(failure))
            else:
                await kept(key, raw)
                reply = read_reply(raw)
            self.replies[key] = reply
            self.spent = Totals._make(
                a + b for a, b in zip(self.spent, totals([reply], self.endpoint), strict=True)
            )

    async def _answer(self, session: Any, body: bytes, secret: str) -> str:
        """The raw answer; `_Failed` after the last try."""
        limit = max(MIN_FAILURES, self.endpoint.concurrency)
        for tried in range(self.endpoint.retries + 1):
            if self.failures >= limit:
                raise _Failed(f"{NOT_TRIED}: the last {limit} calls in a row failed. {self.last_failure}")
            try:
                raw = await self._once(session, body, secret)
                self.failures, self.answered = 0, True
                return raw
            except _Failed as failure:
                reason, wait = str(failure), failure.wait
            if wait is None or wait > MAX_WAIT or tried == self.endpoint.retries:
                break
            pause = min(MAX_PAUSE, 0.5 * 2**tried)
            await asyncio.sleep(
                wait * (1 + random.random() / 2) if wait else pause * (0.5 + random.random() / 2)
            )
        if wait is not None:
            self.failures, self.last_failure = self.failures + 1, reason
        raise _Failed(reason)

    async def _once(self, session: Any, body: bytes, secret: str) -> str:
        import aiohttp

        names = dict(self.renamed)
        if names:
            values = json.loads(body)
            body = json.dumps(
                {names.get(k, k): v for k, v in values.items() if names.get(k, k)}, ensure_ascii=False
            ).encode("utf-8")
        try:
            async with session.post(
                f"{self.endpoint.base_url}/chat/completions", data=body, allow_redirects=False
            ) as response:
                status, headers, raw = response.status, response.headers, await _text_of(response)
        except TimeoutError:
            raise _Failed(f"no answer within {self.endpoint.timeout:g} s") from None
        except aiohttp.ClientError as error:
            raise _Failed(hide_key(f"{type(error).__name__}: {error}", secret)) from None
        text = hide_key(raw, secret)  # some servers repeat the key in their messages
        if status == 200:
            try:
                unchanged = read_reply(text).text == read_reply(raw).text
            except ValueError as error:
                raise _Failed(str(error)) from None
            if not unchanged:
                reason = f"the answer repeats the API key of {self.endpoint.key_env}, so it is not kept"
                raise _Failed(reason, math.inf)
            return text
        reason = f"status {status}: {_complaint(text)}"
        if status == 400 and (
            refused := next((n for n in _OTHER_NAME if n not in names and _about(text, n)), None)
        ):
            self.renamed[refused] = _OTHER_NAME[refused]
            return await self._once(session, body, secret)
        # Before the first answer the settings are wrong; later it may be one request, or the server.
        if status in (401, 404) and not self.answered:
            raise EndpointError(self._remedy(status, reason, bool(secret)))
        wait = _retry_after(headers)
        if status in _RETRIED or status >= 500:
            hint = f" (asks to wait {wait:.0f} s)" if wait > MAX_WAIT else ""
            raise _Failed(reason + hint, wait)
        raise _Failed(reason, None)

    def _remedy(self, status: int, reason: str, sent_key: bool) -> str:
        at = self.endpoint
        if status == 404:
            return (
                f"{at.base_url} knows no model {at.model!r}, or no /chat/completions ({reason}). Fix base_url"
                " or model in the settings."
            )
        state = "holds a key that it refuses" if sent_key else "is not set"
        return (
            f"{at.base_url} wants an API key, and the environment variable {at.key_env} {state} ({reason})."
            " Export the key under that name."
        )


async def _text_of(response: Any) -> str:
    """A response's text, unpacked.

    Raises:
        _Failed: It has more than `MAX_ANSWER_BYTES`, packed or not.
    """
    packing = response.headers.get("Content-Encoding", "identity").lower()
    # 32 + 15: zlib finds out by the first bytes whether it is gzip or its own form, with the largest window.
    unpack = zlib.decompressobj(wbits=47) if packing in ("gzip", "x-gzip", "deflate") else None
    if unpack is None and packing != "identity":
        raise _Failed(f"the answer is encoded as {packing[:20]!r}, which was not asked for", math.inf)
    packed, text = 0, bytearray()
    try:
        async for chunk in response.content.iter_any():
            packed += len(chunk)
            text += unpack.decompress(chunk, MAX_ANSWER_BYTES + 1 - len(text)) if unpack else chunk
            if max(packed, len(text)) > MAX_ANSWER_BYTES:
                size = f"{MAX_ANSWER_BYTES // 2**20} MB"
                raise _Failed(f"the answer has more than {size}, and was read no further", math.inf)
    except zlib.error as error:
        raise _Failed(f"the answer cannot be decoded: {error}") from None
    return text.decode("utf-8", "replace")


def _complaint(body: str) -> str:
    """The message of an error body, shortened."""
    message: object = body
    with suppress(ValueError, AttributeError, RecursionError):
        error = json.loads(body)
        error = error.get("error", error)
        message = error.get("message", body) if isinstance(error, dict) else error
    return " ".join(str(message).split())[:300] or "no words"


def _about(body: str, name: str) -> bool:
    """Whether an error body complains about that parameter."""
    try:
        error = json.loads(body).get("error", {})
        return (
            error.get("param") == name
            or f"'{name}'" in str(error.get("message", ""))
            and "nsupported" in error["message"]
        )
    except (ValueError, AttributeError, TypeError, RecursionError):
        return False


def _retry_after(headers: Mapping[str, str]) -> float:
    """Seconds that the server asks to wait, 0 if none.

    Retry-After is a number, or a date by the server's clock; the clock here may be wrong.
    """
    text = headers.get("Retry-After", "")
    try:
        seconds = float(text)
    except ValueError:
        if (until := _moment(text)) is None:
            return 0.0
        now = _moment(headers.get("Date", ""))
        seconds = until - (datetime.now(UTC).timestamp() if now is None else now)
    return seconds if seconds > 0 and math.isfinite(seconds) else 0.0


def _moment(text: str) -> float | None:
    """A date of HTTP in seconds since 1970; None where it is none."""
    try:
        return parsedate_to_datetime(text).timestamp()
    except (ValueError, OverflowError):
        return None
