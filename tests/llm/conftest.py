"""A server that repeats the question, and the place of a store."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest


@pytest.fixture
def server() -> Iterator[Any]:
    """The running `MockLLM`."""
    from mock_llm import MockLLM
    from paid_calls import echo

    with MockLLM(echo) as running:
        yield running


@pytest.fixture
def store(tmp_path: Path) -> Path:
    """The path of a store that does not exist yet."""
    return tmp_path / "run" / "calls.sqlite"
