"""The page of a view, without a browser."""

from __future__ import annotations

import json
from typing import Any


def asked(view: Any, kind: str, **values: Any) -> dict[str, Any]:
    """What the page hears when it asks, as JSON carries it."""
    heard: list[dict[str, Any]] = []
    view.send = heard.append
    view._received(view, {"type": kind, "req": "1", **values}, [])
    answer = json.loads(json.dumps(heard[-1], allow_nan=False))
    assert answer["req"] == "1"
    return answer


def shown(view: Any) -> dict[str, Any]:
    """The row of the desk that is selected."""
    return asked(view, "detail", at=view.cursor)


def with_verdict(view: Any, verdict: str | None) -> list[str]:
    """The rows of the desk on which the judge says that."""
    return [v.sample_id for v in view.verdicts if v.verdict == verdict]
