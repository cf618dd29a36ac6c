"""The example of `03_your_tools`: functions, descriptions and requests agree."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

NOTEBOOKS = Path(__file__).parent.parent / "notebooks"


def test_the_workshop_example_is_sound(monkeypatch: pytest.MonkeyPatch) -> None:
    from looptool_kit.checks.rules import call_errors, check_sample
    from looptool_kit.core.samples import Label, Message, Sample
    from looptool_kit.tools.catalog import load_tools

    monkeypatch.syspath_prepend(str(NOTEBOOKS))
    from your_tools import tools as workshop  # type: ignore[import-not-found]

    tools, api = (
        load_tools(NOTEBOOKS / "your_tools" / "tools.py"),
        load_tools(NOTEBOOKS / "your_tools" / "openapi.json"),
    )
    assert [(t.name, list(t.properties), t.required) for t in tools] == [
        (t.name, list(t.properties), t.required) for t in api
    ]
    rows = [
        json.loads(line)
        for line in (NOTEBOOKS / "your_tools" / "requests.jsonl").read_text(encoding="utf-8").splitlines()
    ]
    assert len(rows) >= 24 and any(r.get("held_out") for r in rows)
    for row in rows:
        messages = (
            Message(role="system", content=f"Today is {row['today']}."),
            Message(role="user", content=row["request"]),
        )
        label = Label(**{k: row[k] for k in ("calls", "reply", "mentions", "asks") if k in row})
        assert [
            c.detail
            for c in check_sample(Sample(tools=tuple(tools), messages=messages, label=label))
            if not c.passed
        ] == []
        for call in label.calls:
            assert call_errors(call, api) == []
            json.dumps(getattr(workshop, call.name)(**call.arguments))
