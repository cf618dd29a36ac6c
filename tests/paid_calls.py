"""Questions to the mock server, for the tests of paid calls."""

from __future__ import annotations

from typing import Any

from mock_llm import MockLLM

from looptool_kit.core.endpoint import Endpoint
from looptool_kit.llm.messages import Request


def echo(body: dict[str, Any]) -> str:
    """An answer that repeats the question."""
    return f"said {body['messages'][-1]['content']}"


def question(text: object, **changes: Any) -> Request:
    """A request with one turn."""
    return Request([{"role": "user", "content": str(text)}], **changes)


def at(server: MockLLM, **changes: Any) -> Endpoint:
    """The server as an endpoint without a key."""
    return Endpoint(**{"base_url": server.url, "model": "mock", "key_env": "NO_SUCH_KEY"} | changes)
