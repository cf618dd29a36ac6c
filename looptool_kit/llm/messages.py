"""Chat completions: the body of a request, and the server's reply."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from looptool_kit.core.endpoint import Endpoint
from looptool_kit.core.json_text import strict_json


class Request(NamedTuple):
    """One question to a model."""

    messages: Sequence[Mapping[str, str]]
    """Turns with `role` and `content`."""
    temperature: float = 0.0
    max_tokens: int = 1024
    seed: int = 0
    """Tells repeated askings of one question apart in the store (votes). It is not sent: some servers break
    on it, and the store repeats answers anyway.
    """
    schema: dict[str, Any] | None = None
    """JSON Schema that the answer shall have. Not every server enforces it: read answers with `json_object`
    and check.
    """


class Reply(NamedTuple):
    """The result of a request."""

    text: str | None
    """The answer, None where there is none."""
    error: str = ""
    """Why there is none: the last failure, a refusal, an answer cut at the length limit."""
    tokens_in: int = 0
    tokens_out: int = 0
    cached: bool = False
    """It comes from the store."""


class Totals(NamedTuple):
    """The sums of a list of replies.

    Tokens and money whether paid now or earlier.
    """

    answered: int
    failed: int
    cached: int
    tokens_in: int
    tokens_out: int
    money: float


def totals(replies: Sequence[Reply], endpoint: Endpoint) -> Totals:
    """Sum up replies; one that equal requests share counts once.

    Money = (tokens_in * price_in + tokens_out * price_out) / 1e6.
    """
    replies = list({id(r): r for r in replies}.values())  # `complete` gives equal requests the same one
    read, written = sum(r.tokens_in for r in replies), sum(r.tokens_out for r in replies)
    answered, cached = sum(r.text is not None for r in replies), sum(r.cached for r in replies)
    money = (read * endpoint.price_in + written * endpoint.price_out) / 1e6
    return Totals(answered, len(replies) - answered, cached, read, written, money)


def json_object(text: str) -> dict[str, Any]:
    """The one JSON object that an answer consists of, read strictly (`json_text.strict_json`).

    Leading thoughts and a code fence around it are dropped.

    Raises:
        ValueError: The answer is anything else.
    """
    answer = text.strip()
    if not answer.startswith(("{", "```")):
        answer = answer.partition("</think>")[2].strip()
    if answer.startswith("```") and answer.endswith("```") and "\n" in answer:
        answer = answer[:-3].partition("\n")[2]
    value = strict_json(answer.strip())
    if not isinstance(value, dict):
        raise ValueError("the answer is JSON but not an object")
    return value


def body_of(request: Request, endpoint: Endpoint) -> bytes:
    """The body of the HTTP request."""
    body: dict[str, Any] = {
        "model": endpoint.model,
        "messages": [dict(sorted(m.items())) for m in request.messages],
        "temperature": request.temperature,
        "max_tokens": request.max_tokens,
    }
    if request.schema is not None:
        form = {"name": "answer", "schema": request.schema, "strict": _closed(request.schema)}
        body["response_format"] = {"type": "json_schema", "json_schema": form}
    # Keys are not sorted: servers have a schema's properties written in its order, and a verdict must come
    # after its reasons.
    return json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")


def key_of(request: Request, body: bytes, endpoint: Endpoint) -> str:
    """The key of an answer in the store.

    A hash of address, seed and body.
    """
    parts = endpoint.base_url.encode(), str(request.seed).encode(), body
    return hashlib.sha256(b"\0".join(parts)).hexdigest()


def _closed(schema: Any) -> bool:
    """Whether OpenAI's strict mode takes the schema.

    In it every object is closed, with all of its properties required.
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


def read_reply(raw: str) -> Reply:
    """A chat completion as a reply.

    Raises:
        ValueError: It is not a chat completion, or has no text.
    """
    try:
        # A number of thousands of digits is no int to Python; as a float it is one that counts nothing.
        data = json.loads(raw, parse_int=float)
        choice, usage = data["choices"][0], data.get("usage")
        message, finish = choice["message"], choice.get("finish_reason")
        text, refusal = message.get("content"), message.get("refusal")
        counts = usage if isinstance(usage, dict) else {}
        tokens = _tokens(counts.get("prompt_tokens")), _tokens(counts.get("completion_tokens"))
    except (KeyError, IndexError, TypeError, AttributeError, ValueError, RecursionError):
        raise ValueError(f"not a chat completion: {raw[:200]}") from None
    if finish == "length":
        return Reply(None, "the answer was cut at the length limit", *tokens)
    if refusal or finish == "content_filter":
        return Reply(None, writable(f"the server refused: {refusal or finish}"), *tokens)
    if not isinstance(text, str) or not text.strip():
        raise ValueError("an answer without text")
    return Reply(writable(text), "", *tokens)


def writable(text: str) -> str:
    """The text without lone surrogates.

    JSON can spell them, and no table can hold them.
    """
    return text.encode("utf-8", "replace").decode()


def _tokens(count: Any) -> int:
    """A number of tokens as a server reports it.

    0 for what cannot be one.

    So a strange count costs no answer.
    """
    return int(count) if type(count) in (int, float) and 0 <= count < 1e9 else 0
