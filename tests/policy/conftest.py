"""What the tests of policies share."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from looptool_kit.policy import downloads


@pytest.fixture
def no_hub(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """A hub that cannot be reached and whose cache is empty."""

    def refused(*_: Any, **__: Any) -> None:
        raise ConnectionError("connection refused")

    monkeypatch.setattr(downloads, "ask_hub", refused)
    monkeypatch.setattr(downloads, "from_hub", lambda repo, offline: None)
