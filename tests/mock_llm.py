"""A local OpenAI-compatible server with scripted answers: for tests (`with MockLLM(answer) as server`) and by
hand:

    python tests/mock_llm.py --port 8001 --latency 0.05 --fail 0.3 --log calls.jsonl

By hand it answers every question with `--say`, or, where a JSON schema is asked for, with an object of that
form.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import random
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any, NamedTuple

from aiohttp import web


class Scripted(NamedTuple):
    """An answer in full, where the words of a chat completion do not do."""

    body: str
    status: int = 200
    headers: dict[str, str] = {}


Answer = Callable[[dict[str, Any]], str | Scripted]
"""Takes the request's body; returns what the model says."""


class MockLLM:
    """The server, in a thread of its own while the `with` block runs.

    `answer` scripts the model; `latency` in seconds before each answer; a share `fail` of the calls gets
    status 503, with `retry_after` as its Retry-After where given. `log` holds one record a request: its body,
    Authorization header, status and time; `in_flight` the most at once.
    """

    def __init__(
        self,
        answer: Answer | None = None,
        latency: float = 0.0,
        fail: float = 0.0,
        retry_after: str | None = None,
        seed: int = 0,
        port: int = 0,
    ) -> None:
        self.answer, self.latency, self.fail, self.retry_after = (
            answer or some_answer,
            latency,
            fail,
            retry_after,
        )
        self.random, self.port = random.Random(seed), port
        self.log: list[dict[str, Any]] = []
        self.now, self.in_flight = 0, 0
        self.on_call: Callable[[dict[str, Any]], None] = lambda record: None

    @property
    def url(self) -> str:
        """What a client takes as its base URL."""
        return f"http://127.0.0.1:{self.port}/v1"

    async def serve(self, ready: Callable[[], None]) -> None:
        """Serve until cancelled."""
        app = web.Application(client_max_size=2**26)
        app.router.add_post("/v1/chat/completions", self._chat)
        app.router.add_get("/v1/models", self._models)
        runner = web.AppRunner(app, access_log=None, shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, "127.0.0.1", self.port)
            await site.start()
            self.port = site._server.sockets[0].getsockname()[1]  # type: ignore[union-attr]
            ready()
            await asyncio.Event().wait()
        finally:
            await runner.cleanup()

    async def _models(self, _: web.Request) -> web.Response:
        return web.json_response({"object": "list", "data": [{"id": "mock", "object": "model"}]})

    async def _chat(self, request: web.Request) -> web.Response:
        body = await request.json()
        self.now += 1
        self.in_flight = max(self.in_flight, self.now)
        record = {
            "body": body,
            "authorization": request.headers.get("Authorization"),
            "time": time.time(),
            "status": 0,
        }
        self.log.append(record)
        try:
            await asyncio.sleep(self.latency)
            if self.random.random() < self.fail:
                said = Scripted(
                    '{"error": {"message": "overloaded"}}',
                    503,
                    {"Retry-After": self.retry_after} if self.retry_after else {},
                )
            else:
                answer = self.answer(body)
                said = answer if isinstance(answer, Scripted) else Scripted(completion(answer, body))
            record["status"] = said.status
            self.on_call(record)
            return web.Response(
                text=said.body, status=said.status, headers=said.headers, content_type="application/json"
            )
        finally:
            self.now -= 1

    def __enter__(self) -> MockLLM:
        ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._task = self._loop.create_task(self.serve(ready.set))

        def work() -> None:
            with suppress(asyncio.CancelledError):  # that is how the server ends
                self._loop.run_until_complete(self._task)
            self._loop.close()

        self._thread = threading.Thread(target=work, name="mock", daemon=True)
        self._thread.start()
        assert ready.wait(30)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._task.cancel)
        self._thread.join(30)


def completion(text: str | None, body: dict[str, Any], finish: str = "stop", **message: Any) -> str:
    """A chat completion as the server's text; tokens are counted as words."""
    read = sum(len(str(m.get("content", "")).split()) for m in body.get("messages", ()))
    return json.dumps(
        {
            "id": "chatcmpl-mock",
            "object": "chat.completion",
            "model": body.get("model", "mock"),
            "choices": [
                {
                    "index": 0,
                    "message": {"role": "assistant", "content": text, **message},
                    "finish_reason": finish,
                }
            ],
            "usage": {"prompt_tokens": read, "completion_tokens": len((text or "").split())},
        }
    )


def some_answer(body: dict[str, Any]) -> str:
    """An object of the form asked for, or a fixed sentence."""
    form = body.get("response_format", {}).get("json_schema", {}).get("schema")
    return json.dumps(instance(form)) if form else "Hello from the mock."


def instance(schema: dict[str, Any]) -> Any:
    """The plainest value of a JSON Schema of the usual kinds."""
    if "enum" in schema:
        return schema["enum"][0]
    kind = schema.get("type")
    if kind == "object":
        return {name: instance(form) for name, form in schema.get("properties", {}).items()}
    if kind == "array":
        return [instance(schema["items"])] * schema.get("minItems", 1) if "items" in schema else []
    return {"string": "text", "integer": 1, "number": 1.0, "boolean": True}.get(str(kind))


def main() -> None:
    """Serve until interrupted."""
    ask = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    ask.add_argument("--port", type=int, default=8001, help="0 takes any free one")
    ask.add_argument("--latency", type=float, default=0.0, help="seconds before each answer")
    ask.add_argument("--fail", type=float, default=0.0, help="share of the calls answered by 503")
    ask.add_argument("--retry-after", help="the Retry-After header of those")
    ask.add_argument("--say", help="what the model says")
    ask.add_argument("--log", help="a .jsonl file that gets one record a request (without keys)")
    args = ask.parse_args()
    server = MockLLM(
        (lambda _: args.say) if args.say else None, args.latency, args.fail, args.retry_after, port=args.port
    )
    if args.log:
        out = open(args.log, "a", encoding="utf-8", buffering=1)  # noqa: SIM115 - open as long as the server is
        server.on_call = lambda r: print(
            json.dumps(r | {"authorization": bool(r["authorization"])}, ensure_ascii=False), file=out
        )
    else:
        server.on_call = lambda r: server.log.clear()
    try:
        asyncio.run(server.serve(lambda: print(server.url, flush=True)))
    except KeyboardInterrupt:
        print("stopped")


if __name__ == "__main__":
    main()
