"""Where a model answers: a setting of a run.

It stands apart from `llm/`, so that reading settings loads no network code.
"""

from __future__ import annotations

import os
import re
from typing import ClassVar
from urllib.parse import quote, urlsplit

from pydantic import ConfigDict, Field, field_validator

from looptool_kit.core.samples import Frozen


class Endpoint(Frozen):
    """A model behind an OpenAI-compatible server (`/chat/completions`): vLLM, llama.cpp, a hosted service."""

    model_config = ConfigDict(
        use_attribute_docstrings=True, hide_input_in_errors=True, allow_inf_nan=False
    )  # what was given by mistake may be a key
    machine: ClassVar[frozenset[str]] = frozenset(
        {"key_env", "concurrency", "timeout", "retries", "price_in", "price_out"}
    )
    """Settings that decide no answer, so that no stage's key holds them."""

    base_url: str
    """Address up to and with the version, e.g. http://localhost:8000/v1. Stored answers are found by it and
    by the model.
    """
    model: str = Field(min_length=1)
    """The model's name on that server."""
    key_env: str = Field("OPENAI_API_KEY", pattern=r"^[A-Za-z_][A-Za-z0-9_]*$")
    """The environment variable that holds the API key. A local server mostly wants none: leave the variable
    unset and none is sent. A text of under 8 characters (`none`, `EMPTY`) is refused: it is an ordinary word,
    which could not be hidden in messages.
    """
    concurrency: int = Field(64, ge=1)
    """Calls in flight at once."""
    timeout: float = Field(120.0, gt=0)
    """Seconds until a call without answer is tried again."""
    retries: int = Field(8, ge=0)
    """Further tries after a time-out, a broken connection, a malformed answer or status 408, 409, 429, 5xx.
    """
    price_in: float = Field(0.0, ge=0)
    """Money for a million tokens read, for the totals."""
    price_out: float = Field(0.0, ge=0)
    """Money for a million tokens written."""

    @field_validator("base_url")
    @classmethod
    def _address(cls, url: str) -> str:
        if " " in url or not url.isprintable():
            raise ValueError("an address holds no white space and no control characters")
        parts = urlsplit(url)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ValueError("give an address like http://localhost:8000/v1")
        if parts.username or parts.password or parts.query:
            raise ValueError(
                "an address holds no user, password or query; the key belongs in the environment variable"
                " that key_env names"
            )
        return url.rstrip("/")

    def key(self) -> str:
        """The API key in the environment, empty where there is none.

        Raises:
            EndpointError: It has under `MIN_KEY_LENGTH` characters.
        """
        key = os.environ.get(self.key_env, "").strip()
        if 0 < len(key) < MIN_KEY_LENGTH:
            raise EndpointError(
                f"the environment variable {self.key_env}, the API key for {self.base_url}, holds"
                f" {len(key)} characters; a key has at least {MIN_KEY_LENGTH}, so that it can be told from"
                f" other words and hidden in messages. Where the server wants no key: unset {self.key_env}."
                " A server of your own that wants one: start it with a longer one."
            )
        return key


class EndpointError(ValueError):
    """No call to this endpoint can succeed (wrong key, address or model).

    The message says which and what to do.
    """


MIN_KEY_LENGTH = 8
"""Characters. A shorter key is an ordinary word, and hiding that would make errors unreadable."""


def hide_key(text: str, key: str) -> str:
    """The text with [key] in place of an API key.

    It is found also where JSON or an address has it escaped. A key of under `MIN_KEY_LENGTH` characters
    stays.
    """
    if len(key) < MIN_KEY_LENGTH:
        return text
    forms = (rf"(?:\\*{re.escape(c)}|\\+u(?i:{ord(c):04x})|(?i:{re.escape(quote(c, safe=''))}))" for c in key)
    return re.sub("".join(forms), "[key]", text)
